// SPDX-License-Identifier: GPL-2.0-only
//! One private world per test: mount, PID and network namespaces with an own `/run`, `/dev/shm`, home directory and
//! loopback interface, so that every test has all ports. All other folders are read-only, whoever asks: no test depends
//! on what is allowed in the machine's own ones, and none leaves anything there.
//!
//! `unshare` holds the namespaces; its child, a shell, is their first process. It waits for the end of its
//! standard input, so all processes inside end when the test does, however that happens. `nsenter` starts
//! programs inside.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::gettid;

use super::daemon::eventually;
use super::foreign::Foreign;
use super::normalise::{Order, Step};
use super::process::{Process, first_cpu};
use super::{Which, build, emulator, is_root, succeeds};

/// Options of `unshare` that make a sandbox.
pub const UNSHARE: &[&str] = &["--mount", "--pid", "--net", "--fork", "--mount-proc", "--kill-child"];

/// Nothing that a test runs may take longer, in seconds.
const COMMAND_LIMIT: &str = "60";

/// What a client dies of when the daemon closes while it still writes.
const SIGPIPE: i32 = 13;

/// Runs as the first process. Without root only group 0 is mapped: a group file without `tracing` lets the
/// daemon fall back to it.
const FIRST_PROCESS: &str = r#"
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ip link set lo up
if [ "$1" = mapped ]; then
    grep -v '^tracing:' /etc/group > /run/group
    mount --bind /run/group /etc/group
fi
"$2" "$3" /run /dev/shm
echo up
read -r _ || true
"#;

/// Lets a thread run on these CPUs only.
fn run_on(cpus: &str, thread: i32) {
    assert!(succeeds(Command::new("taskset").args(["-c", "-p", cpus, &thread.to_string()])));
}

/// Further options of `unshare` for a test that does not run as root.
pub fn unshare_user() -> &'static [&'static str] {
    if is_root() { &[] } else { &["--user", "--map-root-user"] }
}

/// Who runs a program: user id, group id, further groups.
#[derive(Clone, Copy)]
pub struct User {
    /// User id, also used to name the home directory.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: &'static [u32],
}

/// A user who is nobody in particular.
pub const OTHER: User = User { uid: 54321, gid: 54321, groups: &[] };

/// A private world with one daemon under test.
pub struct Sandbox {
    which: Which,
    dir: PathBuf,
    holder: Child,
    stay_up: Option<ChildStdin>,
    namespace: String,
    steps: Mutex<Vec<Step>>,
}

/// What a program did.
#[derive(Debug)]
pub struct Output {
    /// The command line, for messages.
    pub what: String,
    /// Exit status; 128 + signal number when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Wall clock, including the start of the program.
    pub took: Duration,
}

impl Output {
    /// Demands success.
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{} failed:\n{}{}", self.what, self.stdout, self.stderr);
        self
    }

    /// Demands a failure, and that the command was not killed. (`lttng` exits with the daemon's error code.)
    pub fn fails(self) -> Self {
        let killed = [SIGPIPE, 6, 11].map(|signal| 128 + signal).contains(&self.code);
        assert!(self.code != 0 && !killed, "{} ended with {}:\n{}", self.what, self.code, self.stdout);
        self
    }

    /// Demands that it took at most `limit`; more is allowed if the daemon is emulated.
    pub fn within(self, limit: Duration) -> Self {
        let limit = emulator::bound(limit);
        assert!(self.took <= limit, "{} took {:?}, more than {limit:?}", self.what, self.took);
        self
    }
}

impl Sandbox {
    /// Makes the namespaces and the directories.
    pub fn new(which: Which) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // Short: the sockets of a user's daemon are below it, and a socket path has at most 107 bytes.
        let dir = std::env::temp_dir().join(format!("lst-{}-{number}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(dir.join("home")).unwrap();
        let mut holder = Command::new("unshare")
            .args(UNSHARE)
            .args(unshare_user())
            .args(["bash", "-c", FIRST_PROCESS, "first"])
            .arg(if is_root() { "root" } else { "mapped" })
            .args([&build::program("seclude"), &dir])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n", "the sandbox was not made");
        let namespace = fs::read_link(format!("/proc/{}/ns/pid_for_children", holder.id())).unwrap();
        Sandbox {
            which,
            dir,
            stay_up: holder.stdin.take(),
            holder,
            namespace: namespace.to_string_lossy().into_owned(),
            steps: Mutex::new(Vec::new()),
        }
    }

    /// The daemon under test.
    pub fn which(&self) -> Which {
        self.which
    }

    /// A path below the test's own directory, as text for command lines. The directory is the same inside and
    /// outside, and removed at the end.
    pub fn path(&self, name: &str) -> String {
        self.dir.join(name).to_string_lossy().into_owned()
    }

    /// Root's home directory inside.
    pub fn home(&self) -> PathBuf {
        self.dir.join("home")
    }

    /// How the test sees `inside`, an absolute path of the sandbox.
    pub fn outside(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.first_process()))
    }

    fn first_process(&self) -> i32 {
        self.outer_pid(1).unwrap()
    }

    /// The test's pid of the process that has `inner` in the sandbox.
    pub fn outer_pid(&self, inner: i32) -> Option<i32> {
        super::process::all().find(|process| process.pid_in(&self.namespace) == Some(inner)).map(|p| p.pid())
    }

    /// The processes of the sandbox that run now (no zombies) and whose command name begins like this.
    pub fn processes(&self, name: &str) -> Vec<super::process::Process> {
        super::process::all()
            .filter(|process| process.pid_in(&self.namespace).is_some())
            .filter(|process| process.name().starts_with(name) && !matches!(process.state(), 'Z' | 'X'))
            .collect()
    }

    /// Whether a process of the sandbox has ended that its parent has not waited for.
    pub fn has_zombies(&self) -> bool {
        super::process::all()
            .filter(|process| process.pid_in(&self.namespace).is_some())
            .any(|process| process.state() == 'Z')
    }

    /// Kills the processes whose command name begins like this.
    pub fn kill_all(&self, name: &str) {
        self.processes(name).iter().for_each(|process| process.signal(Signal::SIGKILL));
        eventually("they are gone", || self.processes(name).is_empty());
    }

    /// Everything below `dirs` but themselves: path, type, mode, owner and group, one a line, sorted.
    pub fn files(&self, dirs: &[&str]) -> Vec<String> {
        let options = ["-mindepth", "1", "-printf", "%p %y %m %U:%G\\n"];
        let found = self.run("find", &[dirs, &options].concat());
        let mut lines: Vec<String> = found.stdout.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// A copy of a compiled program of `tests/apps` where every user may run it.
    pub fn program(&self, name: &str) -> PathBuf {
        self.share(&build::program(name))
    }

    /// A copy of a program that was compiled for foreign libraries.
    pub fn foreign_program(&self, foreign: &Foreign, name: &str) -> PathBuf {
        self.share(&foreign.program(name))
    }

    /// A copy of an example of the crate `lttng-protocol` where every user may run it.
    pub fn example(&self, name: &str) -> PathBuf {
        self.share(&build::example(name))
    }

    /// A copy of the daemon's binary where every user may run it.
    pub fn shared_daemon(&self) -> PathBuf {
        let emulated = (self.which == Which::Ours).then(|| emulator::copy_daemon(&self.dir)).flatten();
        emulated.unwrap_or_else(|| self.share(&self.which.path()))
    }

    /// A copy of a file where every user may read and run it.
    pub fn share(&self, from: &Path) -> PathBuf {
        let to = self.dir.join(from.file_name().unwrap());
        if !to.exists() {
            emulator::copy(from, &to);
        }
        to
    }

    /// The home directory of another user, made if needed.
    pub fn home_of(&self, user: User) -> PathBuf {
        let home = self.dir.join(format!("home-{}", user.uid));
        if !home.exists() {
            fs::create_dir(&home).unwrap();
            let (uid, gid) = (user.uid.into(), user.gid.into());
            nix::unistd::chown(&home, Some(uid), Some(gid)).unwrap();
        }
        home
    }

    /// Makes a shell script in the sandbox's own folder, which every user may run: its path.
    pub fn script(&self, name: &str, lines: &str) -> String {
        let script = self.path(name);
        super::emulator::write_program(script.as_ref(), &format!("#!/bin/sh\n{lines}\n"));
        script
    }

    /// A command inside, as root, with a clean environment.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.enter();
        command.env("HOME", self.home()).arg(program);
        command
    }

    /// A command inside, as another user with an own home.
    pub fn command_as(&self, user: User, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.enter();
        command.env("HOME", self.home_of(user)).arg("setpriv");
        command.arg(format!("--reuid={}", user.uid)).arg(format!("--regid={}", user.gid));
        if user.groups.is_empty() {
            command.arg("--clear-groups");
        } else {
            let groups: Vec<String> = user.groups.iter().map(u32::to_string).collect();
            command.arg(format!("--groups={}", groups.join(",")));
        }
        command.arg(program);
        command
    }

    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        let namespaces = format!("/proc/{}/ns", self.holder.id());
        if !is_root() {
            command.arg(format!("--user={namespaces}/user")).arg("--preserve-credentials");
        }
        command.arg(format!("--mount={namespaces}/mnt")).arg(format!("--pid={namespaces}/pid_for_children"));
        command.arg(format!("--net={namespaces}/net"));
        command.env_clear();
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("LC_ALL", "C").env("TZ", "UTC");
        // An application waits for the daemon as long as it takes: no event is lost on a slow machine.
        command.env("LTTNG_UST_REGISTER_TIMEOUT", "-1");
        command.stdin(Stdio::null());
        command
    }

    /// Runs a program to its end, at most 30 s.
    pub fn run(&self, program: &str, args: &[&str]) -> Output {
        let mut command = self.command("timeout");
        command.args(["--foreground", "--signal=KILL", COMMAND_LIMIT, program]).args(args);
        collect(command, &format!("{program} {}", args.join(" ")))
    }

    /// Runs a program to its end with further environment variables.
    pub fn run_with(&self, environment: &[(&str, &str)], program: &str, args: &[&str]) -> Output {
        let mut command = self.command("timeout");
        command.envs(environment.iter().copied());
        command.args(["--foreground", "--signal=KILL", COMMAND_LIMIT, program]).args(args);
        collect(command, &format!("{program} {}", args.join(" ")))
    }

    /// Runs a program to its end as another user.
    pub fn run_as(&self, user: User, program: &str, args: &[&str]) -> Output {
        let mut command = self.command_as(user, "timeout");
        command.args(["--foreground", "--signal=KILL", COMMAND_LIMIT, program]).args(args);
        collect(command, &format!("{program} {} (as {})", args.join(" "), user.uid))
    }

    /// Runs `lttng` and records its output for the comparison.
    pub fn lttng(&self, args: &[&str]) -> Output {
        let output = self.client(args);
        self.record(&output, Order::Fixed);
        output
    }

    /// Runs `lttng` as another user and records its output.
    pub fn lttng_as(&self, user: User, args: &[&str]) -> Output {
        let output = self.insist(|| self.run_as(user, "lttng", args));
        self.record(&output, Order::Fixed);
        output
    }

    /// Like [`Self::lttng`] for listings whose order is not defined: items of a list are sorted.
    pub fn lttng_unordered(&self, args: &[&str]) -> Output {
        let output = self.client(args);
        self.record(&output, Order::AnyText);
        output
    }

    /// Runs `lttng --mi xml` and records the document, as a tree.
    pub fn lttng_xml(&self, args: &[&str]) -> Output {
        let output = self.client(&[&["--mi", "xml"], args].concat());
        self.record(&output, Order::AnyXml);
        output
    }

    /// The stock daemon may refuse a request before it has read all of it, and `lttng` then dies of SIGPIPE
    /// instead of printing the error. Asking again is how to see the error.
    fn insist(&self, ask: impl Fn() -> Output) -> Output {
        /// Attempts after which something is done about it.
        const PATIENCE: usize = 10;
        let unlucky = |output: &Output| self.which == Which::Stock && output.code == 128 + SIGPIPE;
        let mut output = ask();
        for _ in 0..PATIENCE {
            if !unlucky(&output) {
                return output;
            }
            output = ask();
        }
        if unlucky(&output) {
            let all = self.have_the_daemon_wait();
            for _ in 0..PATIENCE {
                output = ask();
                if !unlucky(&output) {
                    break;
                }
            }
            run_on(&all, gettid().as_raw());
        }
        output
    }

    /// Has whoever this thread starts share one CPU with the daemon, which only runs when nobody else wants to: a client
    /// has written its request then before the daemon sees it. Returns the CPUs that this thread had before.
    fn have_the_daemon_wait(&self) -> String {
        let cpu = first_cpu().to_string();
        let all = Process::new(gettid().as_raw()).status("Cpus_allowed_list").unwrap();
        for daemon in self.processes("lttng-sessiond") {
            let pid = daemon.pid().to_string();
            assert!(succeeds(Command::new("taskset").args(["-a", "-c", "-p", &cpu, &pid])));
            assert!(succeeds(Command::new("chrt").args(["--all-tasks", "--idle", "--pid", "0", &pid])));
        }
        run_on(&cpu, gettid().as_raw());
        all
    }

    fn client(&self, args: &[&str]) -> Output {
        self.insist(|| self.run("lttng", args))
    }

    fn record(&self, output: &Output, order: Order) {
        let text = format!("status {}\n{}--- stderr\n{}", output.code, output.stdout, output.stderr);
        self.note(&output.what, &text, order);
    }

    /// Records an observation of the test's own for the comparison. A line about the status socket, as in
    /// [`Sandbox::files`], is left out: the original has none.
    pub fn note(&self, title: &str, text: &str, order: Order) {
        let common = |line: &&str| !line.contains("/sessiond-status s ");
        let text = text.lines().filter(common).collect::<Vec<_>>().join("\n");
        let step = Step::new(title, &text, order, &self.dir);
        self.steps.lock().unwrap().push(step);
    }

    /// Prints what helps to understand a failure: the steps so far and the daemon's log.
    pub fn explain_failure(&self) {
        eprintln!("---- on the {:?} daemon ({})", self.which, self.which.path().display());
        for step in self.steps.lock().unwrap().iter() {
            for line in step.to_string().lines().take(20) {
                eprintln!("{line}");
            }
        }
        let log = fs::read_to_string(self.dir.join("daemon.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        eprintln!("---- the daemon's log, last lines");
        for line in lines.iter().skip(lines.len().saturating_sub(60)) {
            eprintln!("{line}");
        }
    }

    /// Ends the sandbox and hands out what was recorded.
    pub fn into_steps(self) -> Vec<Step> {
        std::mem::take(&mut *self.steps.lock().unwrap())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // End of file for the first process; the kernel kills the rest and `unshare` returns after that.
        drop(self.stay_up.take());
        let _ = self.holder.wait();
        if std::env::var_os("LTTNG_TEST_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

fn collect(mut command: Command, what: &str) -> Output {
    let begin = Instant::now();
    let output = command.output().unwrap();
    let took = begin.elapsed();
    let code = {
        use std::os::unix::process::ExitStatusExt;
        output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0))
    };
    // A code of the daemon's has the same number.
    let killed = code == 128 + 9 && took >= Duration::from_secs(COMMAND_LIMIT.parse().unwrap());
    assert!(!killed, "{what} did not return within {COMMAND_LIMIT} s");
    Output {
        what: what.trim_end().to_owned(),
        code,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        took,
    }
}
