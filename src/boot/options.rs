// SPDX-License-Identifier: GPL-2.0-only
//! Command line, configuration files and environment, made into [`Options`].
//!
//! Later overrides earlier: built-in default, environment, `/etc/lttng/lttng.conf`, the home directory's
//! `.lttng/lttng.conf`, the `--config` file, command line. (`lttng-tools 2.13:
//! src/bin/lttng-sessiond/sessiond-config.c`)
//!
//! It must never create a file or start anything: a wrong command line leaves no trace. It prints
//! nothing either; the lines to print are handed back.

mod dump;
mod ini;
mod missing;
mod paths;
mod settings;
mod table;

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use paths::Paths;
use settings::{ConsumerSettings, Settings};
use table::{Given, Name, Takes};

use crate::users;

/// What `--help` prints.
pub const USAGE: &str = include_str!("options/usage.txt");

/// What `--version` prints: the LTTng version whose protocols are spoken, so that a script which compares
/// versions gets the right idea, and behind the plus sign our own.
pub const VERSION: &str = concat!("2.13.0+rs.", env!("CARGO_PKG_VERSION"));

/// The run directory of root's daemon.
pub const SYSTEM_RUNDIR: &str = "/var/run/lttng";

/// The name of the socket on which a daemon says how it is, in its run directory.
pub const STATUS_SOCK: &str = "sessiond-status";

/// The configuration file of the system.
const SYSTEM_CONFIG: &str = "/etc/lttng/lttng.conf";

/// Where distributions put the consumer daemon of this build's word size, with the folder of its libraries. The first
/// that exists is the default.
#[cfg(target_pointer_width = "64")]
const CONSUMERS: &[(&str, &str)] = &[
    ("/usr/lib/x86_64-linux-gnu/lttng/libexec/lttng-consumerd", "/usr/lib/x86_64-linux-gnu"),
    ("/usr/lib/aarch64-linux-gnu/lttng/libexec/lttng-consumerd", "/usr/lib/aarch64-linux-gnu"),
    ("/usr/lib/riscv64-linux-gnu/lttng/libexec/lttng-consumerd", "/usr/lib/riscv64-linux-gnu"),
    ("/usr/lib/s390x-linux-gnu/lttng/libexec/lttng-consumerd", "/usr/lib/s390x-linux-gnu"),
    ("/usr/lib64/lttng/libexec/lttng-consumerd", "/usr/lib64"),
    ("/usr/libexec/lttng/libexec/lttng-consumerd", "/usr/lib64"),
    ("/usr/lib/lttng/libexec/lttng-consumerd", "/usr/lib"),
    ("/usr/local/lib/lttng/libexec/lttng-consumerd", "/usr/local/lib"),
];
#[cfg(target_pointer_width = "32")]
const CONSUMERS: &[(&str, &str)] = &[
    ("/usr/lib/arm-linux-gnueabihf/lttng/libexec/lttng-consumerd", "/usr/lib/arm-linux-gnueabihf"),
    ("/usr/lib/i386-linux-gnu/lttng/libexec/lttng-consumerd", "/usr/lib/i386-linux-gnu"),
    ("/usr/libexec/lttng/libexec/lttng-consumerd", "/usr/lib"),
    ("/usr/lib/lttng/libexec/lttng-consumerd", "/usr/lib"),
    ("/usr/local/lib/lttng/libexec/lttng-consumerd", "/usr/local/lib"),
];

/// Ports that are tried in turn when `--agent-tcp-port` is not given.
const AGENT_PORTS: RangeInclusive<u16> = 5345..=5354;
/// Slots of an error counter when the option is not given.
const NOTIFIER_SLOTS: u16 = 4096;
/// Patience with applications when `LTTNG_APP_SOCKET_TIMEOUT` is not set.
const APP_SOCKET_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a status is shown anew if nothing else is said.
const WATCH_PERIOD: Duration = Duration::from_secs(2);

/// MiB that the daemon holds for one user, and for all users, when the variables are not set.
const USER_MEMORY: u64 = 64;
const ALL_MEMORY: u64 = 256;

/// How the daemon is to run: every value final, every path absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The real user id the daemon runs as. 0 makes it the root daemon.
    pub uid: u32,
    /// Folder of sockets and files.
    pub rundir: PathBuf,
    /// Home directory: `LTTNG_HOME`, `HOME` or the passwd entry. Always there for a non-root daemon.
    pub home: Option<PathBuf>,
    /// Socket of clients (`--client-sock`).
    pub client_sock: PathBuf,
    /// Socket of applications (`--apps-sock`).
    pub apps_sock: PathBuf,
    /// Socket of health queries.
    pub health_sock: PathBuf,
    /// Socket on which the daemon says how it is.
    pub status_sock: PathBuf,
    /// Socket of the notification channel.
    pub notification_sock: PathBuf,
    /// The kernel consumer daemon. Its `path` is the 64-bit one's, else the 32-bit one's.
    pub kconsumerd: Consumer,
    /// The 32-bit consumer daemon.
    pub ustconsumerd32: Consumer,
    /// The 64-bit consumer daemon.
    pub ustconsumerd64: Consumer,
    /// `--daemonize`.
    pub daemonize: bool,
    /// `--background`, which wins over `daemonize`.
    pub background: bool,
    /// `--sig-parent`.
    pub sig_parent: bool,
    /// Name of the tracing group (`--group`), also passed to consumer daemons.
    pub group: String,
    /// `--quiet`, which wins over `verbose`.
    pub quiet: bool,
    /// `--verbose`: 0 to 3.
    pub verbose: u8,
    /// `--verbose-consumer`.
    pub verbose_consumer: bool,
    /// `--no-kernel`.
    pub no_kernel: bool,
    /// File of the process id (`--pidfile`).
    pub pidfile: PathBuf,
    /// The lock that keeps a second daemon away.
    pub lockfile: PathBuf,
    /// File that tells agents the port.
    pub agent_port_file: PathBuf,
    /// Ports to try for agents, in order (`--agent-tcp-port`: only that one).
    pub agent_tcp_ports: RangeInclusive<u16>,
    /// Session configurations to load at start (`--load`).
    pub load: Option<PathBuf>,
    /// Probe modules in place of the default ones (`--kmod-probes`); empty: none.
    pub kmod_probes: Option<String>,
    /// Probe modules in addition (`--extra-kmod-probes`).
    pub extra_kmod_probes: Option<String>,
    /// Slots of the kernel's error counter, 1 to 65534.
    pub event_notifier_slots_kernel: u16,
    /// Slots of the applications' error counter, 1 to 65534.
    pub event_notifier_slots_user: u16,
    /// How long an application may take for an answer; `None`: for ever. (`LTTNG_APP_SOCKET_TIMEOUT`)
    pub app_socket_timeout: Option<Duration>,
    /// How long relay daemons and agents may take; `None`: the system's limits.
    /// (`LTTNG_NETWORK_SOCKET_TIMEOUT`)
    pub network_timeout: Option<Duration>,
    /// Bytes of memory that one user may make the daemon hold. (`LTTNG_SESSIOND_USER_MEMORY`)
    pub user_memory: u64,
    /// Bytes of memory that all users but the daemon's own may make it hold. (`LTTNG_SESSIOND_ALL_MEMORY`)
    pub all_memory: u64,
    /// Clock plug-in, to be handed to consumer daemons in their environment. (`LTTNG_UST_CLOCK_PLUGIN`)
    pub clock_plugin: Option<PathBuf>,
    /// What was asked for and has no effect, a line each.
    pub without_effect: Vec<String>,
    /// Lines to print to standard error before anything else, also with `--quiet`.
    pub messages: Vec<String>,
}

/// One consumer daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// Folder of its sockets below the run directory, where it makes its health socket.
    pub directory: PathBuf,
    /// Socket on which it listens for commands.
    pub cmd_sock: PathBuf,
    /// Socket on which the session daemon listens for it.
    pub err_sock: PathBuf,
    /// The program; `None`: there is none.
    pub path: Option<PathBuf>,
    /// Folder to put in front of its `LD_LIBRARY_PATH`.
    pub libdir: Option<PathBuf>,
}

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invocation {
    /// Run the daemon.
    Run(Box<Options>),
    /// Print [`VERSION`] and exit with 0; before that print these lines to standard error and, if that is wanted, the
    /// [configuration](Options::dump). It may be none that a daemon can run with.
    Version(Vec<String>, Option<Box<Options>>),
    /// Print [`USAGE`] and exit with 0.
    Help,
    /// Say why this process, or these, are not traced.
    Explain(Box<Explain>),
    /// Ask a running daemon how it is.
    Status(Box<Options>, StatusQuery),
}

/// What `--explain` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explain {
    /// The operand: a process id or a name.
    pub asked: Option<OsString>,
    /// Run directory of root's daemon, where applications look for it.
    pub system_rundir: PathBuf,
    /// Run directory that a daemon of this user has.
    pub rundir: Option<PathBuf>,
    /// Name of the tracing group.
    pub group: String,
}

/// How a daemon's status is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// As the daemon says it.
    Json,
    /// For Prometheus.
    Prometheus,
}

/// What is to be shown of a running daemon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatusQuery {
    /// How.
    pub format: Format,
    /// Again and again, with so much time between.
    pub watch: Option<Duration>,
}

/// Why the daemon cannot run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Lines to print to standard error, also with `--quiet`.
    pub lines: Vec<String>,
    /// The exit status.
    pub status: u8,
}

/// What is known about the process and the system, next to arguments and environment.
#[derive(Debug, Clone)]
pub struct Host {
    /// Real user id.
    pub uid: u32,
    /// Real and effective ids differ: arguments and environment are not to be trusted.
    pub set_id: bool,
    /// Home directory in the user database.
    pub passwd_home: Option<PathBuf>,
    /// Current directory, if it can be told.
    pub current_directory: Option<PathBuf>,
    /// The system's configuration file.
    pub system_config: PathBuf,
    /// Run directory of root's daemon.
    pub system_rundir: PathBuf,
}

impl Host {
    /// This process on this system.
    pub fn current() -> Host {
        use nix::unistd::{getegid, geteuid, getgid, getuid};
        let uid = getuid();
        Host {
            uid: uid.as_raw(),
            set_id: uid != geteuid() || getgid() != getegid(),
            passwd_home: users::system_home_of(uid.as_raw()),
            current_directory: std::env::current_dir().ok(),
            system_config: SYSTEM_CONFIG.into(),
            system_rundir: SYSTEM_RUNDIR.into(),
        }
    }
}

/// The environment, as a function from names to values.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Reads command line (program name first), environment and configuration files of this system.
///
/// # Errors
/// What to print, and the exit status.
pub fn parse(args: impl Iterator<Item = OsString>, env: Environment<'_>) -> Result<Invocation, Failure> {
    parse_on(&Host::current(), args, env)
}

/// [`parse`] for a given host.
///
/// # Errors
/// What to print, and the exit status.
pub fn parse_on(
    host: &Host,
    args: impl Iterator<Item = OsString>,
    env: Environment<'_>,
) -> Result<Invocation, Failure> {
    let mut lines = Vec::new();
    let given = table::command_line(args).map_err(|line| failure(&mut lines, line))?;
    let app_socket_timeout = app_socket_timeout(env, &mut lines);
    let home = home(host, env);
    let mut settings = Settings::default();
    settings.apply_environment(env, host.set_id);
    read_files(host, home.as_deref(), &given, &mut settings, &mut lines)?;
    let wanted = apply_command_line(host, &given, &mut settings, &mut lines)?;
    if wanted == Wanted::Help {
        return Ok(Invocation::Help);
    }
    if let Wanted::Explain(asked) = wanted {
        let system_rundir = host.system_rundir.clone();
        let resolved = resolve(host, env, home, settings, app_socket_timeout, lines).ok();
        let group = resolved.as_ref().map_or_else(|| "tracing".to_owned(), |options| options.group.clone());
        let rundir = resolved.map(|options| options.rundir);
        return Ok(Invocation::Explain(Box::new(Explain { asked, system_rundir, rundir, group })));
    }
    let resolved = resolve(host, env, home, settings, app_socket_timeout, lines.clone()).map(Box::new);
    if wanted == Wanted::Version {
        let lines = resolved.as_ref().map_or(lines, |options| options.messages.clone());
        return Ok(Invocation::Version(lines, resolved.ok()));
    }
    if let Wanted::Status(query) = wanted {
        let asked = resolved.map(|options| Invocation::Status(options, query));
        return asked.map_err(|line| failure(&mut lines, line));
    }
    resolved.map(Invocation::Run).map_err(|line| failure(&mut lines, line))
}

/// What the options ask for, all in all.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    Daemon,
    Explain(Option<OsString>),
    Version,
    Help,
    Status(StatusQuery),
}

fn failure(lines: &mut Vec<String>, line: String) -> Failure {
    let mut lines = std::mem::take(lines);
    lines.push(line);
    Failure { lines, status: 1 }
}

/// A variable that a set-user-id program does not look at. Empty counts as not set.
fn trusted(host: &Host, env: Environment<'_>, name: &str) -> Option<PathBuf> {
    let value = if host.set_id { None } else { env(name) };
    value.filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn home(host: &Host, env: Environment<'_>) -> Option<PathBuf> {
    trusted(host, env, "LTTNG_HOME")
        .or_else(|| trusted(host, env, "HOME"))
        .or_else(|| host.passwd_home.clone())
}

/// Applies the configuration files that are there. Only the one of `--config` must be.
fn read_files(
    host: &Host,
    home: Option<&Path>,
    given: &[Given],
    settings: &mut Settings,
    lines: &mut Vec<String>,
) -> Result<(), Failure> {
    let in_home = home.map(|home| home.join(".lttng/lttng.conf"));
    for path in [Some(host.system_config.clone()), in_home].into_iter().flatten() {
        match std::fs::read(&path) {
            Ok(text) => settings.apply_file(&path, &text, host.set_id, lines),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => {
                let shown = path.display();
                lines.push(format!("Warning: Can't read the daemon configuration file {shown}: {error}"));
            }
        }
    }
    let configs = given.iter().filter(|(entry, _)| entry.name == Name::Config && !host.set_id);
    let config = configs.filter_map(|(_, value)| value.as_ref()).next_back();
    // An empty one is none, as in the original.
    if let Some(path) = config.filter(|path| !path.is_empty()) {
        let path = paths::make_absolute(host.current_directory.as_deref(), path.into())
            .map_err(|line| failure(lines, line))?;
        let text = std::fs::read(&path).map_err(|_| {
            let shown = path.display();
            failure(lines, format!("Error: Failed to open daemon configuration file at {shown}"))
        })?;
        settings.apply_file(&path, &text, host.set_id, lines);
    }
    Ok(())
}

/// Applies the command line in order. `--help` acts where it stands, `--version` when all is read.
fn apply_command_line(
    host: &Host,
    given: &[Given],
    settings: &mut Settings,
    lines: &mut Vec<String>,
) -> Result<Wanted, Failure> {
    let mut wanted = Wanted::Daemon;
    let mut watch = None;
    for (entry, value) in given {
        match (entry.name, value) {
            (Name::Help, _) => return Ok(Wanted::Help),
            (Name::Version, _) => wanted = Wanted::Version,
            (Name::Explain, asked) => wanted = Wanted::Explain(asked.clone()),
            (Name::Status, value) => {
                let format = format(value.as_deref()).map_err(|line| failure(lines, line))?;
                wanted = Wanted::Status(StatusQuery { format, watch: None });
            }
            (Name::Watch, value) => {
                watch = Some(period(value.as_deref()).map_err(|line| failure(lines, line))?);
            }
            // That was read already.
            (Name::Config, _) if !host.set_id => {}
            (_, Some(value)) => {
                if host.set_id && entry.takes == Takes::Trusted {
                    lines.push(settings::refused(entry));
                } else {
                    settings.apply(entry, value).map_err(|line| failure(lines, line))?;
                }
            }
            (_, None) => settings.switch_on(entry),
        }
    }
    match &mut wanted {
        Wanted::Status(query) => query.watch = watch,
        _ if watch.is_some() => {
            return Err(failure(lines, "Error: --watch is for --status".to_owned()));
        }
        Wanted::Daemon | Wanted::Version | Wanted::Help | Wanted::Explain(_) => {}
    }
    Ok(wanted)
}

/// The value of `--status`.
fn format(value: Option<&OsStr>) -> Result<Format, String> {
    match value.map(OsStr::to_string_lossy).as_deref() {
        None | Some("text") => Ok(Format::Text),
        Some("json") => Ok(Format::Json),
        Some("prometheus") => Ok(Format::Prometheus),
        Some(other) => Err(format!("Error: --status is text, json or prometheus, not {other}")),
    }
}

/// The value of `--watch`, in seconds.
fn period(value: Option<&OsStr>) -> Result<Duration, String> {
    let Some(value) = value else { return Ok(WATCH_PERIOD) };
    let text = value.to_string_lossy();
    let seconds = text.parse::<u32>().ok().filter(|seconds| (1..=86_400).contains(seconds));
    let seconds = seconds.ok_or_else(|| format!("Error: --watch is 1 to 86400 seconds, not {text}"))?;
    Ok(Duration::from_secs(seconds.into()))
}

/// Fills in the defaults and makes paths absolute.
///
/// # Errors
/// The line to print.
fn resolve(
    host: &Host,
    env: Environment<'_>,
    home: Option<PathBuf>,
    settings: Settings,
    app_socket_timeout: Option<Duration>,
    mut messages: Vec<String>,
) -> Result<Options, String> {
    let wanted = match (host.uid, &home) {
        (0, _) => trusted(host, env, "LTTNG_RUNDIR").unwrap_or_else(|| host.system_rundir.clone()),
        (_, Some(home)) => home.join(".lttng"),
        (_, None) => return Err("Error: Can't get HOME directory for sockets creation.".to_owned()),
    };
    let paths = Paths::new(host.current_directory.as_deref(), wanted)?;
    let without_effect = missing::without_effect(env);
    let (ust32, ust64) = with_default_programs(settings.ust32, settings.ust64);
    let ustconsumerd64 = consumer(&paths, ust64, "ustconsumerd64")?;
    let ustconsumerd32 = consumer(&paths, ust32, "ustconsumerd32")?;
    let mut kconsumerd = consumer(&paths, settings.kernel, "kconsumerd")?;
    kconsumerd.path = kernel_program(&ustconsumerd64, &ustconsumerd32);
    let network_timeout = network_timeout(env, &mut messages);
    let user_memory = memory(env, "LTTNG_SESSIOND_USER_MEMORY", USER_MEMORY, &mut messages);
    let all_memory = memory(env, "LTTNG_SESSIOND_ALL_MEMORY", ALL_MEMORY, &mut messages);
    Ok(Options {
        uid: host.uid,
        home,
        client_sock: paths.or_in_rundir(settings.client_sock, "client-lttng-sessiond")?,
        apps_sock: paths.or_in_rundir(settings.apps_sock, "lttng-ust-sock-8")?,
        health_sock: paths.in_rundir("sessiond-health"),
        status_sock: paths.in_rundir(STATUS_SOCK),
        notification_sock: paths.in_rundir("sessiond-notification"),
        kconsumerd,
        ustconsumerd32,
        ustconsumerd64,
        daemonize: settings.daemonize,
        background: settings.background,
        sig_parent: settings.sig_parent,
        group: settings.group.unwrap_or_else(|| "tracing".to_owned()),
        quiet: settings.quiet,
        verbose: u8::try_from(settings.verbose.min(3)).unwrap_or(3),
        verbose_consumer: settings.verbose_consumer > 0,
        no_kernel: settings.no_kernel,
        pidfile: paths.or_in_rundir(settings.pidfile, "lttng-sessiond.pid")?,
        lockfile: paths.in_rundir("lttng-sessiond.lck"),
        agent_port_file: paths.in_rundir("agent.port"),
        agent_tcp_ports: settings.agent_tcp_port.map_or(AGENT_PORTS, |port| port..=port),
        load: paths.absolute(settings.load)?,
        kmod_probes: settings.kmod_probes,
        extra_kmod_probes: settings.extra_kmod_probes,
        event_notifier_slots_kernel: settings.notifier_slots_kernel.unwrap_or(NOTIFIER_SLOTS),
        event_notifier_slots_user: settings.notifier_slots_user.unwrap_or(NOTIFIER_SLOTS),
        app_socket_timeout,
        network_timeout,
        user_memory,
        all_memory,
        clock_plugin: paths.absolute(trusted(host, env, "LTTNG_UST_CLOCK_PLUGIN"))?,
        rundir: paths.rundir().to_path_buf(),
        without_effect,
        messages,
    })
}

/// The paths of one consumer daemon.
fn consumer(paths: &Paths<'_>, wanted: ConsumerSettings, name: &str) -> Result<Consumer, String> {
    let directory = paths.in_rundir(name);
    Ok(Consumer {
        cmd_sock: paths.absolute(wanted.cmd_sock)?.unwrap_or_else(|| directory.join("command")),
        err_sock: paths.absolute(wanted.err_sock)?.unwrap_or_else(|| directory.join("error")),
        path: paths.absolute(wanted.path)?,
        libdir: paths.absolute(wanted.libdir)?,
        directory,
    })
}

/// The consumer daemon of this build's own word size has a default, the other has none. Neither has a 32-bit build that is
/// told of the 64-bit one on a machine without a 32-bit one: nothing could start it.
fn with_default_programs(
    mut ust32: ConsumerSettings,
    mut ust64: ConsumerSettings,
) -> (ConsumerSettings, ConsumerSettings) {
    let is_wide = cfg!(target_pointer_width = "64");
    let found = CONSUMERS.iter().find(|(program, _)| Path::new(program).exists());
    let wanted = is_wide || ust64.path.is_none();
    let default = found.or_else(|| CONSUMERS.first().filter(|_| wanted));
    let own = if is_wide { &mut ust64 } else { &mut ust32 };
    if let (Some((program, libraries)), None) = (default, &own.path) {
        own.path = Some(program.into());
        own.libdir.get_or_insert_with(|| libraries.into());
    }
    (ust32, ust64)
}

/// The program for the kernel: any word size will do, so the first one that is there.
fn kernel_program(ust64: &Consumer, ust32: &Consumer) -> Option<PathBuf> {
    let default = CONSUMERS.iter().map(|(program, _)| PathBuf::from(program));
    let mut candidates = ust64.path.clone().into_iter().chain(default).chain(ust32.path.clone());
    candidates.find(|path| path.exists()).or_else(|| ust64.path.clone().or_else(|| ust32.path.clone()))
}

/// `LTTNG_APP_SOCKET_TIMEOUT` in seconds. Zero and negative: no limit.
fn app_socket_timeout(env: Environment<'_>, lines: &mut Vec<String>) -> Option<Duration> {
    const NAME: &str = "LTTNG_APP_SOCKET_TIMEOUT";
    let Some(value) = env(NAME) else { return Some(APP_SOCKET_TIMEOUT) };
    let text = value.to_string_lossy();
    let Some(seconds) = leading_integer(&text).filter(|seconds| (-1..=i64::from(i32::MAX)).contains(seconds))
    else {
        lines.push(format!("Error: Invalid value \"{text}\" used for \"{NAME}\" environment variable"));
        return Some(APP_SOCKET_TIMEOUT);
    };
    u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

/// A number of MiB, in bytes.
fn memory(env: Environment<'_>, name: &str, default: u64, lines: &mut Vec<String>) -> u64 {
    let bytes = |number: u64| number.saturating_mul(1 << 20);
    let Some(value) = env(name) else { return bytes(default) };
    let text = value.to_string_lossy();
    match text.trim_ascii().parse().ok().filter(|&number| number > 0) {
        Some(number) => bytes(number),
        None => {
            lines.push(format!("Error: Invalid value \"{text}\" used for \"{name}\" environment variable"));
            bytes(default)
        }
    }
}

/// `LTTNG_NETWORK_SOCKET_TIMEOUT` in milliseconds; only a positive number acts, and what is none counts as 0.
fn network_timeout(env: Environment<'_>, lines: &mut Vec<String>) -> Option<Duration> {
    const NAME: &str = "LTTNG_NETWORK_SOCKET_TIMEOUT";
    let value = env(NAME)?;
    let text = value.to_string_lossy();
    let (negative, digits) = match text.trim_ascii_start().split_at_checked(1) {
        Some(("-", digits)) => (true, digits),
        Some(("+", digits)) => (false, digits),
        _ => (false, text.trim_ascii_start()),
    };
    let milliseconds = if digits.starts_with(|first: char| first.is_ascii_digit()) {
        settings::leading_number(digits).and_then(|number| u32::try_from(number).ok())
    } else {
        Some(0)
    };
    match milliseconds {
        Some(0) => None,
        Some(1) if negative => None,
        Some(milliseconds) if !negative => Some(Duration::from_millis(milliseconds.into())),
        _ => {
            lines.push(format!("Error: Invalid value \"{text}\" used for \"{NAME}\" environment variable"));
            None
        }
    }
}

/// The decimal number that a text starts with, like `atoi`; none is 0. `None`: it does not fit.
fn leading_integer(text: &str) -> Option<i64> {
    let text = text.trim_ascii_start();
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let end = unsigned.find(|c: char| !c.is_ascii_digit()).unwrap_or(unsigned.len());
    let digits = unsigned.get(..end).filter(|digits| !digits.is_empty()).unwrap_or("0");
    let magnitude: i64 = digits.parse().ok()?;
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests;
