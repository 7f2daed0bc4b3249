// SPDX-License-Identifier: GPL-2.0-only
//! Listening sockets that a service manager has made and passed, so that the daemon is started by the first who connects.
//!
//! They are the manager's: their files, owners and modes are as its configuration says, and must never be changed or
//! removed here. What is passed must be what this daemon listens on anyway: clients and applications look nowhere else.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::sys::socket::sockopt::{AcceptConn, SockType as TypeOf};
use nix::sys::socket::{SockType, getsockopt};

use super::instance::answers;
use super::options::Options;
use crate::turn::errand::Listener;

/// A socket that can be passed.
struct Row {
    listener: Listener,
    /// The name by which the manager may call it (`FileDescriptorName=`).
    name: &'static str,
    /// Where it is to be.
    path: fn(&Options) -> &Path,
}

/// All of them.
const SOCKETS: &[Row] = &[
    Row { listener: Listener::Clients, name: "client", path: |options| &options.client_sock },
    Row { listener: Listener::Applications, name: "apps", path: |options| &options.apps_sock },
    Row {
        listener: Listener::Notifications,
        name: "notification",
        path: |options| &options.notification_sock,
    },
    Row { listener: Listener::Status, name: "status", path: |options| &options.status_sock },
    Row { listener: Listener::Health, name: "health", path: |options| &options.health_sock },
];

/// Why sockets that were passed are refused.
#[derive(Debug)]
pub enum Error {
    /// It is no listening Unix stream socket with a path; the name that it was given.
    Unfit(String),
    /// It has the name of one of the daemon's, but another path than that.
    Elsewhere { name: &'static str, found: PathBuf, expected: PathBuf },
    /// The daemon has nothing to listen to there.
    Unknown(PathBuf),
    /// The daemon has it already.
    Twice(PathBuf),
    /// The system refuses something.
    System(PathBuf, io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "A socket that the service manager has passed can't be used: ")?;
        match self {
            Error::Unfit(name) => write!(f, "\"{name}\" is no listening Unix stream socket with a path"),
            Error::Elsewhere { name, found, expected } => {
                write!(f, "\"{name}\" is {}, but this daemon's is {}", found.display(), expected.display())
            }
            Error::Unknown(path) => {
                write!(f, "{} is none of those that this daemon listens on", path.display())
            }
            Error::Twice(path) => write!(f, "{} was passed twice", path.display()),
            Error::System(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for Error {}

/// The sockets that were passed, until they are taken.
#[derive(Debug, Default)]
pub struct Passed {
    sockets: Vec<(Listener, PathBuf, UnixListener)>,
}

impl Passed {
    /// Looks at what was passed, each with a name or an empty one. A name that is none of the daemon's own counts for
    /// nothing: a manager that is not told any makes one up.
    ///
    /// # Errors
    /// One of them is not one of the daemon's sockets, and what is wrong with it.
    pub fn recognise(descriptors: Vec<(String, OwnedFd)>, options: &Options) -> Result<Passed, Error> {
        let mut passed = Passed::default();
        for (name, descriptor) in descriptors {
            let Some((socket, path)) = listening(descriptor) else { return Err(Error::Unfit(name)) };
            let row = row_of(&name, &path, options)?;
            if passed.sockets.iter().any(|(listener, ..)| *listener == row.listener) {
                return Err(Error::Twice(path));
            }
            socket.set_nonblocking(true).map_err(|error| Error::System(path.clone(), error))?;
            passed.sockets.push((row.listener, path, socket));
        }
        Ok(passed)
    }

    /// Their descriptors, for who closes all others.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.iter().map(|(.., socket)| socket.as_fd())
    }

    /// Whether what answers at this path is one of them, and no other daemon.
    pub fn has(&self, path: &Path) -> bool {
        self.sockets.iter().any(|(_, at, _)| is_same(at, path))
    }

    /// Forgets those that nobody can connect to any more, since their files are gone, and says so: the daemon has to make
    /// them itself. To be called when no other daemon can run: whoever answers is the socket.
    pub fn forget_unreachable(&mut self) {
        self.sockets.retain(|(_, path, _)| {
            let reachable = answers(path);
            if !reachable {
                log::warn!(
                    "Nobody can connect to {} as the service manager has made it: it is made anew. \
                     Until the manager makes it anew, too, nobody starts the daemon there.",
                    path.display()
                );
            }
            reachable
        });
    }

    /// Takes one of them, or has it made.
    ///
    /// # Errors
    /// It can't be made.
    pub fn or<E>(
        &mut self,
        listener: Listener,
        make: impl FnOnce() -> Result<UnixListener, E>,
    ) -> Result<UnixListener, E> {
        self.take(listener).map_or_else(make, Ok)
    }

    /// Takes one of them, if it is there.
    fn take(&mut self, listener: Listener) -> Option<UnixListener> {
        let at = self.sockets.iter().position(|(of, ..)| *of == listener)?;
        let (_, path, socket) = self.sockets.swap_remove(at);
        log::info!("The service manager has passed {}", path.display());
        Some(socket)
    }
}

/// The socket with its path, if it has one and listens.
fn listening(descriptor: OwnedFd) -> Option<(UnixListener, PathBuf)> {
    if getsockopt(&descriptor, TypeOf).ok()? != SockType::Stream
        || !getsockopt(&descriptor, AcceptConn).ok()?
    {
        return None;
    }
    let socket = UnixListener::from(descriptor);
    // Fails for those that are no Unix sockets.
    let path = socket.local_addr().ok()?.as_pathname()?.to_owned();
    Some((socket, path))
}

/// Which one it is.
fn row_of(name: &str, path: &Path, options: &Options) -> Result<&'static Row, Error> {
    if let Some(row) = SOCKETS.iter().find(|row| row.name == name) {
        let expected = (row.path)(options);
        if !is_same(expected, path) {
            return Err(Error::Elsewhere { name: row.name, found: path.into(), expected: expected.into() });
        }
        return Ok(row);
    }
    let found = SOCKETS.iter().find(|row| is_same((row.path)(options), path));
    found.ok_or_else(|| Error::Unknown(path.into()))
}

/// Whether two paths lead to the same file, for example below `/run` and `/var/run`.
fn is_same(one: &Path, other: &Path) -> bool {
    if one == other {
        return true;
    }
    let folder = |path: &Path| path.parent().and_then(|folder| folder.canonicalize().ok());
    one.file_name() == other.file_name() && folder(one).is_some_and(|it| Some(it) == folder(other))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::TcpListener;
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use super::*;

    /// The options of a daemon whose run directory is a new one.
    fn options(name: &str) -> Options {
        let folder = std::env::temp_dir().join(format!("lst-passed-{}-{name}", std::process::id()));
        fs::create_dir_all(folder.join(".lttng")).unwrap();
        let home = |wanted: &str| (wanted == "LTTNG_HOME").then(|| folder.clone().into_os_string());
        let arguments = ["lttng-sessiond"].map(Into::into).into_iter();
        match super::super::options::parse(arguments, &home) {
            Ok(super::super::options::Invocation::Run(options)) => {
                // Root's are elsewhere.
                let rundir = folder.join(".lttng");
                let sock = |name: &str| rundir.join(name);
                Options {
                    client_sock: sock("client"),
                    apps_sock: sock("apps"),
                    health_sock: sock("health"),
                    notification_sock: sock("notification"),
                    rundir: rundir.clone(),
                    ..*options
                }
            }
            _ => panic!("no options"),
        }
    }

    fn recognise(options: &Options, what: Vec<(&str, OwnedFd)>) -> Result<Passed, String> {
        let what = what.into_iter().map(|(name, descriptor)| (name.to_owned(), descriptor)).collect();
        Passed::recognise(what, options).map_err(|error| error.to_string())
    }

    fn refused(options: &Options, name: &str, descriptor: impl Into<OwnedFd>) -> String {
        let error = recognise(options, vec![(name, descriptor.into())]).unwrap_err();
        error.strip_prefix("A socket that the service manager has passed can't be used: ").unwrap().to_owned()
    }

    #[test]
    fn they_are_known_by_name_or_by_path() {
        let options = options("known");
        let listen = |path: &Path| OwnedFd::from(UnixListener::bind(path).unwrap());
        let mut passed = recognise(
            &options,
            vec![
                ("client", listen(&options.client_sock)),
                ("lttng-sessiond-apps.socket", listen(&options.apps_sock)),
                ("", listen(&options.health_sock)),
            ],
        )
        .unwrap();
        assert_eq!(passed.descriptors().count(), 3);
        assert!(passed.has(&options.client_sock) && !passed.has(&options.notification_sock));
        // Somebody has removed one of the files, and another is only a rest.
        fs::remove_file(&options.apps_sock).unwrap();
        fs::remove_file(&options.health_sock).unwrap();
        drop(UnixListener::bind(&options.health_sock).unwrap());
        passed.forget_unreachable();
        assert!(passed.take(Listener::Applications).is_none() && passed.take(Listener::Health).is_none());
        let socket = passed.take(Listener::Clients).unwrap();
        assert!(passed.take(Listener::Clients).is_none());
        // The probe is in the queue, and it does not wait for more.
        assert!(socket.accept().is_ok() && socket.accept().is_err());
        drop(socket);
        assert!(options.client_sock.exists());
        fs::remove_dir_all(options.rundir.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_folder_with_two_names_is_one() {
        let options = options("names");
        let other = options.rundir.parent().unwrap().join("other");
        std::os::unix::fs::symlink(".lttng", &other).unwrap();
        let socket = UnixListener::bind(other.join("client")).unwrap();
        assert!(recognise(&options, vec![("client", socket.into())]).unwrap().has(&options.client_sock));
        fs::remove_dir_all(options.rundir.parent().unwrap()).unwrap();
    }

    #[test]
    fn what_can_not_be_used_is_refused() {
        let options = options("refused");
        let stray = options.rundir.join("stray");
        let is = |text: String, wanted: &str| assert!(text.contains(wanted), "{text}");
        is(refused(&options, "apps", UnixListener::bind(&stray).unwrap()), "\"apps\" is ");
        fs::remove_file(&stray).unwrap();
        is(refused(&options, "x", UnixListener::bind(&stray).unwrap()), "stray is none of those");
        is(
            refused(&options, "client", TcpListener::bind("127.0.0.1:0").unwrap()),
            "\"client\" is no listening",
        );
        is(refused(&options, "a", UnixDatagram::bind(options.rundir.join("d")).unwrap()), "no listening");
        is(refused(&options, "b", UnixStream::pair().unwrap().0), "no listening");
        is(refused(&options, "c", fs::File::open("/dev/null").unwrap()), "no listening");
        let socket = UnixListener::bind(&options.client_sock).unwrap();
        let twice = socket.try_clone().unwrap();
        let twice = recognise(&options, vec![("client", socket.into()), ("", twice.into())]).unwrap_err();
        is(twice, "passed twice");
        fs::remove_dir_all(options.rundir.parent().unwrap()).unwrap();
    }
}
