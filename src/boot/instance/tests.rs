// SPDX-License-Identifier: GPL-2.0-only
//! Owners, modes, exclusion and removal, in a folder of each test's own.

use std::ffi::OsString;
use std::io::Read;
use std::os::unix::net::UnixStream;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getuid, pause, pipe};

use super::*;
use crate::boot::options::{Host, Invocation, parse_on};
use crate::sys::fork::{Fork, exit_now, fork};

const TRACING: u32 = 4711;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("lttng-inst-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn options(&self, uid: u32) -> Options {
        let host = Host {
            uid,
            set_id: false,
            passwd_home: Some(self.0.clone()),
            current_directory: Some(self.0.clone()),
            system_config: self.0.join("none.conf"),
            system_rundir: self.0.join("run"),
        };
        let args = [OsString::from("lttng-sessiond")].into_iter();
        match parse_on(&host, args, &|_| None) {
            Ok(Invocation::Run(options)) => *options,
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn claim(options: &Options) -> Result<Instance, Error> {
    Instance::claim(options, TRACING, &default_client_socks(options, false))
}

/// The umask of this process, without changing it.
fn umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:")).unwrap();
    u32::from_str_radix(line.trim(), 8).unwrap()
}

/// Owner, group and permission bits.
fn seen(path: &Path) -> (u32, u32, u32) {
    let metadata = fs::symlink_metadata(path).unwrap();
    (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
}

/// Everything a daemon makes, in the order of its start.
fn start(options: &Options) -> (Instance, Vec<UnixListener>) {
    let mut instance = claim(options).unwrap();
    let mut listeners = Vec::new();
    if options.uid == 0 {
        listeners.push(instance.bind_consumer(&options.kconsumerd).unwrap());
    }
    listeners.push(instance.bind_consumer(&options.ustconsumerd64).unwrap());
    listeners.push(instance.bind_consumer(&options.ustconsumerd32).unwrap());
    instance.write_pid_file(&options.pidfile).unwrap();
    listeners.push(instance.bind_health(&options.health_sock).unwrap());
    listeners.push(instance.bind_notification(&options.notification_sock).unwrap());
    listeners.push(instance.bind_client(&options.client_sock).unwrap());
    instance.publish_run_directory().unwrap();
    listeners.push(instance.bind_apps(&options.apps_sock).unwrap());
    instance.write_agent_port(&options.agent_port_file, 5345).unwrap();
    (instance, listeners)
}

#[test]
fn owners_and_modes_of_root() {
    if !getuid().is_root() {
        return;
    }
    let folder = Folder::new("root");
    let options = folder.options(0);
    let (_instance, listeners) = start(&options);
    let masked = |mode: u32| mode & !umask();
    assert_eq!(seen(&options.rundir), (0, TRACING, 0o755));
    assert_eq!(seen(&options.lockfile), (0, 0, masked(0o660)));
    for consumer in [&options.kconsumerd, &options.ustconsumerd32, &options.ustconsumerd64] {
        assert_eq!(seen(&consumer.directory), (0, TRACING, masked(0o750)));
        assert_eq!(seen(&consumer.err_sock), (0, 0, 0o660));
    }
    for socket in [&options.client_sock, &options.health_sock, &options.notification_sock] {
        assert_eq!(seen(socket), (0, TRACING, 0o660));
    }
    assert_eq!(seen(&options.apps_sock), (0, 0, 0o666));
    assert_eq!(seen(&options.pidfile), (0, 0, masked(0o644)));
    assert_eq!(seen(&options.agent_port_file), (0, 0, masked(0o644)));
    assert_eq!(fs::read_to_string(&options.pidfile).unwrap(), format!("{}\n", std::process::id()));
    assert_eq!(fs::read_to_string(&options.agent_port_file).unwrap(), "5345\n");
    assert_eq!(listeners.len(), 7);
}

#[test]
fn owners_and_modes_of_others() {
    let folder = Folder::new("user");
    let options = folder.options(1000);
    let (_instance, _listeners) = start(&options);
    let mode = |path: &Path| seen(path).2;
    let masked = |mode: u32| mode & !umask();
    assert_eq!(options.rundir, folder.0.join(".lttng"));
    assert_eq!(mode(&options.rundir), masked(0o700));
    assert!(!options.kconsumerd.directory.exists());
    assert_eq!(mode(&options.ustconsumerd64.directory), masked(0o750));
    assert_eq!(mode(&options.ustconsumerd64.err_sock), 0o660);
    assert_eq!(mode(&options.client_sock), 0o660);
    assert_eq!(mode(&options.notification_sock), 0o660);
    assert_eq!(mode(&options.health_sock), masked(0o777));
    assert_eq!(mode(&options.apps_sock), 0o666);
    // Nothing was given away.
    assert_eq!(seen(&options.client_sock).1, seen(&options.lockfile).1);
}

#[test]
fn sockets_listen_without_blocking() {
    let folder = Folder::new("listen");
    let options = folder.options(1000);
    let mut instance = claim(&options).unwrap();
    assert!(!answers(&options.client_sock));
    let listener = instance.bind_client(&options.client_sock).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    let flags = nix::fcntl::FdFlag::from_bits_retain(fcntl(&listener, FcntlArg::F_GETFD).unwrap());
    assert!(flags.contains(nix::fcntl::FdFlag::FD_CLOEXEC));
    let waiting: Vec<UnixStream> =
        (0..64).map(|_| UnixStream::connect(&options.client_sock).unwrap()).collect();
    assert!(answers(&options.client_sock));
    drop(waiting);
    assert!(listener.accept().is_ok());
}

#[test]
fn a_full_backlog_is_an_answer() {
    let folder = Folder::new("backlog");
    let path = folder.0.join("socket");
    let (_listener, _made) = bind_listener(&path, None, None).unwrap();
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let address = UnixAddr::new(&path).unwrap();
    let mut waiting = Vec::new();
    loop {
        let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
        if connect(fd.as_raw_fd(), &address).is_err() {
            break;
        }
        waiting.push(fd);
    }
    assert!(waiting.len() >= 64);
    assert!(answers(&path));
}

#[test]
fn the_end_removes_exactly_what_was_made() {
    for uid in [0, 1000] {
        if uid == 0 && !getuid().is_root() {
            continue;
        }
        let folder = Folder::new(&format!("end-{uid}"));
        let options = folder.options(uid);
        let (instance, _listeners) = start(&options);
        fs::write(options.rundir.join("foreign"), "").unwrap();
        // What a consumer daemon made and left.
        let _command = UnixListener::bind(&options.ustconsumerd64.cmd_sock).unwrap();
        drop(instance);
        let left: Vec<_> = fs::read_dir(&options.rundir).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(left, ["foreign"]);
    }
}

#[test]
fn each_step_of_the_end_removes_its_part() {
    let folder = Folder::new("steps");
    let options = folder.options(1000);
    let (mut instance, _listeners) = start(&options);
    instance.remove_client_socket();
    assert!(!options.client_sock.exists() && options.apps_sock.exists());
    instance.remove_apps_socket();
    assert!(!options.apps_sock.exists() && options.pidfile.exists());
    // A consumer daemon that is still leaving.
    let health = options.ustconsumerd64.directory.join("health");
    fs::write(&health, "").unwrap();
    instance.remove_runtime_files();
    assert!(!options.health_sock.exists() && !options.pidfile.exists() && !options.agent_port_file.exists());
    assert!(!options.ustconsumerd32.directory.exists() && options.ustconsumerd64.directory.exists());
    assert!(!options.ustconsumerd64.err_sock.exists());
    fs::remove_file(&health).unwrap();
    assert!(options.notification_sock.exists());
    instance.remove_notification_socket();
    assert!(!options.notification_sock.exists() && options.lockfile.exists());
    drop(instance);
    assert!(!options.lockfile.exists() && !options.ustconsumerd64.directory.exists());
    assert!(options.rundir.exists());
}

#[test]
fn what_replaced_our_file_is_not_removed() {
    let folder = Folder::new("replaced");
    let options = folder.options(1000);
    let (instance, _listeners) = start(&options);
    // The old one is kept aside, so that its inode number is not used again.
    fs::rename(&options.client_sock, folder.0.join("aside")).unwrap();
    let _other = UnixListener::bind(&options.client_sock).unwrap();
    drop(instance);
    assert!(options.client_sock.exists());
}

#[test]
fn rests_of_a_killed_daemon_do_not_matter() {
    let folder = Folder::new("stale");
    let options = folder.options(1000);
    fs::create_dir(&options.rundir).unwrap();
    drop(UnixListener::bind(&options.client_sock).unwrap());
    fs::write(&options.lockfile, "").unwrap();
    fs::write(&options.pidfile, "12345678901234567890\n").unwrap();
    let (_instance, _listeners) = start(&options);
    assert_eq!(fs::read_to_string(&options.pidfile).unwrap(), format!("{}\n", std::process::id()));
    assert!(answers(&options.client_sock));
}

#[test]
fn a_daemon_that_answers_keeps_a_second_one_away() {
    let folder = Folder::new("second");
    let mut options = folder.options(1000);
    fs::create_dir(&options.rundir).unwrap();
    let _first = UnixListener::bind(&options.client_sock).unwrap();
    // Also one that would use another socket: clients would not find it.
    options.client_sock = folder.0.join("other");
    let error = claim(&options).unwrap_err();
    assert_eq!(error.to_string(), "A session daemon is already running.");
    assert!(!options.lockfile.exists());
}

#[test]
fn the_lock_keeps_a_second_one_away_until_the_end() {
    let folder = Folder::new("lock");
    let options = folder.options(1000);
    let first = claim(&options).unwrap();
    let text = claim(&options).unwrap_err().to_string();
    let path = options.lockfile.display();
    assert_eq!(
        text,
        format!(
            "Could not get lock file {path}, another instance is running.\n\
             Error: A session daemon is already running."
        )
    );
    drop(first);
    assert!(!options.lockfile.exists());
    claim(&options).unwrap();
}

/// Runs `child` in a process that then stays until it is killed; returns when it has started to stay.
fn stay(child: impl FnOnce()) -> Pid {
    let (reader, writer) = pipe().unwrap();
    match fork().unwrap() {
        Fork::Child => {
            child();
            let _ = nix::unistd::write(&writer, b"x");
            loop {
                pause();
            }
        }
        Fork::Parent(pid) => {
            drop(writer);
            let mut byte = [0];
            File::from(reader).read_exact(&mut byte).unwrap();
            pid
        }
    }
}

fn end(pid: Pid) {
    kill(pid, Signal::SIGKILL).unwrap();
    waitpid(pid, None).unwrap();
}

#[test]
fn a_lock_file_that_is_a_symbolic_link_is_refused() {
    let folder = Folder::new("link");
    let options = folder.options(1000);
    fs::create_dir(&options.rundir).unwrap();
    let elsewhere = folder.0.join("elsewhere");
    for there in [false, true] {
        if there {
            fs::write(&elsewhere, "kept").unwrap();
        }
        std::os::unix::fs::symlink(&elsewhere, &options.lockfile).unwrap();
        let refused = claim(&options).unwrap_err();
        assert!(matches!(refused, Error::LockFileIsLink(_)), "{refused}");
        assert_eq!(fs::read_link(&options.lockfile).unwrap(), elsewhere);
        assert_eq!(elsewhere.exists(), there);
        fs::remove_file(&options.lockfile).unwrap();
    }
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "kept");
    drop(claim(&options).unwrap());
}

#[test]
fn the_lock_survives_the_end_of_the_process_that_took_it() {
    let folder = Folder::new("fork");
    let options = folder.options(1000);
    let (reader, writer) = pipe().unwrap();
    let Fork::Parent(first) = fork().unwrap() else {
        let claimed = claim(&options);
        let daemon = stay(|| {});
        let _ = nix::unistd::write(&writer, &daemon.as_raw().to_ne_bytes());
        exit_now(u8::from(claimed.is_err()));
    };
    drop(writer);
    let mut pid = [0; 4];
    File::from(reader).read_exact(&mut pid).unwrap();
    let daemon = Pid::from_raw(i32::from_ne_bytes(pid));
    assert_eq!(waitpid(first, None).unwrap(), nix::sys::wait::WaitStatus::Exited(first, 0));
    assert!(matches!(claim(&options), Err(Error::Locked(_))));
    kill(daemon, Signal::SIGKILL).unwrap();
    // It is not our child: wait until its lock is gone with it.
    let mut tries = 0;
    while claim(&options).is_err() {
        tries += 1;
        assert!(tries < 1000);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn the_lock_of_the_original_is_respected_and_it_respects_ours() {
    let folder = Folder::new("posix");
    let options = folder.options(1000);
    fs::create_dir(&options.rundir).unwrap();
    fs::write(&options.lockfile, "").unwrap();
    let record = |file: &File| fcntl(file, FcntlArg::F_SETLK(&WHOLE_FILE));
    let open = || OpenOptions::new().write(true).open(&options.lockfile).unwrap();
    // The file is opened by the other process itself: copies of a descriptor share a flock.
    let original = stay(|| {
        let file = open();
        let _ = record(&file);
        std::mem::forget(file);
    });
    assert!(matches!(claim(&options), Err(Error::Locked(_))));
    end(original);
    let _instance = claim(&options).unwrap();
    assert_eq!(record(&open()), Err(nix::errno::Errno::EAGAIN));
}

#[test]
fn texts_of_failures() {
    let folder = Folder::new("texts");
    let mut options = folder.options(1000);
    let mut instance = claim(&options).unwrap();
    let long = folder.0.join("a".repeat(108 - folder.0.as_os_str().len() - 1));
    assert_eq!(
        instance.bind_client(&long).unwrap_err().to_string(),
        format!(
            "unix socket address (\"{}\") is longer than the platform's limit (109 > 108).",
            long.display()
        )
    );
    let fits = folder.0.join("a".repeat(107 - folder.0.as_os_str().len() - 1));
    assert!(instance.bind_client(&fits).is_ok());
    let missing = folder.0.join("missing/socket");
    let text = instance.bind_apps(&missing).unwrap_err().to_string();
    assert!(text.starts_with(&format!("Create unix sock failed: {}", missing.display())), "{text}");
    options.rundir = folder.0.join("missing/run");
    let text = claim(&options).unwrap_err().to_string();
    assert!(text.starts_with(&format!("Unable to create {}", options.rundir.display())), "{text}");
    assert!(instance.write_pid_file(&folder.0.join("missing/pid")).is_err());
}

#[test]
fn where_clients_look() {
    let folder = Folder::new("where");
    let user = folder.options(1000);
    assert_eq!(default_client_socks(&user, false), [folder.0.join(".lttng/client-lttng-sessiond")]);
    assert_eq!(default_client_socks(&user, true).len(), 2);
    let root = folder.options(0);
    assert_eq!(default_client_socks(&root, true), [folder.0.join("run/client-lttng-sessiond")]);
}
