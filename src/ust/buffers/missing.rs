// SPDX-License-Identifier: GPL-2.0-only
//! Channels that could not be had: who is told of them, and when they are asked for again. Nothing that is there is given
//! up for them.

use std::time::Instant;

use super::{BufferedChannel, Buffers, Directory, LONGEST_RETRY_DELAY, RETRY_DELAY, Stage};
use crate::sys::clock::after;
use crate::turn::ids::ChannelId;
use crate::ust::obstacle::Obstacle;

impl Buffers {
    /// The channels that can't be had, and why.
    pub fn failures(&self) -> impl Iterator<Item = (ChannelId, Obstacle)> {
        self.channels.iter().filter_map(|(&id, channel)| match channel.stage {
            Stage::Failed(why) => Some((id, why)),
            _ => None,
        })
    }

    /// Whether channels came or failed, or are made anew, since this was last asked: who waits for them must look again.
    pub fn take_news(&mut self) -> bool {
        let mut news = false;
        for channel in self.channels.values_mut() {
            let outlook = channel.stage.outlook();
            news |= std::mem::replace(&mut channel.told, outlook) != outlook;
        }
        news
    }

    /// The failures that are to be said, once it is known of all channels what became of them.
    pub fn take_unsaid(&mut self) -> Vec<(ChannelId, Obstacle)> {
        if !self.data_channels_settled() {
            return Vec::new();
        }
        let mut unsaid = Vec::new();
        for (&id, channel) in &mut self.channels {
            if let Stage::Failed(why) = channel.stage
                && !std::mem::replace(&mut channel.said, true)
            {
                channel.missed = true;
                unsaid.push((id, why));
            }
        }
        unsaid
    }

    /// The channels that were said to be missing and are there again, once it is known of all what became of them.
    pub fn take_recovered(&mut self) -> Vec<ChannelId> {
        if !self.data_channels_settled() {
            return Vec::new();
        }
        let mut recovered = Vec::new();
        for (&id, channel) in &mut self.channels {
            if matches!(channel.stage, Stage::Ready(_)) && std::mem::take(&mut channel.missed) {
                recovered.push(id);
            }
        }
        recovered
    }

    /// Whether some channels are missing, also while they are asked for again.
    pub fn is_missing_some(&self) -> bool {
        let missing = |channel: &BufferedChannel| match channel.stage {
            Stage::Ready(_) => false,
            Stage::Failed(_) => true,
            Stage::Wanted | Stage::Asked | Stage::Made | Stage::Fetching => channel.missed,
        };
        self.channels.values().any(missing)
    }

    /// The data channels that could not be had are wanted again, and whoever asked wants to know if they can't be had;
    /// `keys` gives numbers for the consumer daemon.
    pub fn retry(&mut self, keys: impl FnMut() -> u64) {
        if self.is_complete() {
            self.again_delay = RETRY_DELAY;
            self.want_failed(keys);
            self.channels.values_mut().for_each(|channel| channel.said = false);
        }
    }

    /// The same without anybody who asked: what still can't be had is said no more.
    pub fn retry_by_itself(&mut self, keys: impl FnMut() -> u64) {
        if self.is_complete() {
            self.again_delay = self.again_delay.saturating_mul(2).min(LONGEST_RETRY_DELAY);
            self.want_failed(keys);
        }
    }

    fn want_failed(&mut self, mut keys: impl FnMut() -> u64) {
        self.again_at = None;
        for channel in self.channels.values_mut() {
            if matches!(channel.stage, Stage::Failed(_)) {
                (channel.stage, channel.key) = (Stage::Wanted, keys());
                // The folders may be gone, too.
                self.directory = Directory::Wanted;
            }
        }
    }

    /// When channels that could not be had are to be asked for again, if there are such and what stood in the way may
    /// pass. Each time that this is not enough, it is later.
    pub fn retry_due(&mut self, now: Instant) -> Option<Instant> {
        if self.retired || !self.is_complete() {
            return None;
        }
        if !self.failures().any(|(_, why)| why.may_pass()) {
            (self.again_at, self.again_delay) = (None, RETRY_DELAY);
            return None;
        }
        let delay = self.again_delay;
        Some(*self.again_at.get_or_insert_with(|| after(now, delay)))
    }
}
