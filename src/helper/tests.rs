// SPDX-License-Identifier: GPL-2.0-only
//! The helper as the daemon sees it: a real process behind a real socket.

use std::collections::HashMap;
use std::fs::{self, File, Permissions};
use std::io::{IoSlice, Seek, SeekFrom};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::kill;
use nix::unistd::{getgid, getuid, setresgid, setresuid};

use super::*;
use crate::sys::{emulation, socket};

const ALICE: u32 = 64001;
const ALICES: u32 = 64002;
const PROJECT: u32 = 64003;

struct Setting {
    folder: PathBuf,
    helper: Option<Companion>,
}

impl Setting {
    fn new(name: &str) -> Setting {
        let folder = std::env::temp_dir().join(format!("lttng-helper-{}-{name}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        let (passwd, group) = (folder.join("passwd"), folder.join("group"));
        fs::write(&passwd, format!("root:x:0:0::/root:\nalice:x:{ALICE}:{ALICES}::/home/alice:\n")).unwrap();
        fs::write(&group, format!("root:x:0:\nproject:x:{PROJECT}:bob,alice\n")).unwrap();
        let helper = start_with(AccountFiles { passwd, group }).unwrap();
        Setting { folder, helper: Some(helper) }
    }

    fn helper(&self) -> &Companion {
        self.helper.as_ref().unwrap()
    }

    fn send(&self, id: u64, who: (u32, u32), job: PathJob) {
        self.send_with(id, who, job, &[]);
    }

    fn send_with(&self, id: u64, (uid, gid): (u32, u32), job: PathJob, attached: &[BorrowedFd<'_>]) {
        let message = Request { id, uid, gid, job }.encode();
        let socket = &self.helper().socket;
        loop {
            match socket::send(socket.as_fd(), &[IoSlice::new(&message)], attached) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(socket, PollFlags::POLLOUT),
                sent => return assert_eq!(sent.unwrap(), message.len()),
            }
        }
    }

    fn receive(&self) -> (Response, Option<File>) {
        let socket = &self.helper().socket;
        wait(socket, PollFlags::POLLIN);
        let (mut buffer, mut opened) = ([0; MAX_MESSAGE], Vec::new());
        let length = socket::receive(socket.as_fd(), &mut buffer, 2, &mut opened).unwrap().bytes;
        assert!(opened.len() <= 1);
        (Response::decode(&buffer[..length]).unwrap(), opened.pop().map(File::from))
    }

    /// One operation from request to response; the error number and the descriptor.
    fn run(&self, who: (u32, u32), job: PathJob) -> (Option<i32>, Option<File>) {
        self.send(9, who, job);
        let (response, opened) = self.receive();
        assert_eq!(response.id, 9);
        (response.error, opened)
    }

    fn make(&self, who: (u32, u32), path: &Path, mode: u32) -> Option<i32> {
        self.run(who, PathJob::MakeDirectories { path: path.into(), mode }).0
    }

    /// A folder that belongs to a user.
    fn home(&self, name: &str, uid: u32, gid: u32, mode: u32) -> PathBuf {
        let path = self.folder.join(name);
        fs::create_dir(&path).unwrap();
        chown(&path, Some(uid), Some(gid)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        if let Some(Companion { socket, pid }) = self.helper.take() {
            drop(socket);
            assert_eq!(waitpid(pid, None), Ok(WaitStatus::Exited(pid, 0)));
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn wait(socket: &OwnedFd, flags: PollFlags) {
    let mut watched = [PollFd::new(socket.as_fd(), flags)];
    assert_eq!(poll(&mut watched, 30_000u16), Ok(1), "the helper does not answer");
}

/// Owner, group and permission bits.
fn seen(path: &Path) -> (u32, u32, u32) {
    let metadata = fs::metadata(path).unwrap();
    (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
}

fn myself() -> (u32, u32) {
    (getuid().as_raw(), getgid().as_raw())
}

/// Processes that the helper forked and has not reaped.
fn children(of: Pid) -> Vec<Pid> {
    let text = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap();
    text.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
}

/// Whether a process has ended, reaped or not.
fn is_dead(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z'))
}

#[test]
fn the_process_has_its_name_and_outlives_signals_to_the_terminal() {
    let setting = Setting::new("name");
    let me = myself();
    assert_eq!(setting.make(me, &setting.folder, 0o770), None);
    let pid = setting.helper().pid;
    assert_eq!(fs::read_to_string(format!("/proc/{pid}/comm")).unwrap(), "lttng-runas\n");
    assert_eq!(fs::read_link(format!("/proc/{pid}/cwd")).unwrap(), Path::new("/"));
    kill(pid, Signal::SIGTERM).unwrap();
    kill(pid, Signal::SIGINT).unwrap();
    assert_eq!(setting.make(me, &setting.folder, 0o770), None);
}

#[test]
fn folders_are_made_with_exactly_the_mode() {
    let setting = Setting::new("mode");
    let me = myself();
    let deep = setting.folder.join("a/b/c");
    assert_eq!(setting.make(me, &deep, 0o777), None);
    for path in [&deep, &setting.folder.join("a/b"), &setting.folder.join("a")] {
        assert_eq!(seen(path), (me.0, me.1, 0o777));
    }
    // What exists stays as it is.
    assert_eq!(setting.make(me, &deep, 0o700), None);
    assert_eq!(seen(&deep).2, 0o777);
    assert_eq!(setting.make(me, &setting.folder.join("slash/"), 0o750), None);
    assert_eq!(seen(&setting.folder.join("slash")).2, 0o750);
}

#[test]
fn paths_that_cannot_be_folders() {
    let setting = Setting::new("paths");
    let me = myself();
    let file = setting.folder.join("file");
    fs::write(&file, "").unwrap();
    std::os::unix::fs::symlink("nowhere", setting.folder.join("dangling")).unwrap();
    std::os::unix::fs::symlink(".", setting.folder.join("here")).unwrap();
    let make = |path: &Path| setting.make(me, path, 0o770);
    assert_eq!(make(&file), Some(libc::EEXIST));
    assert_eq!(make(&file.join("below")), Some(libc::ENOTDIR));
    assert_eq!(make(&setting.folder.join("dangling")), Some(libc::EEXIST));
    assert_eq!(make(&setting.folder.join("here/linked")), None);
    assert!(setting.folder.join("linked").is_dir());
    assert_eq!(make(&setting.folder.join("x/../y")), Some(libc::EINVAL));
    assert_eq!(make(&setting.folder.join("x/..")), Some(libc::EINVAL));
    assert!(!setting.folder.join("x").exists());
    assert_eq!(make(Path::new("relative")), Some(libc::EINVAL));
    assert_eq!(make(Path::new("")), Some(libc::EINVAL));
    assert_eq!(make(&setting.folder.join("n".repeat(256))), Some(libc::ENAMETOOLONG));
    let long = "/x".repeat(MAX_MESSAGE / 2);
    assert_eq!(make(Path::new(&long)), Some(libc::ENAMETOOLONG));
    assert_eq!(make(Path::new("/proc/nothing/here")), Some(libc::ENOENT));
}

#[test]
fn folders_are_opened() {
    let setting = Setting::new("open");
    let me = myself();
    let path = setting.folder.join("made/and/opened");
    let opens = |path: &Path| setting.run(me, PathJob::OpenDirectory { path: path.into() });
    assert_eq!(opens(&path).0, Some(libc::ENOENT));
    let (error, made) = setting.run(me, PathJob::MakeAndOpenDirectory { path: path.clone(), mode: 0o770 });
    assert_eq!(error, None);
    let (error, again) = opens(&path);
    assert_eq!(error, None);
    for opened in [made.unwrap(), again.unwrap()] {
        assert_eq!(opened.metadata().unwrap().ino(), fs::metadata(&path).unwrap().ino());
    }
    let file = setting.folder.join("passwd");
    let (error, opened) = opens(&file);
    assert_eq!(error, Some(libc::ENOTDIR));
    assert!(opened.is_none());
    assert_eq!(opens(Path::new("relative")).0, Some(libc::EINVAL));
}

#[test]
fn root_works_as_the_user() {
    if !getuid().is_root() {
        return;
    }
    let setting = Setting::new("user");
    let alice = (ALICE, ALICES);
    let home = setting.home("home", ALICE, ALICES, 0o700);
    let (error, opened) =
        setting.run(alice, PathJob::MakeAndOpenDirectory { path: home.join("traces/one"), mode: 0o770 });
    assert_eq!(error, None);
    assert!(opened.is_some());
    assert_eq!(seen(&home.join("traces")), (ALICE, ALICES, 0o770));
    assert_eq!(seen(&home.join("traces/one")), (ALICE, ALICES, 0o770));
    // What root may and the user may not.
    let barred = setting.home("barred", 0, 0, 0o770);
    assert_eq!(setting.make(alice, &barred.join("x"), 0o770), Some(libc::EACCES));
    assert_eq!(setting.make(alice, &setting.folder.join("x/y"), 0o770), Some(libc::EACCES));
    let opened = setting.run(alice, PathJob::OpenDirectory { path: barred.clone() });
    assert_eq!(opened.0, Some(libc::EACCES));
    // What a group that the group file names for the user may, and another user may not.
    let shared = setting.home("shared", 0, PROJECT, 0o770);
    assert_eq!(setting.make(alice, &shared.join("x"), 0o770), None);
    assert_eq!(seen(&shared.join("x")), (ALICE, ALICES, 0o770));
    assert_eq!(setting.make((ALICE + 9, ALICES), &shared.join("y"), 0o770), Some(libc::EACCES));
    // A folder above that may only be passed through.
    let passage = setting.home("passage", 0, 0, 0o711);
    fs::create_dir(passage.join("own")).unwrap();
    chown(passage.join("own"), Some(ALICE), Some(ALICES)).unwrap();
    assert_eq!(setting.make(alice, &passage.join("own/x"), 0o770), None);
    // The helper itself stayed root.
    assert_eq!(setting.make((0, 0), &barred.join("x"), 0o700), None);
    assert_eq!(seen(&barred.join("x")), (0, 0, 0o700));
    // Ids that mean "leave it" to the system calls.
    for unset in [(u32::MAX, ALICES), (ALICE, u32::MAX)] {
        assert_eq!(setting.make(unset, &home.join("z"), 0o770), Some(libc::EPERM));
    }
}

#[test]
fn who_is_not_root_can_only_be_himself() {
    let work = |name: &str| {
        let setting = Setting::new(name);
        let (uid, gid) = myself();
        let path = setting.folder.join("x");
        let other = setting.make((uid + 1, gid), &path, 0o770);
        let root = setting.make((0, 0), &path, 0o770);
        let unmade = !path.exists();
        // Another group of the same user is no reason to refuse.
        let own = setting.make((uid, gid + 1), &path, 0o770);
        other == Some(libc::EPERM)
            && root == Some(libc::EPERM)
            && unmade
            && own.is_none()
            && seen(&path).1 == gid
    };
    if !getuid().is_root() {
        assert!(work("self"));
        return;
    }
    let Fork::Parent(child) = fork().unwrap() else {
        let (uid, gid) = (nix::unistd::Uid::from_raw(ALICE), nix::unistd::Gid::from_raw(ALICES));
        let is_alice = setresgid(gid, gid, gid).is_ok() && setresuid(uid, uid, uid).is_ok();
        let worked = std::panic::catch_unwind(|| is_alice && work("self")).unwrap_or(false);
        exit_now(u8::from(!worked));
    };
    assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
}

#[test]
fn many_operations_at_once() {
    let setting = Setting::new("many");
    let me = myself();
    for id in 0..100 {
        // Half of them want the same folder.
        let path = setting.folder.join(if id % 2 == 0 { "same/a/b".to_owned() } else { format!("own/{id}") });
        setting.send(id, me, PathJob::MakeAndOpenDirectory { path, mode: 0o770 });
    }
    let mut answers = HashMap::new();
    for _ in 0..100 {
        let (response, opened) = setting.receive();
        assert_eq!(response.error, None);
        assert!(answers.insert(response.id, opened.unwrap()).is_none());
    }
    for (id, opened) in answers.iter().filter(|(id, _)| *id % 2 == 1) {
        let expected = fs::metadata(setting.folder.join(format!("own/{id}"))).unwrap().ino();
        assert_eq!(opened.metadata().unwrap().ino(), expected);
    }
}

#[test]
fn children_that_are_killed_or_too_many() {
    let setting = Setting::new("killed");
    let me = myself();
    let helper = setting.helper().pid;
    // As nothing is read, the children wait with their answers when the socket is full; more of them
    // than one user may have are refused by the helper, which then waits as well.
    let mut sent = 0;
    let stuck = loop {
        setting.send(sent, me, PathJob::MakeDirectories { path: setting.folder.clone(), mode: 0o770 });
        sent += 1;
        sleep(Duration::from_millis(1));
        let waiting = children(helper);
        if waiting.len() > 20 {
            sleep(Duration::from_millis(200));
            let still: Vec<Pid> = children(helper).into_iter().filter(|pid| waiting.contains(pid)).collect();
            if still.len() > 20 {
                break still;
            }
        }
        assert!(sent < 5000);
    };
    for pid in &stuck[..5] {
        kill(*pid, Signal::SIGKILL).unwrap();
    }
    // Once there is room again, one that still runs would answer and then die.
    let mut tries = 0;
    while stuck[..5].iter().any(|pid| !is_dead(*pid)) {
        tries += 1;
        assert!(tries < 1000, "a killed child lives");
        sleep(Duration::from_millis(5));
    }
    let mut errors = HashMap::new();
    for _ in 0..sent {
        let (response, _) = setting.receive();
        assert!(errors.insert(response.id, response.error).is_none());
    }
    let lost = errors.values().filter(|error| **error == Some(libc::EIO)).count();
    assert_eq!(lost, 5);
    assert_eq!(errors.values().filter(|error| error.is_none()).count() + lost, errors.len());
    assert_eq!(setting.make(me, &setting.folder, 0o770), None);
    let mut tries = 0;
    while !children(helper).is_empty() {
        tries += 1;
        assert!(tries < 1000, "children are left");
        sleep(Duration::from_millis(5));
    }
}

#[test]
fn probes_are_found_in_a_program_that_somebody_has_opened() {
    let setting = Setting::new("probe");
    // Root finds them as a user who could not open the file.
    let who = if getuid().is_root() { (ALICE, ALICES) } else { myself() };
    let find = |place: ProbeLookup, attached: &[BorrowedFd<'_>]| {
        setting.send_with(9, who, PathJob::FindProbe { place }, attached);
        let (Response { error, offsets, .. }, opened) = setting.receive();
        assert!(opened.is_none());
        error.map_or(Ok(offsets), Err)
    };
    let function = |name: &str| ProbeLookup::Function(name.to_owned());
    let text = |text: &str| text.to_owned();
    let tracepoint =
        |provider, probe| ProbeLookup::Tracepoint { provider: text(provider), probe: text(probe) };
    let program = setting.folder.join("program");
    // This one keeps its names when it is stripped, as programs that load others must.
    fs::copy("/bin/bash", &program).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o600)).unwrap();
    let program = File::open(program).unwrap();
    (&program).seek(SeekFrom::Start(77)).unwrap();
    let attached = [program.as_fd()];
    let found = find(function("main"), &attached).unwrap();
    assert!(matches!(found[..], [offset] if offset > 0), "{found:?}");
    assert_eq!(find(function("no such function"), &attached), Err(libc::ENOENT));
    assert_eq!(find(tracepoint("no", "such"), &attached), Err(libc::ENOENT));
    assert_eq!((&program).stream_position().unwrap(), 77);
    let passwd = File::open(setting.folder.join("passwd")).unwrap();
    assert_eq!(find(function("main"), &[passwd.as_fd()]), Err(libc::ENOEXEC));
    let (reading, _writing) = nix::unistd::pipe().unwrap();
    assert_eq!(find(function("main"), &[reading.as_fd()]), Err(libc::EINVAL));
    let folder = File::open(&setting.folder).unwrap();
    assert_eq!(find(function("main"), &[folder.as_fd()]), Err(libc::EINVAL));
    let unreadable = File::options().write(true).open(setting.folder.join("passwd")).unwrap();
    assert_eq!(find(function("main"), &[unreadable.as_fd()]), Err(libc::EBADF));
    assert_eq!(find(function("main"), &[]), Err(libc::EBADF));
    // More than there should be, and what comes with other work.
    if !emulation::leaves_out("more descriptors than there is room for") {
        assert_eq!(find(function("main"), &[attached[0], attached[0]]), Err(libc::EMFILE));
    }
    let path = setting.folder.clone();
    setting.send_with(1, who, PathJob::OpenDirectory { path }, &attached);
    assert_eq!(setting.receive().0.error, None);
    // The helper keeps none of them until it takes the next request: it has its socket, and what tells it of its children.
    assert_eq!(setting.make(myself(), &setting.folder, 0o770), None);
    let open = fs::read_dir(format!("/proc/{}/fd", setting.helper().pid)).unwrap();
    let numbers = open.map(|entry| entry.unwrap().file_name().into_string().unwrap().parse::<u32>().unwrap());
    assert_eq!(numbers.filter(|number| *number > 2).count(), 2);
}

#[test]
fn the_end_of_the_helper_is_an_end_of_file() {
    let mut setting = Setting::new("gone");
    let Companion { socket, pid } = setting.helper.take().unwrap();
    kill(pid, Signal::SIGKILL).unwrap();
    wait(&socket, PollFlags::POLLIN);
    assert_eq!(socket::receive(socket.as_fd(), &mut [0; 16], 0, &mut Vec::new()).unwrap().bytes, 0);
    waitpid(pid, None).unwrap();
}
