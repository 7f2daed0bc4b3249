// SPDX-License-Identifier: GPL-2.0-only
//! What the daemon says when it is asked how it is: the report, typed, and how it is shown to people and programs.
//!
//! The daemon writes it as JSON on its status socket, to whoever connects. Whoever asks reads it back, maybe one of another
//! version: fields are only ever added, what a daemon does not say is as [`Default`] has it, and what a reader does not
//! know it passes over. The manual page lttng-sessiond-status(7) describes every field; a test compares the two.
//!
//! Plain data, and text made of it. Nothing here knows the daemon's state, and nothing here reads or writes anything.

pub mod page;
pub mod prometheus;
pub mod text;

use serde::{Deserialize, Serialize};

/// The version of the report. It changes when a field goes or means something else, not when one is added.
pub const SCHEMA: u32 = 1;

/// How a daemon is, as far as whoever asks may know it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The daemon itself.
    pub daemon: Daemon,
    /// Recording sessions, oldest first: those that the user may control who asks.
    pub sessions: Vec<Session>,
    /// Registered applications of all users, oldest first.
    pub applications: Vec<Application>,
    /// Registered agents of logging libraries, oldest first.
    pub agents: Vec<Agent>,
    /// The consumer daemons, also those that were not needed yet.
    pub consumers: Vec<Consumer>,
    /// Relay daemons in use by the sessions shown.
    pub relays: Vec<Relay>,
    /// The kernel's tracer.
    pub kernel: Kernel,
    /// Triggers that the user may see who asks.
    pub triggers: Vec<Trigger>,
    /// What is held for users, by user id: for all users if the one who asks may see them.
    pub users: Vec<User>,
    /// What was counted since the daemon began.
    pub counters: Counters,
    /// What was said last, oldest first, of warnings and errors: as many as are kept, and may be seen.
    pub messages: Vec<Message>,
    /// Processes that were refused last, oldest first: as many as are kept, and may be seen.
    pub refused: Vec<Refused>,
}

/// The daemon itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Daemon {
    /// As `--version` prints it.
    pub version: String,
    /// The versions of LTTng whose clients it serves.
    pub dialects: Vec<String>,
    /// Process id.
    pub pid: i32,
    /// User that it runs as.
    pub uid: u32,
    /// Folder of its sockets.
    pub run_directory: String,
    /// Seconds since the Epoch when it began.
    pub started: i64,
    /// Seconds since then.
    pub uptime: u64,
    /// Seconds since the Epoch when this was written.
    pub now: i64,
    /// Bytes of memory that are resident, of its files too.
    pub memory_resident: u64,
    /// Bytes of memory that are its own: neither of files nor shared.
    pub memory_anonymous: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// How many there may be.
    pub descriptors_limit: u64,
    /// CPUs that there may be: each has a buffer in each channel.
    pub possible_cpus: u32,
    /// Milliseconds that an application may take for an answer; none is for ever.
    pub application_timeout_ms: Option<u64>,
    /// Name of the tracing group.
    pub group: String,
    /// The user who asked. Others than root and the daemon's own see their sessions, triggers and accounts only.
    pub asker: u32,
}

/// How far a session is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// Never started.
    New,
    Active,
    Stopped,
    /// It is being destroyed.
    Ending,
    /// One that this reader does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// What a session is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    Regular,
    Snapshot,
    Live,
    /// One that this reader does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// How a session's last rotation went, or goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rotation {
    /// There was none.
    None,
    Ongoing,
    Completed,
    /// What came of it can't be told any more.
    Expired,
    Error,
    /// One that this reader does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A recording session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// Its name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Seconds since the Epoch.
    pub created: i64,
    pub life: Life,
    pub kind: SessionKind,
    /// Microseconds of the live timer; 0 if it is not live.
    pub live_timer_us: u64,
    /// A folder, URLs, or nothing for one that records nowhere.
    pub output: String,
    /// Folder of its buffers, if it has one of its own.
    pub shm_path: Option<String>,
    /// The trace chunk that it writes to.
    pub chunk: Option<u64>,
    /// How its last rotation went, or goes.
    pub rotation: Rotation,
    /// Where the last archived chunk is.
    pub archived: Option<String>,
    /// Microseconds after which it rotates by itself; none if it doesn't.
    pub rotates_every_us: Option<u64>,
    /// Bytes after which it rotates by itself; none if it doesn't.
    pub rotates_at_bytes: Option<u64>,
    /// Snapshots recorded.
    pub snapshots: u64,
    /// Bytes that its channels wrote, as far as consumer daemons have told.
    pub written: u64,
    /// A command or rotation is under way, for which others wait.
    pub busy: bool,
    /// Seconds since somebody asked for something of it, or data was written.
    pub idle: u64,
    /// It seems to be left over: active, but nothing has happened to it for long.
    pub left_over: bool,
    /// What was lost in all channels: events and packets.
    pub lost: u64,
    /// Values of process attributes that it follows; none listed for an attribute of which it follows all.
    pub trackers: Vec<Tracker>,
    /// Its channels, those of the kernel first.
    pub channels: Vec<Channel>,
    /// Applications that have, or are to have, something of it.
    pub applications: u64,
}

/// Which values of a process attribute are followed, if not all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tracker {
    /// `user_space` or `kernel`.
    pub domain: String,
    /// `vpid`, `vuid`, `vgid`; in the kernel `pid`, `uid`, `gid` too.
    pub attribute: String,
    /// The numbers; when it is empty, no process is followed.
    pub values: Vec<u32>,
}

/// A channel.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// `user_space` or `kernel`.
    pub domain: String,
    /// It is switched on.
    pub enabled: bool,
    /// When its buffers are full, the oldest packets are overwritten, and new events are not discarded.
    pub overwrite: bool,
    /// Every application has buffers of its own, not every user.
    pub per_process: bool,
    /// Bytes of a sub-buffer.
    pub subbuf_size: u64,
    /// Sub-buffers of each CPU.
    pub num_subbuf: u64,
    /// Bytes in use in the fullest buffer when consumer daemons told last.
    pub used: Option<u64>,
    /// Discarded events, or overwritten packets; as far as is known while it records.
    pub lost: u64,
    /// Bytes of a sub-buffer that would have held what was lost, about; none if nothing was.
    pub suggested_subbuf_size: Option<u64>,
    /// Contexts that its events carry.
    pub contexts: u64,
    /// Its recording event rules, oldest first.
    pub rules: Vec<Rule>,
}

/// A recording event rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// A name, or a pattern with stars.
    pub name: String,
    /// `tracepoint`, `syscall`, `kprobe`, `kretprobe`, `uprobe`, `jul`, `log4j`, `python`.
    pub kind: String,
    /// It is switched on.
    pub enabled: bool,
    /// The least severe log level that it is about; none is all. The lower the number, the more severe.
    pub level_at_least: Option<i32>,
    /// The only log level that it is about; none is all.
    pub level_exactly: Option<i32>,
    /// The filter expression.
    pub filter: Option<String>,
    /// Names and patterns that are left out.
    pub exclusions: Vec<String>,
}

/// How far somebody is with what sessions want.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// It has everything.
    Converged,
    /// It owes answers.
    Behind,
    /// It owes answers and can't give them: its process is suspended.
    Lagging,
    /// It has refused something.
    Refused,
    /// One that this reader does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A registered application.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Application {
    /// Process id.
    pub pid: i32,
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// As it has registered; its process may have another one by now.
    pub name: String,
    /// Seconds since the Epoch.
    pub registered: i64,
    /// Version of the interface that it speaks: 8 is LTTng-UST 2.10 to 2.12, 9 is 2.13.
    pub abi: String,
    /// Version of its LTTng-UST, once it was told.
    pub tracer: Option<String>,
    /// 32 or 64.
    pub bits: u32,
    /// How far it is with what sessions want.
    pub progress: Progress,
    /// Milliseconds since it was asked for what it owes, or was found suspended.
    pub waiting_ms: Option<u64>,
    /// Requests that it has not answered.
    pub owes: u64,
    /// What the oldest of these is about.
    pub owes_first: Option<String>,
    /// What it has of sessions.
    pub sessions: Vec<ApplicationSession>,
}

/// What an application has of a session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ApplicationSession {
    /// Its name.
    pub name: String,
    /// It has all that the session wants of it.
    pub converged: bool,
    /// What it would not take, or could not be given, and why.
    pub refused: Vec<String>,
}

/// A registered agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Agent {
    /// The process that it says it is in.
    pub pid: i32,
    /// User id.
    pub uid: u32,
    /// `jul`, `log4j`, `python`; none if it named one that there is not.
    pub domain: Option<String>,
    /// How far it is with what sessions want.
    pub progress: Progress,
    /// Milliseconds since it was asked for what it owes, or was found suspended.
    pub waiting_ms: Option<u64>,
}

/// A consumer daemon.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Consumer {
    /// `user_space_64`, `user_space_32`, `kernel`.
    pub kind: String,
    /// `idle` (nobody needed it yet), `starting`, `ready`, `leaving`, `lost`.
    pub state: String,
    /// Process id.
    pub pid: Option<i32>,
    /// The program.
    pub path: String,
    /// How often one of this kind was lost.
    pub deaths: u64,
    /// Requests that wait for its answer.
    pub owes: u64,
    /// Milliseconds since the oldest of these was made.
    pub waiting_ms: Option<u64>,
}

/// A relay daemon in use.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Relay {
    /// The session that records to it.
    pub session: String,
    /// Where it is.
    pub url: String,
    /// It serves snapshots, not the session's own output.
    pub snapshot: bool,
    /// `connecting`, `connected`, `failed`.
    pub state: String,
    /// Its version, once it was told.
    pub version: Option<String>,
}

/// The kernel's tracer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kernel {
    /// `ready`; `looking`; `absent` (its modules are not there, or can't be loaded); `unfit` (they are of a version that is
    /// not served); `off` (`--no-kernel`); `not_root` (a user's daemon has none).
    pub state: String,
    /// Version of LTTng-modules.
    pub version: Option<String>,
    /// Version of their interface.
    pub abi: Option<String>,
}

/// A trigger.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trigger {
    /// None if it has none.
    pub name: Option<String>,
    /// User id.
    pub uid: u32,
    /// What it waits for, in a few words.
    pub condition: String,
    /// How often that was so.
    pub fired: u64,
    /// How often it was so and nothing was done, since too much was to be done.
    pub dropped: u64,
    /// What its actions do.
    pub actions: Vec<Action>,
    /// Messages that tracers could not deliver, if that can be told without asking the kernel.
    pub discarded: Option<u64>,
}

/// An action of a trigger.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Action {
    /// `notify`, `start_session`, `stop_session`, `rotate_session`, `snapshot_session`.
    pub kind: String,
    /// How often it was asked for.
    pub requests: u64,
    /// How often it has failed.
    pub failures: u64,
}

/// What is held for a user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Each resource.
    pub holds: Vec<Held>,
}

/// How much of a resource is held.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Held {
    /// `applications` (their connections, of which each makes two, and one more for triggers), `agents` (their
    /// connections), `connections` (of clients), `descriptors` (that clients have sent), `memory` (bytes).
    pub resource: String,
    /// How much is held.
    pub amount: u64,
    /// How much this user may have at most.
    pub limit: u64,
}

/// What was counted since the daemon began.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Turns of the loop.
    pub turns: u64,
    /// Microseconds that the longest turn took.
    pub longest_turn_us: u64,
    /// Applications that have registered.
    pub applications: u64,
    /// Kinds of events that applications have registered.
    pub events: u64,
    /// Agents that have registered.
    pub agents: u64,
    /// Processes that were refused, by reason.
    pub refused: Vec<Count>,
    /// Messages that were not written, since there were too many of their kind.
    pub messages_left_out: u64,
    /// Upper bounds in microseconds of the places of the commands' histograms; what took longer is in one more.
    pub latency_bounds_us: Vec<u64>,
    /// Clients' commands, by name.
    pub commands: Vec<Command>,
    /// Commands that were refused, by the code that the client was told.
    pub errors: Vec<Count>,
}

/// Something counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Count {
    /// Its name.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// How often a command was served, and how long it took from its last byte to the reply.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Command {
    /// Its name.
    pub name: String,
    /// How often it was served.
    pub served: u64,
    /// How many of these were refused or failed.
    pub failed: u64,
    /// Microseconds of all of them.
    pub total_us: u64,
    /// How many took as long as each place says, one more place than there are bounds. They are not added up.
    pub latency: Vec<u64>,
}

/// A warning or an error.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Message {
    /// Seconds since the Epoch when it was said last.
    pub at: i64,
    /// `error` or `warning`.
    pub level: String,
    /// What it is about, in one word.
    pub topic: String,
    /// The user whose doing it is, if it is one's.
    pub uid: Option<u32>,
    /// What was said.
    pub text: String,
}

/// A process that was refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refused {
    /// Seconds since the Epoch.
    pub at: i64,
    /// Process id.
    pub pid: i32,
    /// User id.
    pub uid: u32,
    /// Why.
    pub why: String,
}
