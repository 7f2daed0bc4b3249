// SPDX-License-Identifier: GPL-2.0-only
//! What is known before anything is concluded: about one process, the machine, whoever asks, and the daemons.
//!
//! Plain data. Nothing here reads a file, and nothing here judges what it means.

use std::path::PathBuf;

use crate::report::{Application, Report};
use crate::sys::shared_memory::Space;
use crate::users;

/// Something that could be seen, or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Seen<T> {
    Known(T),
    /// Whoever asks may not see it.
    Denied,
    /// It is not there, or was not looked for.
    #[default]
    Unknown,
}

impl<T> Seen<T> {
    pub fn known(&self) -> Option<&T> {
        match self {
            Seen::Known(value) => Some(value),
            Seen::Denied | Seen::Unknown => None,
        }
    }

    pub fn is_denied(&self) -> bool {
        matches!(self, Seen::Denied)
    }
}

/// Everything that is the same for all processes that are asked about.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    pub asker: Asker,
    pub machine: Machine,
    pub daemons: Vec<Daemon>,
    /// Processes that are session daemons, whether they can be talked to or not.
    pub running: Vec<Running>,
}

/// Who asks.
#[derive(Debug, Clone, Default)]
pub struct Asker {
    pub uid: u32,
    /// The groups that this process has.
    pub groups: Vec<u32>,
    /// The groups that the databases say the user has.
    pub listed_groups: Vec<u32>,
    /// Folder of the sockets of a daemon of this user's own.
    pub rundir: Option<PathBuf>,
    /// Number of the asker's PID namespace.
    pub pid_namespace: Option<u64>,
}

/// The system, as far as it matters.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// Text of the passwd file, for names.
    pub passwd: String,
    /// The tracing group's name, and its number if there is such a group.
    pub group: String,
    pub gid: Option<u32>,
    /// Run directory where applications look for root's daemon.
    pub system_rundir: PathBuf,
    /// `/dev/shm`, where buffers are.
    pub shm: Option<Space>,
    pub kernel: KernelSide,
}

impl Machine {
    /// A user by name, or else by number.
    pub fn user(&self, uid: u32) -> String {
        users::user_name(&self.passwd, uid).unwrap_or_else(|| format!("user {uid}"))
    }
}

/// What can be seen of the kernel's tracer without a daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelSide {
    /// As `uname -r` says it.
    pub release: String,
    /// The kernel can load modules at all.
    pub modular: bool,
    /// There are LTTng's modules for the running kernel.
    pub modules: bool,
    /// Other kernels for which there are such modules.
    pub modules_for: Vec<String>,
    /// LTTng's modules are loaded.
    pub loaded: bool,
    /// What is in `/sys/kernel/security/lockdown` between brackets: `none`, `integrity`, `confidentiality`.
    pub lockdown: Option<String>,
    /// The kernel takes signed modules only (`/sys/module/module/parameters/sig_enforce`).
    pub signed_only: bool,
}

/// A process that is called as a session daemon is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    pub pid: i32,
    pub uid: u32,
}

/// Whose a daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Root,
    User(u32),
}

/// How far one gets at a socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Reach {
    /// There is no such file.
    #[default]
    Absent,
    /// Whoever asks may not connect.
    Denied,
    /// The file is there, and nobody listens.
    Abandoned,
    /// Connected, and not answered in time.
    Silent,
    /// Something else, in the system's words.
    Failed(String),
    Answered,
}

/// A place where a daemon is, or could be.
#[derive(Debug, Clone)]
pub struct Daemon {
    pub whose: Whose,
    /// Folder of its sockets.
    pub rundir: PathBuf,
    /// How one gets at its client socket.
    pub clients: Reach,
    /// How one gets at its status socket.
    pub status: Reach,
    /// What it said.
    pub report: Option<Report>,
    /// The tracepoints of its applications, or why they are not known.
    pub offers: Result<Vec<Offer>, String>,
    /// Its process, as this process sees it.
    pub process: Option<DaemonProcess>,
    /// Its socket of applications.
    pub apps_socket: Option<FileId>,
}

impl Daemon {
    pub fn is_running(&self) -> bool {
        self.report.is_some()
            || [&self.clients, &self.status]
                .iter()
                .any(|reach| matches!(reach, Reach::Answered | Reach::Silent))
    }

    /// How to speak of it.
    pub fn title(&self, machine: &Machine) -> String {
        match self.whose {
            Whose::Root => "root's session daemon".to_owned(),
            Whose::User(uid) => format!("the session daemon of {}", machine.user(uid)),
        }
    }
}

/// What `/proc` shows of a daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DaemonProcess {
    pub pid: i32,
    pub namespaces: Namespaces,
    /// How many PID namespaces deep it is, seen from here.
    pub depth: usize,
    /// The file in which applications wait for it.
    pub wait_file: Option<FileId>,
}

/// A tracepoint of an application, as the daemon lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub pid: i32,
    pub name: String,
    pub level: i32,
}

/// Which file it is: number of the device and of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId {
    pub device: u64,
    pub inode: u64,
}

/// Real, effective and saved id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ids {
    pub real: u32,
    pub effective: u32,
    pub saved: u32,
}

impl Ids {
    pub fn of(id: u32) -> Ids {
        Ids { real: id, effective: id, saved: id }
    }
}

/// Numbers of namespaces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Namespaces {
    pub pid: Option<u64>,
    pub mount: Option<u64>,
    pub user: Option<u64>,
}

/// One process.
#[derive(Debug, Clone, Default)]
pub struct Process {
    pub pid: i32,
    /// The process's name (`comm`).
    pub name: String,
    pub exe: Seen<PathBuf>,
    pub kernel_thread: bool,
    /// Letter of its state, see proc(5).
    pub state: char,
    /// The process that traces it with ptrace(2), if one does.
    pub debugger: Option<i32>,
    pub uids: Ids,
    pub gids: Ids,
    /// It has capabilities without being root's.
    pub capable: bool,
    /// The kernel told it not to trust its environment (`AT_SECURE`).
    pub secure: Seen<bool>,
    /// Seconds since the Epoch when it began.
    pub started: Option<i64>,
    /// The process that it comes from, and so on upwards.
    pub ancestors: Vec<Ancestor>,
    /// Its pids in PID namespaces from the asker's down to its own.
    pub pids: Vec<i32>,
    /// Variables of its environment as they were when its program began.
    pub environment: Seen<Environment>,
    pub namespaces: Namespaces,
    /// Its root directory, where it isn't that of whoever asks.
    pub root: Seen<PathBuf>,
    /// What it has mapped.
    pub maps: Seen<Maps>,
    /// What its program's file says.
    pub program: Seen<Program>,
    /// Threads of LTTng-UST that listen to daemons.
    pub listeners: usize,
    /// Open descriptors.
    pub descriptors: Seen<u64>,
    pub descriptors_limit: Option<u64>,
    /// Label of a security module.
    pub label: Option<String>,
    /// The file at the place of root's application socket, as this process sees it.
    pub system_socket: Seen<Option<FileId>>,
    /// The file at the place of its own user's application socket, as this process sees it.
    pub own_socket: Seen<Option<FileId>>,
    /// The home directory of its user, by the database.
    pub passwd_home: Option<PathBuf>,
}

/// Another process of which it is a descendant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ancestor {
    pub pid: i32,
    pub name: String,
    /// Whether it runs the same program.
    pub same_program: bool,
}

/// Variables that matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    pub home: Option<PathBuf>,
    pub lttng_home: Option<PathBuf>,
    /// Other variables that begin with `LTTNG_`.
    pub lttng: Vec<(String, String)>,
    pub preload: Option<String>,
}

impl Environment {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.lttng.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Folder where an application that trusts its environment looks for its own user's daemon.
    pub fn rundir(&self) -> Option<PathBuf> {
        self.lttng_home.as_ref().or(self.home.as_ref()).map(|home| home.join(".lttng"))
    }
}

/// What is mapped that has to do with tracing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maps {
    /// Version numbers of `liblttng-ust.so.N`.
    pub ust: Vec<u32>,
    /// `liblttng-ust-tracepoint` is there: tracepoints of a program whose provider is another file.
    pub tracepoint: bool,
    /// `liblttng-ust-fork` is there.
    pub fork: bool,
    /// Files that register a tracepoint provider.
    pub providers: Vec<PathBuf>,
    /// Tracepoints that are called by files that are mapped, by their names.
    pub tracepoints: Vec<String>,
    /// The file in which it waits for root's daemon.
    pub global_wait: Option<FileId>,
    /// The file in which it waits for its own user's daemon.
    pub local_wait: Option<FileId>,
    /// The library of the agents of Java or Python programs.
    pub agent: bool,
    /// Files that could not be opened.
    pub unread: usize,
}

/// What a program's file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// 32 or 64.
    pub bits: u32,
    /// It needs no dynamic linker.
    pub is_static: bool,
    /// Libraries that it asks for.
    pub needed: Vec<String>,
    /// It registers a tracepoint provider.
    pub provides: bool,
    /// Tracepoints that it calls.
    pub tracepoints: Vec<String>,
    /// It runs under the identity of the file's owner or group.
    pub set_id: bool,
}

impl Process {
    /// The application in a report, if it has registered with that daemon.
    pub fn registered<'a>(&self, daemon: &'a Daemon, asker: &Asker) -> Option<&'a Application> {
        let pid = self.pid_for(daemon, asker)?;
        daemon.report.as_ref()?.applications.iter().rev().find(|app| app.pid == pid)
    }

    /// The pid by which a daemon knows it. None: the daemon's PID namespace does not have it.
    fn pid_for(&self, daemon: &Daemon, asker: &Asker) -> Option<i32> {
        let its = daemon.process.as_ref();
        let namespace = its.and_then(|its| its.namespaces.pid);
        let Some((depth, namespace)) = its.map(|its| its.depth).zip(namespace) else { return Some(self.pid) };
        if asker.pid_namespace.is_none_or(|own| own == namespace) {
            return Some(self.pid);
        }
        // Deeper ones have a number in each namespace on the way.
        let inside = self.pids.len() > depth || self.namespaces.pid == Some(namespace);
        self.pids.get(depth.checked_sub(1)?).copied().filter(|_| inside)
    }

    /// Its program without the folder, or else its name.
    pub fn title(&self) -> String {
        match self.exe.known().and_then(|exe| exe.file_name()) {
            // The name of a process has 15 bytes at most.
            Some(file) if file.to_string_lossy().starts_with(&self.name) => {
                file.to_string_lossy().into_owned()
            }
            _ => self.name.clone(),
        }
    }

    /// Whether LTTng-UST does not look at the environment: set-user-id and the like.
    pub fn is_secure(&self) -> bool {
        match self.secure {
            Seen::Known(secure) => secure,
            Seen::Denied | Seen::Unknown => {
                self.uids.real != self.uids.effective
                    || self.gids.real != self.gids.effective
                    || self.program.known().is_some_and(|program| program.set_id)
            }
        }
    }
}
