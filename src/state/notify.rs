// SPDX-License-Identifier: GPL-2.0-only
//! What applications ask of the daemon: numbers for channels, events and enumerations.
//!
//! An application holds a lock over its whole process until it is answered, so every request is answered in
//! the turn in which it is complete, also one that makes no sense.

use log::Level;
use lttng_protocol::Error;
use lttng_protocol::ust::notify::{HeaderType, RawEvent, Reply, Request};

use super::State;
use super::introductions::INTRODUCTION_TIMEOUT;
use crate::sys::socket::Credentials;
use crate::turn::ids::{AppId, BuffersKey, ChannelId, ConnId, SessionId};
use crate::turn::inbox::Inbox;
use crate::turn::messages::Topic;
use crate::turn::output::{Output, ProcessState};
use crate::turn::timers::Timer;
use crate::turn::watch::SUSPENDED_CHECK;
use crate::ust::app::{App, Place};
use crate::ust::buffers::Buffers;
use crate::ust::tsdl::readable::Unreadable;

/// The code that an application is answered with, and what is wrong with its fields.
type Refusal = (i32, Option<Unreadable>);

/// Answer to a request about an object that the daemon does not know: -ENOENT.
const UNKNOWN: i32 = -2;

impl State {
    pub(super) fn notify_received(&mut self, id: AppId, bytes: &[u8]) {
        let Some(app) = self.applications.all.get_mut(&id) else { return };
        app.notify_input.push(bytes);
        let notify = app.notify;
        // With a crowd, the numbers for all of an application's events may take longer than one answer may.
        app.shows_life(self.turn.now);
        self.applications.attention.answered(self.turn.now);
        self.serve_requests(id);
        let Some(app) = self.applications.all.get(&id) else { return };
        let half = app.notify_input.bytes().len();
        // What is half there now began with this input, or is not what was half there before it.
        if half <= bytes.len() {
            let deadline = self.turn.after(self.settings.application_timeout.unwrap_or(INTRODUCTION_TIMEOUT));
            self.turn.timers.arrange(Timer::Connection(notify), Some(deadline).filter(|_| half > 0));
        }
        let held = app.notify_input.held();
        self.hold_for_application(id, Place::NotifyInput, held);
    }

    /// The second connection of an application is gone, and with it what was said on it.
    pub(super) fn notify_closed(&mut self, conn: ConnId, id: AppId) {
        self.turn.timers.clear(Timer::Connection(conn));
        if let Some(app) = self.applications.all.get_mut(&id) {
            app.notify_input = Inbox::default();
            self.hold_for_application(id, Place::NotifyInput, 0);
            self.hold_for_application(id, Place::NotifyQueue, 0);
        }
    }

    /// Half a request has been there for too long: if its process can go on, it had its time.
    pub(super) fn expire_request(&mut self, id: AppId) {
        if let Some(app) = self.applications.all.get(&id) {
            self.turn.outputs.push(Output::Inspect { conn: app.notify, pid: app.credentials.pid });
        }
    }

    /// What was found of a process that has half said something.
    pub(super) fn half_request_inspected(&mut self, id: AppId, state: ProcessState) {
        let Some(app) = self.applications.all.get(&id) else { return };
        if app.notify_input.bytes().is_empty() {
            return;
        }
        if state == ProcessState::Suspended {
            let again = self.turn.after(SUSPENDED_CHECK);
            self.turn.timers.set(Timer::Connection(app.notify), again);
            return;
        }
        let Credentials { pid, uid, .. } = app.credentials;
        self.turn.say(
            Level::Warn,
            Topic::Silence,
            Some(uid),
            format_args!("Application {pid} did not end its request in time"),
        );
        self.drop_application(id, "it did not end its request in time");
    }

    fn serve_requests(&mut self, id: AppId) {
        loop {
            let Some(app) = self.applications.all.get_mut(&id) else { return };
            let reply = match Request::length(app.notify_input.bytes()) {
                Ok(Some(length)) => match self.answer(id, length) {
                    Some(reply) => reply,
                    None => {
                        if let Some(app) = self.applications.all.get_mut(&id) {
                            app.notify_input.expect(length);
                        }
                        return;
                    }
                },
                Ok(None) => return,
                Err(error) => Err(error),
            };
            let Some(app) = self.applications.all.get(&id) else { return };
            match reply {
                Ok(reply) => {
                    if matches!(reply, Reply::Event { code: 0, .. }) {
                        self.turn.tally.events = self.turn.tally.events.saturating_add(1);
                    }
                    self.turn.outputs.send(app.notify, reply.encode());
                }
                Err(error) => {
                    self.turn.say(
                        Level::Warn,
                        Topic::Registration,
                        Some(app.credentials.uid),
                        format_args!("Application {}: {error}", app.credentials.pid),
                    );
                    self.drop_application(id, "it asked for something that can't be understood");
                    return;
                }
            }
        }
    }

    /// The answer to the request in the next `length` bytes of an application, once they are there.
    fn answer(&mut self, id: AppId, length: usize) -> Option<Result<Reply, Error>> {
        let known = self.described_event(id, length);
        let app = self.applications.all.get_mut(&id)?;
        if let Some(event) = known {
            return app.notify_input.take(length, |_| Ok(Reply::Event { code: 0, id: event }));
        }
        let request = app.notify_input.take(length, Request::decode)?;
        Some(request.map(|request| self.register(id, &request)))
    }

    /// The id of the event that the next `length` bytes describe, if it was described with the same bytes before. Nearly
    /// all events of a second application of a kind are, and decoding them is most of the work.
    fn described_event(&mut self, id: AppId, length: usize) -> Option<u32> {
        let app = self.applications.all.get(&id)?;
        let event = RawEvent::of(app.notify_input.bytes().get(..length)?)?;
        let (key, channel) = self.channel_known_as(id, event.session, event.channel)?;
        // They are not changed, so nobody needs to look at them.
        let buffers = self.buffers.serve(&key)?;
        let number = buffers.channel(channel)?.number;
        buffers.registry.described_event(number, event.description)
    }

    fn register(&mut self, id: AppId, request: &Request) -> Reply {
        match request {
            Request::Event(event) => {
                let fields = &event.fields;
                let result = self.with_channel(id, event.session, event.channel, |buffers, number| {
                    let registered = buffers.registry.register_described(number, event);
                    registered.map_err(|code| (code, buffers.registry.objection(fields)))
                });
                let (code, event_id) = self.split(id, result, || format!("event {:?}", event.name));
                Reply::Event { code, id: event_id }
            }
            Request::Channel(channel) => {
                let fields = &channel.fields;
                let result = self.with_channel(id, channel.session, channel.channel, |buffers, number| {
                    let registered = buffers.register_channel(number, fields).map(|()| number);
                    registered.map_err(|code| (code, buffers.registry.objection(fields)))
                });
                let (code, number) = self.split(id, result, || "the contexts of a channel".to_owned());
                Reply::Channel { code, id: number, header: HeaderType::Large }
            }
            Request::Enum(description) => {
                let buffers = self.registry_of(id, description.session);
                let result = buffers.ok_or((UNKNOWN, None)).and_then(|buffers| {
                    buffers.registry.register_enum(description).map_err(|code| (code, None))
                });
                let (code, enum_id) =
                    self.split(id, result, || format!("enumeration {:?}", description.name));
                Reply::Enum { code, id: enum_id }
            }
        }
    }

    fn with_channel<T>(
        &mut self,
        id: AppId,
        session: u32,
        channel: u32,
        register: impl FnOnce(&mut Buffers, u32) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let (buffers, number) = self.registry_channel(id, session, channel).ok_or((UNKNOWN, None))?;
        register(buffers, number)
    }

    /// The code and the number for the reply. That something is refused is told in the log.
    fn split<T: Default>(
        &mut self,
        id: AppId,
        result: Result<T, Refusal>,
        what: impl FnOnce() -> String,
    ) -> (i32, T) {
        let (code, objection) = match result {
            Ok(value) => return (0, value),
            Err(refusal) => refusal,
        };
        if let Some(app) = self.applications.all.get(&id) {
            let reason = match objection {
                Some(objection) => objection.to_string(),
                None if code == -libc::ENOMEM => "there is no more memory for its user".to_owned(),
                None => std::io::Error::from_raw_os_error(code.saturating_neg()).to_string(),
            };
            let (pid, name) = (app.credentials.pid, &app.registration.name);
            self.turn.say(
                Level::Warn,
                Topic::Unserved,
                Some(app.credentials.uid),
                format_args!("Application {pid} ({name:?}) can't record {}: {reason}", what()),
            );
        }
        (code, T::default())
    }

    fn registry_channel(&mut self, id: AppId, session: u32, channel: u32) -> Option<(&mut Buffers, u32)> {
        let (key, channel) = self.channel_known_as(id, session, channel)?;
        let buffers = self.buffers.get_mut(&key)?;
        let number = buffers.channel(channel)?.number;
        Some((buffers, number))
    }

    fn registry_of(&mut self, id: AppId, session: u32) -> Option<&mut Buffers> {
        let key = self.buffers_known_as(id, session)?;
        self.buffers.get_mut(&key)
    }

    /// The channel, and its buffers, that an application means by the handles of session and channel.
    fn channel_known_as(&self, id: AppId, session: u32, channel: u32) -> Option<(BuffersKey, ChannelId)> {
        let key = self.buffers_known_as(id, session)?;
        let mirror = self.applications.all.get(&id)?.mirrors.get(&key.session)?;
        Some((key, mirror.channel_by_handle(channel)?))
    }

    /// The buffers that an application means by the handle of its session.
    fn buffers_known_as(&self, id: AppId, session: u32) -> Option<BuffersKey> {
        let app = self.applications.all.get(&id)?;
        let session = session_known_as(app, session)?;
        Some(app.buffers_key(session, self.sessions.get(session)?.scheme()))
    }
}

fn session_known_as(app: &App, handle: u32) -> Option<SessionId> {
    let mut mirrors = app.mirrors.iter();
    mirrors.find(|(_, mirror)| mirror.slot.handle() == Some(handle)).map(|(&id, _)| id)
}
