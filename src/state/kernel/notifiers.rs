// SPDX-License-Identifier: GPL-2.0-only
//! Event notifiers of the kernel: they are brought to the tracer when triggers want them, and what they tell is read.

use log::Level;
use lttng_protocol::kernel::Request;

use super::TracerPurpose;
use crate::kernel::notifiers::{Notifier, plan};
use crate::kernel::plan::{Order, Plan};
use crate::kernel::refusal::Refusal;
use crate::kernel::tracer;
use crate::state::State;
use crate::state::notifiers::take_events;
use crate::sys::available;
use crate::turn::facts::Fact;
use crate::turn::ids::TriggerId;
use crate::turn::inbox::Inbox;
use crate::turn::messages::Topic;

/// Bytes that are read at once; the tracer's buffer has as many.
const PIECE: usize = 64 << 10;
/// Pieces that are read before others have their turn.
const PIECES: usize = 16;

impl State {
    /// Whether the kernel's tracer has a place for event notifiers.
    pub fn has_kernel_notifiers(&self) -> bool {
        self.kernel.found().is_some_and(|found| found.group.is_some())
    }

    /// From now on the kernel's tracer is to have this.
    pub fn want_kernel_notifier(&mut self, id: TriggerId, notifier: Notifier) {
        self.kernel.notifiers.wanted.insert(id, notifier);
        self.kernel.notifiers.dirty = true;
        self.turn.changed = true;
    }

    /// The kernel's tracer is not to have this any more. When it begins to count anew at the place of its error counter,
    /// [`Fact::KernelPlaceFree`] says so.
    pub fn forget_kernel_notifier(&mut self, id: TriggerId, place: u32) {
        self.kernel.notifiers.wanted.remove(&id);
        self.kernel.notifiers.mirror.forget(id, place.into());
        self.kernel.notifiers.dirty = true;
        self.turn.changed = true;
    }

    /// Whether the tracer has this notifier, or has refused it.
    pub fn is_kernel_notifier_settled(&self, id: TriggerId) -> bool {
        !self.kernel.notifiers.dirty && self.kernel.notifiers.mirror.is_settled(id)
    }

    /// Takes what the tracer said to this notifier, if it refused it.
    pub fn take_notifier_refusal(&mut self, id: TriggerId) -> Option<Refusal> {
        self.kernel.notifiers.mirror.take_refusal(id)
    }

    /// Brings the tracer nearer to what triggers want of it.
    pub(super) fn synchronise_kernel_notifiers(&mut self) {
        let notifiers = &mut self.kernel.notifiers;
        if !notifiers.dirty || notifiers.mirror.is_busy() {
            return;
        }
        let group = self.kernel.tracer.found().and_then(|found| found.group.as_ref());
        let Some(group) = group else { return };
        notifiers.dirty = false;
        if let Some(plan) = plan(&notifiers.wanted, &notifiers.mirror, group) {
            let (aims, asked) = plan.into_job();
            notifiers.mirror.begun(aims);
            self.ask_tracer(asked, TracerPurpose::Notifiers);
        }
    }

    pub(super) fn kernel_notifiers_answered(&mut self, result: tracer::Result) {
        let notifiers = &mut self.kernel.notifiers;
        let news = notifiers.mirror.done(&notifiers.wanted, result);
        notifiers.dirty = true;
        for place in news.cleared {
            if let Ok(place) = u32::try_from(place) {
                self.turn.facts.push(Fact::KernelPlaceFree(place));
            }
        }
        for (place, errno) in news.stuck {
            // The next trigger in that place would begin with what this one has lost.
            let error = std::io::Error::from_raw_os_error(errno);
            let text = format_args!("Place {place} of the kernel's error counters is given up: {error}");
            self.turn.say(Level::Error, Topic::Tracer, None, text);
        }
    }

    /// What asks how often the tracer could not tell of an event with this place of an error counter.
    pub fn kernel_count(&self, place: u32) -> Option<Order> {
        let group = self.kernel.found()?.group.as_ref()?;
        let mut plan = Plan::default();
        let on = plan.attach(&group.counter);
        plan.ask((), on, None, &Request::CounterAggregate { index: place.into() });
        Some(plan.into_job().1)
    }

    /// Input: the tracer tells of events. It says so once for all that there are.
    pub(in crate::state) fn read_kernel_events(&mut self) {
        let mut buffer = vec![0; PIECE];
        for _ in 0..PIECES {
            let Some(events) = &self.kernel.notifiers.events else { return };
            match available::read(events, &mut buffer) {
                Ok(0) => return,
                Ok(length) => self.kernel_events_told(buffer.get(..length).unwrap_or_default()),
                Err(error) => {
                    let text = format_args!("What the kernel tells of events can't be read: {error}");
                    return self.turn.say(Level::Error, Topic::Tracer, None, text);
                }
            }
        }
        // There is more, which is not told again.
        self.poll_kernel_events();
    }

    fn kernel_events_told(&mut self, bytes: &[u8]) {
        let notifiers = &mut self.kernel.notifiers;
        notifiers.input.push(bytes);
        let wanted = &notifiers.wanted;
        if let Err(error) = take_events(&mut notifiers.input, |id| wanted.contains_key(&id), &mut self.turn) {
            notifiers.input = Inbox::default();
            let text = format_args!("What the kernel tells of events can't be understood: {error}");
            self.turn.say(Level::Error, Topic::Tracer, None, text);
        }
    }
}
