// SPDX-License-Identifier: GPL-2.0-only
//! Entry point: command line, run directory, background, then the loop.
//!
//! The order of the steps is that of the stock daemon (lttng-tools 2.13: `src/bin/lttng-sessiond/main.c`), but for what a
//! service manager wants, which is taken over first:
//! what can be refused is refused before anything is made, and the daemon is announced when clients and
//! applications can connect.
#![deny(unsafe_code)]

use std::error::Error;
use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use log::LevelFilter;
use lttng_sessiond::accounts::{Limit, Limits, Resource};
use lttng_sessiond::boot;
use lttng_sessiond::boot::activation::Passed;
use lttng_sessiond::boot::configurations::{self, Configurations, Places};
use lttng_sessiond::boot::daemonize::{self, Mode, Readiness};
use lttng_sessiond::boot::instance::{self, Instance};
use lttng_sessiond::boot::journal;
use lttng_sessiond::boot::manager::Manager;
use lttng_sessiond::boot::notify::Notifier;
use lttng_sessiond::boot::options::{self, Invocation, Options};
use lttng_sessiond::boot::wait_shm::{SHM_DIRECTORY, WaitWord};
use lttng_sessiond::consumer::program::ConsumerProgram;
use lttng_sessiond::daemon::{Daemon, Settings, Sources, Supervision};
use lttng_sessiond::explain;
use lttng_sessiond::helper;
use lttng_sessiond::inquiry;
use lttng_sessiond::kernel::modules::Modules;
use lttng_sessiond::reactor::{Reactor, Socket};
use lttng_sessiond::sys::clock::{self, TraceClock};
use lttng_sessiond::sys::connection_owner::ConnectionOwners;
use lttng_sessiond::sys::{random, shared_memory, signal, usage};
use lttng_sessiond::turn::errand::{Errand, Listener};
use lttng_sessiond::turn::ids::{ConsumerKind, Identity};
use lttng_sessiond::turn::output::{Standing, Told};
use lttng_sessiond::users;
use nix::sys::resource::{self, getrlimit, setrlimit};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{getgid, gethostname};

/// musl's own gives pages back as soon as they are free, and so takes and gives a few with every request.
#[cfg(target_env = "musl")]
#[global_allocator]
static MEMORY: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Descriptors that a root daemon asks for, and that a user's daemon takes if it may.
const DESCRIPTORS: u64 = 65_535;
/// Descriptors that one application costs.
const DESCRIPTORS_PER_APPLICATION: u64 = 2;
/// How long the helper may take to leave.
const HELPER_TIMEOUT: Duration = Duration::from_secs(1);
/// Bytes of a page, when the system does not say.
const USUAL_PAGE: u64 = 4096;

fn main() -> ExitCode {
    let manager = Manager::take();
    let environment = |name: &str| std::env::var_os(name);
    let options = match options::parse(std::env::args_os(), &environment) {
        Ok(Invocation::Run(options)) => options,
        Ok(Invocation::Version(messages, options)) => {
            messages.iter().for_each(|line| complain(line));
            if let Some(options) = options {
                start_logging(&options);
                show(&options);
            }
            return print(&format!("{}\n", options::VERSION));
        }
        Ok(Invocation::Help) => return print(options::USAGE),
        Ok(Invocation::Explain(asked)) => return explain(*asked),
        Ok(Invocation::Status(options, query)) => {
            options.messages.iter().for_each(|line| complain(line));
            return inquiry::run(&options, query);
        }
        Err(failure) => {
            failure.lines.iter().for_each(|line| complain(line));
            return ExitCode::from(failure.status);
        }
    };
    options.messages.iter().for_each(|line| complain(line));
    start_logging(&options);
    match run(&options, manager) {
        Ok(code) => code,
        Err(error) => {
            log::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Says why something is not traced.
fn explain(asked: options::Explain) -> ExitCode {
    let places =
        explain::Places { system_rundir: asked.system_rundir, rundir: asked.rundir, group: asked.group };
    let answer = explain::run(asked.asked.as_deref(), &places);
    if print(&answer.text) == ExitCode::SUCCESS { ExitCode::from(answer.status) } else { ExitCode::FAILURE }
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Prints what is wrong with the options, also if the daemon is to be quiet.
fn complain(line: &str) {
    if is_journal() {
        eprintln!("{}", journal::marked(journal::level_of(line), line));
    } else {
        eprintln!("{line}");
    }
    if line.starts_with("Error: ") && aborts_on_error() {
        std::process::abort();
    }
}

/// Whether standard error leads to systemd's journal.
fn is_journal() -> bool {
    journal::is_stderr(std::env::var_os("JOURNAL_STREAM").as_deref())
}

/// Whether the first error that is reported is to end the process, as whoever tests it may wish.
fn aborts_on_error() -> bool {
    std::env::var_os("LTTNG_ABORT_ON_ERROR").is_some_and(|value| value == "1")
}

/// The configuration, for those who want to know.
fn show(options: &Options) {
    options.dump().iter().for_each(|line| log::info!("{line}"));
}

/// Everything goes to standard error, in the words of the original: `Error: …`, `Warning: …`.
fn start_logging(options: &Options) {
    let level = match (options.quiet, options.verbose) {
        (true, _) => LevelFilter::Off,
        (false, 0) => LevelFilter::Warn,
        (false, 1) => LevelFilter::Info,
        (false, 2) => LevelFilter::Debug,
        (false, _) => LevelFilter::Trace,
    };
    let (quiet, aborts, journal) = (options.quiet, aborts_on_error(), is_journal());
    let line = move |record: &log::Record<'_>| {
        let (from, args) = (record.target(), record.args());
        let text = match record.level() {
            log::Level::Error => format!("Error: {args}"),
            log::Level::Warn => format!("Warning: {args}"),
            log::Level::Info => format!("DBG1 - {from}: {args}"),
            log::Level::Debug => format!("DBG2 - {from}: {args}"),
            log::Level::Trace => format!("DBG3 - {from}: {args}"),
        };
        if journal { journal::marked(record.level(), &text) } else { text }
    };
    env_logger::Builder::new()
        // An error ends the process also if nobody is told of it.
        .filter_level(if aborts { level.max(LevelFilter::Error) } else { level })
        .format(move |out, record| match record.level() {
            log::Level::Error if aborts => {
                if !quiet {
                    // What is given to `out` would be lost.
                    eprintln!("{}", line(record));
                }
                std::process::abort()
            }
            _ => writeln!(out, "{}", line(record)),
        })
        .init();
}

fn run(options: &Options, manager: Manager) -> Result<ExitCode, Box<dyn Error>> {
    signal::prepare_daemon()?;
    show(options);
    manager.messages.iter().for_each(|line| log::warn!("{line}"));
    let mut passed = Passed::recognise(manager.descriptors, options)?;
    let clock = trace_clock(options)?;
    let group = users::system_group_id(&options.group);
    if options.uid == 0 && group.is_none() {
        log::warn!("No tracing group detected");
    }
    let in_group = group.is_some_and(users::process_is_member);
    let mut taken = instance::default_client_socks(options, in_group);
    taken.retain(|path| !passed.has(path));
    let mut instance = Instance::claim(options, group.unwrap_or(0), &taken)?;
    passed.forget_unreachable();
    say_what_is_missing(options);
    // In the background, nobody would see what is wrong with a file.
    let Configurations { sessions, programs: probed } =
        configurations::find(&places(options)).map_err(load_failed)?;
    let mode = Mode::new(options.daemonize, options.background);
    let keep: Vec<_> =
        probed.values().map(AsFd::as_fd).chain([instance.lock_fd()]).chain(passed.descriptors()).collect();
    let readiness = daemonize::detach(mode, &keep)?;
    let mut notifier = Notifier::new(manager.notify.as_deref());
    let helper = helper::start()?;

    let limits = limits(options);
    let Opened { programs, listeners } = open(options, &mut instance, &mut passed)?;
    let agents = listeners.iter().any(|(listener, _)| *listener == Listener::Agents);
    let supervision = Supervision { sign_of_life: manager.sign_of_life, standing: notifier.has_listener() };
    let settings = settings(options, (programs, agents), limits, clock, supervision)?;
    let mut daemon = Daemon::new(settings, Instant::now(), clock::wall());
    if options.uid == 0 && !options.no_kernel {
        // So that it is there when the first command needs it.
        daemon.state().look_for_tracer();
    }
    let owner = Identity { uid: options.uid, gid: getgid().as_raw() };
    let loaded = sessions.len();
    daemon.load(sessions, probed, owner).map_err(load_failed)?;
    let mut reactor = Reactor::new(daemon, signal::listen()?)?;
    reactor.adopt_companion(Errand::Helper, helper)?;
    for (listener, socket) in listeners {
        reactor.listen(listener, socket)?;
    }
    let word = publish(options.uid);
    let mut readiness = Some(readiness);
    let mut code = ExitCode::SUCCESS;
    let result = reactor.run(|told| match told {
        Told::Ready => {
            announce(readiness.take(), options);
            let pid = (mode != Mode::Foreground).then(std::process::id);
            notifier.ready(format!("LTTng {}, {loaded} recording sessions loaded", options::VERSION), pid);
        }
        Told::Alive => notifier.alive(),
        Told::Standing(standing) => notifier.status(status(standing)),
        Told::Failed => code = ExitCode::FAILURE,
        Told::Stopped(Listener::Clients) => {
            notifier.stopping();
            instance.remove_client_socket();
        }
        Told::Stopped(Listener::Agents) => instance.remove_agent_port(),
        Told::Stopped(Listener::Applications) => {
            withdraw(word.as_ref());
            instance.remove_apps_socket();
        }
        Told::Stopped(
            Listener::Health | Listener::Status | Listener::Notifications | Listener::ConsumerError(_),
        ) => {}
    });
    withdraw(word.as_ref());
    instance.remove_runtime_files();
    wait_for_children();
    result?;
    Ok(code)
}

/// What is listened to, in the order in which it was opened, and the consumer daemons that can be started.
struct Opened {
    programs: Vec<(ConsumerKind, ConsumerProgram)>,
    listeners: Vec<(Listener, Socket)>,
}

/// Opens all sockets, those of applications last, and writes the small files beside them. What was passed is not made, and so
/// it is not removed in the end, either.
fn open(options: &Options, instance: &mut Instance, passed: &mut Passed) -> Result<Opened, Box<dyn Error>> {
    let mut opened = Opened { programs: Vec::new(), listeners: Vec::new() };
    let mut consumers =
        vec![(ConsumerKind::Ust64, &options.ustconsumerd64), (ConsumerKind::Ust32, &options.ustconsumerd32)];
    if options.uid == 0 {
        consumers.insert(0, (ConsumerKind::Kernel, &options.kconsumerd));
    }
    for (kind, consumer) in consumers {
        // Their folders are there even for those that are not configured, as programs expect.
        let socket = instance.bind_consumer(consumer)?;
        if let Some(program) = consumer_program(kind, consumer, options) {
            opened.programs.push((kind, program));
            opened.listeners.push((Listener::ConsumerError(kind), socket.into()));
        }
    }
    instance.write_pid_file(&options.pidfile)?;
    let mut listen = |listener, socket: Socket| opened.listeners.push((listener, socket));
    listen(
        Listener::Health,
        passed.or(Listener::Health, || instance.bind_health(&options.health_sock))?.into(),
    );
    listen(
        Listener::Status,
        passed.or(Listener::Status, || instance.bind_status(&options.status_sock))?.into(),
    );
    listen(
        Listener::Notifications,
        passed.or(Listener::Notifications, || instance.bind_notification(&options.notification_sock))?.into(),
    );
    listen(
        Listener::Clients,
        passed.or(Listener::Clients, || instance.bind_client(&options.client_sock))?.into(),
    );
    instance.publish_run_directory()?;
    listen(
        Listener::Applications,
        passed.or(Listener::Applications, || instance.bind_apps(&options.apps_sock))?.into(),
    );
    let agents = listen_to_agents(options, instance);
    opened.listeners.extend(agents.map(|socket| (Listener::Agents, socket)));
    Ok(opened)
}

/// How the daemon is, for whoever reads what the service manager shows.
fn status(Standing { sessions, recording }: Standing) -> String {
    format!("LTTng {}, {sessions} recording sessions, {recording} of them active", options::VERSION)
}

/// Where configurations of recording sessions are.
fn places(options: &Options) -> Places {
    match &options.load {
        Some(path) => Places::This(path.clone()),
        None => Places::Usual {
            home: options.home.clone(),
            system: configurations::SYSTEM.into(),
            owner: Some(options.uid).filter(|&uid| uid != 0),
        },
    }
}

fn load_failed(why: impl Display) -> String {
    format!("Session load failed: {why}")
}

/// Everything is there: who started the daemon is told.
fn announce(readiness: Option<Readiness>, options: &Options) {
    if let Some(Err(error)) = readiness.map(|readiness| readiness.announce(options.sig_parent)) {
        log::warn!("Nobody is there to be told that the daemon is ready: {error}");
    }
}

/// Opens the port of agents and tells them which it is. Without it the daemon goes on.
fn listen_to_agents(options: &Options, instance: &mut Instance) -> Option<Socket> {
    let (listener, address) = boot::agents::open(&options.agent_tcp_ports)?;
    if let Err(error) = instance.write_agent_port(&options.agent_port_file, address.port()) {
        log::error!("Failed to create agent port file: agent tracing will be unavailable");
        log::info!("{error}");
        return None;
    }
    let owners = ConnectionOwners::open(address);
    if let Err(error) = &owners {
        log::info!("The kernel does not say whose agents connect: {error}");
    }
    Some(Socket::Tcp(listener, owners.ok()))
}

/// Options are understood as the original's are, but not all that they ask for is there. Only those that were given
/// are worth a warning.
fn say_what_is_missing(options: &Options) {
    options.without_effect.iter().for_each(|line| log::warn!("{line}"));
}

/// The clock of the traces: what cannot be described is refused before anything is recorded with it.
fn trace_clock(options: &Options) -> Result<TraceClock, boot::clock::Unusable> {
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
    let boot_id = boot_id.map(|id| id.trim().to_owned());
    match &options.clock_plugin {
        Some(plugin) => boot::clock::load(plugin, boot_id),
        None => Ok(TraceClock::monotonic(boot_id)),
    }
}

fn consumer_program(
    kind: ConsumerKind,
    consumer: &options::Consumer,
    options: &Options,
) -> Option<ConsumerProgram> {
    let kernel = kind == ConsumerKind::Kernel;
    let verbosity = match (options.verbose_consumer, options.quiet) {
        (true, _) => "--verbose",
        (false, true) => "--quiet",
        (false, false) => "",
    };
    Some(ConsumerProgram {
        path: consumer.path.clone()?,
        mode: if kernel { "-k" } else { "-u" },
        libdir: consumer.libdir.clone(),
        library_path: std::env::var_os("LD_LIBRARY_PATH"),
        verbosity,
        command_socket: consumer.cmd_sock.clone(),
        error_socket: consumer.err_sock.clone(),
        group: options.group.clone(),
        clock_plugin: options.clock_plugin.clone().filter(|_| !kernel),
    })
}

fn settings(
    options: &Options,
    (consumers, agents): (Vec<(ConsumerKind, ConsumerProgram)>, bool),
    limits: Limits,
    clock: TraceClock,
    supervision: Supervision,
) -> Result<Settings, Box<dyn Error>> {
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    Ok(Settings {
        version: options::VERSION,
        run_directory: options.rundir.to_string_lossy().into_owned(),
        group: options.group.clone(),
        uid: options.uid,
        no_kernel: options.no_kernel,
        hostname: gethostname()?.into_vec().into(),
        clock,
        page_size: page.and_then(|page| u64::try_from(page).ok()).unwrap_or(USUAL_PAGE),
        uuid: random::uuid()?,
        application_timeout: options.app_socket_timeout,
        network_timeout: options.network_timeout,
        limits,
        kernel_error_counters: options.event_notifier_slots_kernel.into(),
        error_counters: options.event_notifier_slots_user.into(),
        possible_cpus: boot::cpus::possible(),
        sources: Sources {
            uuid: random::uuid,
            monotonic_offset: clock::monotonic_offset,
            shared_memory: shared_memory::create,
            usage: usage::of_this_process,
            memory_space: if shared_memory::is_quick() { shared_memory::space } else { || None },
            has_process: |pid| Path::new(&format!("/proc/{pid}/cmdline")).exists(),
        },
        kernel_modules: Modules::new(options.kmod_probes.as_deref(), options.extra_kmod_probes.as_deref()),
        agents,
        consumers,
        supervision,
    })
}

/// Raises the limit of descriptors, a user's daemon as far as it is allowed to, and derives how many applications there may be: three quarters of the
/// descriptors are for them. Under root's daemon, one user may take half of these. What costs memory is as the options say.
fn limits(options: &Options) -> Limits {
    let root = options.uid == 0;
    if root && let Err(error) = setrlimit(resource::Resource::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS) {
        log::warn!("Failed to set open files limit: {error}");
    }
    if let Ok((soft, hard)) = getrlimit(resource::Resource::RLIMIT_NOFILE) {
        // Whatever it may have without asking; more than that is nobody's need, and costs programs that go through all
        // numbers. If not even this is allowed, the limit stays as it is.
        let most = hard.min(DESCRIPTORS);
        if soft < most {
            let _ = setrlimit(resource::Resource::RLIMIT_NOFILE, most, hard);
        }
    }
    let soft = getrlimit(resource::Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft.min(1 << 20));
    let all = usize::try_from(soft / 4 * 3 / DESCRIPTORS_PER_APPLICATION).unwrap_or(usize::MAX);
    let limits = Limits::for_applications(all, if root { all / 2 } else { all });
    // Descriptors that clients hand in have what is left, however small the table is.
    let descriptors = limits.of(Resource::Descriptors);
    let quarter = soft / 4;
    let descriptors = Limit { user: descriptors.user.min(quarter), all: descriptors.all.min(quarter) };
    let memory = Limit { user: options.user_memory, all: options.all_memory };
    limits.with(Resource::Descriptors, descriptors).with(Resource::Memory, memory).owned_by(options.uid)
}

fn publish(uid: u32) -> Option<WaitWord> {
    let word = WaitWord::open(Path::new(SHM_DIRECTORY), uid, getgid().as_raw());
    let published = word.and_then(|word| word.publish().map(|woken| (word, woken)));
    match published {
        Ok((word, woken)) => {
            log::debug!("Woke {woken} waiting applications");
            Some(word)
        }
        Err(error) => {
            log::error!("Failed to notify applications or create the wait shared memory: {error}");
            None
        }
    }
}

fn withdraw(word: Option<&WaitWord>) {
    if let Some(word) = word
        && let Err(error) = word.withdraw()
    {
        log::warn!("Can't tell applications that the daemon is gone: {error}");
    }
}

/// The helper leaves when its connection closes, and is the last child. It has nothing to do that would be worth a longer
/// wait.
fn wait_for_children() {
    let deadline = Instant::now().checked_add(HELPER_TIMEOUT);
    while deadline.is_some_and(|deadline| Instant::now() < deadline) {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(2)),
            Ok(_) => {}
            Err(_) => return,
        }
    }
}
