// SPDX-License-Identifier: GPL-2.0-only
//! Triggers: when this happens, do that.
//!
//! Which there are ([`registry`]); when their conditions are met, which facts and nothing else say ([`conditions`]); what
//! is to be done then, in turn ([`queue`]); who is told of it ([`subscribers`]). What an action does to a session is not
//! known here: it is served like a client's command, by those above.

pub mod conditions;
pub mod queue;
pub mod registry;
pub mod slots;
pub mod subscribers;

use log::Level;

use lttng_protocol::trigger::channel::{ClientMessage, Status};

use self::conditions::Met;
use self::queue::{Firing, Queue};
use self::registry::{Place, Registry, Subject};
use self::subscribers::Subscribers;
use crate::state::State;
use crate::turn::facts::Fact;
use crate::turn::ids::{ConnId, Requester, TriggerId};
use crate::turn::machine::Attached;
use crate::turn::messages::Topic;

/// Triggers, and what follows from them.
#[derive(Debug)]
pub struct Triggers {
    pub registry: Registry,
    pub queue: Queue,
    pub subscribers: Subscribers,
}

impl Triggers {
    /// None yet, with room for the error counters of so many.
    pub fn new(slots: u32, kernel_slots: u32) -> Self {
        Triggers {
            registry: Registry::new(slots, kernel_slots),
            queue: Queue::default(),
            subscribers: Subscribers::default(),
        }
    }

    /// Something happened: what it means to triggers is to be done.
    pub fn observe(&mut self, fact: &Fact, state: &mut State) {
        match fact {
            Fact::NotifierRefused(id) => self.remove(*id, state),
            Fact::KernelPlaceFree(place) => self.registry.free_slot(Place::Kernel(*place)),
            _ => {}
        }
        for met in conditions::met_by(fact, state, &self.registry) {
            self.fire(met, state);
        }
    }

    /// A trigger's condition is met: its actions are to be run.
    pub fn fire(&mut self, met: Met, state: &mut State) {
        let Some(registered) = self.registry.get_mut(met.trigger) else { return };
        registered.fired = registered.fired.saturating_add(1);
        let firing = Firing::new(met.evaluation, met.object, &registered.trigger.action, &state.sessions);
        if self.queue.push(met.trigger, firing) {
            state.turn.changed = true;
            return;
        }
        registered.dropped = registered.dropped.saturating_add(1);
        let uid = registered.trigger.owner;
        let text = format_args!("What triggers ask for takes too long: some of it is not done");
        state.turn.say(Level::Warn, Topic::Limits, Some(uid), text);
        self.subscribers.missed(&registered.trigger.condition, state);
    }

    /// Whether what a trigger just registered waits for is so already; then it fires.
    pub fn evaluate_at_first(&mut self, id: TriggerId, state: &mut State) {
        let Some(registered) = self.registry.get(id) else { return };
        if let Some((evaluation, object)) = conditions::is_met_now(&registered.trigger.condition, state) {
            self.fire(Met { trigger: id, evaluation, object: Some(object) }, state);
        }
    }

    /// A trigger is no more. What it has asked for and was not begun is not done.
    pub fn remove(&mut self, id: TriggerId, state: &mut State) {
        self.queue.forget(id);
        state.forget_asker(Requester::Trigger(id));
        state.forget_notifier(id);
        let Some(removed) = self.registry.remove(id) else { return };
        let slot = match removed.slot {
            None => return,
            // It is free when the tracer has given it up.
            Some(Place::Kernel(place)) => return state.forget_kernel_notifier(id, place),
            Some(Place::Applications(slot)) => slot,
        };
        if let Err(error) = state.clear_untold_events(slot) {
            // The next trigger in that place would begin with what this one has lost.
            let text = format_args!("A place for a trigger's errors is given up: {error}");
            state.turn.say(Level::Error, Topic::Internal, Some(removed.trigger.owner), text);
            return;
        }
        self.registry.free_slot(Place::Applications(slot));
    }

    /// Input: bytes on a connection of the notification socket.
    pub fn heard(&mut self, state: &mut State, conn: ConnId, bytes: &[u8], attached: Attached) {
        let mut message = self.subscribers.received(state, conn, bytes, attached);
        while let Some(said) = message {
            let subscribes = matches!(said, ClientMessage::Subscribe(_));
            let Some(status) = self.subscribers.obey(state, conn, said) else { return };
            if subscribes && status == Status::Ok {
                self.tell_at_first(conn, state);
            }
            self.subscribers.answer(state, conn, status);
            // As a rule no more than one message is read at a time; but what is there must not lie here unread.
            message = self.subscribers.received(state, conn, &[], Attached::default());
        }
    }

    /// Tells a client that has just subscribed to a condition whether it is met already. A trigger must have it.
    fn tell_at_first(&mut self, conn: ConnId, state: &mut State) {
        let Some(condition) = self.subscribers.newest(conn) else { return };
        let subject = Subject::of(condition);
        let alike =
            self.registry.about(&subject).find(|(_, known)| known.trigger.condition.same_as(condition));
        let Some((_, registered)) = alike else { return };
        if let Some((evaluation, object)) = conditions::is_met_now(condition, state) {
            self.subscribers.tell_one(conn, registered, &evaluation, Some(object), state);
        }
    }
}
