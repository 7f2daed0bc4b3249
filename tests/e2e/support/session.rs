// SPDX-License-Identifier: GPL-2.0-only
//! The session that most tests record with: `s`, with one channel `c` that records `testapp:tick`.

use super::app::App;
use super::daemon::Daemon;
use super::sandbox::{Output, Sandbox, User};

/// The kinds of buffers that a channel may have.
pub const BUFFERS: [&str; 2] = ["--buffers-uid", "--buffers-pid"];

/// Creates the session with `lttng`, which runs the command: `how` are the options of `create`, `channel` those of
/// `enable-channel`.
pub fn create(lttng: impl Fn(&[&str]) -> Output, how: &[&str], channel: &[&str]) {
    lttng(&[&["create", "s"], how].concat()).ok();
    lttng(&[&["enable-channel", "-u"], channel, &["c"]].concat()).ok();
    lttng(&["enable-event", "-u", "-c", "c", "testapp:tick"]).ok();
}

/// Creates the session with a channel made like this. Returns where its trace will be: in `trace`.
pub fn session(s: &Sandbox, channel: &[&str]) -> String {
    let trace = s.path("trace");
    create(|args| s.lttng(args), &["--output", &trace], channel);
    trace
}

/// The same as another user, with the trace at home.
pub fn session_of(s: &Sandbox, user: User, channel: &[&str]) -> String {
    let trace = s.home_of(user).join("trace").to_string_lossy().into_owned();
    create(|args| s.lttng_as(user, args), &["--output", &trace], channel);
    trace
}

/// A daemon, where the session's trace is, and an application that it records from now on.
pub fn recording(s: &Sandbox, channel: &[&str]) -> (Daemon, String, App) {
    let daemon = Daemon::start(s);
    let trace = session(s, channel);
    let app = App::start(s);
    s.lttng(&["start"]).ok();
    (daemon, trace, app)
}
