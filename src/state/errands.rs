// SPDX-License-Identifier: GPL-2.0-only
//! What came of what the reactor was asked for, passed to those who know what it was for. Nothing is decided here; but
//! what nobody has asked for is closed, so that nothing stays open that nobody knows of.

use std::io;
use std::os::fd::OwnedFd;

use super::{Role, State};
use crate::turn::errand::Errand;
use crate::turn::ids::ConnId;
use crate::turn::output::{Output, SharedFd};

impl State {
    /// Input: a program was started as this process, or a companion forked; or that could not be done.
    pub fn spawned(&mut self, errand: Errand, result: io::Result<i32>) {
        match errand {
            Errand::ConsumerProcess(consumer) => self.consumer_spawned(consumer, result),
            Errand::Helper => self.helper.forked(result),
            Errand::Tracer => self.kernel.helper.forked(result),
            _ => {}
        }
    }

    /// Input: a connection is being made, or can't be.
    pub fn connecting(&mut self, errand: Errand, result: io::Result<ConnId>) {
        match errand {
            Errand::ConsumerCommand(consumer) => {
                let role = Role::ConsumerCommand(consumer.kind);
                self.consumer_connecting(errand, (consumer, role), result);
            }
            Errand::ConsumerMetadata(consumer) => {
                let role = Role::ConsumerMetadata(consumer.kind);
                self.consumer_connecting(errand, (consumer, role), result);
            }
            Errand::Relay(end) => self.relay_connecting(end, result),
            Errand::Helper
            | Errand::Tracer
            | Errand::KernelEvents
            | Errand::NewCpus(..)
            | Errand::ConsumerProcess(_)
            | Errand::ConsumerSamples(_)
            | Errand::Notifications(_) => self.close_unknown(result.ok()),
        }
    }

    /// Input: a connection that was being made is there, or could not be made; then the reactor has closed it.
    pub fn connected(&mut self, conn: ConnId, result: io::Result<()>) {
        match self.roles.get(&conn).copied() {
            Some(Role::ConsumerCommand(kind) | Role::ConsumerMetadata(kind)) => {
                self.consumer_connected(kind, conn, result);
            }
            Some(Role::Relay(end)) => self.relay_connected(conn, end, result),
            // Given up by now.
            _ => {}
        }
    }

    /// Input: a pipe was made, or could not be.
    pub fn pipe_made(&mut self, errand: Errand, result: io::Result<(ConnId, SharedFd)>) {
        match errand {
            Errand::ConsumerSamples(consumer) => self.samples_piped(consumer, result),
            Errand::Notifications(app) => self.notifications_piped(app, result),
            _ => self.close_unknown(result.ok().map(|(conn, _)| conn)),
        }
    }

    /// Input: a descriptor is looked after from now on, or can't be.
    pub fn adopted(&mut self, errand: Errand, result: io::Result<ConnId>) {
        match (errand, result) {
            (Errand::Helper, result) => self.helper_connected(result),
            (Errand::Tracer, result) => self.tracer_connected(result),
            (Errand::KernelEvents, result) => self.kernel_events_polled(result),
            (Errand::NewCpus(session, channel), result) => self.new_cpus_polled(session, channel, result),
            (_, result) => self.close_unknown(result.ok()),
        }
    }

    /// Input: there is something to be read from a descriptor that is only polled.
    pub fn ready(&mut self, conn: ConnId) {
        self.work_for(conn);
        match self.roles.get(&conn).copied() {
            Some(Role::KernelEvents) => self.read_kernel_events(),
            Some(Role::NewCpus(session, channel)) => self.look_for_streams(session, channel),
            _ => self.close_unknown(Some(conn)),
        }
    }

    /// Input: connections were handed out, or were lost before.
    pub fn handed_out(&mut self, errand: Errand, result: io::Result<Vec<OwnedFd>>) {
        if let Errand::Relay(end) = errand {
            self.relay_handed_out(end, result);
        }
    }

    fn close_unknown(&mut self, conn: Option<ConnId>) {
        conn.into_iter().for_each(|conn| self.turn.outputs.push(Output::Close(conn)));
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::rc::Rc;
    use std::time::Instant;

    use super::*;
    use crate::state::Settings;
    use crate::turn::ids::{AppId, ConsumerId, ConsumerKind, RelayEnd, RelayId, Stream};

    /// A state without any peer.
    fn alone() -> State {
        let settings = Settings::for_tests();
        State::new(settings, Instant::now(), 0)
    }

    fn errands() -> [Errand; 7] {
        let kind = ConsumerKind::Ust64;
        let consumer = ConsumerId::first(kind);
        let end = RelayEnd { relay: RelayId(1), consumer: kind, stream: Stream::Control };
        [
            Errand::Helper,
            Errand::ConsumerProcess(consumer),
            Errand::ConsumerCommand(consumer),
            Errand::ConsumerMetadata(consumer),
            Errand::ConsumerSamples(consumer),
            Errand::Notifications(AppId(ConnId(1))),
            Errand::Relay(end),
        ]
    }

    /// The only thing that is wanted is that this connection is closed.
    fn assert_closed(state: &mut State, conn: ConnId, why: &str) {
        let outputs = state.turn.outputs.take();
        assert!(matches!(outputs[..], [Output::Close(closed)] if closed == conn), "{why}: {outputs:?}");
        assert!(!state.roles.contains_key(&conn), "{why}");
    }

    #[test]
    fn what_nobody_waits_for_is_closed() {
        let mut state = alone();
        let conn = ConnId(7);
        for errand in errands() {
            state.connecting(errand, Ok(conn));
            assert_closed(&mut state, conn, &format!("{errand:?} connects"));
            let writing = Rc::new(File::open("/dev/null").unwrap().into());
            state.pipe_made(errand, Ok((conn, Rc::clone(&writing))));
            assert_closed(&mut state, conn, &format!("{errand:?} has a pipe"));
            assert_eq!(Rc::strong_count(&writing), 1);
            if errand != Errand::Helper {
                state.adopted(errand, Ok(conn));
                assert_closed(&mut state, conn, &format!("{errand:?} has a descriptor"));
            }
        }
        state.ready(conn);
        assert_closed(&mut state, conn, "ready");
    }

    #[test]
    fn what_nobody_waits_for_and_fails_changes_nothing() {
        let mut state = alone();
        for errand in errands() {
            let error = || io::Error::from(io::ErrorKind::ConnectionRefused);
            state.spawned(errand, Err(error()));
            state.connecting(errand, Err(error()));
            state.pipe_made(errand, Err(error()));
            state.adopted(errand, Err(error()));
            state.handed_out(errand, Err(error()));
        }
        state.connected(ConnId(7), Ok(()));
        state.connected(ConnId(7), Err(io::ErrorKind::ConnectionRefused.into()));
        assert!(state.turn.outputs.take().is_empty() && state.turn.facts.take().is_empty());
    }
}
