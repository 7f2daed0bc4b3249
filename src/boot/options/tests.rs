// SPDX-License-Identifier: GPL-2.0-only
//! Sources of options, their order, and what is refused with which text.

use super::*;

/// A folder of its own for each test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("lttng-options-{}-{name}", std::process::id()));
        std::fs::create_dir_all(path.join("home/.lttng")).unwrap();
        Folder(path.canonicalize().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn host(&self, uid: u32) -> Host {
        Host {
            uid,
            set_id: false,
            passwd_home: Some(self.0.join("home")),
            current_directory: Some(self.0.clone()),
            system_config: self.0.join("system.conf"),
            system_rundir: self.0.join("run"),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

type Variables<'a> = &'a [(&'a str, &'a str)];

fn invoke(host: &Host, args: &[&str], variables: Variables<'_>) -> Result<Invocation, Failure> {
    let env = |name: &str| {
        variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| OsString::from(value))
    };
    let args = ["lttng-sessiond"].iter().chain(args).map(OsString::from);
    parse_on(host, args, &env)
}

fn options(host: &Host, args: &[&str], variables: Variables<'_>) -> Options {
    match invoke(host, args, variables) {
        Ok(Invocation::Run(options)) => *options,
        other => panic!("{other:?}"),
    }
}

/// The one line that a refused command line prints.
fn refusal(args: &[&str]) -> String {
    let folder = Folder::new("refusal");
    let failure = invoke(&folder.host(1000), args, &[]).unwrap_err();
    assert_eq!(failure.status, 1);
    assert_eq!(failure.lines.len(), 1, "{:?}", failure.lines);
    failure.lines[0].clone()
}

#[test]
fn defaults_of_root() {
    let folder = Folder::new("root");
    let root = options(&folder.host(0), &[], &[]);
    let run = folder.0.join("run");
    assert_eq!(root.rundir, run);
    assert_eq!(root.client_sock, run.join("client-lttng-sessiond"));
    assert_eq!(root.apps_sock, run.join("lttng-ust-sock-8"));
    assert_eq!(root.health_sock, run.join("sessiond-health"));
    assert_eq!(root.notification_sock, run.join("sessiond-notification"));
    assert_eq!(root.pidfile, run.join("lttng-sessiond.pid"));
    assert_eq!(root.lockfile, run.join("lttng-sessiond.lck"));
    assert_eq!(root.agent_port_file, run.join("agent.port"));
    assert_eq!(root.kconsumerd.err_sock, run.join("kconsumerd/error"));
    assert_eq!(root.ustconsumerd32.cmd_sock, run.join("ustconsumerd32/command"));
    let (own, other) = if cfg!(target_pointer_width = "64") {
        (&root.ustconsumerd64, &root.ustconsumerd32)
    } else {
        (&root.ustconsumerd32, &root.ustconsumerd64)
    };
    assert_eq!(other.path, None);
    assert!(own.path.is_some() && own.libdir.is_some());
    assert_eq!(root.kconsumerd.path.as_ref().map(|path| path.is_absolute()), Some(true));
    assert_eq!(root.agent_tcp_ports, 5345..=5354);
    assert_eq!((root.event_notifier_slots_kernel, root.event_notifier_slots_user), (4096, 4096));
    assert_eq!(root.app_socket_timeout, Some(Duration::from_secs(5)));
    assert_eq!(root.group, "tracing");
    assert!(!root.quiet && !root.daemonize && !root.background && !root.sig_parent && !root.no_kernel);
    assert_eq!((root.verbose, root.verbose_consumer), (0, false));
    assert_eq!(root.messages, Vec::<String>::new());
}

/// On a machine of 64 bits, whose programs are recorded by that one alone.
#[cfg(target_pointer_width = "32")]
#[test]
fn a_32_bit_build_that_is_told_of_the_64_bit_consumer_daemon_does_without_its_own() {
    let folder = Folder::new("narrow");
    let told = options(&folder.host(0), &["--consumerd64-path=/wide"], &[]);
    assert_eq!(told.ustconsumerd64.path, Some("/wide".into()));
    let is_installed = |path: PathBuf| path.exists();
    assert!(told.ustconsumerd32.path.is_none_or(is_installed));
}

#[test]
fn home_and_run_directory() {
    let folder = Folder::new("home");
    let user = folder.host(1000);
    let both: Variables<'_> = &[("LTTNG_HOME", "/one"), ("HOME", "/two")];
    assert_eq!(options(&user, &[], both).rundir, Path::new("/one/.lttng"));
    assert_eq!(options(&user, &[], &[("LTTNG_HOME", ""), ("HOME", "/two")]).rundir, Path::new("/two/.lttng"));
    assert_eq!(options(&user, &[], &[]).rundir, folder.0.join("home/.lttng"));
    // Only root's daemon can be moved by this one.
    let moved: Variables<'_> = &[("LTTNG_RUNDIR", "elsewhere"), ("HOME", "/two")];
    assert_eq!(options(&user, &[], moved).rundir, Path::new("/two/.lttng"));
    assert_eq!(options(&folder.host(0), &[], moved).rundir, folder.0.join("elsewhere"));
    // A set-user-id program trusts the user database only.
    let set_id = Host { set_id: true, ..user.clone() };
    assert_eq!(options(&set_id, &[], both).rundir, folder.0.join("home/.lttng"));
    let homeless = Host { passwd_home: None, ..user };
    let failure = invoke(&homeless, &[], &[]).unwrap_err();
    assert_eq!(failure.lines, ["Error: Can't get HOME directory for sockets creation."]);
    assert_eq!(invoke(&homeless, &["--help"], &[]), Ok(Invocation::Help));
    assert_eq!(invoke(&homeless, &["-V"], &[]), Ok(Invocation::Version(Vec::new(), None)));
}

#[test]
fn each_source_overrides_the_one_before() {
    let folder = Folder::new("order");
    let user = folder.host(1000);
    let env: Variables<'_> = &[("LTTNG_CONSUMERD32_BIN", "/env"), ("LTTNG_KMOD_PROBES", "env")];
    let seen = |args: &[&str]| {
        let options = options(&user, args, env);
        let probes = options.kmod_probes.unwrap();
        (options.ustconsumerd32.path.unwrap().to_str().unwrap().to_owned(), probes, options.group)
    };
    let is = |path: &str, probes: &str, group: &str| (path.to_owned(), probes.to_owned(), group.to_owned());
    assert_eq!(seen(&[]), is("/env", "env", "tracing"));
    folder.write("system.conf", "[sessiond]\nconsumerd32-path=/system\nkmod-probes=system\ngroup=system\n");
    assert_eq!(seen(&[]), is("/system", "system", "system"));
    folder.write("home/.lttng/lttng.conf", "[sessiond]\nkmod-probes=home\ngroup=home\n");
    assert_eq!(seen(&[]), is("/system", "home", "home"));
    let extra = folder.write("extra.conf", "[other]\nkmod-probes=no\n[sessiond]\ngroup=extra\n");
    let extra = extra.to_str().unwrap();
    assert_eq!(seen(&["-f", "/ignored", "--config", extra]), is("/system", "home", "extra"));
    assert_eq!(seen(&["-gtyped", "-f", extra]), is("/system", "home", "typed"));
}

#[test]
fn files_that_can_not_be_read_are_told() {
    let folder = Folder::new("unreadable");
    let user = folder.host(1000);
    assert_eq!(options(&user, &[], &[]).messages, [""; 0]);
    std::fs::create_dir(&user.system_config).unwrap();
    let said = options(&user, &[], &[]).messages;
    let path = user.system_config.display().to_string();
    assert!(matches!(&said[..], [line] if line.starts_with("Warning: Can't read") && line.contains(&path)));
    let failure = invoke(&user, &["--config=gone"], &[]).unwrap_err();
    let line =
        format!("Error: Failed to open daemon configuration file at {}", folder.0.join("gone").display());
    assert_eq!(failure.lines.last(), Some(&line));
}

#[test]
fn switches_and_levels_in_files() {
    let folder = Folder::new("levels");
    let user = folder.host(1000);
    let with = |text: &str| {
        folder.write("system.conf", &format!("[sessiond]\n{text}\n"));
        options(&user, &[], &[])
    };
    for yes in ["yes", "TRUE", "On", "1", "7up"] {
        assert!(with(&format!("quiet={yes}")).quiet, "{yes}");
    }
    for no in ["no", "False", "OFF", "0"] {
        assert!(!with(&format!("quiet={no}")).quiet, "{no}");
    }
    assert!(with("quiet=yes\nquiet=no").quiet);
    assert_eq!(with("verbose=2").verbose, 2);
    assert_eq!(with("verbose=9").verbose, 3);
    assert!(with("verbose-consumer=2").verbose_consumer);
    assert!(with("daemonize=on").daemonize);
    let in_file = |lines: &[(usize, &str)]| -> Vec<String> {
        let path = folder.0.join("system.conf");
        lines.iter().map(|(line, text)| format!("{text} ({}, line {line})", path.display())).collect()
    };
    let odd = with(
        "quiet=maybe\nbackground=-1\nverbose =\nhelp=1\nversion=1\nconfig=/x\nbogus=1\nverbose=2147483648\nnothing",
    );
    assert_eq!(
        odd.messages,
        in_file(&[
            (2, "Warning: Invalid configuration value \"maybe\" for option quiet"),
            (3, "Warning: Invalid configuration value \"-1\" for option background"),
            (4, "Warning: Invalid configuration value \"\" for option verbose"),
            (8, "Warning: Unrecognized option \"bogus\" in daemon configuration file."),
            (9, "Warning: Invalid configuration value \"2147483648\" for option verbose"),
            (10, "Warning: Neither a section nor an option with a value: ignored"),
        ])
    );
    assert!(!odd.quiet && !odd.background);
    let wrong = with("agent-tcp-port=70000\nclient-sock=\ngroup=ops");
    assert_eq!(
        wrong.messages,
        in_file(&[
            (2, "Error: Port overflow in --agent-tcp-port parameter: 70000"),
            (3, "Warning: Invalid argument provided for option \"client-sock\", using default value."),
        ])
    );
    assert_eq!((wrong.agent_tcp_ports, wrong.group.as_str()), (5345..=5354, "ops"));
}

#[test]
fn command_lines_as_getopt_takes_them() {
    let folder = Folder::new("getopt");
    let user = folder.host(1000);
    let given = options(
        &user,
        &["operand", "-vSq", "--verbose", "--client=/c", "--pid", "/p", "-a/a", "--no-k", "--", "--bogus"],
        &[],
    );
    assert_eq!(given.verbose, 2);
    assert!(given.sig_parent && given.quiet && given.no_kernel);
    assert_eq!(given.client_sock, Path::new("/c"));
    assert_eq!(given.pidfile, Path::new("/p"));
    assert_eq!(given.apps_sock, Path::new("/a"));
    assert_eq!(options(&user, &["-vvvvv"], &[]).verbose, 3);
    assert_eq!(options(&user, &["--client-sock", "--quiet"], &[]).client_sock, folder.0.join("--quiet"));
    assert_eq!(options(&user, &["--agent-tcp-port=0x20z"], &[]).agent_tcp_ports, 32..=32);
    assert_eq!(options(&user, &["--agent-tcp-port", "010"], &[]).agent_tcp_ports, 8..=8);
    assert_eq!(options(&user, &["--agent-tcp-port", "65534"], &[]).agent_tcp_ports, 65534..=65534);
    let slots = options(&user, &["--event-notifier-error-buffer-size-user=12abc"], &[]);
    assert_eq!((slots.event_notifier_slots_user, slots.event_notifier_slots_kernel), (12, 4096));
}

#[test]
fn refused_command_lines() {
    for (args, line) in [
        (&["--bogus"][..], "lttng-sessiond: unrecognized option '--bogus'"),
        (&["--bogus=1"], "lttng-sessiond: unrecognized option '--bogus=1'"),
        (&["-Z"], "lttng-sessiond: invalid option -- 'Z'"),
        (&["-d=x"], "lttng-sessiond: invalid option -- '='"),
        (&["--client-sock"], "lttng-sessiond: option '--client-sock' requires an argument"),
        (&["--client"], "lttng-sessiond: option '--client-sock' requires an argument"),
        (&["-c"], "lttng-sessiond: option requires an argument -- 'c'"),
        (&["--quiet=1"], "lttng-sessiond: option '--quiet' doesn't allow an argument"),
        (
            &["--verb"],
            "lttng-sessiond: option '--verb' is ambiguous; possibilities: '--verbose' '--verbose-consumer'",
        ),
        (
            &["--client-sock="],
            "Warning: Invalid argument provided for option \"client-sock\", using default value.",
        ),
        (&["--agent-tcp-port=0"], "Error: Port overflow in --agent-tcp-port parameter: 0"),
        (&["--agent-tcp-port=65535"], "Error: Port overflow in --agent-tcp-port parameter: 65535"),
        (&["--agent-tcp-port=-1"], "Error: Wrong value in --agent-tcp-port parameter: -1"),
        (
            &["--agent-tcp-port=99999999999999999999999"],
            "Error: Wrong value in --agent-tcp-port parameter: 99999999999999999999999",
        ),
        (
            &["--event-notifier-error-buffer-size-kernel=0"],
            "Error: Value out of range for --event-notifier-error-buffer-size-kernel parameter: 0",
        ),
        (
            &["--event-notifier-error-buffer-size-kernel=x"],
            "Error: Wrong value in --event-notifier-error-buffer-size-kernel parameter: x",
        ),
        (
            &["-V", "--config=/nonexistent/file"],
            "Error: Failed to open daemon configuration file at /nonexistent/file",
        ),
        (
            &["--event-notifier-error-buffer-size-kernel="],
            "Error: Wrong value in --event-notifier-error-buffer-size-kernel parameter: ",
        ),
        // Errors of form come before anything acts.
        (&["-h", "--bogus"], "lttng-sessiond: unrecognized option '--bogus'"),
    ] {
        assert_eq!(refusal(args), line, "{args:?}");
    }
}

#[test]
fn help_acts_where_it_stands_and_version_at_the_end() {
    let folder = Folder::new("help");
    let user = folder.host(1000);
    assert_eq!(invoke(&user, &["-h", "--agent-tcp-port=0"], &[]), Ok(Invocation::Help));
    assert!(invoke(&user, &["--agent-tcp-port=0", "-h"], &[]).is_err());
    assert!(invoke(&user, &["-V", "--agent-tcp-port=0"], &[]).is_err());
    assert_eq!(invoke(&user, &["-V", "-h"], &[]), Ok(Invocation::Help));
    assert!(
        matches!(invoke(&user, &["--vers"], &[]), Ok(Invocation::Version(said, Some(_))) if said.is_empty())
    );
}

/// Version and configuration can be seen without starting anything; what is wrong is said then, too, that of the
/// environment first.
#[test]
fn the_version_comes_with_what_is_wrong() {
    let folder = Folder::new("version");
    let user = folder.host(1000);
    folder.write("system.conf", "[sessiond]\nbogus=1\ngroup=ops\n");
    let invoked = invoke(&user, &["-V", "--config="], &[("LTTNG_APP_SOCKET_TIMEOUT", "-2")]);
    let Ok(Invocation::Version(said, Some(options))) = invoked else { panic!("{invoked:?}") };
    assert_eq!((said.len(), options.group.as_str()), (2, "ops"));
    assert!(said[0].starts_with("Error: Invalid value \"-2\"") && said[1].contains("bogus"), "{said:?}");
    let dump = options.dump();
    assert!(dump.contains(&"\ttracing group name:            ops".to_owned()), "{dump:#?}");
}

#[test]
fn the_version_starts_with_three_numbers() {
    let numbers: Vec<&str> = VERSION.split('+').next().unwrap().split('.').collect();
    assert_eq!(numbers, ["2", "13", "0"]);
}

#[test]
fn every_option_is_in_the_usage_text() {
    for entry in table::OPTIONS {
        assert!(USAGE.contains(&format!("--{}", entry.long)), "{}", entry.long);
        if let Some(letter) = entry.short {
            assert!(USAGE.contains(&format!("  -{letter}, --{}", entry.long)), "{}", entry.long);
        }
    }
}

#[test]
fn every_option_is_in_the_manual_page() {
    let manual = include_str!("../../../man/lttng-sessiond.8");
    for entry in table::OPTIONS {
        let long = format!("Fl \\-{}", entry.long);
        let item = match entry.short {
            Some(letter) => format!(".It Fl {letter} , {long}"),
            None => format!(".It {long}"),
        };
        let item = match entry.takes {
            Takes::Nothing | Takes::Repeats => format!("{item}\n"),
            Takes::Trusted | Takes::Number => format!("{item} Ns = Ns Ar"),
            Takes::Optional => format!("{item} Ns Op Ns = Ns Ar"),
        };
        assert!(manual.contains(&item), "{item}");
    }
}

#[test]
fn every_path_becomes_absolute() {
    let folder = Folder::new("paths");
    std::fs::create_dir(folder.0.join("real")).unwrap();
    std::os::unix::fs::symlink("real", folder.0.join("link")).unwrap();
    let user = folder.host(1000);
    let env: Variables<'_> = &[("LTTNG_UST_CLOCK_PLUGIN", "clock.so"), ("LTTNG_CONSUMERD64_LIBDIR", "lib")];
    let args = ["-c", "link/client", "-a", "./gone/../apps", "-l", "../up", "--consumerd64-path=bin/c"];
    let given = options(&user, &args, env);
    assert_eq!(given.client_sock, folder.0.join("real/client"));
    assert_eq!(given.apps_sock, folder.0.join("apps"));
    assert_eq!(given.load, folder.0.parent().map(|parent| parent.join("up")));
    assert_eq!(given.clock_plugin, Some(folder.0.join("clock.so")));
    assert_eq!(given.ustconsumerd64.path, Some(folder.0.join("bin/c")));
    assert_eq!(given.ustconsumerd64.libdir, Some(folder.0.join("lib")));
    // An absolute one is left alone.
    assert_eq!(options(&user, &["-c", "/a/../b"], &[]).client_sock, Path::new("/a/../b"));
    let nowhere = Host { current_directory: None, ..user };
    assert!(invoke(&nowhere, &["-c", "/c"], &[]).is_ok());
    assert_eq!(invoke(&nowhere, &["-c", "c"], &[]).unwrap_err().status, 1);
}

#[test]
fn timeouts() {
    let folder = Folder::new("timeouts");
    let user = folder.host(1000);
    let app = |value| options(&user, &[], &[("LTTNG_APP_SOCKET_TIMEOUT", value)]);
    assert_eq!(app("12").app_socket_timeout, Some(Duration::from_secs(12)));
    assert_eq!(app(" 7s").app_socket_timeout, Some(Duration::from_secs(7)));
    for none in ["0", "-1", "x", ""] {
        assert_eq!(app(none).app_socket_timeout, None, "{none}");
    }
    for wrong in ["-2", "2147483648", "99999999999999999999"] {
        let options = app(wrong);
        assert_eq!(options.app_socket_timeout, Some(Duration::from_secs(5)));
        let line = format!(
            "Error: Invalid value \"{wrong}\" used for \"LTTNG_APP_SOCKET_TIMEOUT\" environment variable"
        );
        assert_eq!(options.messages, [line]);
    }
    let network = |value| options(&user, &[], &[("LTTNG_NETWORK_SOCKET_TIMEOUT", value)]).network_timeout;
    assert_eq!(network("1500"), Some(Duration::from_millis(1500)));
    assert_eq!(network("0x10"), Some(Duration::from_millis(16)));
    assert_eq!(network("+7ms"), Some(Duration::from_millis(7)));
    for none in ["0", "-1", "soon", "", "-2", "99999999999999999999"] {
        assert_eq!(network(none), None, "{none}");
    }
    let said = |value| options(&user, &[], &[("LTTNG_NETWORK_SOCKET_TIMEOUT", value)]).messages.len();
    assert_eq!(["-1", "soon", "-2", "99999999999999999999"].map(said), [0, 0, 1, 1]);
}

#[test]
fn a_set_user_id_program_does_not_take_paths() {
    let folder = Folder::new("setid");
    let set_id = Host { set_id: true, ..folder.host(1000) };
    let env: Variables<'_> = &[
        ("LTTNG_CONSUMERD32_BIN", "/evil"),
        ("LTTNG_UST_CLOCK_PLUGIN", "/evil"),
        ("LTTNG_KMOD_PROBES", "evil"),
        ("LTTNG_EXTRA_KMOD_PROBES", "evil"),
    ];
    folder.write("system.conf", "[sessiond]\npidfile=/evil\nno-kernel=1\n");
    let args = ["-c", "/evil", "--load=/evil", "--agent-tcp-port=77", "-f", "/evil", "-v"];
    let given = options(&set_id, &args, env);
    assert_eq!(given.client_sock, folder.0.join("home/.lttng/client-lttng-sessiond"));
    assert_eq!((given.load, given.clock_plugin), (None, None));
    assert_ne!(given.ustconsumerd32.path, Some("/evil".into()));
    assert_eq!((given.kmod_probes, given.extra_kmod_probes), (None, None));
    assert_eq!((given.agent_tcp_ports, given.verbose), (77..=77, 1));
    let line = |name: &str| {
        format!("Warning: Getting '{name}' argument from setuid/setgid binary refused for security reasons.")
    };
    assert_eq!((given.pidfile, given.no_kernel), (folder.0.join("home/.lttng/lttng-sessiond.pid"), true));
    let mut lines = ["-p, --pidfile", "-c, --client-sock", "-l, --load", "-f, --config"].map(line);
    lines[0] += &format!(" ({}, line 2)", folder.0.join("system.conf").display());
    assert_eq!(given.messages, lines);
}

#[test]
fn what_is_accepted_without_effect_is_said() {
    let folder = Folder::new("effect");
    let user = folder.host(1000);
    assert_eq!(options(&user, &["-v", "-d", "-c", "/c"], &[]).without_effect, [""; 0]);
    // With a value of its kind each; all others do what they say.
    for option in [["--load", "/sessions"], ["--agent-tcp-port", "5345"]] {
        assert_eq!(options(&user, &option, &[]).without_effect, [""; 0]);
    }
    let variables = [("LTTNG_SESSION_CONFIG_XSD_PATH", "/xsd"), ("LTTNG_DEBUG_NOCLONE", "1")];
    for variable in variables {
        assert_eq!(options(&user, &[], &[variable]).without_effect.len(), 1, "{}", variable.0);
    }
    for without in [("LTTNG_DEBUG_NOCLONE", ""), ("LTTNG_MAN_BIN_PATH", "/man")] {
        assert_eq!(options(&user, &[], &[without]).without_effect, [""; 0], "{}", without.0);
    }
}

#[test]
fn memory_is_given_in_mebibytes() {
    let folder = Folder::new("memory");
    let user = folder.host(1000);
    let with = |value| options(&user, &[], &[("LTTNG_SESSIOND_USER_MEMORY", value)]);
    let default = options(&user, &[], &[]);
    assert_eq!((default.user_memory, default.all_memory), (64 << 20, 256 << 20));
    assert_eq!(with("3").user_memory, 3 << 20);
    for wrong in ["0", "-1", "much"] {
        let options = with(wrong);
        assert_eq!(options.user_memory, 64 << 20);
        assert_eq!(options.messages.len(), 1, "{wrong}");
    }
}

#[test]
fn an_explanation_can_be_asked_for() {
    let folder = Folder::new("explain");
    let asked = |args: &[&str]| {
        let args = std::iter::once("lttng-sessiond").chain(args.iter().copied()).map(OsString::from);
        parse_on(&folder.host(0), args, &|_| None)
    };
    for (args, want) in [
        (&["--explain"][..], None),
        (&["--explain", "77"], Some("77")),
        (&["--explain=server"], Some("server")),
        (&["-v", "--explain", "kernel", "more"], Some("kernel")),
        (&["operand", "--explain", "-v"], None),
    ] {
        let Ok(Invocation::Explain(explain)) = asked(args) else { panic!("{args:?}") };
        assert_eq!(explain.asked.as_deref().map(|text| text.to_string_lossy().into_owned()).as_deref(), want);
        assert_eq!((explain.group.as_str(), explain.rundir), ("tracing", Some(folder.0.join("run"))));
    }
    let Ok(Invocation::Explain(explain)) = asked(&["--group=g", "--explain"]) else { panic!() };
    assert_eq!(explain.group, "g");
    // The original's options can be cut short as before, and this one can't; nor is it one for configuration files.
    assert!(matches!(asked(&["--ex=x"]), Ok(Invocation::Run(_))));
    assert!(asked(&["--expl"]).unwrap_err().lines[0].ends_with("unrecognized option '--expl'"));
    folder.write("system.conf", "[sessiond]\nexplain=x\n");
    assert!(matches!(asked(&[]), Ok(Invocation::Run(_))));
}

#[test]
fn a_running_daemon_can_be_asked_and_nothing_else_changes() {
    let folder = Folder::new("status");
    let asked = |args: &[&str]| {
        let args = std::iter::once("lttng-sessiond").chain(args.iter().copied()).map(OsString::from);
        parse_on(&folder.host(0), args, &|_| None)
    };
    let query = |args: &[&str]| match asked(args) {
        Ok(Invocation::Status(options, query)) => {
            assert_eq!(options.status_sock, folder.0.join("run/sessiond-status"));
            query
        }
        other => panic!("{args:?}: {other:?}"),
    };
    assert_eq!(query(&["--status"]), StatusQuery { format: Format::Text, watch: None });
    assert_eq!(query(&["--status=json"]).format, Format::Json);
    assert_eq!(query(&["--status=prometheus", "-v"]).format, Format::Prometheus);
    let watch = |args: &[&str]| query(args).watch.map(|period| period.as_secs());
    assert_eq!(watch(&["--status", "--watch"]), Some(2));
    assert_eq!(watch(&["--watch=7", "--status=text"]), Some(7));
    for (args, text) in [
        (&["--status=xml"][..], "--status is text, json or prometheus, not xml"),
        (&["--status", "--watch=0"], "--watch is 1 to 86400 seconds, not 0"),
        (&["--watch"], "--watch is for --status"),
    ] {
        let failure = asked(args).unwrap_err();
        assert_eq!((failure.status, failure.lines), (1, vec![format!("Error: {text}")]));
    }
    // Options of the original can be cut short as before.
    assert!(matches!(asked(&["--s"]), Ok(Invocation::Run(options)) if options.sig_parent));
    assert!(asked(&["--stat"]).unwrap_err().lines[0].ends_with("unrecognized option '--stat'"));
    // Nor does a configuration file ask.
    folder.write("system.conf", "[sessiond]\nstatus=json\nwatch=3\n");
    assert!(matches!(asked(&[]), Ok(Invocation::Run(_))));
}
