// SPDX-License-Identifier: GPL-2.0-only
//! Programs that log through Java's and Python's own means, with the LTTng-UST agents of Debian in them.

use std::path::Path;
use std::process::Command;

use super::app::App;
use super::daemon::eventually;
use super::sandbox::{Sandbox, User};
use super::trace::{Event, Value};
use super::{build, is_missing, lacks};

/// The libraries of the Java program.
const ARCHIVES: [(&str, &str); 4] = [
    ("/usr/share/java/lttng-ust-agent-common.jar", "liblttng-ust-agent-java"),
    ("/usr/share/java/lttng-ust-agent-jul.jar", "liblttng-ust-agent-java"),
    ("/usr/share/java/lttng-ust-agent-log4j.jar", "liblttng-ust-agent-java"),
    ("/usr/share/java/log4j-1.2.jar", "liblog4j1.2-java"),
];

/// Where Debian has libraries of Java programs.
const NATIVE: &str = "/usr/lib/x86_64-linux-gnu/jni";

/// What differs from run to run in the events of agents.
const VARYING: [&str; 6] = ["asctime", "thread", "long_millis", "int_threadid", "timestamp", "thread_name"];

/// The domains of logging agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// `java.util.logging`.
    Jul,
    /// log4j 1.
    Log4j,
    /// Python's `logging`.
    Python,
}

/// All of them.
pub const DOMAINS: [Domain; 3] = [Domain::Jul, Domain::Log4j, Domain::Python];

/// Those of Java.
pub const JAVA: [Domain; 2] = [Domain::Jul, Domain::Log4j];

/// How much a record matters, in the words of each domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// `FINE` or `DEBUG`.
    Debug,
    /// `INFO`.
    Info,
    /// `WARNING` or `WARN`.
    Warning,
    /// `SEVERE` or `ERROR`.
    Error,
}

/// From least to most.
pub const LEVELS: [Level; 4] = [Level::Debug, Level::Info, Level::Warning, Level::Error];

impl Domain {
    /// The option of `lttng`.
    pub fn option(self) -> &'static str {
        match self {
            Domain::Jul => "--jul",
            Domain::Log4j => "--log4j",
            Domain::Python => "--python",
        }
    }

    /// As in names of channels and events, and in `add-trigger --type`.
    pub fn name(self) -> &'static str {
        match self {
            Domain::Jul => "jul",
            Domain::Log4j => "log4j",
            Domain::Python => "python",
        }
    }

    /// Its number in the protocol of agents.
    pub fn number(self) -> u32 {
        match self {
            Domain::Jul => 3,
            Domain::Log4j => 4,
            Domain::Python => 5,
        }
    }

    /// The only channel that it has.
    pub fn channel(self) -> String {
        format!("lttng_{}_channel", self.name())
    }

    /// What it calls this level.
    pub fn level(self, level: Level) -> &'static str {
        match (level, self) {
            (Level::Debug, Domain::Jul) => "FINE",
            (Level::Debug, _) => "DEBUG",
            (Level::Info, _) => "INFO",
            (Level::Warning, Domain::Log4j) => "WARN",
            (Level::Warning, _) => "WARNING",
            (Level::Error, Domain::Jul) => "SEVERE",
            (Level::Error, _) => "ERROR",
        }
    }
}

/// Whether tests with Python's agent can't run here. Says why.
pub fn no_python() -> bool {
    let module = Path::new("/usr/lib/python3/dist-packages/lttngust/agent.py");
    is_missing("python3", "python3") || (!module.is_file() && lacks("no lttngust (package python3-lttngust)"))
}

/// The same for Java's.
pub fn no_java() -> bool {
    let compiler = "openjdk-17-jdk-headless";
    if is_missing("javac", compiler) || is_missing("jar", compiler) || is_missing("java", compiler) {
        return true;
    }
    let library = Path::new(NATIVE).join("liblttng-ust-jul-jni.so");
    if !library.is_file() && lacks(&format!("no {} (package liblttng-ust-agent-java-jni)", library.display()))
    {
        return true;
    }
    ARCHIVES
        .iter()
        .any(|(file, package)| !Path::new(file).is_file() && lacks(&format!("no {file} (package {package})")))
}

/// The same for a test that needs both.
pub fn no_agents() -> bool {
    no_python() || no_java()
}

/// Who runs a program.
#[derive(Clone, Copy)]
enum Who {
    Root,
    Other(User),
}

/// A running program with agents of these domains.
pub struct Logging {
    app: App,
    domains: &'static [Domain],
}

impl Logging {
    /// Starts the Java program with these agents. When a daemon runs, they are registered when this returns.
    pub fn java(s: &Sandbox, domains: &'static [Domain]) -> Self {
        Self::java_by(s, Who::Root, domains)
    }

    /// The same as another user.
    pub fn java_as(s: &Sandbox, user: User, domains: &'static [Domain]) -> Self {
        Self::java_by(s, Who::Other(user), domains)
    }

    fn java_by(s: &Sandbox, who: Who, domains: &'static [Domain]) -> Self {
        let libraries = ARCHIVES.map(|(file, _)| Path::new(file));
        let program = s.share(&build::java_archive(&libraries));
        let mut path = vec![program.as_path()];
        path.extend(libraries);
        let (mut command, home) = match who {
            Who::Root => (s.command("java"), s.home()),
            Who::Other(user) => (s.command_as(user, "java"), s.home_of(user)),
        };
        command.args([
            "-Xmx32m",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-Xshare:auto",
            "-XX:-UsePerfData",
        ]);
        command.arg(format!("-Djava.library.path={NATIVE}")).arg(format!("-Duser.home={}", home.display()));
        command.arg("-cp").arg(std::env::join_paths(path).unwrap());
        command.arg("Loggers").args(domains.iter().map(|domain| domain.name()));
        Logging { app: App::start_command(s, command), domains }
    }

    /// Starts the Python program. When a daemon runs, its agent is registered when this returns.
    pub fn python(s: &Sandbox) -> Self {
        Self::python_by(s, s.command("python3"), &[])
    }

    /// Starts it without the agent, which `load` loads.
    pub fn python_later(s: &Sandbox) -> Self {
        Self::python_by(s, s.command("python3"), &["later"])
    }

    /// Starts it as another user.
    pub fn python_as(s: &Sandbox, user: User) -> Self {
        Self::python_by(s, s.command_as(user, "python3"), &[])
    }

    fn python_by(s: &Sandbox, mut command: Command, args: &[&str]) -> Self {
        // An agent that was sent away comes again soon.
        command.env("LTTNG_UST_PYTHON_REGISTER_RETRY_DELAY", "100");
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/loggers.py");
        command.args(["-B", "-s"]).arg(s.share(&program)).args(args);
        Logging { app: App::start_command(s, command), domains: &[Domain::Python] }
    }

    /// One Java program with both of its domains, and a Python program: agents of all domains.
    pub fn all(s: &Sandbox) -> [Self; 2] {
        [Self::java(s, &JAVA), Self::python(s)]
    }

    /// Its pid inside the sandbox.
    pub fn pid(&self) -> i32 {
        self.app.pid()
    }

    /// The domains that it has agents of.
    pub fn domains(&self) -> &'static [Domain] {
        self.domains
    }

    /// Waits until the daemon lists the loggers of its agents: a moment after the program was let go on.
    pub fn listed(self, s: &Sandbox) -> Self {
        self.is_listed(s);
        self
    }

    /// The same for one that was started before.
    pub fn is_listed(&self, s: &Sandbox) {
        for domain in self.domains {
            let pid = format!("PID: {} ", self.pid());
            eventually("the agent's loggers are listed", || {
                s.run("lttng", &["list", domain.option()]).stdout.contains(&pid)
            });
        }
    }

    /// Sends a line that is about a domain and returns the answer.
    pub fn ask(&mut self, domain: Domain, verb: &str, rest: &str) -> String {
        assert!(self.domains.contains(&domain));
        // The Python program has one domain only, which is not named.
        let name = if domain == Domain::Python { "" } else { domain.name() };
        let words: Vec<&str> = [verb, name, rest].into_iter().filter(|word| !word.is_empty()).collect();
        self.app.ask(&words.join(" "))
    }

    /// Sends a line that must be answered `done`.
    pub fn tell(&mut self, line: &str) {
        self.app.tell(line);
    }

    /// Logs a text.
    pub fn log(&mut self, domain: Domain, logger: &str, level: Level, text: &str) {
        let rest = format!("{logger} {} {text}", domain.level(level));
        assert_eq!(self.ask(domain, "log", &rest), "done");
    }

    /// Logs so many numbers.
    pub fn burst(&mut self, domain: Domain, logger: &str, first: u32, count: u32) {
        let rest = format!("{logger} {} {first} {count}", domain.level(Level::Info));
        assert_eq!(self.ask(domain, "burst", &rest), "done");
    }

    /// Makes a logger.
    pub fn make(&mut self, domain: Domain, logger: &str) {
        assert_eq!(self.ask(domain, "make", logger), "done");
    }

    /// What its agent of this domain has enabled, whatever the number of times.
    pub fn enabled(&mut self, domain: Domain) -> String {
        match domain {
            // That agent tells nothing but whether anything is.
            Domain::Python => self.app.ask("attached"),
            _ => without_counts(&self.ask(domain, "patterns", "")),
        }
    }

    /// The application contexts that its agent of this domain has enabled.
    pub fn contexts(&mut self, domain: Domain) -> String {
        without_counts(&self.ask(domain, "contexts", ""))
    }

    /// Lets it end by itself.
    pub fn exit(self) {
        self.app.exit();
    }

    /// Kills it.
    pub fn kill(self) {
        self.app.kill();
    }

    /// Stops it with SIGSTOP.
    pub fn freeze(&self) {
        self.app.freeze();
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.app.thaw();
    }
}

/// A peer at the agents' port that need not behave: `agent.py`. Needs Python only.
pub fn fake_agent(s: &Sandbox) -> App {
    fake_agent_by(s, s.command("python3"))
}

/// The same as another user.
pub fn fake_agent_as(s: &Sandbox, user: User) -> App {
    fake_agent_by(s, s.command_as(user, "python3"))
}

fn fake_agent_by(s: &Sandbox, mut command: Command) -> App {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/agent.py");
    command.args(["-B", "-s"]).arg(s.share(&program));
    App::start_command(s, command)
}

/// `NAME=COUNT ...`: how often something is enabled is between the agent and its daemon.
fn without_counts(answer: &str) -> String {
    let names = answer.split(' ').map(|word| word.rsplit_once('=').map_or(word, |(name, _)| name));
    names.collect::<Vec<_>>().join(" ")
}

/// Waits until the agents have what they are to have. A command about a session that does not record may return before that:
/// nothing is lost by it. An agent lists its loggers after it.
pub fn settle(s: &Sandbox) {
    for domain in DOMAINS {
        s.run("lttng", &["list", domain.option()]).ok();
    }
}

/// Loggers and texts of all records in a trace, in order: `LOGGER: TEXT`.
pub fn records(events: &[Event]) -> Vec<String> {
    let text = |event: &Event, name: &str| match event.field(name) {
        Some(Value::Text(text)) => text.clone(),
        other => panic!("{}: {name} is {other:?}", event.name),
    };
    let of_agents = events.iter().filter(|event| event.field("logger_name").is_some());
    of_agents.map(|event| format!("{}: {}", text(event, "logger_name"), text(event, "msg"))).collect()
}

/// All events with contexts and fields, one a line, without what differs from run to run.
pub fn lines(events: &[Event]) -> String {
    let line = |event: &Event| {
        let mut event = event.clone();
        event.fields.retain(|(name, _)| !VARYING.contains(&name.as_str()));
        format!("{} [{}]", event.line(), event.contexts())
    };
    events.iter().map(line).collect::<Vec<_>>().join("\n")
}
