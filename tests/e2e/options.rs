// SPDX-License-Identifier: GPL-2.0-only
//! Command line, configuration files and environment, side by side with the stock daemon. A verbose daemon that is asked
//! for its version shows the configuration that it would run with, which says what each source of options came to.

use std::fs;

use crate::support::daemon::Daemon;
use crate::support::emulator::without_emulator;
use crate::support::normalise::Order;
use crate::support::socket::{ask, request};
use crate::support::{Sandbox, Which, is_root, ours, ours_only, side_by_side, skip};

/// The signal of `abort`.
const SIGABRT: i32 = 6;

/// Runs the daemon by the name that messages begin with. Nothing that is given here makes it stay.
fn run(s: &Sandbox, environment: &[(&str, &str)], args: &[&str]) -> (i32, String) {
    let binary = s.which().path().to_string_lossy().into_owned();
    let script = ["-c", "exec -a lttng-sessiond \"$@\"", "bash", &binary];
    let output = s.run_with(environment, "bash", &[&script, args].concat());
    (output.code, without_emulator(&output.stderr))
}

/// The configuration, and what is said about it, without what the two daemons do not have in common.
fn shown(s: &Sandbox, environment: &[(&str, &str)], args: &[&str]) -> String {
    let (code, text) = run(s, environment, &[&["-V", "-v"], args].concat());
    // The stock daemon says when, and where in its sources.
    let items = text.lines().filter_map(|line| match line.strip_prefix("DBG1 - ") {
        Some(rest) => rest.split_once(": \t").map(|(_, item)| item.to_owned()),
        None => Some(without_place(line)),
    });
    let own = ["version ", "error counters", "network timeout", "memory of", "Warning: Neither"];
    let items: Vec<String> = items.filter(|item| !own.iter().any(|own| item.starts_with(own))).collect();
    format!("status {code}\n{}", items.join("\n"))
}

/// A message about a file without the place in it, which the stock daemon does not tell.
fn without_place(line: &str) -> String {
    match line.rsplit_once(" (") {
        Some((text, place)) if place.contains(", line ") => text.to_owned(),
        _ => line.to_owned(),
    }
}

/// Writes a configuration file and returns its name.
fn file(s: &Sandbox, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = s.path(name);
    fs::write(&path, text).unwrap();
    path
}

/// Puts a configuration file where that of the system is, and one where that of the user is.
fn install(s: &Sandbox, system: &str, home: &str) {
    let script = "test -d /run/etc || { mkdir /run/etc; cp -a /etc/. /run/etc; mkdir -p /run/etc/lttng; mount --bind \
                  /run/etc /etc; }";
    s.run("bash", &["-c", script]).ok();
    fs::write(s.outside("/run/etc/lttng/lttng.conf"), system).unwrap();
    let folder = s.home().join(".lttng");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("lttng.conf"), home).unwrap();
}

#[test]
fn command_lines_that_are_refused() {
    side_by_side(|s| {
        for args in [
            &["--bogus"][..],
            &["--bogus=1"],
            &["-Z"],
            &["-d=x"],
            &["--client-sock"],
            &["--client"],
            &["-c"],
            &["--quiet=1"],
            &["--no-kernel=1"],
            &["--verb"],
            &["--=x"],
            &["--client-sock="],
            &["-c", ""],
            &["--apps-sock="],
            &["--group="],
            &["--pidfile="],
            &["--load="],
            &["--config=/nonexistent", "-V"],
            &["--config=nonexistent", "-V"],
            &["--agent-tcp-port=0"],
            &["--agent-tcp-port=65535"],
            &["--agent-tcp-port=x"],
            &["--agent-tcp-port=-1"],
            &["--agent-tcp-port= 1"],
            &["--agent-tcp-port=4294967297"],
            &["--agent-tcp-port=99999999999999999999999"],
            &["--event-notifier-error-buffer-size-kernel="],
            &["--event-notifier-error-buffer-size-kernel=0"],
            &["--event-notifier-error-buffer-size-kernel=65535"],
            &["--event-notifier-error-buffer-size-kernel=x"],
            &["--event-notifier-error-buffer-size-userspace=0"],
            &["--event-notifier-error-buffer-size-userspace=x"],
            &["--quiet", "--agent-tcp-port=0"],
            &["-qV", "--bogus"],
            &["-V", "--agent-tcp-port=0"],
            &["-h", "--bogus"],
        ] {
            let (code, text) = run(s, &[], &[&["--no-kernel"], args].concat());
            assert_eq!(code, 1, "{args:?}: {text}");
            s.note(&args.join(" "), &text, Order::Fixed);
        }
        assert!(!s.outside("/run/lttng").exists());
    });
}

#[test]
fn options_in_every_form() {
    side_by_side(|s| {
        for args in [
            &[][..],
            &[
                "operand",
                "-vvS",
                "--verbose",
                "--client=/c",
                "--pid",
                "/p",
                "-a/a",
                "--no-k",
                "--",
                "--bogus",
            ],
            &["-vvvvv"],
            &["-bdSq"],
            &["-b", "-d", "--sig-parent", "--verbose-consumer"],
            &["--config="],
            &["-f", "/dev/null"],
            &["-g", "ops", "--agent-tcp-port=0x20z"],
            &["--agent-tcp-port", "010"],
            &["--agent-tcp-port=65534", "--kmod-probes=a,b", "--extra-kmod-probes=c"],
            &["-c", "/a/./b", "-p", "/x//y", "-a", "/l"],
            &["--consumerd32-path=/c32", "--consumerd32-libdir=/l32"],
            &["--consumerd64-path=/c64", "--consumerd64-libdir=/l64"],
            &["--kconsumerd-cmd-sock=/1", "--kconsumerd-err-sock=/2"],
            &["--ustconsumerd32-cmd-sock=/3", "--ustconsumerd32-err-sock=/4"],
            &["--ustconsumerd64-cmd-sock=/5", "--ustconsumerd64-err-sock=/6"],
            &["-c", "relative", "-p", "../up", "-l", "./load", "--consumerd32-path=c"],
        ] {
            s.note(&format!("{args:?}"), &shown(s, &[], args), Order::Fixed);
        }
    });
}

#[test]
fn configuration_files() {
    let long = "x".repeat(300);
    let (cut, name) = (format!("{} y=z", "x".repeat(192)), "k".repeat(80));
    let in_section = |text: &str| format!("[sessiond]\n{text}\n");
    let mut texts: Vec<String> = [
        "group= ;x",
        "group=;x",
        "group=a ; b",
        "group=a;b",
        "group : a b",
        "group=a\n b",
        "group=a\n b ; c",
        " group=a",
        "GROUP=a",
        "grou=a",
        "bogus=1\nquiet=maybe\ngroup=ops",
        "group=\"a b\"",
        "group=a\r",
        "group\ngroup=b",
        "=x",
        "group=",
        "; comment\n# comment\n  # comment\ngroup=b",
        "agent-tcp-port=70000\nagent-tcp-port=x\nagent-tcp-port=5\nhelp=1\nversion=1\nconfig=/x\nverbose=0",
        "event-notifier-error-buffer-size-kernel=\nevent-notifier-error-buffer-size-userspace=0",
        "client-sock=\napps-sock=\npidfile=\ngroup=\nload=",
        "background=1\ndaemonize=1\nsig-parent=1\nclient-sock=/c\napps-sock=/a\nload=/l\npidfile=/a/../b",
        "kmod-probes=a,b\nextra-kmod-probes=c\nconsumerd32-path=/1\nconsumerd32-libdir=/2\nconsumerd64-libdir=/3",
        "kconsumerd-cmd-sock=/1\nkconsumerd-err-sock=/2\nustconsumerd32-cmd-sock=/3\nustconsumerd32-err-sock=/4",
        "ustconsumerd64-cmd-sock=/5\nustconsumerd64-err-sock=/6\nno-kernel=yes\nquiet=no",
        &format!("group={long}"),
        &format!("group={cut}"),
        &format!("{name}=1\n w"),
    ]
    .map(in_section)
    .into();
    let bare = ["[sessiond ; x]\ngroup=a", "\u{feff}[sessiond]\ngroup=a\n", "[sessiond] trailing\ngroup=a\n"];
    texts.extend(bare.map(str::to_owned));
    let bare =
        ["[SESSIOND]\ngroup=a\n", "[ sessiond ]\ngroup=a\n", "group=a\n", "[sessiond]\r\ngroup=a\r\n", ""];
    texts.extend(bare.map(str::to_owned));
    for value in ["yes", "TRUE", "On", "1", "7up", "2147483648", "99999999999999999999", "no", "False", "OFF"]
    {
        texts.push(in_section(&format!("no-kernel={value}\nverbose={value}")));
    }
    for value in ["0", "-1", "", "maybe", " 1", "+1", "0x1", "1.5"] {
        texts.push(in_section(&format!("no-kernel={value}\nverbose={value}")));
    }
    side_by_side(|s| {
        for text in &texts {
            let path = file(s, "lttng.conf", text);
            s.note(&format!("{text:?}"), &shown(s, &[], &["--config", &path]), Order::Fixed);
        }
    });
}

#[test]
fn mistakes_in_files_have_a_place() {
    ours_only("it does not say where", |s| {
        let path = file(s, "lttng.conf", "[sessiond]\nbogus=1\n\nquiet=maybe\nnothing\nagent-tcp-port=0\n");
        let (code, text) = run(s, &[], &["-V", "-f", &path]);
        let lines = [
            ("Warning: Unrecognized option \"bogus\" in daemon configuration file.", 2),
            ("Warning: Invalid configuration value \"maybe\" for option quiet", 4),
            ("Warning: Neither a section nor an option with a value: ignored", 5),
            ("Error: Port overflow in --agent-tcp-port parameter: 0", 6),
        ];
        let lines = lines.map(|(text, line)| format!("{text} ({path}, line {line})\n"));
        assert_eq!((code, text), (0, lines.concat()));
    });
}

#[test]
fn variables() {
    side_by_side(|s| {
        for (name, values) in [
            ("LTTNG_APP_SOCKET_TIMEOUT", &["12", "0", "-2", "2147483648", "99999999999999999999"][..]),
            ("LTTNG_CONSUMERD32_BIN", &["/c"]),
            ("LTTNG_CONSUMERD32_LIBDIR", &["/l"]),
            ("LTTNG_CONSUMERD64_LIBDIR", &["/l"]),
            ("LTTNG_UST_CLOCK_PLUGIN", &["/clock.so"]),
            ("LTTNG_KMOD_PROBES", &["a,b", ""]),
            ("LTTNG_EXTRA_KMOD_PROBES", &["c", ""]),
            ("LTTNG_ABORT_ON_ERROR", &["1"]),
        ] {
            for value in values {
                s.note(&format!("{name}={value}"), &shown(s, &[(name, value)], &[]), Order::Fixed);
            }
        }
    });
}

/// Each source overrides the one before it: the environment, the system's file, the user's, the one of `--config`, the
/// command line. A switch stays on.
#[test]
fn later_sources_override_earlier_ones() {
    side_by_side(|s| {
        if !is_root() {
            return skip("only root can give the system another configuration");
        }
        let environment = [("LTTNG_CONSUMERD32_BIN", "/env"), ("LTTNG_KMOD_PROBES", "env")];
        let all = |value: &str| {
            format!("[sessiond]\nconsumerd32-path=/{value}\nkmod-probes={value}\ngroup={value}\n")
        };
        let note = |title: &str, args: &[&str]| s.note(title, &shown(s, &environment, args), Order::Fixed);
        note("environment", &[]);
        install(s, &format!("{}quiet=no\nno-kernel=yes\n", all("system")), "");
        note("system", &[]);
        install(s, &all("system"), "[sessiond]\nkmod-probes=home\ngroup=home\n");
        note("home", &[]);
        let config = file(s, "extra.conf", "[sessiond]\ngroup=extra\nno-kernel=no\n");
        note("config", &["-f", "/nonexistent", "--config", &config]);
        note("command line", &["-g", "typed", "--config", &config]);
        let other = s.path("other");
        let home = [("LTTNG_HOME", other.as_str())];
        s.note("another home", &shown(s, &home, &[]), Order::Fixed);
    });
}

/// The same, seen by what the daemon does.
#[test]
fn options_of_all_sources_act() {
    ours(|s| {
        if !is_root() {
            return skip("only root can give the system another configuration");
        }
        let pid = |name: &str| format!("[sessiond]\npidfile=/run/{name}.pid\n");
        install(s, &format!("{}client-sock=/run/system.sock\nno-kernel=yes\n", pid("system")), &pid("home"));
        let start = |args: &[&str]| Daemon::start_with(s, args);
        let has = |path: &str| s.outside(path).exists();
        let daemon = start(&[]);
        assert!(has("/run/home.pid") && has("/run/system.sock") && !has("/run/system.pid"));
        assert_eq!(ask(s, "/run/system.sock", &request(13)), 10);
        daemon.stop();
        let config = file(s, "extra.conf", pid("extra"));
        let daemon = start(&["--config", &config]);
        assert!(has("/run/extra.pid") && !has("/run/home.pid") && has("/run/system.sock"));
        daemon.stop();
        let daemon = start(&["--config", &config, "-p", "/run/typed.pid", "-c", "/run/typed.sock"]);
        assert!(has("/run/typed.pid") && has("/run/typed.sock"));
        assert!(!has("/run/extra.pid") && !has("/run/system.sock"));
        daemon.stop();
    });
}

/// What consumer daemons are started with.
#[test]
fn options_of_consumer_daemons_reach_them() {
    side_by_side(|s| {
        for bits in ["32", "64"] {
            let real = "/usr/lib/x86_64-linux-gnu/lttng/libexec/lttng-consumerd";
            let lines = format!("echo \"$LD_LIBRARY_PATH $*\" >/run/ran{bits}\nexec {real} \"$@\"");
            s.script(&format!("consumerd{bits}"), &lines);
        }
        let config = file(s, "extra.conf", "[sessiond]\nverbose-consumer=2\nconsumerd32-libdir=/run/lib32\n");
        let (ours64, ours32) = (s.path("consumerd64"), s.path("consumerd32"));
        let options = [
            "--no-kernel",
            "--config",
            &config,
            "--group=users",
            "--consumerd64-path",
            &ours64,
            "--consumerd64-libdir=/run/lib64",
            "--ustconsumerd64-cmd-sock=/run/command64",
            "--ustconsumerd64-err-sock=/run/error64",
            "--consumerd32-path",
            &ours32,
            "--ustconsumerd32-cmd-sock=/run/command32",
            "--ustconsumerd32-err-sock=/run/error32",
        ];
        let daemon = Daemon::start_with(s, &options);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        for bits in ["32", "64"] {
            let ran = fs::read_to_string(s.outside(&format!("/run/ran{bits}"))).unwrap();
            assert!(ran.starts_with(&format!("/run/lib{bits}")), "{ran}");
            s.note(bits, &ran, Order::Fixed);
        }
        s.lttng(&["destroy"]).ok();
        daemon.stop();
    });
}

/// The first error that is reported ends the process, whether anybody is told of it or not.
#[test]
fn an_error_may_be_made_fatal() {
    side_by_side(|s| {
        let config = file(s, "wrong.conf", "[sessiond]\nagent-tcp-port=0\n");
        for (value, args) in [
            ("1", &["-V", "--agent-tcp-port=0"][..]),
            ("1", &["-V", "-f", &config]),
            ("1", &["-V"]),
            ("1", &["-V", "--bogus"]),
            ("0", &["-V", "-f", &config]),
            ("yes", &["-V", "-f", &config]),
        ] {
            let (code, text) = run(s, &[("LTTNG_ABORT_ON_ERROR", value)], args);
            let text: Vec<String> = text.lines().map(without_place).collect();
            s.note(&format!("{value} {args:?}"), &format!("{code}\n{}", text.join("\n")), Order::Fixed);
        }
        let daemon = Daemon::start(s);
        for args in [&["--no-kernel"][..], &["--no-kernel", "--quiet"]] {
            let (code, text) = run(s, &[("LTTNG_ABORT_ON_ERROR", "1")], args);
            assert_eq!((code, text.is_empty()), (128 + SIGABRT, args.len() > 1), "{text}");
        }
        daemon.stop();
    });
}

/// The completion that comes with the stock package asks our daemon as it does the stock one.
#[test]
fn the_completion_of_the_shell() {
    const SCRIPT: &str = "/usr/share/bash-completion/completions/lttng";
    side_by_side(|s| {
        if !s.outside(SCRIPT).exists() {
            return skip("no completion of the lttng command");
        }
        let daemon = Daemon::start(s);
        for session in ["one", "other", "two"] {
            s.lttng(&["create", session, "--output", &s.path(session)]).ok();
        }
        // What it needs of the packages bash-completion and libxml2-utils.
        let words = "_get_comp_words_by_ref() { cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}; }; \
                     xmllint() { sed 's/.*<sessions>//' | grep -o '<name>[^<]*</name>'; }";
        for line in ["lttng des", "lttng destroy o", "lttng start ", "lttng list --k", "lttng stop t"] {
            let typed: Vec<String> = line.split(' ').map(|word| format!("'{word}'")).collect();
            let script = format!(
                "{words}; . {SCRIPT}; COMP_WORDS=({}) COMP_CWORD={}; _lttng; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
                typed.join(" "),
                typed.len() - 1,
            );
            let output = s.run("bash", &["-c", &script]);
            assert_ne!(output.stdout, "\n", "{line}: {}", output.stderr);
            s.note(line, &output.stdout, Order::Fixed);
        }
        if s.which() == Which::Stock {
            // It knows no completion for the daemon, and neither do we.
            let known = s.run("bash", &["-c", &format!("{words}; . {SCRIPT}; complete -p lttng-sessiond")]);
            assert_ne!(known.code, 0);
        }
        daemon.stop();
    });
}
