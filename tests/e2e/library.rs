// SPDX-License-Identifier: GPL-2.0-only
//! Programs that use liblttng-ctl themselves: calls that the `lttng` command does not make.

use crate::support::app::App;
use crate::support::daemon::Daemon;
use crate::support::normalise::Order;
use crate::support::{Which, side_by_side};

/// What a program that makes calls says of each must be the same.
fn calls(program: &str) {
    side_by_side(|s| {
        let daemon = Daemon::start(s);
        let app = App::start(s);
        let output = s.run(&s.program(program).to_string_lossy(), &[&s.path("traces")]);
        for (number, line) in output.stdout.lines().enumerate() {
            s.note(&format!("line {number}"), line, Order::Fixed);
        }
        if s.which() == Which::Ours {
            output.ok();
        }
        app.exit();
        daemon.stop();
    });
}

#[test]
fn calls_that_the_command_does_not_make() {
    calls("control");
}

#[test]
fn calls_about_rotations() {
    calls("rotator");
}
