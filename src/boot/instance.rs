// SPDX-License-Identifier: GPL-2.0-only
//! The one daemon of a user: its lock, run directory, listening sockets and small files.
//!
//! The functions are called in the order of the daemon's start and, for the `remove_` ones, of its end;
//! what was not removed by then goes when the [`Instance`] is dropped. Owners and modes are those of
//! LTTng-tools 2.13 (`src/bin/lttng-sessiond/main.c`, `client.c`, `register.c`, `health.c`,
//! `src/common/unix.c`): a root daemon's client sockets belong to the tracing group.
//!
//! It must never change the umask, which is inherited and shared, and never remove a file that somebody
//! else put in place of its own.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket};

use crate::boot::options::{Consumer, Options};
use crate::sys::lock;

/// Connections that wait to be accepted. The original has 64; a start of many applications at once is
/// served better with more.
const BACKLOG: i32 = 128;

/// Longest socket path, without the closing NUL.
const MAX_SOCKET_PATH: usize = 107;

/// How often the lock file may be gone, or another one, when it is locked: each time a daemon has ended at that moment.
const LOCK_ATTEMPTS: usize = 100;

/// Where a client of a user other than root looks for the root daemon.
const SYSTEM_CLIENT_SOCK: &str = "/var/run/lttng/client-lttng-sessiond";

/// Why the daemon cannot have its files. The text is what the original prints behind `Error: `.
#[derive(Debug)]
pub enum Error {
    /// The run directory cannot be made.
    RunDirectory(PathBuf, io::Error),
    /// A daemon answers on the socket that clients of this user connect to.
    AlreadyRunning,
    /// A daemon holds the lock file.
    Locked(PathBuf),
    /// The lock file cannot be opened.
    LockFile(PathBuf, io::Error),
    /// The lock file is a symbolic link: what it leads to can't be known to stay the same.
    LockFileIsLink(PathBuf),
    /// Somebody replaces the lock file all the time.
    LockFileUnstable(PathBuf),
    /// A socket path does not fit into an address.
    PathTooLong(PathBuf),
    /// A socket cannot be made.
    Socket(PathBuf, io::Error),
    /// A folder, owner, mode or small file cannot be set.
    File(PathBuf, io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::RunDirectory(path, error) => write!(f, "Unable to create {}: {error}", path.display()),
            Error::AlreadyRunning => write!(f, "A session daemon is already running."),
            Error::Locked(path) => write!(
                f,
                "Could not get lock file {}, another instance is running.\n\
                 Error: A session daemon is already running.",
                path.display()
            ),
            Error::LockFile(path, error) => {
                write!(f, "Could not open lock file {}: {error}", path.display())
            }
            Error::LockFileIsLink(path) => {
                write!(f, "Could not open lock file {}: it is a symbolic link", path.display())
            }
            Error::LockFileUnstable(path) => {
                write!(f, "Could not get lock file {}: it is replaced again and again", path.display())
            }
            Error::PathTooLong(path) => write!(
                f,
                "unix socket address (\"{}\") is longer than the platform's limit ({} > {}).",
                path.display(),
                path.as_os_str().len() + 1,
                MAX_SOCKET_PATH + 1
            ),
            Error::Socket(path, error) => {
                write!(f, "Create unix sock failed: {}: {error}", path.display())
            }
            Error::File(path, error) => write!(f, "Could not set up {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for Error {}

/// A file or folder of ours, and how to recognize it.
#[derive(Debug)]
struct Made {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Made {
    fn new(path: &Path) -> Result<Made, Error> {
        let metadata = fs::symlink_metadata(path).map_err(|error| Error::File(path.into(), error))?;
        Ok(Made { path: path.into(), device: metadata.dev(), inode: metadata.ino() })
    }

    /// Whether the path still leads to what we made.
    fn is_ours(&self) -> bool {
        fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| metadata.dev() == self.device && metadata.ino() == self.inode)
    }

    fn remove(&self) {
        if !self.is_ours() {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            log::warn!("Cannot remove {}: {error}", self.path.display());
        }
    }
}

/// What is ours of one consumer daemon.
#[derive(Debug)]
struct ConsumerFiles {
    error_socket: Option<Made>,
    command_socket: PathBuf,
    directory: PathBuf,
}

impl ConsumerFiles {
    /// Removes the sockets, also the one the consumer daemon made, and the folder if nothing is left in
    /// it. True: nothing remains to be done.
    fn remove(&mut self) -> bool {
        if let Some(made) = self.error_socket.take() {
            made.remove();
        }
        if fs::symlink_metadata(&self.command_socket).is_ok_and(|it| it.file_type().is_socket()) {
            let _ = fs::remove_file(&self.command_socket);
        }
        match fs::remove_dir(&self.directory) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        }
    }
}

/// The files of this daemon. Dropping it removes what is left of them, the lock file last.
#[derive(Debug)]
pub struct Instance {
    root: bool,
    tracing_group: u32,
    rundir: PathBuf,
    client: Option<Made>,
    apps: Option<Made>,
    health: Option<Made>,
    status: Option<Made>,
    notification: Option<Made>,
    pid_file: Option<Made>,
    agent_port: Option<Made>,
    consumers: Vec<ConsumerFiles>,
    lock: Lock,
}

impl Instance {
    /// Makes the run directory, refuses to be the second daemon, and takes the lock. This is all that
    /// happens before the daemon goes to the background, so that the refusal is still seen.
    ///
    /// `tracing_group` is the id of the group of a root daemon's client sockets, 0 without such a group.
    /// `client_socks` are the sockets on which a running daemon would answer, see
    /// [`default_client_socks`].
    ///
    /// # Errors
    /// The run directory cannot be made, or a daemon runs.
    pub fn claim(options: &Options, tracing_group: u32, client_socks: &[PathBuf]) -> Result<Instance, Error> {
        make_directory(&options.rundir, 0o700)
            .map_err(|error| Error::RunDirectory(options.rundir.clone(), error))?;
        if client_socks.iter().any(|path| answers(path)) {
            return Err(Error::AlreadyRunning);
        }
        let lock = Lock::acquire(&options.lockfile)?;
        Ok(Instance {
            root: options.uid == 0,
            tracing_group,
            rundir: options.rundir.clone(),
            client: None,
            apps: None,
            health: None,
            status: None,
            notification: None,
            pid_file: None,
            agent_port: None,
            consumers: Vec::new(),
            lock,
        })
    }

    /// The lock's descriptor, which must stay open in the daemon and in no other process.
    pub fn lock_fd(&self) -> BorrowedFd<'_> {
        self.lock.file.as_fd()
    }

    /// Makes the folder of a consumer daemon (0750, root:tracing) and the socket it reports errors to
    /// (0660). A non-root daemon has no kernel consumer: do not call it for that one.
    ///
    /// # Errors
    /// The folder or the socket cannot be made.
    pub fn bind_consumer(&mut self, consumer: &Consumer) -> Result<UnixListener, Error> {
        let directory = &consumer.directory;
        make_directory(directory, 0o750).map_err(|error| Error::File(directory.clone(), error))?;
        if self.root {
            own(directory, self.tracing_group)?;
        }
        self.consumers.push(ConsumerFiles {
            error_socket: None,
            command_socket: consumer.cmd_sock.clone(),
            directory: directory.clone(),
        });
        let owner = self.root.then_some(0);
        let (listener, made) = bind_listener(&consumer.err_sock, Some(0o660), owner)?;
        if let Some(files) = self.consumers.last_mut() {
            files.error_socket = Some(made);
        }
        Ok(listener)
    }

    /// Writes the pid file: the decimal process id and a newline.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_pid_file(&mut self, path: &Path) -> Result<(), Error> {
        self.pid_file = Some(write_number(path, std::process::id())?);
        Ok(())
    }

    /// Makes the health socket: 0660 root:tracing for root, as the umask says for others.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn bind_health(&mut self, path: &Path) -> Result<UnixListener, Error> {
        let mode = self.root.then_some(0o660);
        let (listener, made) = bind_listener(path, mode, self.client_group())?;
        self.health = Some(made);
        Ok(listener)
    }

    /// Makes the socket on which the daemon says how it is: 0660, root:tracing for root. The original has none.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn bind_status(&mut self, path: &Path) -> Result<UnixListener, Error> {
        let (listener, made) = bind_listener(path, Some(0o660), self.client_group())?;
        self.status = Some(made);
        Ok(listener)
    }

    /// Makes the socket of the notification channel: 0660, root:tracing for root.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn bind_notification(&mut self, path: &Path) -> Result<UnixListener, Error> {
        let (listener, made) = bind_listener(path, Some(0o660), self.client_group())?;
        self.notification = Some(made);
        Ok(listener)
    }

    /// Makes the client socket: 0660, root:tracing for root.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn bind_client(&mut self, path: &Path) -> Result<UnixListener, Error> {
        let (listener, made) = bind_listener(path, Some(0o660), self.client_group())?;
        self.client = Some(made);
        Ok(listener)
    }

    /// Opens a root daemon's run directory to everybody: 0755 root:tracing. To be called when the client
    /// socket exists.
    ///
    /// # Errors
    /// Owner or mode cannot be set.
    pub fn publish_run_directory(&self) -> Result<(), Error> {
        if !self.root {
            return Ok(());
        }
        own(&self.rundir, self.tracing_group)?;
        fs::set_permissions(&self.rundir, Permissions::from_mode(0o755))
            .map_err(|error| Error::File(self.rundir.clone(), error))
    }

    /// Makes the application socket: 0666.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn bind_apps(&mut self, path: &Path) -> Result<UnixListener, Error> {
        let (listener, made) = bind_listener(path, Some(0o666), self.root.then_some(0))?;
        self.apps = Some(made);
        Ok(listener)
    }

    /// Writes the file that tells agents the TCP port.
    ///
    /// # Errors
    /// The file cannot be written; then agents can't find the port.
    pub fn write_agent_port(&mut self, path: &Path, port: u16) -> Result<(), Error> {
        self.agent_port = Some(write_number(path, port.into())?);
        Ok(())
    }

    /// End: nobody listens to agents any more.
    pub fn remove_agent_port(&mut self) {
        remove(&mut self.agent_port);
    }

    /// End, first: no new commands.
    pub fn remove_client_socket(&mut self) {
        remove(&mut self.client);
    }

    /// End, second, when the wait word is withdrawn: no new applications.
    pub fn remove_apps_socket(&mut self) {
        remove(&mut self.apps);
    }

    /// End, third: health socket, pid file, port file, sockets and folders of consumer daemons. A folder
    /// in which a consumer daemon still has a file is tried again at the very end.
    pub fn remove_runtime_files(&mut self) {
        remove(&mut self.health);
        remove(&mut self.status);
        remove(&mut self.pid_file);
        remove(&mut self.agent_port);
        self.consumers.retain_mut(|consumer| !consumer.remove());
    }

    /// End, fourth, when the consumer daemons are gone and notification clients disconnected.
    pub fn remove_notification_socket(&mut self) {
        remove(&mut self.notification);
    }

    fn client_group(&self) -> Option<u32> {
        self.root.then_some(self.tracing_group)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.remove_client_socket();
        self.remove_apps_socket();
        self.remove_runtime_files();
        self.remove_notification_socket();
        // The lock's own drop comes after this one.
    }
}

/// The lock file, held until it is dropped, which removes it.
///
/// It is locked twice: with `flock`, like later releases of the original, and with a record lock of the
/// open file, which keeps 2.13.9 away. Both belong to the open file and survive the fork into the
/// background.
#[derive(Debug)]
struct Lock {
    file: File,
    made: Made,
}

impl Lock {
    fn acquire(path: &Path) -> Result<Lock, Error> {
        let failed = |error| Error::LockFile(path.into(), error);
        for _ in 0..LOCK_ATTEMPTS {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o660)
                .custom_flags(libc::O_NOFOLLOW)
                .open(path)
                .map_err(|error| match fs::symlink_metadata(path) {
                    Ok(metadata) if metadata.is_symlink() => Error::LockFileIsLink(path.into()),
                    _ => failed(error),
                })?;
            if !lock::try_exclusive(file.as_fd()).map_err(failed)? || !lock_record(&file).map_err(failed)? {
                return Err(Error::Locked(path.into()));
            }
            // A daemon that was just ending may have removed the file between open and lock: its
            // successor would then make and lock another one.
            let metadata = file.metadata().map_err(failed)?;
            let made = Made { path: path.into(), device: metadata.dev(), inode: metadata.ino() };
            if made.is_ours() {
                return Ok(Lock { file, made });
            }
        }
        Err(Error::LockFileUnstable(path.into()))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while it is held, so that nobody can lock a file that is about to go.
        self.made.remove();
    }
}

/// The write lock on a whole file, however long it is.
const WHOLE_FILE: libc::flock = libc::flock {
    l_type: libc::F_WRLCK as libc::c_short,
    l_whence: libc::SEEK_SET as libc::c_short,
    l_start: 0,
    l_len: 0,
    l_pid: 0,
};

/// Takes the write lock on the whole file on behalf of the open file. False: somebody has it.
fn lock_record(file: &File) -> io::Result<bool> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&WHOLE_FILE)) {
        Ok(_) => Ok(true),
        Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EACCES) => Ok(false),
        // File systems without record locks: flock alone has to do.
        Err(nix::errno::Errno::EINVAL | nix::errno::Errno::ENOLCK) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// The sockets on which the client library of this user expects a daemon: a second one would never be
/// found behind the first. `in_tracing_group` says whether the process has the tracing group among its
/// supplementary groups. (`lttng-tools 2.13: src/lib/lttng-ctl/lttng-ctl.c`)
pub fn default_client_socks(options: &Options, in_tracing_group: bool) -> Vec<PathBuf> {
    let mut socks = vec![options.rundir.join("client-lttng-sessiond")];
    if options.uid != 0 && in_tracing_group {
        socks.push(SYSTEM_CLIENT_SOCK.into());
    }
    socks
}

/// Whether somebody listens on a socket. Does not wait: a full backlog means that somebody does.
pub fn answers(path: &Path) -> bool {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let Ok(probe) = socket(AddressFamily::Unix, SockType::Stream, flags, None) else { return false };
    let Ok(address) = UnixAddr::new(path) else { return false };
    matches!(connect(probe.as_raw_fd(), &address), Ok(()) | Err(nix::errno::Errno::EAGAIN))
}

/// Makes a listening socket: nonblocking, close-on-exec, with exactly `mode` if there is one, and root
/// and `group` as owners if there is one. A file that is in the way is removed.
fn bind_listener(path: &Path, mode: Option<u32>, group: Option<u32>) -> Result<(UnixListener, Made), Error> {
    if path.as_os_str().len() > MAX_SOCKET_PATH {
        return Err(Error::PathTooLong(path.into()));
    }
    let failed = |error: io::Error| Error::Socket(path.into(), error);
    let of_errno = |error: nix::errno::Errno| failed(error.into());
    let address = UnixAddr::new(path).map_err(of_errno)?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(of_errno)?;
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    bind(fd.as_raw_fd(), &address).map_err(of_errno)?;
    let made = Made::new(path)?;
    let prepared =
        prepare(path, mode, group).and_then(|()| Ok(listen(&fd, Backlog::new(BACKLOG)?)?)).map_err(failed);
    if prepared.is_err() {
        made.remove();
    }
    prepared.map(|()| (UnixListener::from(fd), made))
}

/// Sets owners and mode before the socket listens, so that nobody connects who may not.
fn prepare(path: &Path, mode: Option<u32>, group: Option<u32>) -> io::Result<()> {
    if let Some(group) = group {
        chown(path, Some(0), Some(group))?;
    }
    match mode {
        Some(mode) => fs::set_permissions(path, Permissions::from_mode(mode)),
        None => Ok(()),
    }
}

fn own(path: &Path, group: u32) -> Result<(), Error> {
    chown(path, Some(0), Some(group)).map_err(|error| Error::File(path.into(), error))
}

/// Makes a folder, not those above it. One that exists is fine, and left as it is.
fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Writes a number and a newline to a file (0644 and the umask), without rests of what was there.
fn write_number(path: &Path, number: u32) -> Result<Made, Error> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .open(path)
        .and_then(|mut file| writeln!(file, "{number}"))
        .map_err(|error| Error::File(path.into(), error))?;
    Made::new(path)
}

fn remove(made: &mut Option<Made>) {
    if let Some(made) = made.take() {
        made.remove();
    }
}

#[cfg(test)]
mod tests;
