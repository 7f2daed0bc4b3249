// SPDX-License-Identifier: GPL-2.0-only
//! Nothing of the original's options and variables is accepted and half applied: each that the reference lists is tested
//! by a test that is named here, or is known to have no effect, which the manual page then says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The tests of each option, of its effect wherever it has one of its own.
const OPTIONS: &[(&str, &[&str])] = &[
    ("client-sock", &["given_paths", "options_of_all_sources_act"]),
    ("apps-sock", &["given_paths", "short_options"]),
    ("kconsumerd-cmd-sock", &["options_in_every_form"]),
    ("kconsumerd-err-sock", &["options_in_every_form"]),
    ("ustconsumerd32-cmd-sock", &["options_in_every_form", "options_of_consumer_daemons_reach_them"]),
    ("ustconsumerd32-err-sock", &["options_in_every_form", "options_of_consumer_daemons_reach_them"]),
    ("ustconsumerd64-cmd-sock", &["given_paths"]),
    ("ustconsumerd64-err-sock", &["given_paths"]),
    ("consumerd32-path", &["options_in_every_form", "options_of_consumer_daemons_reach_them"]),
    ("consumerd32-libdir", &["options_in_every_form", "options_of_consumer_daemons_reach_them"]),
    ("consumerd64-path", &["a_consumer_daemon_that_is_not_there"]),
    ("consumerd64-libdir", &["options_in_every_form", "options_of_consumer_daemons_reach_them"]),
    ("daemonize", &["to_the_background"]),
    ("background", &["to_the_background"]),
    ("sig-parent", &["options_in_every_form"]),
    ("help", &["the_help"]),
    ("group", &["another_tracing_group"]),
    ("version", &["the_version", "the_version_comes_with_what_is_wrong"]),
    ("quiet", &["short_options", "an_error_may_be_made_fatal"]),
    ("verbose", &["short_options"]),
    ("verbose-consumer", &["options_in_every_form", "options_of_consumer_daemons_reach_them"]),
    ("no-kernel", &["options_of_all_sources_act"]),
    ("pidfile", &["given_paths", "options_of_all_sources_act"]),
    ("agent-tcp-port", &["options_in_every_form"]),
    ("config", &["options_of_all_sources_act"]),
    ("load", &["options_in_every_form"]),
    ("kmod-probes", &["options_in_every_form", "lists_take_the_place_of_the_usual_probes_or_add_to_them"]),
    (
        "extra-kmod-probes",
        &["options_in_every_form", "lists_take_the_place_of_the_usual_probes_or_add_to_them"],
    ),
    (
        "event-notifier-error-buffer-size-kernel",
        &["command_lines_that_are_refused", "command_lines_as_getopt_takes_them"],
    ),
    (
        "event-notifier-error-buffer-size-userspace",
        &["command_lines_that_are_refused", "places_of_error_counters_are_limited"],
    ),
];

/// The same of each variable.
const VARIABLES: &[(&str, &[&str])] = &[
    ("LTTNG_HOME", &["a_user_may_choose_another_home"]),
    ("HOME", &["a_user_has_an_own_daemon"]),
    ("LTTNG_APP_SOCKET_TIMEOUT", &["timeouts", "variables"]),
    ("LTTNG_CONSUMERD32_BIN", &["variables", "later_sources_override_earlier_ones"]),
    ("LTTNG_CONSUMERD64_BIN", &["the_consumer_daemon_may_be_given_by_the_environment"]),
    ("LTTNG_CONSUMERD32_LIBDIR", &["variables"]),
    ("LTTNG_CONSUMERD64_LIBDIR", &["variables"]),
    (
        "LTTNG_UST_CLOCK_PLUGIN",
        &["variables", "time_stamps_of_a_plug_in_are_right_and_traces_describe_its_clock"],
    ),
    ("LTTNG_KMOD_PROBES", &["variables", "later_sources_override_earlier_ones"]),
    ("LTTNG_EXTRA_KMOD_PROBES", &["variables"]),
    ("LTTNG_NETWORK_SOCKET_TIMEOUT", &["timeouts", "the_timeout_of_the_user"]),
    ("LTTNG_ABORT_ON_ERROR", &["an_error_may_be_made_fatal"]),
];

/// What has no effect here, and a word of the reason that the manual page gives.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("LTTNG_SESSION_CONFIG_XSD_PATH", "built in"),
    ("LTTNG_DEBUG_NOCLONE", "lttng-runas"),
    ("LTTNG_MAN_BIN_PATH", "built in"),
    ("LTTNG_TESTPOINT_ENABLE", "test builds"),
];

/// What is not the daemon's own, but of those who read it as they do everywhere.
const OF_OTHERS: &[&str] = &["LD_LIBRARY_PATH", "LANG"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The first cells of the table in the section that begins with this heading, without backquotes; those that name
/// several are taken apart.
fn first_cells(text: &str, heading: &str) -> Vec<String> {
    let section = text.split_once(&format!("\n## {heading}")).unwrap().1;
    let section = section.split("\n##").next().unwrap();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('|'));
    let names =
        cells.flat_map(|(cell, _)| cell.split(',').map(|name| name.trim_matches([' ', '`']).to_owned()));
    names.collect()
}

/// The names of all tests of the daemon.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders: Vec<PathBuf> = vec![root().join("tests"), root().join("src")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(path).unwrap();
                let lines: Vec<&str> = text.lines().map(str::trim).collect();
                let after = lines.windows(2).filter(|pair| pair[0] == "#[test]");
                let name = |pair: &[&str]| Some(pair[1].strip_prefix("fn ")?.split_once('(')?.0.to_owned());
                names.extend(after.filter_map(name));
            }
        }
    }
    names
}

fn check(listed: &[String], tested: &[(&str, &[&str])], how_it_stands_in_the_page: impl Fn(&str) -> String) {
    assert!(listed.len() > 10, "the table is not where it is looked for: {listed:?}");
    let (tests, page) = (tests(), read("man/lttng-sessiond.8"));
    let tested: BTreeMap<&str, &[&str]> = tested.iter().copied().collect();
    let idle: BTreeMap<&str, &str> = WITHOUT_EFFECT.iter().copied().collect();
    for name in listed.iter().map(String::as_str).filter(|name| !OF_OTHERS.contains(name)) {
        assert!(page.contains(&how_it_stands_in_the_page(name)), "{name} is not in the manual page");
        match (tested.get(name), idle.get(name)) {
            (Some(by), None) => {
                for test in *by {
                    assert!(tests.contains(*test), "{name}: there is no test {test}");
                }
            }
            (None, Some(_)) => {}
            (None, None) => panic!("{name} is neither tested nor known to have no effect"),
            (Some(_), Some(_)) => panic!("{name} is tested and has no effect"),
        }
    }
    for name in tested.keys() {
        assert!(listed.iter().any(|listed| listed == name), "{name} is not in the reference");
    }
}

#[test]
fn every_option_is_tested_or_has_no_effect() {
    let listed = first_cells(&read("protocol/doc/daemon-lifecycle.md"), "2. Command-line options");
    assert_eq!(listed.len(), 30);
    check(&listed, OPTIONS, |name| format!("Fl \\-{name}"));
}

#[test]
fn every_variable_is_tested_or_has_no_effect() {
    let listed = first_cells(&read("protocol/doc/daemon-lifecycle.md"), "4. Environment");
    check(&listed, VARIABLES, |name| format!("Ev {name}"));
}

/// The manual page has a list of what has no effect, with reasons.
#[test]
fn what_has_no_effect_stands_in_the_manual_page() {
    let page = read("man/lttng-sessiond.8");
    let list = page.split_once(".Ss Without effect\n").unwrap().1;
    let list = list.split("\n.S").next().unwrap();
    for (name, why) in WITHOUT_EFFECT {
        let reason = list.split(".It Ev ").find(|item| item.starts_with(name));
        let reason = reason.unwrap_or_else(|| panic!("{name} is not in the list")).replace('\n', " ");
        assert!(reason.contains(why), "{name}: {reason}");
    }
}

#[test]
fn the_manual_pages_are_well_formed() {
    for page in ["man/lttng-sessiond.8", "man/lttng-sessiond-status.7"] {
        lint(page);
    }
}

fn lint(page: &str) {
    match Command::new("mandoc").arg("-Tlint").arg(root().join(page)).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            // Which other pages there are is a matter of the machine.
            let of_this_page = |line: &&str| !line.contains("referenced manual not found");
            assert_eq!(said.lines().filter(of_this_page).collect::<Vec<_>>(), [""; 0]);
        }
        Err(error) => {
            assert!(std::env::var_os("LTTNG_TEST_REQUIRE").is_none(), "cannot run: no mandoc: {error}");
            println!("SKIPPED: no mandoc (package mandoc)");
        }
    }
}
