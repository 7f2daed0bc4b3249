// SPDX-License-Identifier: GPL-2.0-only
//! `lttng add-trigger`, `list-triggers` and `remove-trigger`: every condition and action that the command can name, in
//! text and as documents, and whose triggers they are.

use crate::identity::{FIRST, members};
use crate::support::daemon::Daemon;
use crate::support::normalise::Order;
use crate::support::sandbox::User;
use crate::support::{Sandbox, is_root, side_by_side, skip};

/// What each line of a table begins with.
const MATCHES: &str = "--condition=event-rule-matches";

/// The words of a command line, of which single quotes keep some together.
fn words(line: &str) -> Vec<String> {
    let (mut all, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    for c in line.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => all.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    all.extend(word);
    all
}

/// `lttng COMMAND LINE`, in text or as a document.
fn run(s: &Sandbox, xml: bool, command: &str, line: &str) {
    let words = words(line);
    let args: Vec<&str> = std::iter::once(command).chain(words.iter().map(String::as_str)).collect();
    if xml {
        s.lttng_xml(&args)
    } else {
        s.lttng(&args)
    };
}

fn list(s: &Sandbox) {
    // Those of one name and several owners come in any order.
    s.lttng_unordered(&["list-triggers"]);
    s.lttng_xml(&["list-triggers"]);
}

/// Adds the triggers of a table, each twice: the second one is the same with another name, or refused.
fn add_all(lines: &[String]) {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        list(s);
        for line in lines {
            run(s, false, "add-trigger", line);
            run(s, true, "add-trigger", line);
        }
        list(s);
        daemon.stop();
    });
}

/// Triggers with these conditions, which tell those who have subscribed.
fn conditions(rules: &[&str]) {
    let lines: Vec<String> = rules.iter().map(|rule| format!("{MATCHES} {rule} --action=notify")).collect();
    add_all(&lines);
}

/// Triggers with these actions.
fn actions(actions: &[&str]) {
    let lines: Vec<String> =
        actions.iter().map(|action| format!("{MATCHES} --type=user --name=a:b {action}")).collect();
    add_all(&lines);
}

#[test]
fn rules_of_user_space() {
    conditions(&[
        "",
        "--type=user",
        "--type=user:tracepoint",
        "--type=user:",
        "--type=user:syscall",
        "--type=u",
        "--type=",
        "--type",
        "--type=user --name=a:b",
        "--type=user --name a:b",
        "--type=user --name=",
        "--type=user --name=*",
        "--type=user --name=**",
        "--type=user --name=a*b*",
        "--type=user --name=a\\*",
        "--type=user --name=a\\",
        "--type=user --name='a b'",
        "--type=user --name=a:b --name=a:c",
        "--name=a:b",
        "--type=user a:b",
        "--type=user --name=a --filter=n==1",
        "--type=user --name=a --filter='n == 1 && m > 2.5 || s == \"x*\"'",
        "--type=user --filter='$ctx.vpid == 1'",
        "--type=user --filter='$app.p:t == 1'",
        "--type=user --filter=",
        "--type=user --filter='n[0] == 1'",
        "--type=user --filter='n & 1'",
        "--type=user --filter='1 == 1'",
        "--type=user --filter='n < 1' --filter='n < 2'",
        "--type=user --name=a:* --exclude-name=a:b",
        "--type=user --name=a:* --exclude-name=a:b --exclude-name=a:c*",
        "--type=user --name=a:* -x a:b",
        "--type=user --name=a:* --exclude-name=a:b,a:c",
        "--type=user --name=a:b --exclude-name=a:b",
        "--type=user --name=a:b --exclude-name=a:c",
        "--type=user --name=a:* --exclude-name=b:c",
        "--type=user --name=a:* --exclude-name=",
        "--type=user --exclude-name=a:b",
        "--type=user --name=a:* --exclude-name=a:b --exclude-name=a:b",
        "--type=user --name=a:* --exclude-name=a:b --filter='n < 3' --log-level=INFO",
        "--type=user --event-name=a",
        "--type=user --location=a",
        "--type=user --filter='a' --filter='b'",
        "--type=user --nonsense",
    ]);
}

#[test]
fn filters_that_mean_nothing() {
    let mut lines = Vec::new();
    for filter in
        ["n ==", "(n", "n == \"x", "n = 1", "$ctx", "a.b == 1", "n == 1 &&", "\"x\"", "n + 1", "f(n)"]
    {
        // (The stock daemon does not look at the filter of a rule for all that all loggers say.)
        for rule in
            ["user", "user --name=a", "jul --name=b", "log4j --name=a", "python --log-level=INFO", "kernel"]
        {
            lines.push(format!("{MATCHES} --type={rule} --filter='{filter}' --action=notify"));
        }
    }
    // The name is looked at later.
    for filter in ["", "--filter='n =='"] {
        lines.push(format!("--name=same {MATCHES} --type=user {filter} --action=notify"));
        lines.push(format!("--name=same {MATCHES} --type=kernel {filter} --action=notify"));
    }
    add_all(&lines);
}

#[test]
fn log_levels() {
    conditions(&[
        "--type=user --log-level=EMERG",
        "--type=user --log-level=TRACE_EMERG",
        "--type=user --log-level=INFO",
        "--type=user --log-level=info",
        "--type=user --log-level=DEBUG",
        "--type=user --log-level=DEBUG_LINE",
        "--type=user --log-level=INFO..",
        "--type=user --log-level=DEBUG..",
        "--type=user --log-level=EMERG..",
        "--type=user --log-level=DEBUG..EMERG",
        "--type=user --log-level=EMERG..DEBUG",
        "--type=user --log-level=INFO..INFO",
        "--type=user --log-level=..INFO",
        "--type=user --log-level=..",
        "--type=user --log-level=",
        "--type=user --log-level=6",
        "--type=user --log-level=NONE",
        "--type=user --log-level=FINE",
        "--type=user --log-level=INFO --log-level=ERR",
        "--type=user -l WARNING",
        "--type=user --log-level=*",
        "--type=jul --log-level=INFO",
        "--type=jul --log-level=JUL_FINEST",
        "--type=jul --log-level=SEVERE..",
        "--type=jul --log-level=ALL",
        "--type=jul --log-level=OFF",
        "--type=jul --log-level=DEBUG",
        "--type=jul --log-level=17",
        "--type=jul --log-level=800..",
        "--type=log4j --log-level=WARN..",
        "--type=log4j --log-level=LOG4J_TRACE",
        "--type=log4j --log-level=FATAL",
        "--type=log4j --log-level=NOTICE",
        "--type=python --log-level=CRITICAL",
        "--type=python --log-level=DEBUG..",
        "--type=python --log-level=NOTSET",
        "--type=python --log-level=PYTHON_ERROR",
        "--type=python --log-level=TRACE",
        "--type=kernel --log-level=INFO",
    ]);
}

#[test]
fn rules_of_loggers() {
    conditions(&[
        "--type=jul",
        "--type=jul:logging",
        "--type=jul:tracepoint",
        "--type=log4j",
        "--type=log4j:logging",
        "--type=python",
        "--type=python:logging",
        "--type=logging",
        "--type=jul --name=org.a",
        "--type=log4j --name=org.*",
        "--type=python --name=a*b",
        "--type=python --name='a b'",
        "--type=jul --name=",
        "--type=log4j --name=a --name=b",
        "--type=jul --filter='msg == \"x\"'",
        "--type=log4j --filter='int_loglevel > 3'",
        "--type=python --name=a --filter='lineno < 3' --log-level=INFO..",
        "--type=log4j --filter=",
        "--type=jul --exclude-name=a",
        "--type=python --name=a* --exclude-name=ab",
        "--type=jul --event-name=a",
        "--type=jul --name=a --capture=msg",
    ]);
}

#[test]
fn captures() {
    conditions(&[
        "--capture=n --type=user --name=a",
        "--type=user --name=a --capture=n",
        "--type=user --name=a --capture=n --capture=m",
        "--type=user --name=a --capture=n --capture=n",
        "--type=user --name=a --capture='$ctx.vpid'",
        "--type=user --name=a --capture='$ctx.perf:cpu:cycles'",
        "--type=user --name=a --capture='$ctx.none'",
        "--type=user --name=a --capture='$app.p:t'",
        "--type=user --name=a --capture='$app.p'",
        "--type=user --name=a --capture='n[2]'",
        "--type=user --name=a --capture='n[0x10]'",
        "--type=user --name=a --capture='n[-1]'",
        "--type=user --name=a --capture='n[a]'",
        "--type=user --name=a --capture='n[1][2]'",
        "--type=user --name=a --capture='$ctx.procname[1]'",
        "--type=user --name=a --capture='$app.p:t[1]'",
        "--type=user --name=a --capture='a.b'",
        "--type=user --name=a --capture='n == 1'",
        "--type=user --name=a --capture='n + 1'",
        "--type=user --name=a --capture='1'",
        "--type=user --name=a --capture='\"x\"'",
        "--type=user --name=a --capture=",
        "--type=user --name=a --capture='$'",
        "--type=user --name=a --capture='n['",
        "--type=user --name=a --filter='n < 3' --log-level=INFO.. --capture=n --capture='$ctx.vtid'",
        "--type=kernel --capture=n",
    ]);
}

#[test]
fn rules_of_the_kernel_without_a_kernel_tracer() {
    conditions(&[
        "--type=kernel",
        "--type=kernel:tracepoint",
        "--type=kernel --name=sched_switch",
        "--type=kernel --name=sched_*",
        "--type=kernel --name=a --filter='n == 1'",
        "--type=kernel --exclude-name=a",
        "--type=syscall",
        "--type=syscall:entry",
        "--type=syscall:exit",
        "--type=syscall:entry+exit",
        "--type=syscall:both",
        "--type=kernel:syscall",
        "--type=kernel:syscall:entry --name=open*",
        "--type=kernel:syscall:exit --name=open --filter='fd < 3'",
        "--type=kernel:kprobe",
        "--type=kernel:kprobe --location=do_sys_open",
        "--type=kernel:kprobe --location=do_sys_open --event-name=a",
        "--type=kernel:kprobe --location=do_sys_open+0x10 --event-name=a",
        "--type=kernel:kprobe --location=0xffffffff81000000 --event-name=a",
        "--type=kernel:kprobe --location=3x --event-name=a",
        "--type=kernel:kprobe --location= --event-name=a",
        "--type=kernel:kprobe --event-name=a",
        "--type=kernel:uprobe",
        "--type=kernel:uprobe --location=/usr/bin/lttng-sessiond:main --event-name=a",
        "--type=kernel:uprobe --location=elf:/usr/bin/lttng-sessiond:main --event-name=a",
        "--type=kernel:uprobe --location=sdt:/usr/bin/lttng-sessiond:p:n --event-name=a",
        "--type=kernel:uprobe --location=/nonexistent:main --event-name=a",
        "--type=kernel:function",
    ]);
}

#[test]
fn every_action() {
    actions(&[
        "",
        "--action",
        "--action=",
        "--action=nonsense",
        "--action=notify",
        "--action notify",
        "--action=notify x",
        "--action=notify --action=notify",
        "--action=start-session",
        "--action=start-session s",
        "--action=start-session ''",
        "--action=start-session s t",
        "--action=start-session 'a b'",
        "--action=start-session a/b",
        "--action=stop-session s",
        "--action=stop-session",
        "--action=rotate-session s",
        "--action=rotate-session",
        "--action=snapshot-session s",
        "--action=snapshot-session",
        "--action=list",
        "--action=notify --action=start-session s --action=stop-session s --action=rotate-session s \
         --action=snapshot-session s --action=notify",
        "--action=start-session s --action=nonsense",
        "--condition=event-rule-matches --type=user --action=notify",
        "--action=notify --condition=event-rule-matches --type=user",
        "--action=notify --name=late",
    ]);
}

#[test]
fn rate_policies() {
    actions(&[
        "--action=notify --rate-policy=every:1",
        "--action=notify --rate-policy=every:5",
        "--action=notify --rate-policy=once-after:1",
        "--action=notify --rate-policy=once-after:7",
        "--action=notify --rate-policy=every:0",
        "--action=notify --rate-policy=once-after:0",
        "--action=notify --rate-policy=every:-1",
        "--action=notify --rate-policy=every:x",
        "--action=notify --rate-policy=every:",
        "--action=notify --rate-policy=every",
        "--action=notify --rate-policy=",
        "--action=notify --rate-policy=always:1",
        "--action=notify --rate-policy=every:18446744073709551615",
        "--action=notify --rate-policy=every:18446744073709551616",
        "--action=notify --rate-policy=every:2 --rate-policy=every:3",
        "--action=start-session s --rate-policy=every:2",
        "--action=stop-session s --rate-policy=once-after:2",
        "--action=rotate-session s --rate-policy=every:2",
        "--action=snapshot-session s --rate-policy=once-after:20",
        "--action=start-session --rate-policy=every:2 s",
        "--rate-policy=every:2 --action=notify",
        "--action=notify --rate-policy=every:2 --action=notify --action=notify --rate-policy=once-after:3",
    ]);
}

#[test]
fn outputs_of_snapshots() {
    actions(&[
        "--action=snapshot-session s --name=n",
        "--action=snapshot-session s --name=",
        "--action=snapshot-session s --path=/tmp/x",
        "--action=snapshot-session s --path=tmp/x",
        "--action=snapshot-session s --path=",
        "--action=snapshot-session s --path=file:///tmp/x",
        "--action=snapshot-session s --path=net://localhost",
        "--action=snapshot-session s --path=/tmp/x --name=n --max-size=1M",
        "--action=snapshot-session s --path=/tmp/x --max-size=4096",
        "--action=snapshot-session s --max-size=1G",
        "--action=snapshot-session s --max-size=0",
        "--action=snapshot-session s --max-size=-1",
        "--action=snapshot-session s --max-size=x",
        "--action=snapshot-session s --url=net://localhost",
        "--action=snapshot-session s --url=net://localhost:1:2/p --name=n",
        "--action=snapshot-session s --url=net6://[::1]:1:2/p",
        "--action=snapshot-session s --url=tcp://localhost",
        "--action=snapshot-session s --url=file:///tmp/x",
        "--action=snapshot-session s --url=/tmp/x",
        "--action=snapshot-session s --url=",
        "--action=snapshot-session s --url=http://localhost",
        "--action=snapshot-session s --ctrl-url=tcp://localhost:1 --data-url=tcp://localhost:2",
        "--action=snapshot-session s --ctrl-url=tcp6://[::1]:1 --data-url=tcp6://[::1]:2 --name=n --max-size=8k",
        "--action=snapshot-session s --ctrl-url=tcp://localhost",
        "--action=snapshot-session s --data-url=tcp://localhost",
        "--action=snapshot-session s --ctrl-url=net://localhost --data-url=net://localhost",
        "--action=snapshot-session s --ctrl-url=file:///a --data-url=file:///b",
        "--action=snapshot-session s --path=/tmp/x --url=net://localhost",
        "--action=snapshot-session s --path=/tmp/x --rate-policy=every:2 --action=notify",
        "--action=snapshot-session s -m 1M -n n",
        "--action=start-session s --path=/tmp/x",
    ]);
}

#[test]
fn names_and_owners() {
    let lines = [
        "--name=a",
        "--name=",
        "--name='a b'",
        "--name=trigger1",
        "--name=trigger0",
        "--id=x",
        "--name=b --owner-uid=0",
        "--name=b --owner-uid=54321",
        "--name=a --owner-uid=root",
        "--name=c --owner-uid=daemon",
        "--name=c --owner-uid=1",
        "--name=d --owner-uid=nobody-at-all",
        "--name=d --owner-uid=-1",
        "--name=d --owner-uid=4294967295",
        "--name=d --owner-uid=4294967296",
        "--name=d --owner-uid=",
        "--owner-uid=54321",
        "--name=<&\"",
        "--name=e --name=f",
    ]
    .map(|line| format!("{line} {MATCHES} --type=user --name=a:b --action=notify"));
    add_all(&lines);
    let long = [1, 254, 255, 256, 300, 1000].map(|length| {
        let name = "x".repeat(length);
        format!("--name={name} {MATCHES} --type=user --name={name} --action=start-session {name}")
    });
    add_all(&long);
}

#[test]
fn what_is_not_a_condition() {
    add_all(
        &[
            "",
            "--condition=event-rule-matches",
            "--condition=nonsense --action=notify",
            "--condition= --action=notify",
            "--condition --action=notify",
            "--action=notify",
            "--condition=buffer-usage-high --action=notify",
            "--condition=session-rotation-completed --action=notify",
            "x --condition=event-rule-matches --type=user --action=notify",
            "--list-options",
        ]
        .map(str::to_owned),
    );
}

#[test]
fn removing() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let add = |line: &str| {
            run(s, false, "add-trigger", &format!("{line} {MATCHES} --type=user --name=a:b --action=notify"));
        };
        for line in
            ["", "--name=a", "", "--name=b", "--name=c --owner-uid=54321", "--name=a --owner-uid=54321"]
        {
            add(line);
        }
        list(s);
        for (xml, line) in [
            (false, ""),
            (true, ""),
            (false, "none"),
            (true, "none"),
            (false, "''"),
            (false, "c"),
            (false, "a b"),
            (false, "a"),
            (false, "a"),
            (true, "b"),
            (true, "b"),
            (false, "--owner-uid=54322 c"),
            (false, "--owner-uid=54321 c"),
            (true, "--owner-uid=54321 a"),
            (true, "--owner-uid=54321 a"),
            (false, "--owner-uid=nobody-at-all a"),
            (false, "--owner-uid= a"),
            (false, "--owner-uid=0 trigger0"),
            (false, "--nonsense trigger1"),
            (false, "--list-options"),
        ] {
            run(s, xml, "remove-trigger", line);
            list(s);
        }
        // What is gone may be added again; names are not made up twice.
        add("--name=a");
        add("");
        list(s);
        s.lttng(&["list-triggers", "x"]);
        s.lttng(&["list-triggers", "--nonsense"]);
        daemon.stop();
    });
}

/// What users may do to triggers: each adds some, and tries to remove all.
fn shared(s: &Sandbox, daemon: Daemon, users: &[Option<User>]) {
    let lttng = |user: Option<User>, line: &str| {
        let words = words(line);
        let args: Vec<&str> = words.iter().map(String::as_str).collect();
        match user {
            Some(user) => s.lttng_as(user, &args),
            None => s.lttng(&args),
        };
    };
    let list_all = || {
        for user in users {
            let listed = match user {
                Some(user) => s.run_as(*user, "lttng", &["--mi", "xml", "list-triggers"]),
                None => s.run("lttng", &["--mi", "xml", "list-triggers"]),
            };
            s.note(&listed.what, &listed.stdout, Order::AnyXml);
        }
    };
    let rest = format!("{MATCHES} --type=user --name=a:b --action=notify");
    let owners: Vec<u32> = users.iter().map(|user| user.map_or(0, |user| user.uid)).collect();
    for user in users {
        lttng(*user, &format!("add-trigger --name=same {rest}"));
        lttng(*user, &format!("add-trigger {rest}"));
        for owner in &owners {
            lttng(*user, &format!("add-trigger --name=for-{owner} --owner-uid={owner} {rest}"));
        }
        list_all();
    }
    for user in users {
        for owner in &owners {
            lttng(*user, &format!("remove-trigger --owner-uid={owner} same"));
        }
        lttng(*user, "remove-trigger for-1");
        lttng(*user, "remove-trigger for-0");
        list_all();
    }
    daemon.stop();
}

#[test]
fn root_and_members_of_the_tracing_group() {
    side_by_side(|s| {
        let Some([first, second]) = members() else { return skip("needs root and a group `tracing`") };
        let daemon = Daemon::start(s);
        shared(s, daemon, &[Some(first), Some(second), None]);
    });
}

#[test]
fn a_daemon_of_a_user() {
    side_by_side(|s| {
        if !is_root() {
            return skip("only root can act as another user");
        }
        let daemon = Daemon::start_as(s, FIRST, &[]);
        shared(s, daemon, &[Some(FIRST)]);
    });
}
