// SPDX-License-Identifier: GPL-2.0-only
//! What channels of a session have lost, as far as consumer daemons were asked: how much, when that was found out, and which
//! buffers would have held it. Pure data; nothing here asks anybody, and nothing here knows the time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::channel::Attributes;
use crate::turn::facts::Loss;
use crate::turn::ids::{BuffersKey, ChannelId, SessionId};

/// A channel in one set of buffers; the kernel has but one, which is none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub buffers: Option<BuffersKey>,
    pub channel: ChannelId,
}

/// Least time between two questions about a session that records. It is a bit less than a second, so that one that writes all
/// the time is asked about with each of the usual samples.
const PAUSE: Duration = Duration::from_millis(900);
/// Time after which a channel's losses are told again while it goes on losing: longer each time.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(60);
/// Bytes that the buffers of one channel and CPU may have in a suggestion: beyond that, larger buffers are no help.
const MOST_SUGGESTED: u64 = 1 << 30;

/// The sub-buffer, in bytes, with which a channel would have held what it has lost, about; nothing if no sensible one would.
///
/// What was lost, with `unit` bytes for each event, came while the buffers were full, and in the worst case all of it on one
/// CPU. So its buffers would have had to hold that much more than they do: `subbuf_size * num_subbuf + lost * unit`. That is
/// divided by the number of sub-buffers, and rounded up to a power of two, as it must be. For overwritten packets, `unit` is
/// the size of a sub-buffer.
pub fn suggest(attributes: &Attributes, lost: u64, unit: u64) -> Option<u64> {
    let number = attributes.num_subbuf.max(1);
    let capacity = attributes.subbuf_size.checked_mul(number)?;
    let needed = lost.checked_mul(unit)?.checked_add(capacity)?;
    let size = needed.div_ceil(number).checked_next_power_of_two()?;
    Some(size).filter(|size| size.checked_mul(number).is_some_and(|all| all <= MOST_SUGGESTED))
}

/// When it is told what was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Time has gone on; nobody was asked.
    Reminded,
    /// All was counted that is asked about together.
    Counted,
    /// The same, and nothing more comes for a while: all is told that was not.
    Stopped,
}

/// What one channel has lost.
#[derive(Debug, Default)]
struct OfChannel {
    total: u64,
    /// How much of it was told.
    told: u64,
    /// Up to when that was, or since when something is known.
    since: Option<Instant>,
    /// When more may be told.
    next: Option<Instant>,
    delay: Duration,
    /// What was lost since it was last found that nothing was.
    burst: u64,
    /// Something was found since news were taken.
    fresh: bool,
    /// The largest loss of this kind, and what would have held it.
    worst: u64,
    suggested: Option<u64>,
}

/// What channels of a session have lost.
#[derive(Debug, Default)]
pub struct Losses {
    channels: BTreeMap<ChannelId, OfChannel>,
    /// What was counted last in each place, if it was anything.
    counted: BTreeMap<Place, u64>,
    /// Where something was written since it was asked what was lost.
    written: BTreeSet<Place>,
    /// When that was asked last.
    asked: Option<Instant>,
    /// Somebody is being asked.
    asking: bool,
    since: Option<Instant>,
}

impl Losses {
    /// It records from now on.
    pub fn begin(&mut self, now: Instant) {
        self.since = Some(now);
        self.channels.values_mut().for_each(|channel| channel.since = Some(now));
    }

    /// Something was written there, so that something may have been lost, too.
    pub fn wrote(&mut self, place: Place) {
        self.written.insert(place);
    }

    /// Whether it is time to ask what was lost; then, that is being asked.
    pub fn begin_asking(&mut self, now: Instant) -> bool {
        let too_soon = self.asked.is_some_and(|asked| now.saturating_duration_since(asked) < PAUSE);
        if self.written.is_empty() || self.asking || too_soon {
            return false;
        }
        (self.asking, self.asked) = (true, Some(now));
        true
    }

    /// Takes some of the places to ask about.
    pub fn take_written(&mut self, most: usize) -> BTreeSet<Place> {
        let mut taken = BTreeSet::new();
        while taken.len() < most
            && let Some(place) = self.written.pop_first()
        {
            taken.insert(place);
        }
        taken
    }

    /// Nobody is asked any more.
    pub fn end_asking(&mut self) {
        self.asking = false;
    }

    /// So much was lost in a place until now, in a channel with these attributes; an event has about `event` bytes. A count
    /// that is less than before is that of something new, or was taken back: nothing is lost by that.
    pub fn counted(&mut self, place: Place, count: u64, attributes: &Attributes, event: u64) {
        let before = match count {
            0 => self.counted.remove(&place),
            _ => self.counted.insert(place, count),
        };
        let more = count.saturating_sub(before.unwrap_or_default());
        let since = self.since;
        if more == 0 {
            return;
        }
        let channel = self.channels.entry(place.channel).or_insert_with(|| {
            let delay = FIRST_DELAY;
            OfChannel { since, delay, ..OfChannel::default() }
        });
        channel.total = channel.total.saturating_add(more);
        channel.burst = channel.burst.saturating_add(more);
        channel.fresh = true;
        if channel.burst > channel.worst {
            channel.worst = channel.burst;
            let unit = if attributes.overwrite { attributes.subbuf_size } else { event };
            channel.suggested = suggest(attributes, channel.worst, unit);
        }
    }

    /// What is to be told now.
    pub fn take_news(&mut self, session: SessionId, now: Instant, occasion: Occasion) -> Vec<Loss> {
        let mut news = Vec::new();
        for (&id, channel) in &mut self.channels {
            let more = channel.total.saturating_sub(channel.told);
            let due = occasion == Occasion::Stopped || channel.next.is_none_or(|next| now >= next);
            if occasion != Occasion::Reminded && !std::mem::take(&mut channel.fresh) {
                // It holds again what comes.
                channel.burst = 0;
                if more == 0 {
                    channel.since = Some(now);
                }
            }
            if more == 0 && due && channel.burst == 0 {
                // It was quiet for as long as it would have been left alone.
                (channel.next, channel.delay) = (None, FIRST_DELAY);
            }
            if more == 0 || !due {
                continue;
            }
            let in_last = channel.since.map(|since| now.saturating_duration_since(since)).unwrap_or_default();
            let (total, suggested) = (channel.total, channel.suggested);
            news.push(Loss { session, channel: id, more, total, in_last, suggested });
            (channel.told, channel.since) = (total, Some(now));
            channel.next = now.checked_add(channel.delay);
            channel.delay = channel.delay.saturating_mul(2).min(LONGEST_DELAY);
        }
        news
    }

    /// These buffers are given up: what was lost there stays lost.
    pub fn forget_place(&mut self, buffers: BuffersKey) {
        self.counted.retain(|place, _| place.buffers != Some(buffers));
        self.written.retain(|place| place.buffers != Some(buffers));
    }

    /// What a channel has lost, as far as is known.
    pub fn of(&self, channel: ChannelId) -> u64 {
        self.channels.get(&channel).map_or(0, |channel| channel.total)
    }

    /// Bytes of a sub-buffer that would have held what a channel has lost, about; nothing if it has lost nothing, or no
    /// sensible one would have.
    pub fn suggested(&self, channel: ChannelId) -> Option<u64> {
        self.channels.get(&channel)?.suggested
    }

    /// What all channels have lost.
    pub fn total(&self) -> u64 {
        self.channels.values().fold(0, |sum, channel| sum.saturating_add(channel.total))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BufferingScheme;
    use crate::turn::ids::Owner;

    const SESSION: SessionId = SessionId(3);
    const CHANNEL: ChannelId = ChannelId(1);

    fn attributes(subbuf_size: u64, num_subbuf: u64, overwrite: bool) -> Attributes {
        let usual = Attributes::default_for(BufferingScheme::PerUser, overwrite, 4096);
        Attributes { subbuf_size, num_subbuf, ..usual }
    }

    fn place(uid: u32) -> Place {
        let key = BuffersKey { session: SESSION, bits: 64, owner: Owner::User(uid) };
        Place { buffers: Some(key), channel: CHANNEL }
    }

    #[test]
    fn a_suggestion_holds_what_was_lost_and_what_is_held_already() {
        // 2 x 4096 and 1000 events of 32 bytes are 40192 bytes, 20096 for each of the two.
        assert_eq!(suggest(&attributes(4096, 2, false), 1000, 32), Some(32_768));
        // One more event than fits already needs the next power of two.
        assert_eq!(suggest(&attributes(4096, 4, false), 1, 16), Some(8192));
        // Packets that were overwritten are as large as a sub-buffer.
        assert_eq!(suggest(&attributes(4096, 4, true), 12, 4096), Some(16_384));
        // Buffers of more than a gibibyte are not suggested, and nothing overflows.
        assert_eq!(suggest(&attributes(4096, 4, false), 1 << 40, 32), None);
        assert_eq!(suggest(&attributes(1 << 63, 4, false), u64::MAX, u64::MAX), None);
        assert_eq!(suggest(&attributes(4096, 0, false), 1, 1), Some(8192));
    }

    #[test]
    fn what_is_lost_is_told_at_once_and_then_less_often() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let kind = attributes(4096, 2, false);
        let mut losses = Losses::default();
        losses.begin(start);
        let mut told = Vec::new();
        for second in 1..=100 {
            losses.counted(place(1), second * 10, &kind, 32);
            losses.counted(place(2), second * 5, &kind, 32);
            let news = losses.take_news(SESSION, at(second), Occasion::Counted);
            // It is not taken for quiet because samples come in between.
            assert_eq!(losses.take_news(SESSION, at(second), Occasion::Reminded), []);
            told.extend(news.iter().map(|loss| (second, loss.more, loss.total, loss.in_last.as_secs())));
        }
        assert_eq!(
            told,
            [(1, 15, 15, 1), (2, 15, 30, 1), (4, 30, 60, 2), (8, 60, 120, 4), (16, 120, 240, 8)]
                .into_iter()
                .chain([(32, 240, 480, 16), (64, 480, 960, 32)])
                .collect::<Vec<_>>()
        );
        // Whoever stops the session is told the rest.
        let rest = losses.take_news(SESSION, at(101), Occasion::Stopped);
        assert_eq!(rest.iter().map(|loss| (loss.more, loss.total)).collect::<Vec<_>>(), [(540, 1500)]);
        assert_eq!((losses.of(CHANNEL), losses.total()), (1500, 1500));
        assert_eq!(losses.suggested(CHANNEL), suggest(&kind, 1500, 32));
        assert_eq!(losses.take_news(SESSION, at(102), Occasion::Stopped), []);
    }

    #[test]
    fn a_count_that_goes_down_is_no_loss() {
        let start = Instant::now();
        let kind = attributes(4096, 2, false);
        let mut losses = Losses::default();
        losses.begin(start);
        for (count, total) in [(10, 10), (0, 10), (3, 13), (3, 13), (1, 13), (2, 14)] {
            losses.counted(place(1), count, &kind, 32);
            assert_eq!(losses.of(CHANNEL), total, "after {count}");
        }
        // What buffers have lost that are gone stays lost, and those that come next begin at nothing.
        losses.forget_place(match place(1).buffers {
            Some(key) => key,
            None => return,
        });
        losses.counted(place(1), 2, &kind, 32);
        assert_eq!(losses.of(CHANNEL), 16);
    }

    #[test]
    fn a_pause_ends_what_buffers_would_have_had_to_hold() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let kind = attributes(4096, 2, false);
        let mut losses = Losses::default();
        losses.begin(start);
        losses.counted(place(1), 1000, &kind, 32);
        assert_eq!(losses.take_news(SESSION, at(1), Occasion::Counted).len(), 1);
        let suggested = losses.suggested(CHANNEL);
        assert_eq!(losses.take_news(SESSION, at(10), Occasion::Counted), []);
        losses.counted(place(1), 1500, &kind, 32);
        assert_eq!(losses.take_news(SESSION, at(11), Occasion::Counted).len(), 1);
        // The second burst was smaller than the first.
        assert_eq!(losses.suggested(CHANNEL), suggested);
    }

    #[test]
    fn it_is_asked_only_about_what_was_written_and_not_too_often() {
        let start = Instant::now();
        let mut losses = Losses::default();
        assert!(!losses.begin_asking(start));
        losses.wrote(place(1));
        losses.wrote(place(2));
        losses.wrote(place(1));
        assert!(losses.begin_asking(start) && !losses.begin_asking(start + PAUSE));
        assert_eq!(losses.take_written(1).len(), 1);
        assert_eq!(losses.take_written(9).len(), 1);
        losses.end_asking();
        assert!(!losses.begin_asking(start + PAUSE));
        losses.wrote(place(1));
        assert!(!losses.begin_asking(start + PAUSE / 2) && losses.begin_asking(start + PAUSE));
    }
}
