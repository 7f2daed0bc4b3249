// SPDX-License-Identifier: GPL-2.0-only
//! Relay daemons, and what they have written.

use std::fs;

use nix::sys::signal::Signal;

use super::daemon::eventually;
use super::process::Process;
use super::sandbox::Sandbox;

/// A stock `lttng-relayd`.
pub struct Relay {
    process: Process,
    /// Its output folder.
    pub output: String,
}

impl Relay {
    /// Starts one on the usual ports that writes to the folder `relay`.
    pub fn start(s: &Sandbox) -> Self {
        Self::start_with(s, "relay", [5342, 5343, 5344], &[])
    }

    /// Starts one on these ports (control, data, live), with further options, that writes to this folder.
    pub fn start_with(s: &Sandbox, folder: &str, ports: [u16; 3], options: &[&str]) -> Self {
        let output = s.path(folder);
        // Otherwise it stays a child of this command.
        let mut args = vec!["--daemonize".to_owned(), "--output".to_owned(), output.clone()];
        for (option, port) in ["-C", "-D", "-L"].into_iter().zip(ports) {
            args.extend([option.to_owned(), format!("tcp://0.0.0.0:{port}")]);
        }
        args.extend(options.iter().map(|option| (*option).to_owned()));
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        Self::launch(s, &args, output)
    }

    /// Starts one with these options, which name this output folder.
    pub fn launch(s: &Sandbox, args: &[&str], output: String) -> Self {
        s.run("lttng-relayd", args).ok();
        let of_folder = |process: &Process| {
            let line = fs::read(format!("/proc/{}/cmdline", process.pid())).unwrap_or_default();
            line.split(|byte| *byte == 0).any(|argument| argument == output.as_bytes())
        };
        let process = s.processes("lttng-relayd").into_iter().find(of_folder).expect("a relay daemon");
        Relay { process, output }
    }

    /// Stops it with SIGSTOP: it is reached, and says nothing.
    pub fn freeze(&self) {
        self.process.freeze();
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.process.signal(Signal::SIGCONT);
    }

    /// Kills it.
    pub fn kill(self) {
        self.process.signal(Signal::SIGKILL);
        eventually("the relay daemon ends", || matches!(self.process.state(), 'Z' | 'X'));
    }

    /// Everything that it has written: path, type and mode, one a line, without the streams of all CPUs but the first.
    /// The host's name is `HOST`.
    pub fn tree(&self, s: &Sandbox) -> String {
        let host = nix::unistd::gethostname().unwrap().to_string_lossy().into_owned();
        let found = s.run("find", &[&self.output, "-mindepth", "1", "-printf", "%P %y %m\\n"]).ok();
        let mut lines: Vec<String> = found
            .stdout
            .lines()
            .filter(|line| !of_further_cpu(line))
            .map(|line| line.replace(&host, "HOST"))
            .collect();
        lines.sort_unstable();
        lines.join("\n")
    }
}

/// Whether a line is about a stream of another CPU than the first.
fn of_further_cpu(line: &str) -> bool {
    let name = line.split(' ').next().unwrap_or("").trim_end_matches(".idx");
    let number = name.rsplit_once('_').and_then(|(_, cpu)| cpu.parse().ok());
    number.is_some_and(|cpu: u32| (1..1000).contains(&cpu))
}
