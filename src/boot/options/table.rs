// SPDX-License-Identifier: GPL-2.0-only
//! The options by name, and the command line cut into them.
//!
//! Only the shape is judged here (known name, argument present or not), with the texts of getopt(3), to
//! which users and scripts are used; what an argument means is judged where it is applied.
//! (`lttng-tools 2.13: src/bin/lttng-sessiond/main.c`)

use std::ffi::OsString;

use lexopt::Arg;

/// An option, whatever it was called by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the options, see the manual page")]
pub enum Name {
    ClientSock,
    AppsSock,
    KernelCommand,
    KernelError,
    Ust32Command,
    Ust32Error,
    Ust64Command,
    Ust64Error,
    Consumer32Path,
    Consumer32Libdir,
    Consumer64Path,
    Consumer64Libdir,
    Daemonize,
    Background,
    SigParent,
    Help,
    Group,
    Version,
    Quiet,
    Verbose,
    VerboseConsumer,
    NoKernel,
    Pidfile,
    AgentTcpPort,
    Config,
    Load,
    KmodProbes,
    ExtraKmodProbes,
    NotifierSlotsKernel,
    NotifierSlotsUser,
    Explain,
    Status,
    Watch,
}

/// What follows an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: it is on or off.
    Nothing,
    /// Nothing: each use adds one.
    Repeats,
    /// Text that says what the daemon opens, runs or loads. Not taken from the command line of a
    /// program that runs set-user-id.
    Trusted,
    /// A number.
    Number,
    /// Nothing, or a value behind an equals sign. The original has no such option: it acts at once, is not for
    /// configuration files, and its name can't be cut short.
    Optional,
}

/// One option.
#[derive(Debug)]
pub struct Entry {
    pub name: Name,
    /// The long name without the dashes, which is also the key in a configuration file.
    pub long: &'static str,
    /// The letter.
    pub short: Option<char>,
    /// What follows.
    pub takes: Takes,
}

const fn entry(name: Name, long: &'static str, short: Option<char>, takes: Takes) -> Entry {
    Entry { name, long, short, takes }
}

/// All options.
pub const OPTIONS: &[Entry] = &[
    entry(Name::ClientSock, "client-sock", Some('c'), Takes::Trusted),
    entry(Name::AppsSock, "apps-sock", Some('a'), Takes::Trusted),
    entry(Name::KernelCommand, "kconsumerd-cmd-sock", None, Takes::Trusted),
    entry(Name::KernelError, "kconsumerd-err-sock", None, Takes::Trusted),
    entry(Name::Ust32Command, "ustconsumerd32-cmd-sock", None, Takes::Trusted),
    entry(Name::Ust32Error, "ustconsumerd32-err-sock", None, Takes::Trusted),
    entry(Name::Ust64Command, "ustconsumerd64-cmd-sock", None, Takes::Trusted),
    entry(Name::Ust64Error, "ustconsumerd64-err-sock", None, Takes::Trusted),
    entry(Name::Consumer32Path, "consumerd32-path", None, Takes::Trusted),
    entry(Name::Consumer32Libdir, "consumerd32-libdir", None, Takes::Trusted),
    entry(Name::Consumer64Path, "consumerd64-path", None, Takes::Trusted),
    entry(Name::Consumer64Libdir, "consumerd64-libdir", None, Takes::Trusted),
    entry(Name::Daemonize, "daemonize", Some('d'), Takes::Nothing),
    entry(Name::Background, "background", Some('b'), Takes::Nothing),
    entry(Name::SigParent, "sig-parent", Some('S'), Takes::Nothing),
    entry(Name::Help, "help", Some('h'), Takes::Nothing),
    entry(Name::Group, "group", Some('g'), Takes::Trusted),
    entry(Name::Version, "version", Some('V'), Takes::Nothing),
    entry(Name::Quiet, "quiet", Some('q'), Takes::Nothing),
    entry(Name::Verbose, "verbose", Some('v'), Takes::Repeats),
    entry(Name::VerboseConsumer, "verbose-consumer", None, Takes::Repeats),
    entry(Name::NoKernel, "no-kernel", None, Takes::Nothing),
    entry(Name::Pidfile, "pidfile", Some('p'), Takes::Trusted),
    entry(Name::AgentTcpPort, "agent-tcp-port", None, Takes::Number),
    entry(Name::Config, "config", Some('f'), Takes::Trusted),
    entry(Name::Load, "load", Some('l'), Takes::Trusted),
    entry(Name::KmodProbes, "kmod-probes", None, Takes::Trusted),
    entry(Name::ExtraKmodProbes, "extra-kmod-probes", None, Takes::Trusted),
    entry(Name::NotifierSlotsKernel, "event-notifier-error-buffer-size-kernel", None, Takes::Number),
    entry(Name::NotifierSlotsUser, "event-notifier-error-buffer-size-userspace", None, Takes::Number),
    entry(Name::Explain, "explain", None, Takes::Optional),
    entry(Name::Status, "status", None, Takes::Optional),
    entry(Name::Watch, "watch", None, Takes::Optional),
];

/// The option with exactly this long name.
pub fn by_key(key: &str) -> Option<&'static Entry> {
    OPTIONS.iter().find(|entry| entry.long == key)
}

/// One option of the command line, with its argument if it takes one.
pub type Given = (&'static Entry, Option<OsString>);

/// Cuts a command line, program name first, into options. Operands are ignored but for one behind an option that takes
/// one; options may stand
/// behind them, and a long name may be cut short as long as it says which option is meant.
///
/// # Errors
/// The line to print.
pub fn command_line(args: impl Iterator<Item = OsString>) -> Result<Vec<Given>, String> {
    let args: Vec<OsString> = args.collect();
    let program = args.first().map_or("lttng-sessiond".into(), |name| name.to_string_lossy().into_owned());
    cut(lexopt::Parser::from_iter(args)).map_err(|text| format!("{program}: {text}"))
}

fn cut(mut parser: lexopt::Parser) -> Result<Vec<Given>, String> {
    let mut given = Vec::new();
    loop {
        let argument = match parser.next() {
            Ok(Some(argument)) => argument,
            Ok(None) => return Ok(given),
            // Letters of switches in a row, one with a value: `-d=x`.
            Err(_) => return Err("invalid option -- '='".to_owned()),
        };
        match argument {
            Arg::Value(operand) => {
                if let Some((Entry { name: Name::Explain, .. }, value @ None)) = given.last_mut() {
                    *value = Some(operand);
                }
            }
            Arg::Short(letter) => {
                let entry = OPTIONS
                    .iter()
                    .find(|entry| entry.short == Some(letter))
                    .ok_or_else(|| format!("invalid option -- '{letter}'"))?;
                let value = if takes_argument(entry) {
                    let value = parser.value();
                    Some(value.map_err(|_| format!("option requires an argument -- '{letter}'"))?)
                } else {
                    None
                };
                given.push((entry, value));
            }
            Arg::Long(typed) => {
                let typed = typed.to_owned();
                let attached = parser.optional_value();
                let entry = by_long(&typed, attached.as_ref())?;
                let long = entry.long;
                let value = match (takes_argument(entry), attached) {
                    (true, None) => {
                        let next = parser.value();
                        Some(next.map_err(|_| format!("option '--{long}' requires an argument"))?)
                    }
                    (false, Some(_)) if entry.takes != Takes::Optional => {
                        return Err(format!("option '--{long}' doesn't allow an argument"));
                    }
                    (_, attached) => attached,
                };
                given.push((entry, value));
            }
        }
    }
}

fn takes_argument(entry: &Entry) -> bool {
    matches!(entry.takes, Takes::Trusted | Takes::Number)
}

/// The option with this long name, or the only one that starts so.
fn by_long(typed: &str, attached: Option<&OsString>) -> Result<&'static Entry, String> {
    if let Some(entry) = by_key(typed) {
        return Ok(entry);
    }
    let text = match attached {
        Some(value) => format!("{typed}={}", value.to_string_lossy()),
        None => typed.to_owned(),
    };
    let original = OPTIONS.iter().filter(|entry| entry.takes != Takes::Optional);
    let candidates: Vec<&Entry> = original.filter(|entry| entry.long.starts_with(typed)).collect();
    match candidates.as_slice() {
        [] => Err(format!("unrecognized option '--{text}'")),
        [entry] => Ok(entry),
        several => {
            let names: Vec<String> = several.iter().map(|entry| format!("'--{}'", entry.long)).collect();
            Err(format!("option '--{text}' is ambiguous; possibilities: {}", names.join(" ")))
        }
    }
}
