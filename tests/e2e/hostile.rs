// SPDX-License-Identifier: GPL-2.0-only
//! Peers that stand still, die, talk nonsense or come in crowds. Nobody else may notice.

use std::io::{IoSlice, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use crate::support::app::App;
use crate::support::daemon::{Daemon, eventually};
use crate::support::normalise::Order;
use crate::support::socket::{connect, request, set_text};
use crate::support::trace::{events, numbers};
use crate::support::{Sandbox, ours, ours_only, ours_quiet, side_by_side};

const CLIENT: &str = "/run/lttng/client-lttng-sessiond";
const APPS: &str = "/run/lttng/lttng-ust-sock-8";
const HEALTH: &str = "/run/lttng/sessiond-health";

/// What a command may take while another application stands still.
const FROZEN_LIMIT: Duration = Duration::from_millis(200);

/// "Delays nobody": every deadline that a daemon could grant the bad peer is longer than this.
const UNDISTURBED: Duration = Duration::from_secs(1);

/// A whole cycle, to show that the daemon is well.
fn record_once(s: &Sandbox, session: &str) {
    let trace = s.path(session);
    s.lttng(&["create", session, "--output", &trace]).ok();
    s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
    s.lttng(&["start"]).ok();
    let mut app = App::start(s);
    app.tell("tick 0 10");
    app.exit();
    s.lttng(&["destroy"]).ok();
    let want: Vec<i64> = (0..10).collect();
    assert_eq!(numbers(&events(s, &trace), "testapp:tick"), want);
}

#[test]
fn a_stopped_application_delays_no_command() {
    ours_quiet("it waits for the stopped application", |s| {
        let daemon = Daemon::start(s);
        let mut apps = App::start_many(s, 50);
        let mut frozen = apps.swap_remove(20);
        frozen.freeze();
        let trace = s.path("trace");
        s.lttng(&["list", "-u"]).ok().within(FROZEN_LIMIT);
        s.lttng(&["create", "s", "--output", &trace]).ok().within(FROZEN_LIMIT);
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok().within(FROZEN_LIMIT);
        s.lttng(&["start"]).ok().within(FROZEN_LIMIT);
        for (number, app) in apps.iter_mut().enumerate() {
            app.tell(&format!("tick {} 10", number * 10));
        }
        // New ones register meanwhile and are traced.
        let mut late = App::start(s);
        late.tell("tick 490 10");
        s.lttng(&["enable-event", "-u", "testapp:note"]).ok().within(FROZEN_LIMIT);
        s.lttng(&["stop"]).ok().within(FROZEN_LIMIT);
        s.lttng(&["start"]).ok().within(FROZEN_LIMIT);
        s.lttng(&["list", "-u"]).ok().within(FROZEN_LIMIT);
        frozen.thaw();
        frozen.tell("await tick");
        // `await` sees the tracepoint armed, a moment before the application's session is active.
        frozen.tell("pace 10000 500 1000");
        frozen.tell("note 1 1");
        s.lttng(&["destroy"]).ok();
        let all = events(s, &trace);
        let mut ticks = numbers(&all, "testapp:tick");
        ticks.sort_unstable();
        assert_eq!(ticks[..500], (0..500).collect::<Vec<i64>>());
        assert_eq!(ticks.last(), Some(&10_499));
        assert_eq!(numbers(&all, "testapp:note"), [1]);
        daemon.stop();
    });
}

#[test]
fn an_application_that_stops_while_it_is_traced() {
    ours_quiet("it waits for the stopped application", |s| {
        let daemon = Daemon::start(s);
        let trace = s.path("trace");
        s.lttng(&["create", "s", "--output", &trace]).ok();
        s.lttng(&["enable-channel", "-u", "c"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        let mut apps = App::start_many(s, 50);
        let mut frozen = apps.pop().unwrap();
        frozen.tell("tick 0 10");
        frozen.freeze();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:note"]).ok().within(FROZEN_LIMIT);
        s.lttng(&["disable-event", "-u", "-c", "c", "testapp:tick"]).ok().within(FROZEN_LIMIT);
        s.lttng(&["stop"]).ok().within(FROZEN_LIMIT);
        s.lttng(&["start"]).ok().within(FROZEN_LIMIT);
        s.lttng(&["list", "-u"]).ok().within(FROZEN_LIMIT);
        App::start(s).tell("note 1 1");
        frozen.thaw();
        frozen.tell("await note");
        // What was asked for while it stood still holds now: `note` on, `tick` off. The two were sent together.
        eventually("the rule is off", || frozen.ask("enabled tick") == "no");
        frozen.tell("note 2 1");
        frozen.tell("tick 100 10");
        s.lttng(&["destroy"]).ok();
        let all = events(s, &trace);
        assert_eq!(numbers(&all, "testapp:tick"), (0..10).collect::<Vec<i64>>());
        assert_eq!(numbers(&all, "testapp:note"), [1, 2]);
        daemon.stop();
    });
}

#[test]
fn a_session_ends_while_one_of_its_applications_stands_still() {
    ours(|s| {
        let daemon = Daemon::start(s);
        let trace = s.path("trace");
        s.lttng(&["create", "s", "--output", &trace]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        let mut frozen = App::start(s);
        frozen.tell("tick 0 10");
        frozen.freeze();
        s.lttng(&["destroy"]).ok();
        s.lttng(&["list"]).ok();
        assert_eq!(numbers(&events(s, &trace), "testapp:tick").len(), 10);
        frozen.thaw();
        // It lost a session, nothing else: the next one has it.
        eventually("the rule is off", || frozen.ask("enabled tick") == "no");
        s.lttng(&["create", "t", "--output", &s.path("again")]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        frozen.tell("tick 20 2");
        s.lttng(&["destroy"]).ok();
        assert_eq!(numbers(&events(s, &s.path("again")), "testapp:tick"), [20, 21]);
        daemon.stop();
    });
}

#[test]
fn stopped_applications_do_not_keep_the_daemon_from_ending() {
    ours(|s| {
        let daemon = Daemon::start(s);
        let app = App::start(s);
        app.freeze();
        daemon.stop();
        app.thaw();
        app.exit();
    });
}

#[test]
fn half_a_request_delays_nobody() {
    ours_quiet("it serves one client at a time", |s| {
        let daemon = Daemon::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        // Nothing; a piece of the fixed part; the fixed part without the rest that it announces.
        let silent: Vec<UnixStream> = (0..10).map(|_| connect(s, CLIENT)).collect();
        let mut half: Vec<UnixStream> = (0..10).map(|_| connect(s, CLIENT)).collect();
        for stream in &mut half {
            stream.write_all(&request(13)[..100]).unwrap();
        }
        let mut announced = connect(s, CLIENT);
        let mut bytes = request(6);
        set_text(&mut bytes, 4, "s");
        bytes[4944..4948].copy_from_slice(&300_u32.to_ne_bytes());
        announced.write_all(&bytes).unwrap();

        s.lttng(&["list"]).ok().within(UNDISTURBED);
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok().within(UNDISTURBED);
        s.lttng(&["destroy"]).ok().within(UNDISTURBED);
        // The rest of a request may still come.
        let mut late = half.pop().unwrap();
        late.write_all(&request(13)[100..]).unwrap();
        let mut reply = [0; 24];
        late.read_exact(&mut reply).unwrap();
        assert_eq!(reply[4], 10);
        drop((silent, half, announced));
        daemon.stop();
    });
}

#[test]
fn who_sends_no_more_after_its_request_is_answered() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let answered = |place: &str, request: &[u8], length: usize| {
            let mut stream = connect(s, place);
            stream.write_all(request).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut reply = Vec::new();
            stream.read_to_end(&mut reply).unwrap();
            assert_eq!(reply.len(), length, "the reply to {} bytes", request.len());
        };
        // Its end may be seen with its request or later.
        for _ in 0..20 {
            answered(CLIENT, &request(13), 24);
            answered(HEALTH, &[0; 4], 8);
        }
        daemon.stop();
    });
}

#[test]
fn a_client_that_never_reads_delays_nobody() {
    ours_only("it writes to one client at a time", |s| {
        let daemon = Daemon::start(s);
        // LIST_TRACEPOINT_FIELDS for user space, unread; more than a socket's buffer holds.
        let apps = App::start_many(s, 40);
        let mut bytes = request(18);
        bytes[4380..4384].copy_from_slice(&2_u32.to_ne_bytes());
        let unread: Vec<UnixStream> = (0..10)
            .map(|_| {
                let mut stream = connect(s, CLIENT);
                stream.write_all(&bytes).unwrap();
                stream
            })
            .collect();
        s.lttng(&["list", "-u"]).ok();
        record_once(s, "after");
        drop(unread);
        apps.into_iter().for_each(App::exit);
        daemon.stop();
    });
}

#[test]
fn half_a_registration_delays_nobody() {
    ours_only("it reads one registration at a time", |s| {
        let daemon = Daemon::start(s);
        let half = App::hold(s, APPS, 20, &[0x41; 10]);
        let silent = App::hold(s, APPS, 20, &[]);
        record_once(s, "meanwhile");
        drop((half, silent));
        record_once(s, "after");
        daemon.stop();
    });
}

#[test]
fn half_a_health_query_delays_nobody() {
    ours_only("it serves one health query at a time", |s| {
        let daemon = Daemon::start(s);
        let mut half = connect(s, HEALTH);
        half.write_all(&[0]).unwrap();
        let mut whole = connect(s, HEALTH);
        whole.write_all(&[0; 4]).unwrap();
        let mut reply = Vec::new();
        whole.read_to_end(&mut reply).unwrap();
        assert_eq!(reply, [0; 8]);
        drop(half);
        daemon.stop();
    });
}

#[test]
fn the_health_of_an_idle_daemon_is_good() {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        for _ in 0..3 {
            let mut stream = connect(s, HEALTH);
            stream.write_all(&[0; 4]).unwrap();
            let mut reply = Vec::new();
            stream.read_to_end(&mut reply).unwrap();
            assert_eq!(reply, [0; 8]);
            s.note("health", &format!("{reply:?}"), Order::Fixed);
        }
        daemon.stop();
    });
}

#[test]
fn three_hundred_applications_register_at_once() {
    ours(|s| {
        let daemon = Daemon::start(s);
        let trace = s.path("trace");
        s.lttng(&["create", "s", "--output", &trace]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        let (crowd, burst) = (s.program("crowd"), s.program("burst"));
        let output = s.run(&crowd.to_string_lossy(), &["300", &burst.to_string_lossy()]).ok();
        assert_eq!(output.stdout, "ended 300 0\n");
        s.lttng(&["destroy"]).ok();
        let mut got = numbers(&events(s, &trace), "testapp:tick");
        got.sort_unstable();
        assert_eq!(got, (0..300).collect::<Vec<i64>>());
        eventually("they leave the list", || !s.run("lttng", &["list", "-u"]).ok().stdout.contains("PID: "));
        daemon.stop();
    });
}

#[test]
fn fifty_clients_at_once() {
    ours(|s| {
        let daemon = Daemon::start(s);
        let results: Vec<_> = std::thread::scope(|scope| {
            let client = |number: usize| {
                let (session, trace) = (format!("s{number}"), s.path(&format!("t{number}")));
                move || {
                    s.run("lttng", &["create", &session, "--output", &trace]).ok();
                    s.run("lttng", &["enable-event", "-u", "-s", &session, "--all"]).ok();
                    s.run("lttng", &["start", &session]).ok();
                    s.run("lttng", &["list", &session]).ok();
                    s.run("lttng", &["destroy", &session]).ok()
                }
            };
            let running: Vec<_> = (0..50).map(|number| scope.spawn(client(number))).collect();
            running.into_iter().map(|client| client.join().unwrap()).collect()
        });
        assert_eq!(results.len(), 50);
        let list = s.lttng(&["list"]).ok();
        assert!(list.stdout.contains("Currently no available"), "{}", list.stdout);
        daemon.stop();
    });
}

#[test]
fn a_consumer_daemon_that_dies_is_noticed() {
    ours_only("no session records any more", |s| {
        let daemon = Daemon::start(s);
        let mut app = App::start(s);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["enable-channel", "-u", "c"]).ok();
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        app.tell("tick 0 10");
        let consumer = s.processes("lttng-consumerd");
        assert_eq!(consumer.len(), 1);
        consumer[0].signal(Signal::SIGKILL);
        eventually("the daemon says so", || {
            let log = std::fs::read_to_string(s.path("daemon.log")).unwrap();
            log.lines().any(|line| line.starts_with("Error: ") && line.contains("onsumer"))
        });
        // Its sessions cannot go on: the user is told.
        s.lttng(&["enable-event", "-u", "-c", "c", "testapp:note"]).fails();
        // Everything else works.
        s.lttng(&["list"]).ok();
        s.lttng(&["list", "s"]);
        s.lttng(&["list", "-u"]);
        app.tell("tick 10 10");
        let newcomer = App::start(s);
        s.lttng(&["destroy", "s"]);
        let list = s.lttng(&["list"]).ok();
        assert!(list.stdout.contains("Currently no available"), "{}", list.stdout);
        newcomer.exit();
        app.exit();
        daemon.stop();
    });
}

#[test]
fn a_consumer_daemon_that_dies_during_a_command() {
    ours_only("the command may hang", |s| {
        let daemon = Daemon::start(s);
        let _apps = App::start_many(s, 10);
        s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        let consumer = s.processes("lttng-consumerd");
        // It stands still, the command that needs it waits, then it dies.
        consumer[0].freeze();
        let started = std::thread::scope(|scope| {
            let start = scope.spawn(|| s.run("lttng", &["start"]));
            // What it asks next is asked of the consumer daemon.
            eventually("it has begun", || std::fs::exists(s.path("trace/ust")).unwrap());
            s.run("lttng", &["list"]).ok().within(UNDISTURBED);
            consumer[0].signal(Signal::SIGKILL);
            start.join().unwrap()
        });
        started.fails();
        s.lttng(&["list"]).ok();
        s.lttng(&["destroy", "s"]);
        daemon.stop();
    });
}

/// A source of bytes that is the same in every run.
struct Noise(u64);

impl Noise {
    fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.to_le_bytes()[3]
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }
}

/// Sends what the daemon may stop reading at any moment.
fn throw(s: &Sandbox, path: &str, bytes: &[u8]) {
    if path == APPS {
        let file = s.path("bytes");
        std::fs::write(&file, bytes).unwrap();
        let peer = s.program("peer");
        s.run(&peer.to_string_lossy(), &["throw", path, "3", &file]).ok();
        return;
    }
    let mut stream = connect(s, path);
    // The daemon may have closed already: that is its right.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

#[test]
fn garbage_on_every_socket() {
    ours(|s| {
        let daemon = Daemon::start(s);
        let process = daemon.process();
        let before = process.descriptors();
        let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
        for path in [CLIENT, APPS, HEALTH] {
            for size in [0, 1, 4, 7, 100, 1_000, 13_155, 13_156, 13_157, 20_000, 200_000] {
                throw(s, path, &noise.bytes(size));
                throw(s, path, &vec![0; size]);
                throw(s, path, &vec![0xff; size]);
            }
        }
        // Requests that are right but for the length of what follows.
        for (command, offset) in
            [(0, 4944), (3, 4944), (5, 4688), (6, 4944), (32, 4704), (43, 4688), (52, 4688)]
        {
            for length in [1_u32, 1000, 1 << 20, u32::MAX] {
                let mut bytes = request(command);
                bytes[4380..4384].copy_from_slice(&2_u32.to_ne_bytes());
                bytes[offset..offset + 4].copy_from_slice(&length.to_ne_bytes());
                throw(s, CLIENT, &bytes);
                bytes.extend(noise.bytes(1000));
                throw(s, CLIENT, &bytes);
            }
        }
        // CREATE_SESSION_EXT with sizes that do not fit together.
        for size in [0_u64, 1, 65_537, u64::MAX] {
            let mut bytes = request(49);
            bytes[4688..4690].copy_from_slice(&u16::MAX.to_ne_bytes());
            bytes[4690..4698].copy_from_slice(&size.to_ne_bytes());
            bytes.extend(noise.bytes(70_000));
            throw(s, CLIENT, &bytes);
        }
        record_once(s, "after");
        s.lttng(&["list"]).ok();
        // The consumer daemon's sockets have come in addition; nothing of the above is left.
        eventually("no connection is left", || process.descriptors() <= before + 16);
        daemon.stop();
    });
}

#[test]
fn descriptors_that_nobody_asked_for_are_closed() {
    ours(|s| {
        let daemon = Daemon::start(s);
        s.lttng(&["list"]).ok();
        let before = daemon.process().descriptors();
        let file = std::fs::File::open("/dev/null").unwrap();
        for path in [CLIENT, APPS, HEALTH] {
            for count in [1, 10, 100] {
                let stream = connect(s, path);
                let descriptors = vec![file.as_raw_fd(); count];
                let bytes = request(13);
                let data = [IoSlice::new(&bytes)];
                let _ = sendmsg::<()>(
                    stream.as_raw_fd(),
                    &data,
                    &[ControlMessage::ScmRights(&descriptors)],
                    MsgFlags::MSG_NOSIGNAL,
                    None,
                );
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let _ = (&stream).read_to_end(&mut Vec::new());
            }
        }
        eventually("they are closed", || daemon.process().descriptors() <= before);
        record_once(s, "after");
        daemon.stop();
    });
}

/// Connections of clients that say nothing whole, each with as many descriptors as a message can carry.
fn hold_descriptors(s: &Sandbox, count: usize) -> Vec<UnixStream> {
    let file = std::fs::File::open("/dev/null").unwrap();
    let descriptors = vec![file.as_raw_fd(); 250];
    let hold = |_| {
        let stream = connect(s, CLIENT);
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let bytes = [IoSlice::new(b"x")];
        // It may be closed already, to make room for the next one.
        let _ = sendmsg::<()>(stream.as_raw_fd(), &bytes, &rights, MsgFlags::MSG_NOSIGNAL, None);
        stream
    };
    (0..count).map(hold).collect()
}

#[test]
fn a_full_table_of_descriptors_costs_neither_helper_nor_consumer_daemon() {
    ours_only("both are lost for ever", |s| {
        let daemon = Daemon::start(s);
        let mut early = App::start(s);
        s.lttng(&["create", "s", "--output", &s.path("s")]).ok();
        s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
        s.lttng(&["start"]).ok();
        let before = daemon.process().descriptors();
        daemon.process().limit_descriptors(before + 40);
        let held = hold_descriptors(s, 200);
        s.lttng(&["list"]).ok().within(UNDISTURBED);
        // Whatever needs descriptors has them: clients' connections that nobody will miss make room.
        s.lttng(&["rotate"]).ok();
        early.tell("tick 0 10");
        record_once(s, "meanwhile");
        s.lttng(&["list"]).ok().within(UNDISTURBED);
        drop(held);
        record_once(s, "afterwards");
        s.lttng(&["destroy", "s"]).ok();
        // It has what the applications of the other two recorded, too.
        let all = numbers(&events(s, &s.path("s")), "testapp:tick");
        assert_eq!(all, (0..30).map(|at| at % 10).collect::<Vec<i64>>());
        early.exit();
        daemon.stop();
    });
}

#[test]
fn connections_that_come_and_go() {
    ours(|s| {
        let daemon = Daemon::start(s);
        for _ in 0..200 {
            drop(connect(s, CLIENT));
        }
        let (peer, nothing) = (s.program("peer"), s.path("nothing"));
        std::fs::write(&nothing, "").unwrap();
        s.run(&peer.to_string_lossy(), &["throw", APPS, "200", &nothing]).ok();
        record_once(s, "after");
        daemon.stop();
    });
}

/// Ends all consumer daemons.
fn kill_consumers(s: &Sandbox) {
    s.kill_all("lttng-consumerd");
    let refused = || s.run("lttng", &["enable-event", "-u", "-s", "s", "testapp:note"]).code != 0;
    eventually("the daemon knows", refused);
}

#[test]
fn sessions_whose_consumer_daemon_died() {
    let commands: &[&[&str]] =
        &[&["start"], &["stop"], &["rotate"], &["list", "s"], &["regenerate", "metadata"], &["destroy"]];
    for (number, command) in commands.iter().enumerate() {
        side_by_side(|s| {
            let daemon = Daemon::start(s);
            let app = (number % 3 != 2).then(|| App::start(s));
            s.lttng(&["create", "s", "--output", &s.path("trace")]).ok();
            s.lttng(&["enable-event", "-u", "testapp:tick"]).ok();
            s.lttng(&["create", "unused", "--output", &s.path("none")]).ok();
            s.lttng(&["enable-channel", "-u", "c"]).ok();
            s.lttng(&["start", "s"]).ok();
            if number % 2 == 0 {
                s.run("lttng", &["rotate", "s"]).ok();
            }
            if number % 3 == 0 {
                s.lttng(&["stop", "s"]).ok();
            }
            kill_consumers(s);
            s.lttng(&["set-session", "s"]).ok();
            s.lttng(command);
            s.lttng(&["destroy", "s"]);
            s.lttng(&["destroy", "unused"]).ok();
            s.lttng(&["list"]).ok();
            drop(app);
            daemon.stop();
        });
    }
}

#[test]
fn what_a_peer_can_have_said_at_will_is_said_a_few_times() {
    ours_only("it says less, and says it every time", |s| {
        let daemon = Daemon::start(s);
        let file = s.path("bytes");
        // Neither a registration nor a request.
        std::fs::write(&file, [0xff; 20_000]).unwrap();
        let throw = s.program("peer").to_string_lossy().into_owned();
        for socket in [APPS, CLIENT] {
            s.run(&throw, &["throw", socket, "3000", &file]).ok();
        }
        record_once(s, "after");
        daemon.stop();
        let log = std::fs::read_to_string(s.path("daemon.log")).unwrap();
        for what in ["did not register as an application does", "sent a request that can't be one"] {
            let said = log.lines().filter(|line| line.contains(what)).count();
            // A burst, and a line now and then as long as it goes on.
            assert!((1..100).contains(&said), "{said} times: {what}");
        }
    });
}
