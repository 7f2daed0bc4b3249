// SPDX-License-Identifier: GPL-2.0-only
//! Peers at the agents' port that say too little, too much or nonsense, stand still, or come in crowds. Each costs only
//! itself: commands, other agents and recording go on.

use std::time::{Duration, Instant};

use crate::agents_rules::create;
use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::emulator::not_emulated;
use crate::support::loggers::{
    DOMAINS, Domain, JAVA, Level, Logging, fake_agent, fake_agent_as, no_python, records, settle,
};
use crate::support::normalise::Order;
use crate::support::sandbox::OTHER;
use crate::support::trace::events;
use crate::support::{Sandbox, is_root, ours_only, side_by_side, skip};

/// Longer than the daemon waits for an agent, and less than for two, one after the other.
const ONE_TIMEOUT: Duration = Duration::from_secs(8);

/// Nobody was waited for.
const AT_ONCE: Duration = Duration::from_secs(3);

/// How much more memory the daemon may have than before, in KiB.
const MOST_MEMORY: u64 = 8 * 1024;

/// A registration of an agent of this domain, of this process.
fn registration(domain: u32, pid: i32) -> String {
    with_version(domain, pid, 2, 0)
}

fn with_version(domain: u32, pid: i32, major: u32, minor: u32) -> String {
    format!("{domain:08x}{pid:08x}{major:08x}{minor:08x}")
}

/// The command that ends a registration.
const DONE: &str = "00000000000000000000000400000000";

/// Has the peer open connection `number` and register on it.
fn register(peer: &mut App, number: u32, domain: Domain) {
    let pid = peer.pid();
    peer.tell("open 5345");
    peer.tell(&format!("send {number} {}", registration(domain.number(), pid)));
}

/// The same, and answers all that it is told until the registration is over.
fn registered(peer: &mut App, number: u32, domain: Domain) {
    register(peer, number, domain);
    loop {
        let header = peer.ask(&format!("receive {number} 16"));
        if header == DONE {
            return;
        }
        let size = usize::from_str_radix(&header[..16], 16).unwrap();
        peer.ask(&format!("receive {number} {size}"));
        peer.tell(&format!("send {number} 00000001"));
    }
}

/// A whole cycle with a program that comes now, to show that all is well.
fn record_once(s: &Sandbox, session: &str) {
    let trace = create(s, session);
    s.lttng(&["enable-event", "--python", "a"]).ok().within(AT_ONCE);
    s.lttng(&["start"]).ok().within(AT_ONCE);
    let mut python = Logging::python(s);
    python.log(Domain::Python, "a", Level::Info, "x");
    python.exit();
    s.lttng(&["destroy"]).ok();
    assert_eq!(records(&events(s, &trace)), ["a: x"]);
}

/// A daemon and a peer that need not behave.
fn setting(s: &Sandbox) -> (Daemon, App) {
    (Daemon::start(s), fake_agent(s))
}

/// The same with a peer of another user, who can take only his own share of what there is. None if that can't be.
fn setting_with_other(s: &Sandbox) -> Option<(Daemon, App)> {
    if !is_root() {
        skip("only root can act as another user");
        return None;
    }
    Some((Daemon::start(s), fake_agent_as(s, OTHER)))
}

/// Notes what these connections were told.
fn look(s: &Sandbox, peer: &mut App, numbers: std::ops::Range<u32>, when: &str) {
    settle(s);
    for number in numbers {
        let served = peer.ask(&format!("served {number}"));
        let mut commands: Vec<&str> = served.split(' ').collect();
        commands.sort_unstable();
        commands.dedup();
        s.note(&format!("{when}: told to {number}"), &commands.join("\n"), Order::Fixed);
    }
}

/// All that the daemon sends, byte by byte, whatever the order.
#[test]
fn what_an_agent_is_told() {
    if no_python() {
        return;
    }
    side_by_side(|s| {
        let (daemon, mut peer) = setting(s);
        // One of each domain that is there before, and later one that is not.
        for (number, domain) in (0..).zip(DOMAINS) {
            registered(&mut peer, number, domain);
            peer.tell(&format!("serve {number} 0 one two"));
        }
        create(s, "s");
        for domain in DOMAINS {
            let option = domain.option();
            eventually("it is listed", || s.run("lttng", &["list", option]).stdout.contains("two"));
            s.lttng(&["enable-event", option, "a.b"]).ok();
            s.lttng(&["enable-event", option, "a.b", "--loglevel=INFO"]).ok();
            s.lttng(&["enable-event", option, "c*", "--loglevel-only=DEBUG", "--filter=msg == \"x\""]);
            s.lttng(&["enable-event", option, "x*", "--filter=msg == \"y\""]).ok();
            s.lttng(&["enable-event", option, "d"]).ok();
        }
        for domain in JAVA {
            let channel = format!("--channel={}", domain.channel());
            s.lttng(&["add-context", domain.option(), &channel, "--type=$app.prov:name"]).ok();
            let filter = "--filter=$app.mine:x == 1 || $app.yours:y == 2";
            s.lttng(&["enable-event", domain.option(), "e", filter]).ok();
        }
        look(s, &mut peer, 0..3, "with the rules");
        for (number, domain) in (3..).zip(DOMAINS) {
            let pid = peer.pid();
            peer.tell("open 5345");
            peer.tell(&format!("serve {number} 0 three"));
            peer.tell(&format!("send {number} {}", registration(domain.number(), pid)));
            eventually("it is registered", || peer.ask(&format!("served {number}")).ends_with(DONE));
        }
        look(s, &mut peer, 3..6, "one that came later");
        for domain in DOMAINS {
            s.lttng(&["disable-event", domain.option(), "d"]).ok();
        }
        look(s, &mut peer, 0..6, "with one rule disabled");
        s.lttng(&["destroy"]).ok();
        look(s, &mut peer, 0..6, "at the session's end");
        for domain in DOMAINS {
            let (name, kind) = (format!("--name={}", domain.name()), format!("--type={}", domain.name()));
            let condition = ["--condition=event-rule-matches", &kind, "--name=a.b", "--log-level=INFO"];
            s.lttng(&[&["add-trigger", &name], &condition[..], &["--action=notify"]].concat()).ok();
        }
        look(s, &mut peer, 0..6, "with triggers");
        daemon.stop();
        assert_eq!(peer.ask("left"), "0");
    });
}

#[test]
fn other_versions_are_refused() {
    if no_python() {
        return;
    }
    side_by_side(|s| {
        let (daemon, mut peer) = setting(s);
        let versions = [(1, 0), (2, 1), (3, 0), (0, 0), (2, u32::MAX), (0x0200_0000, 0)];
        for (number, (major, minor)) in (0..).zip(versions) {
            let pid = peer.pid();
            peer.tell("open 5345");
            peer.tell(&format!("send {number} {}", with_version(3, pid, major, minor)));
            assert_eq!(peer.ask(&format!("receive {number} 1")), "closed", "{major}.{minor}");
        }
        record_once(s, "after");
        daemon.stop();
    });
}

/// There is no such agent, which is no reason not to answer.
#[test]
fn unknown_domains_are_nobodys() {
    if no_python() {
        return;
    }
    side_by_side(|s| {
        let (daemon, mut peer) = setting(s);
        for (number, domain) in (0..).zip([0_u32, 1, 2, 6, 99, u32::MAX]) {
            let pid = peer.pid();
            peer.tell("open 5345");
            peer.tell(&format!("send {number} {}", registration(domain, pid)));
        }
        for domain in DOMAINS {
            s.lttng(&["list", domain.option()]).ok();
        }
        record_once(s, "meanwhile");
        daemon.stop();
    });
}

#[test]
fn half_a_registration_delays_nobody() {
    if no_python() {
        return;
    }
    ours_only("it reads one registration at a time", |s| {
        let (daemon, mut peer) = setting(s);
        for (number, bytes) in (0..).zip(["", "00", "00000003", "00000003000000010000000200000"].iter()) {
            peer.tell("open 5345");
            if !bytes.is_empty() {
                let whole = &bytes[..bytes.len() / 2 * 2];
                peer.tell(&format!("send {number} {whole}"));
            }
        }
        record_once(s, "meanwhile");
        s.lttng(&["list", "--jul"]).ok().within(AT_ONCE);
        // The rest of a registration may still come.
        let pid = peer.pid();
        peer.tell("open 5345");
        let whole = registration(3, pid);
        peer.tell(&format!("send 4 {}", &whole[..10]));
        s.lttng(&["list"]).ok();
        peer.tell(&format!("send 4 {}", &whole[10..]));
        assert_eq!(peer.ask("receive 4 16"), DONE);
        // Those that say no more do not stay.
        for number in 0..4 {
            assert_eq!(peer.ask(&format!("receive {number} 1")), "closed");
        }
        daemon.stop();
    });
}

#[test]
fn nonsense_costs_only_who_talks_it() {
    if no_python() {
        return;
    }
    ours_only("it reads one registration at a time", |s| {
        let (daemon, mut peer) = setting(s);
        let before = daemon.process().resident_kib();
        let pid = peer.pid();
        let long = format!("{}{}", registration(3, pid), "aa".repeat(100));
        let huge = "47455420".repeat(50_000);
        for bytes in ["ff".repeat(16), "00".repeat(16), "47".repeat(15), long, huge] {
            peer.tell("open 5345");
            let number = peer.ask("count").parse::<u32>().unwrap() - 1;
            peer.ask(&format!("send {number} {bytes}"));
        }
        record_once(s, "meanwhile");
        for domain in DOMAINS {
            s.lttng(&["list", domain.option()]).ok().within(ONE_TIMEOUT);
        }
        record_once(s, "after");
        assert!(daemon.process().resident_kib() <= before + MOST_MEMORY);
        daemon.stop();
    });
}

/// Nobody asked it.
#[test]
fn an_agent_that_talks_unasked_is_sent_away() {
    if no_python() {
        return;
    }
    ours_only("it takes it for the answer to the next command", |s| {
        let (daemon, mut peer) = setting(s);
        registered(&mut peer, 0, Domain::Jul);
        registered(&mut peer, 1, Domain::Jul);
        peer.tell("serve 1 0 good");
        peer.tell("send 0 00000001");
        assert_eq!(peer.ask("receive 0 1"), "closed");
        let listed = s.lttng(&["list", "--jul"]).ok().within(AT_ONCE);
        assert!(listed.stdout.contains("good"));
        record_once(s, "after");
        daemon.stop();
    });
}

/// It is waited for once, as long as an application is, and others are served meanwhile.
#[test]
fn a_silent_agent_delays_one_command_once() {
    if no_python() {
        return;
    }
    ours_only("it waits for it for ever", |s| {
        let (daemon, mut peer) = setting(s);
        let trace = create(s, "s");
        s.lttng(&["enable-event", "--python", "a"]).ok();
        s.lttng(&["start"]).ok();
        let mut python = Logging::python(s).listed(s);
        registered(&mut peer, 0, Domain::Python);
        registered(&mut peer, 1, Domain::Python);
        peer.tell("serve 1 0 good");
        std::thread::scope(|scope| {
            let command = scope.spawn(|| s.run("lttng", &["enable-event", "--session=s", "--python", "b"]));
            eventually("it is asked", || peer.ask("pending 0") == "yes");
            // The others are asked at the same time, and nobody waits who has nothing to do with it.
            eventually("the other one is asked", || !peer.ask("served 1").is_empty());
            s.lttng(&["list"]).ok().within(AT_ONCE);
            python.log(Domain::Python, "a", Level::Info, "0");
            let mut late = Logging::python(s);
            late.log(Domain::Python, "a", Level::Info, "1");
            command.join().unwrap().ok().within(ONE_TIMEOUT);
        });
        python.log(Domain::Python, "b", Level::Info, "2");
        // Who did not answer is not waited for again.
        s.lttng(&["enable-event", "--python", "c"]).ok().within(AT_ONCE);
        let listed = s.lttng(&["list", "--python"]).ok().within(AT_ONCE);
        assert!(listed.stdout.contains("good"));
        s.lttng(&["destroy"]).ok();
        assert_eq!(records(&events(s, &trace)), ["a: 0", "a: 1", "b: 2"]);
        daemon.stop();
    });
}

/// The rules that it is to get on its registration are not waited for by anybody else.
#[test]
fn an_agent_that_is_silent_while_it_registers_delays_nobody() {
    if no_python() {
        return;
    }
    ours_only("it waits for it for ever", |s| {
        let (daemon, mut peer) = setting(s);
        let trace = create(s, "s");
        s.lttng(&["enable-event", "--python", "a"]).ok();
        s.lttng(&["start"]).ok();
        let mut early = Logging::python(s).listed(s);
        for number in 0..20 {
            register(&mut peer, number, Domain::Python);
        }
        eventually("it is asked", || peer.ask("pending 19") == "yes");
        let mut late = Logging::python(s);
        early.log(Domain::Python, "a", Level::Info, "0");
        late.log(Domain::Python, "a", Level::Info, "1");
        // All of them are waited for at the same time, once.
        s.lttng(&["enable-event", "--python", "b"]).ok().within(ONE_TIMEOUT);
        early.log(Domain::Python, "b", Level::Info, "2");
        late.log(Domain::Python, "b", Level::Info, "3");
        s.lttng(&["enable-event", "--python", "c"]).ok().within(AT_ONCE);
        s.lttng(&["disable-event", "--python", "c"]).ok().within(AT_ONCE);
        let listed = s.lttng(&["list", "--python"]).ok().within(ONE_TIMEOUT);
        assert_eq!(listed.stdout.matches("- program").count(), 2);
        s.lttng(&["destroy"]).ok();
        assert_eq!(records(&events(s, &trace)), ["a: 0", "a: 1", "b: 2", "b: 3"]);
        daemon.stop();
    });
}

#[test]
fn a_stopped_program_is_waited_for_once_and_comes_again() {
    if no_python() {
        return;
    }
    ours_only("it waits for it for ever", |s| {
        let daemon = Daemon::start(s);
        let trace = create(s, "s");
        s.lttng(&["enable-event", "--python", "a"]).ok();
        s.lttng(&["start"]).ok();
        let mut frozen = Logging::python(s).listed(s);
        let mut python = Logging::python(s).listed(s);
        frozen.freeze();
        s.lttng(&["enable-event", "--python", "b"]).ok().within(ONE_TIMEOUT);
        python.log(Domain::Python, "b", Level::Info, "0");
        s.lttng(&["enable-event", "--python", "c"]).ok().within(AT_ONCE);
        s.lttng(&["disable-event", "--python", "c"]).ok().within(AT_ONCE);
        s.lttng(&["list", "--python"]).ok().within(AT_ONCE);
        frozen.thaw();
        frozen.is_listed(s);
        frozen.log(Domain::Python, "b", Level::Info, "1");
        frozen.log(Domain::Python, "c", Level::Info, "2");
        s.lttng(&["destroy"]).ok();
        assert_eq!(records(&events(s, &trace)), ["b: 0", "b: 1"]);
        daemon.stop();
    });
}

/// Whatever is wrong with one answer, other agents' loggers can be listed afterwards, if not at once.
#[test]
fn bad_lists_cost_only_who_sends_them() {
    if no_python() {
        return;
    }
    ours_only("it allocates whatever they say, and aborts when one fails", |s| {
        let (daemon, mut peer) = setting(s);
        registered(&mut peer, 0, Domain::Jul);
        peer.tell("serve 0 0 good");
        let before = daemon.process().resident_kib();
        let long = format!("0000000100000{:03x}00000001{}00", 301, "61".repeat(300));
        let answers = [
            // Another code; huge; names without an end; fewer and more names than are said; a name of 300 bytes.
            "0000000200000000",
            "00000001ffffffff00000001",
            "00000001000000030000000161626300",
            "000000010000000300000001616263",
            "00000001000000040000000261626300",
            "00000001000000060000000161620063640000",
            "000000010000000000000005",
            &long,
        ];
        let is_listed = || {
            eventually("the other one is listed", || {
                s.run("lttng", &["list", "--jul"]).within(ONE_TIMEOUT).stdout.contains("good")
            });
        };
        for (number, answer) in (1..).zip(answers) {
            registered(&mut peer, number, Domain::Jul);
            std::thread::scope(|scope| {
                let command = scope.spawn(|| s.run("lttng", &["list", "--jul"]));
                eventually("it is asked", || peer.ask(&format!("pending {number}")) == "yes");
                s.lttng(&["list"]).ok().within(AT_ONCE);
                peer.ask(&format!("send {number} {answer}"));
                command.join().unwrap().within(ONE_TIMEOUT);
            });
            peer.tell(&format!("close {number}"));
            is_listed();
        }
        // Half an answer, and none.
        let halves = ["00000001", "0000000100000004", "000000010000000400000001", ""];
        let first = u32::try_from(answers.len() + 1).unwrap();
        for (number, _) in (first..).zip(halves) {
            registered(&mut peer, number, Domain::Jul);
        }
        std::thread::scope(|scope| {
            let command = scope.spawn(|| s.run("lttng", &["list", "--jul"]));
            for (number, answer) in (first..).zip(halves) {
                eventually("it is asked", || peer.ask(&format!("pending {number}")) == "yes");
                if !answer.is_empty() {
                    peer.tell(&format!("send {number} {answer}"));
                }
            }
            s.lttng(&["list"]).ok().within(AT_ONCE);
            command.join().unwrap().within(ONE_TIMEOUT);
        });
        is_listed();
        record_once(s, "after");
        assert!(daemon.process().resident_kib() <= before + MOST_MEMORY);
        daemon.stop();
    });
}

#[test]
fn codes_that_mean_failure_cost_only_who_sends_them() {
    if no_python() {
        return;
    }
    ours_only("the first of them ends the command for all", |s| {
        let (daemon, mut peer) = setting(s);
        let trace = create(s, "s");
        for (number, code) in (0..).zip([0_u32, 2, 3, 99, u32::MAX]) {
            registered(&mut peer, number, Domain::Python);
            peer.tell(&format!("code {number} {code}"));
        }
        let mut python = Logging::python(s).listed(s);
        s.lttng(&["start"]);
        // The command may say so.
        s.lttng(&["enable-event", "--python", "a"]).within(ONE_TIMEOUT);
        s.lttng(&["start"]);
        s.lttng(&["list", "s"]).ok().within(AT_ONCE);
        python.log(Domain::Python, "a", Level::Info, "x");
        s.lttng(&["disable-event", "--python", "a"]).within(ONE_TIMEOUT);
        python.log(Domain::Python, "a", Level::Info, "y");
        s.lttng(&["destroy"]).ok();
        assert_eq!(records(&events(s, &trace)), ["a: x"]);
        record_once(s, "after");
        daemon.stop();
    });
}

#[test]
fn an_agent_that_goes_in_the_middle_of_a_command_is_no_failure() {
    if no_python() {
        return;
    }
    ours_only("its command fails", |s| {
        let (daemon, mut peer) = setting(s);
        create(s, "s");
        for (number, command) in [
            &["enable-event", "--python", "a"][..],
            &["disable-event", "--python", "a"],
            &["list", "--python"],
            &["enable-event", "--python", "b"],
            &["destroy", "s"],
        ]
        .into_iter()
        .enumerate()
        {
            let number = u32::try_from(number).unwrap();
            registered(&mut peer, number, Domain::Python);
            std::thread::scope(|scope| {
                let running = scope.spawn(|| s.run("lttng", command));
                eventually("it is asked", || peer.ask(&format!("pending {number}")) == "yes");
                peer.tell(&format!("close {number}"));
                running.join().unwrap().ok().within(AT_ONCE);
            });
        }
        record_once(s, "after");
        daemon.stop();
    });
}

#[test]
fn a_thousand_silent_connections() {
    if no_python() {
        return;
    }
    ours_only("it reads one registration at a time", |s| {
        let Some((daemon, mut peer)) = setting_with_other(s) else { return };
        let trace = create(s, "s");
        s.lttng(&["enable-event", "--python", "a"]).ok();
        s.lttng(&["start"]).ok();
        let mut python = Logging::python(s).listed(s);
        let (memory, descriptors) = (daemon.process().resident_kib(), daemon.process().descriptors());
        peer.ask("open 5345 1000");
        s.lttng(&["list"]).ok().within(AT_ONCE);
        s.lttng(&["list", "--python"]).ok().within(AT_ONCE);
        s.lttng(&["enable-event", "--python", "b"]).ok().within(AT_ONCE);
        python.log(Domain::Python, "b", Level::Info, "0");
        eventually("they are sent away", || peer.ask("left") == "0");
        let mut late = Logging::python(s);
        late.log(Domain::Python, "b", Level::Info, "1");
        late.exit();
        assert!(daemon.process().resident_kib() <= memory + MOST_MEMORY);
        eventually("nothing is left of them", || daemon.process().descriptors() <= descriptors + 2);
        s.lttng(&["destroy"]).ok();
        assert_eq!(records(&events(s, &trace)), ["b: 0", "b: 1"]);
        daemon.stop();
    });
}

#[test]
fn a_thousand_agents() {
    if no_python() {
        return;
    }
    if not_emulated("QEMU's user mode does not pass on the question whose agent connects") {
        return;
    }
    ours_only("it asks one after the other", |s| {
        let Some((daemon, mut peer)) = setting_with_other(s) else { return };
        let trace = create(s, "s");
        let memory = daemon.process().resident_kib();
        let pid = peer.pid();
        let begin = Instant::now();
        for number in 0..1000 {
            peer.tell("open 5345");
            peer.tell(&format!("serve {number} 0 logger"));
            // Some may be more than one user may have.
            peer.ask(&format!("send {number} {}", registration(5, pid)));
        }
        let registered_in = begin.elapsed();
        s.lttng(&["enable-event", "--python", "a"]).ok().within(ONE_TIMEOUT);
        s.lttng(&["start"]).ok();
        let listed = s.lttng(&["list", "--python"]).ok().within(ONE_TIMEOUT);
        let count = listed.stdout.matches("- logger").count();
        assert!(count > 0, "registered in {registered_in:?}");
        let mut python = Logging::python(s);
        python.log(Domain::Python, "a", Level::Info, "x");
        s.lttng(&["destroy"]).ok();
        assert_eq!(records(&events(s, &trace)), ["a: x"]);
        assert!(daemon.process().resident_kib() <= memory + 4 * MOST_MEMORY);
        daemon.stop();
    });
}

#[test]
fn agents_that_come_and_go_in_crowds_leave_nothing() {
    if no_python() {
        return;
    }
    ours_only("it reads one registration at a time", |s| {
        let Some((daemon, mut peer)) = setting_with_other(s) else { return };
        let trace = create(s, "s");
        s.lttng(&["enable-event", "--python", "a"]).ok();
        s.lttng(&["start"]).ok();
        let mut python = Logging::python(s).listed(s);
        let pid = peer.pid();
        peer.tell(&format!("flood 5345 100 {}", registration(5, pid)));
        let (memory, descriptors) = (daemon.process().resident_kib(), daemon.process().descriptors());
        for bytes in [registration(5, pid), registration(3, pid), "00".into(), with_version(5, pid, 9, 9)] {
            peer.tell(&format!("flood 5345 1000 {bytes}"));
            s.lttng(&["list", "--python"]).ok().within(ONE_TIMEOUT);
            python.log(Domain::Python, "a", Level::Info, "x");
        }
        eventually("nothing is left of them", || daemon.process().descriptors() <= descriptors + 2);
        assert!(daemon.process().resident_kib() <= memory + MOST_MEMORY);
        s.lttng(&["destroy"]).ok();
        assert_eq!(records(&events(s, &trace)), ["a: x"; 4]);
        daemon.stop();
    });
}

/// There are no credentials: a pid is what the peer says.
#[test]
fn a_pid_is_only_a_number() {
    if no_python() {
        return;
    }
    ours_only("the client fails, since it looks for the process", |s| {
        let (daemon, mut peer) = setting(s);
        let frozen = fake_agent(s);
        frozen.freeze();
        let _python = Logging::python(s).listed(s);
        for (number, pid) in (0..).zip([1, frozen.pid(), 0, -1, i32::MAX, i32::MIN, 99_999]) {
            peer.tell("open 5345");
            peer.tell(&format!("send {number} {}", registration(5, pid)));
            assert_eq!(peer.ask(&format!("receive {number} 16")), DONE);
            peer.tell(&format!("serve {number} 0 claimed"));
            let listed = s.lttng(&["list", "--python"]).ok().within(AT_ONCE);
            assert!(listed.stdout.contains("program"), "{pid}: {}", listed.stdout);
        }
        record_once(s, "after");
        frozen.thaw();
        daemon.stop();
    });
}

#[test]
fn silent_peers_do_not_keep_the_daemon_from_ending() {
    if no_python() {
        return;
    }
    ours_only("it waits for it for ever", |s| {
        let (daemon, mut peer) = setting(s);
        create(s, "s");
        s.lttng(&["enable-event", "--python", "a"]).ok();
        peer.tell("open 5345");
        peer.tell("open 5345");
        peer.tell("send 1 0000");
        register(&mut peer, 2, Domain::Python);
        registered(&mut peer, 3, Domain::Jul);
        let begin = Instant::now();
        daemon.stop();
        assert!(begin.elapsed() < ONE_TIMEOUT / 2);
        assert_eq!(peer.ask("left"), "0");
    });
}
