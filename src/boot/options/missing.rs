// SPDX-License-Identifier: GPL-2.0-only
//! What is asked for and understood, but not there yet. It is said at the start and never refused: configurations that work
//! with the original are to work here.

use std::ffi::OsString;

use super::settings::Settings;

/// A line for each thing that was asked for and has no effect.
pub fn without_effect(settings: &Settings, env: &dyn Fn(&str) -> Option<OsString>) -> Vec<String> {
    let set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
    let asked = [
        (
            set("LTTNG_SESSION_CONFIG_XSD_PATH"),
            "The rules of session configurations are built in",
            "LTTNG_SESSION_CONFIG_XSD_PATH",
        ),
        (
            env("LTTNG_ABORT_ON_ERROR").is_some_and(|value| value == "1"),
            "The daemon never aborts because of an error that it reports",
            "LTTNG_ABORT_ON_ERROR",
        ),
        (
            set("LTTNG_DEBUG_NOCLONE"),
            "Directories are always made by another process, as their owner",
            "LTTNG_DEBUG_NOCLONE",
        ),
    ];
    let asked = asked.into_iter().filter(|(asked, ..)| *asked);
    asked.map(|(_, why, name)| format!("{why}: {name} has no effect")).collect()
}
