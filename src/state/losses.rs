// SPDX-License-Identifier: GPL-2.0-only
//! What sessions lose is found out while they record, and told: consumer daemons are asked when something was written since
//! they were asked last, and never in the way of a task.

use log::Level;

use super::State;
use crate::model::{Attributes, Occasion, Place, Recording};
use crate::turn::Begin;
use crate::turn::facts::{Fact, Loss};
use crate::turn::ids::SessionId;
use crate::turn::messages::Topic;

/// Bytes that an event is taken to have of which nothing is known: the kernel describes its own.
const USUAL_EVENT: u64 = 64;

impl State {
    /// A consumer daemon has told of a session: if something was written, it is asked what was lost, and what is known of
    /// that is told when its time has come.
    pub(super) fn count_losses_in_time(&mut self, id: SessionId) {
        self.tell_losses(id, Occasion::Reminded);
        let now = self.turn.now;
        // What is in the buffers of a session without output is there to be overwritten.
        let free = self.may_count_losses(id);
        let session = self.sessions.get_mut(id).filter(|session| free && !session.is_snapshot());
        if session.is_some_and(|session| session.recording.losses.begin_asking(now)) {
            self.turn.begin(Begin::CountLosses(id));
        }
    }

    /// Whether consumer daemons can be asked about a session without being in the way of a task.
    pub fn may_count_losses(&self, id: SessionId) -> bool {
        let free = |recording: &Recording| {
            recording.is_active() && !recording.is_changing_chunk() && recording.holder.is_none()
        };
        self.sessions.get(id).is_some_and(|session| free(&session.recording))
    }

    /// A consumer daemon says how much was lost in some place.
    pub fn losses_counted(&mut self, id: SessionId, place: Place, count: u64) {
        let event = self.size_of_event(place).unwrap_or(USUAL_EVENT);
        let Some(session) = self.sessions.get_mut(id) else { return };
        let Some(attributes) = session.attributes(place.channel).cloned() else { return };
        session.recording.losses.counted(place, count, &attributes, event);
    }

    /// Bytes that an event takes in a channel, about, by what applications have registered.
    fn size_of_event(&self, Place { buffers, channel }: Place) -> Option<u64> {
        let buffers = self.buffers.get(&buffers?)?;
        buffers.registry.size_of_event(buffers.channel(channel)?.number)
    }

    /// Tells what a session has lost and was not told, as far as it is time for that.
    pub fn tell_losses(&mut self, id: SessionId, occasion: Occasion) {
        let now = self.turn.now;
        let Some(session) = self.sessions.get_mut(id) else { return };
        for loss in session.recording.losses.take_news(id, now, occasion) {
            self.turn.facts.push(Fact::Lost(loss));
        }
    }

    /// Says that something was lost.
    pub fn say_lost(&mut self, loss: &Loss) {
        let Some(session) = self.sessions.get(loss.session) else { return };
        let Some(attributes) = session.attributes(loss.channel) else { return };
        if session.is_snapshot() {
            return;
        }
        let name = session.name_of_channel(loss.channel).unwrap_or_default();
        let text = in_words(&session.wanted.name, name, attributes, loss);
        let owner = session.wanted.owner.uid;
        self.turn.say(Level::Warn, Topic::Losses, Some(owner), format_args!("{text}"));
    }
}

/// What a loss is called, with what would have held it.
fn in_words(session: &str, channel: &str, attributes: &Attributes, loss: &Loss) -> String {
    let (more, total) = (grouped(loss.more), grouped(loss.total));
    let what = if attributes.overwrite { "packets overwritten" } else { "events discarded" };
    let seconds = loss.in_last.as_secs_f64();
    let (number, size) = (attributes.num_subbuf, in_units(attributes.subbuf_size));
    let remedy = match loss.suggested {
        Some(suggested) => format!(
            "About {number} x {} (--subbuf-size={}) would have held them",
            in_units(suggested),
            as_option(suggested)
        ),
        None => {
            "Larger ones alone are no help: record less (other event rules, a filter), or to something faster"
                .to_owned()
        }
    };
    format!(
        "Session \"{session}\", channel \"{channel}\": {more} {what} in the last {seconds:.1} s ({total} in all): its \
         buffers of {number} x {size} for each CPU are too small. {remedy}"
    )
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && digits.len().saturating_sub(position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const UNITS: [(u64, &str, &str); 3] = [(1 << 30, "GiB", "G"), (1 << 20, "MiB", "M"), (1 << 10, "KiB", "k")];

/// Bytes in the largest unit of which they are a multiple, for people.
pub(super) fn in_units(bytes: u64) -> String {
    let unit = UNITS.iter().find(|(unit, ..)| bytes >= *unit && bytes.is_multiple_of(*unit));
    match unit.and_then(|(unit, name, _)| Some((bytes.checked_div(*unit)?, name))) {
        Some((number, name)) => format!("{number} {name}"),
        None => format!("{bytes} bytes"),
    }
}

/// The same as the command line takes it.
fn as_option(bytes: u64) -> String {
    let unit = UNITS.iter().find(|(unit, ..)| bytes >= *unit && bytes.is_multiple_of(*unit));
    match unit.and_then(|(unit, _, suffix)| Some((bytes.checked_div(*unit)?, suffix))) {
        Some((number, suffix)) => format!("{number}{suffix}"),
        None => bytes.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BufferingScheme;
    use crate::turn::ids::ChannelId;
    use std::time::Duration;

    #[test]
    fn a_loss_is_told_with_what_would_have_held_it() {
        let mut attributes = Attributes::default_for(BufferingScheme::PerUser, false, 4096);
        let mut loss = Loss {
            session: SessionId(1),
            channel: ChannelId(0),
            more: 12_345,
            total: 1_025_000,
            in_last: Duration::from_millis(1049),
            suggested: Some(2 << 20),
        };
        assert_eq!(
            in_words("s", "c", &attributes, &loss),
            "Session \"s\", channel \"c\": 12,345 events discarded in the last 1.0 s (1,025,000 in all): its buffers \
             of 4 x 512 KiB for each CPU are too small. About 4 x 2 MiB (--subbuf-size=2M) would have held them"
        );
        (attributes.overwrite, loss.suggested, loss.more, loss.total) = (true, None, 7, 999);
        assert_eq!(
            in_words("s", "c", &attributes, &loss),
            "Session \"s\", channel \"c\": 7 packets overwritten in the last 1.0 s (999 in all): its buffers of 4 x 512 \
             KiB for each CPU are too small. Larger ones alone are no help: record less (other event rules, a filter), \
             or to something faster"
        );
    }

    #[test]
    fn sizes_are_written_in_units() {
        let written = [(100, "100 bytes", "100"), (4096, "4 KiB", "4k"), (6 << 20, "6 MiB", "6M")];
        for (bytes, people, option) in written.into_iter().chain([(3 << 30, "3 GiB", "3G")]) {
            assert_eq!((in_units(bytes).as_str(), as_option(bytes).as_str()), (people, option));
        }
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
