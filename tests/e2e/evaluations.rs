// SPDX-License-Identifier: GPL-2.0-only
//! Who subscribes to a condition that is met already is told at once, with the stock library.

use nix::sys::signal::Signal;

use crate::notifications::{note, note_all, subscriber};
use crate::support::daemon::eventually;
use crate::support::normalise::Order;
use crate::support::session::recording;
use crate::support::{Sandbox, side_by_side};

/// Consumer daemons stand still until it is dropped.
struct Paused(Vec<crate::support::process::Process>);

impl Paused {
    fn all(s: &Sandbox) -> Self {
        let all = s.processes("lttng-consumerd");
        assert!(!all.is_empty(), "a consumer daemon runs");
        for process in &all {
            process.freeze();
        }
        Paused(all)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        self.0.iter().for_each(|process| process.signal(Signal::SIGCONT));
    }
}

#[test]
fn a_channel_is_empty() {
    for threshold in ["0.25", "8192"] {
        side_by_side(|s| {
            let (daemon, _, _app) =
                recording(s, &["--subbuf-size=4096", "--num-subbuf=8", "--monitor-timer=5000"]);
            let mut first = subscriber(s);
            note_all(
                s,
                &mut first,
                &[
                    &format!("register empty notify if low s c {threshold}"),
                    "register full notify if high s c 0.9",
                    &format!("subscribe low s c {threshold}"),
                ],
            );
            // From now on it is known how full it is.
            note(s, &mut first, "next");
            note_all(
                s,
                &mut first,
                &[
                    "channel 1",
                    "subscribe high s c 0.9",
                    "pending",
                    &format!("subscribe low s c {threshold}"),
                    "next",
                    "pending",
                ],
            );
            first.exit();
            daemon.stop();
        });
    }
}

#[test]
fn a_rotation_goes_on() {
    side_by_side(|s| {
        let (daemon, _, mut app) = recording(s, &[]);
        let mut subscriber = subscriber(s);
        note_all(
            s,
            &mut subscriber,
            &[
                "register begins notify if ongoing s",
                "subscribe ongoing s",
                "pending",
                "unsubscribe ongoing s",
            ],
        );
        // The client has its answer when the rotation has begun; the consumer daemon is asked afterwards whether it is over.
        // As a rule that comes too late, now and then it does not.
        eventually("a rotation goes on", || {
            app.tell("tick 0 1");
            s.run("lttng", &["rotate", "--no-wait", "s"]).ok();
            let paused = Paused::all(s);
            assert_eq!(subscriber.ask("subscribe ongoing s"), "0");
            let told = subscriber.ask("pending") == "0 yes";
            if told {
                let told = subscriber.ask("next");
                s.note("told", told.split(" id=").next().unwrap(), Order::Fixed);
            }
            assert_eq!(subscriber.ask("unsubscribe ongoing s"), "0");
            told || {
                drop(paused);
                eventually("it is over", || !s.run("lttng", &["list", "s"]).stdout.contains("ongoing"));
                false
            }
        });
        note(s, &mut subscriber, "pending");
        subscriber.exit();
        daemon.stop();
    });
}
