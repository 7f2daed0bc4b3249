// SPDX-License-Identifier: GPL-2.0-only
//! README's commands: each is run by a test, as it is typed there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::daemon::eventually;
use crate::support::emulator::is_emulated;
use crate::support::{Sandbox, is_root, ours_only, skip};

/// Where a command is run.
enum Run {
    /// Here, with the others of its section.
    Here,
    /// By a script or a test, in whose file it stands.
    By(&'static str),
    /// By this test.
    Test(&'static str),
    /// By nobody, for this reason.
    Nobody(&'static str),
}
use Run::{By, Here, Nobody, Test};

const SYSTEMD: &str = "tests/kernel/systemd";

/// README's commands that are not run here.
const ELSEWHERE: &[(&str, Run)] = &[
    ("make demo", Test("the_demonstration")),
    ("make test", By(".ci/run")),
    ("make test-kernel", By(".ci/run")),
    ("make static", By("tests/scripts/test")),
    ("make static ARCH=armv7", Nobody("`make test-arch` builds it, where there is time for that")),
    ("make test-arch", Nobody("it takes hours; .ci/run runs parts of it")),
    ("make test-debian13", Nobody("it runs all of these tests once more, on another system")),
    ("make bench", Nobody("it measures, which takes half an hour of a quiet machine")),
    ("make", Nobody("`make test` builds the same, and Cargo lets nobody else build meanwhile")),
    ("cargo test --test e2e record::several_applications_at_once", Test("the_tests_that_are_named_exist")),
    ("cargo test --test e2e hostile::", Test("the_tests_that_are_named_exist")),
    ("sudo systemctl stop lttng-sessiond", By(SYSTEMD)),
    ("sudo systemctl daemon-reload", By(SYSTEMD)),
    ("sudo systemctl start lttng-sessiond", By(SYSTEMD)),
    ("sudo systemctl enable --now lttng-sessiond.socket lttng-sessiond-apps.socket", By(SYSTEMD)),
    ("sudo systemctl stop lttng-sessiond.socket", By(SYSTEMD)),
];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The commands of README: the heading of their section, and the line.
fn commands() -> Vec<(String, String)> {
    let (mut section, mut inside, mut commands) = (String::new(), false, Vec::new());
    for line in read("README.md").lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut section);
        } else if line.starts_with("```") {
            inside = line == "```sh";
        } else if inside && !line.is_empty() {
            commands.push((section.clone(), line.to_owned()));
        }
    }
    assert!(commands.len() > 20, "README's commands are not where they are looked for: {commands:?}");
    commands
}

fn elsewhere(command: &str) -> Option<&'static Run> {
    ELSEWHERE.iter().find(|(known, _)| *known == command).map(|(_, run)| run)
}

#[test]
fn every_command_is_run_by_a_test() {
    let commands = commands();
    let here = read("tests/e2e/readme.rs");
    for (_, command) in &commands {
        match elsewhere(command).unwrap_or(&Here) {
            By(file) => {
                let bare = command.trim_start_matches("sudo ");
                assert!(read(file).contains(bare), "{file} does not run {bare}");
            }
            Test(name) => assert!(here.contains(&format!("fn {name}()")), "there is no test {name}"),
            Nobody(why) => println!("nobody runs {command}: {why}"),
            Here => {}
        }
    }
    let known: BTreeSet<&str> = commands.iter().map(|(_, command)| command.as_str()).collect();
    for (command, _) in ELSEWHERE {
        assert!(known.contains(command), "README does not say {command}");
    }
}

/// Runs the commands of a section that are run here, in order, in a folder that looks like the repository, with
/// `my-program` in it, and /usr/local to itself.
fn run_section(s: &Sandbox, section: &str, prelude: &str) -> String {
    const SETTING: &str = r#"
set -e
cd "$1"
mount -t tmpfs tmpfs /usr/local
mkdir -p target/release target/static bin on-target
cp "$2" target/release/lttng-sessiond
cp "$2" target/static/lttng-sessiond
cp "$3" my-program-itself
for name in lttng-sessiond-clock; do touch target/release/$name target/static/$name; done
# `my-program` says a few things and ends.
printf '#!/bin/sh\nprintf "tick 0 3\\n" | "$0-itself"\n' >my-program
# Another machine: a folder.
cat >bin/scp <<'END'
#!/bin/sh
cp "$1" "on-target/"
END
cat >bin/ssh <<'END'
#!/bin/sh
shift
PATH=$PWD/on-target:$PATH exec "$@"
END
printf '#!/bin/sh\nexec "$@"\n' >bin/sudo
# Options of the repository's own, since what is built there is elsewhere.
printf '#!/bin/sh\nexec /usr/bin/make -C "%s" TARGET="%s" SYSTEMD_RELOAD=: "$@"\n' "$4" "$PWD/target" >bin/make
chmod +x my-program bin/*
PATH=$PWD/bin:/usr/local/bin:$PATH
"#;
    let lines: Vec<String> = commands()
        .into_iter()
        .filter(|(of, command)| of == section && matches!(elsewhere(command).unwrap_or(&Here), Here))
        .map(|(_, command)| {
            let quoted = command.replace('\'', "'\\''");
            let line = match command.as_str() {
                // It shows the status again and again, and ends when it is told to.
                line if line.contains("--watch") => format!("timeout 3 {line} || [ $? = 124 ]"),
                // It has something to say, which is its status.
                line if line.contains("--explain") => format!("{line} || [ $? = 1 ]"),
                line => line.to_owned(),
            };
            format!("echo '$ {quoted}'\n{line}\n")
        })
        .collect();
    assert!(!lines.is_empty(), "README has no commands under {section}");
    let script = format!("{SETTING}\n{prelude}\n{}", lines.concat());
    let daemon = s.which().path();
    let program = s.program("emitter");
    let place = s.path("repository");
    fs::create_dir(&place).unwrap();
    let arguments = ["-c", &script, "readme", &place, &daemon.to_string_lossy(), &program.to_string_lossy()];
    let repository = repository().to_string_lossy();
    s.run("bash", &[&arguments[..], &[&repository]].concat()).ok().stdout
}

fn in_sandbox(section: &str, prelude: &str, look: impl Fn(&Sandbox, &str)) {
    ours_only("they are about this daemon", |s| {
        if !is_root() {
            return skip("installs and mounts, so it needs root");
        }
        let said = run_section(s, section, prelude);
        println!("{said}");
        look(s, &said);
        s.kill_all("lttng-sessiond");
    });
}

#[test]
fn a_program_of_ones_own() {
    in_sandbox("From zero to a trace", "", |s, said| {
        assert!(said.contains("Session my-session created."), "{said}");
        assert!(said.contains("Session my-session destroyed"), "{said}");
        let traces = s.home().join("lttng-traces");
        let trace = fs::read_dir(traces).unwrap().next().unwrap().unwrap().path();
        let events = s.run("babeltrace2", &[&trace.to_string_lossy()]).ok().stdout;
        assert_eq!(events.matches("testapp:tick").count(), 3, "{events}");
    });
}

#[test]
fn swapping_in_and_out() {
    in_sandbox("Coming from the stock daemon", "", |s, said| {
        assert!(said.contains("Session auto-"), "{said}");
        let left = s.run("find", &["/usr/local", "-type", "f"]).ok().stdout;
        assert_eq!(left, "", "left of what was installed");
    });
}

#[test]
fn one_file_on_a_target() {
    in_sandbox("Embedded: one file", "", |s, _| {
        eventually("the daemon runs there", || s.processes("lttng-sessiond").len() == 1);
    });
}

#[test]
fn asking_how_it_is() {
    let start = "cp target/static/lttng-sessiond /usr/local/bin/ 2>/dev/null || \
                 install -D target/static/lttng-sessiond /usr/local/bin/lttng-sessiond
        lttng-sessiond --daemonize";
    in_sandbox("How is it doing?", start, |_, said| {
        assert!(said.contains("Sessions: 0\n"), "{said}");
        assert!(
            said.contains("{\"schema\":1,") && said.contains("# TYPE lttng_sessiond_info gauge\n"),
            "{said}"
        );
    });
}

#[test]
fn installing() {
    in_sandbox("Install", "", |s, _| {
        let installed = s.run("find", &[&s.path("repository/package"), "/usr/local", "-type", "f"]);
        println!("{}", installed.stdout);
        for path in [
            "bin/lttng-sessiond",
            "share/man/man8/lttng-sessiond.8",
            "share/man/man7/lttng-sessiond-status.7",
        ] {
            for folder in ["/usr/local".to_owned(), s.path("repository/package/usr")] {
                s.run("test", &["-s", &format!("{folder}/{path}")]).ok();
            }
        }
    });
}

#[test]
fn the_demonstration() {
    ours_only("it is about this daemon", |s| {
        let script = repository().join("tests/scripts/demo");
        let mut command = Command::new(script);
        command.arg(s.which().path()).env("TMPDIR", s.path(""));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        // An emulator has a thread of its own.
        let threads = if is_emulated() { "Threads:\t" } else { "Threads:\t1\n" };
        for part in ["Session demo created.", "shop:order: { cpu_id =", "shop:closed", threads] {
            assert!(said.contains(part), "{part:?} is not in\n{said}");
        }
    });
}

#[test]
fn the_tests_that_are_named_exist() {
    let named: Vec<String> = commands()
        .into_iter()
        .filter_map(|(_, command)| Some(command.strip_prefix("cargo test --test e2e ")?.to_owned()))
        .collect();
    assert_eq!(named.len(), 2);
    for name in named {
        let output = Command::new(std::env::current_exe().unwrap()).args(["--list", &name]).output().unwrap();
        let listed = String::from_utf8_lossy(&output.stdout);
        assert!(listed.lines().any(|line| line.ends_with(": test")), "{name}: {listed}");
    }
}
