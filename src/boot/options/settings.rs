// SPDX-License-Identifier: GPL-2.0-only
//! What was asked for by environment, configuration files and command line, before defaults.
//!
//! Each source is applied in turn and overrides what was there. Nothing is opened or looked up here, so
//! the order of precedence is all there is to see.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::ini;
use super::table::{Entry, Name, Takes, by_key};

/// The section of configuration files that is the daemon's.
const SECTION: &str = "sessiond";
/// The largest number that a switch may have for a value.
const MAX_LEVEL: u64 = i32::MAX as u64;

/// What was asked for. `None`: nothing, the default holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "one field for each option, see the manual page")]
pub struct Settings {
    pub client_sock: Option<PathBuf>,
    pub apps_sock: Option<PathBuf>,
    pub kernel: ConsumerSettings,
    pub ust32: ConsumerSettings,
    pub ust64: ConsumerSettings,
    pub daemonize: bool,
    pub background: bool,
    pub sig_parent: bool,
    pub group: Option<String>,
    pub quiet: bool,
    pub verbose: u64,
    pub verbose_consumer: u64,
    pub no_kernel: bool,
    pub pidfile: Option<PathBuf>,
    pub agent_tcp_port: Option<u16>,
    pub load: Option<PathBuf>,
    pub kmod_probes: Option<String>,
    pub extra_kmod_probes: Option<String>,
    pub notifier_slots_kernel: Option<u16>,
    pub notifier_slots_user: Option<u16>,
}

/// What was asked for about one consumer daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "one field for each option, see the manual page")]
pub struct ConsumerSettings {
    pub cmd_sock: Option<PathBuf>,
    pub err_sock: Option<PathBuf>,
    pub path: Option<PathBuf>,
    pub libdir: Option<PathBuf>,
}

impl Settings {
    /// Takes the variables that stand for options.
    pub fn apply_environment(&mut self, env: &dyn Fn(&str) -> Option<OsString>, set_id: bool) {
        let text = |name: &str| env(name).map(|value| value.to_string_lossy().into_owned());
        if set_id {
            return;
        }
        self.kmod_probes = text("LTTNG_KMOD_PROBES");
        self.extra_kmod_probes = text("LTTNG_EXTRA_KMOD_PROBES");
        let path = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        self.ust32.path = path("LTTNG_CONSUMERD32_BIN");
        self.ust32.libdir = path("LTTNG_CONSUMERD32_LIBDIR");
        self.ust64.path = path("LTTNG_CONSUMERD64_BIN");
        self.ust64.libdir = path("LTTNG_CONSUMERD64_LIBDIR");
    }

    /// Applies the text of a configuration file. What is wrong in it is left out, with a line to print for each mistake:
    /// the original's text, and where it is.
    pub fn apply_file(&mut self, path: &Path, text: &[u8], set_id: bool, lines: &mut Vec<String>) {
        let contents = ini::parse(text);
        let mut wrong: Vec<(usize, String)> = Vec::new();
        for item in contents.entries.into_iter().filter(|item| item.section == SECTION) {
            let Some(entry) = by_key(&item.key) else {
                let text =
                    format!("Warning: Unrecognized option \"{}\" in daemon configuration file.", item.key);
                wrong.push((item.line, text));
                continue;
            };
            if matches!(entry.name, Name::Help | Name::Version | Name::Config)
                || entry.takes == Takes::Optional
            {
                continue;
            }
            let applied = match entry.takes {
                Takes::Nothing | Takes::Repeats => self.apply_level(entry, &item.value),
                Takes::Trusted if set_id => Err(refused(entry)),
                Takes::Trusted | Takes::Number | Takes::Optional => self.apply(entry, &item.value),
            };
            wrong.extend(applied.err().map(|text| (item.line, text)));
        }
        let nonsense = "Warning: Neither a section nor an option with a value: ignored";
        wrong.extend(contents.nonsense.into_iter().map(|line| (line, nonsense.to_owned())));
        wrong.sort_by_key(|(line, _)| *line);
        let path = path.display();
        lines.extend(wrong.into_iter().map(|(line, text)| format!("{text} ({path}, line {line})")));
    }

    /// Applies an option that takes an argument.
    ///
    /// # Errors
    /// The line to print: the value is not one for this option.
    pub fn apply(&mut self, entry: &Entry, value: &OsStr) -> Result<(), String> {
        if value.is_empty() && !matches!(entry.name, Name::NotifierSlotsKernel | Name::NotifierSlotsUser) {
            let long = entry.long;
            return Err(format!(
                "Warning: Invalid argument provided for option \"{long}\", using default value."
            ));
        }
        let path = Some(PathBuf::from(value));
        let text = || Some(value.to_string_lossy().into_owned());
        match entry.name {
            Name::ClientSock => self.client_sock = path,
            Name::AppsSock => self.apps_sock = path,
            Name::KernelCommand => self.kernel.cmd_sock = path,
            Name::KernelError => self.kernel.err_sock = path,
            Name::Ust32Command => self.ust32.cmd_sock = path,
            Name::Ust32Error => self.ust32.err_sock = path,
            Name::Ust64Command => self.ust64.cmd_sock = path,
            Name::Ust64Error => self.ust64.err_sock = path,
            Name::Consumer32Path => self.ust32.path = path,
            Name::Consumer32Libdir => self.ust32.libdir = path,
            Name::Consumer64Path => self.ust64.path = path,
            Name::Consumer64Libdir => self.ust64.libdir = path,
            Name::Pidfile => self.pidfile = path,
            Name::Load => self.load = path,
            Name::Group => self.group = text(),
            Name::KmodProbes => self.kmod_probes = text(),
            Name::ExtraKmodProbes => self.extra_kmod_probes = text(),
            Name::AgentTcpPort => self.agent_tcp_port = Some(number(entry, value)?),
            Name::NotifierSlotsKernel => self.notifier_slots_kernel = Some(number(entry, value)?),
            Name::NotifierSlotsUser => self.notifier_slots_user = Some(number(entry, value)?),
            Name::Config
            | Name::Help
            | Name::Explain
            | Name::Version
            | Name::Daemonize
            | Name::Background
            | Name::SigParent
            | Name::Quiet
            | Name::NoKernel
            | Name::Verbose
            | Name::VerboseConsumer
            | Name::Status
            | Name::Watch => {}
        }
        Ok(())
    }

    /// Applies a switch of the command line.
    pub fn switch_on(&mut self, entry: &Entry) {
        match entry.name {
            Name::Verbose => self.verbose = self.verbose.saturating_add(1),
            Name::VerboseConsumer => self.verbose_consumer = self.verbose_consumer.saturating_add(1),
            _ => self.set_level(entry, 1),
        }
    }

    /// Applies a switch of a configuration file, where it has a value. Zero or "no" leaves things as
    /// they are: a later file cannot switch off what an earlier one switched on.
    fn apply_level(&mut self, entry: &Entry, value: &OsStr) -> Result<(), String> {
        let text = value.to_string_lossy();
        let level = level(&text).ok_or_else(|| {
            format!("Warning: Invalid configuration value \"{text}\" for option {}", entry.long)
        })?;
        if level != 0 {
            self.set_level(entry, level);
        }
        Ok(())
    }

    fn set_level(&mut self, entry: &Entry, level: u64) {
        match entry.name {
            Name::Verbose => self.verbose = level,
            Name::VerboseConsumer => self.verbose_consumer = level,
            Name::Daemonize => self.daemonize = true,
            Name::Background => self.background = true,
            Name::SigParent => self.sig_parent = true,
            Name::Quiet => self.quiet = true,
            Name::NoKernel => self.no_kernel = true,
            // Everything else takes an argument, or acts at once.
            _ => {}
        }
    }
}

/// The line for an option that a set-user-id program does not take.
pub fn refused(entry: &Entry) -> String {
    let name = match entry.short {
        Some(letter) => format!("-{letter}, --{}", entry.long),
        None => format!("--{}", entry.long),
    };
    format!("Warning: Getting '{name}' argument from setuid/setgid binary refused for security reasons.")
}

/// A switch's value: what starts like a number is that number, else yes or no.
fn level(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.starts_with(|first: char| first.is_ascii_digit()) {
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        return digits.get(..end)?.parse().ok().filter(|&level| level <= MAX_LEVEL);
    }
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(&["yes", "true", "on"]) {
        Some(1)
    } else if is(&["no", "false", "off"]) {
        Some(0)
    } else {
        None
    }
}

/// A port or a number of slots: 1 to 65534, read like `strtoul` with base 0.
fn number(entry: &Entry, value: &OsStr) -> Result<u16, String> {
    let text = value.to_string_lossy();
    let long = entry.long;
    let number = text
        .starts_with(|first: char| first.is_ascii_digit())
        .then(|| leading_number(&text))
        .flatten()
        .ok_or_else(|| format!("Error: Wrong value in --{long} parameter: {text}"))?;
    match u16::try_from(number) {
        Ok(number @ 1..=65534) => Ok(number),
        _ if entry.name == Name::AgentTcpPort => {
            Err(format!("Error: Port overflow in --{long} parameter: {text}"))
        }
        _ => Err(format!("Error: Value out of range for --{long} parameter: {text}")),
    }
}

/// The number that a text starts with, as C writes it: `0x` hexadecimal, `0` octal, else decimal. What
/// follows is ignored. `None`: it does not fit.
pub fn leading_number(text: &str) -> Option<u64> {
    let hexadecimal = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .filter(|rest| rest.starts_with(|first: char| first.is_ascii_hexdigit()));
    let (digits, radix) = match hexadecimal {
        Some(rest) => (rest, 16),
        None if text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    u64::from_str_radix(digits.get(..end)?, radix).ok()
}
