// SPDX-License-Identifier: GPL-2.0-only
//! What is asked for and understood, and has no effect here. It is said at the start and never refused: configurations
//! that work with the original are to work here.

use std::ffi::OsString;

/// A line for each thing that was asked for and has no effect.
pub fn without_effect(env: &dyn Fn(&str) -> Option<OsString>) -> Vec<String> {
    let set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
    let variables = [
        ("What session configurations may consist of is built in", "LTTNG_SESSION_CONFIG_XSD_PATH"),
        ("Directories are always made by another process, as their owner", "LTTNG_DEBUG_NOCLONE"),
    ];
    let asked = variables.into_iter().filter(|(_, name)| set(name));
    asked.map(|(why, name)| format!("{why}: {name} has no effect")).collect()
}
