// SPDX-License-Identifier: GPL-2.0-only
//! The metadata of buffers: the channel for it, how much of the text the consumer daemon has, and when it is to be given
//! more. What stands in the text is the registry's affair.

use std::time::{Duration, Instant};

use lttng_protocol::ust::field::Field;

use super::{Buffers, LONGEST_RETRY_DELAY, MetadataStage, RETRY_DELAY};
use crate::sys::clock::after;

/// How long new metadata may gather before it is pushed. Long, since a push keeps the consumer daemon busy.
const PUSH_DELAY: Duration = Duration::from_millis(700);

impl Buffers {
    /// The consumer daemon made the metadata channel.
    pub fn metadata_made(&mut self) {
        self.metadata = MetadataStage::Made;
    }

    /// The consumer daemon put the metadata channel to use.
    pub fn metadata_set_up(&mut self) {
        self.metadata = MetadataStage::Ready;
        self.refused = false;
    }

    /// There is no metadata channel for now: the next one to be asked for is known to the consumer daemon as `key`.
    /// Returns whether that is news.
    pub fn metadata_refused(&mut self, key: u64, now: Instant) -> bool {
        self.metadata = MetadataStage::Failed;
        self.metadata_key = key;
        self.metadata_wanted = false;
        self.put_off(now)
    }

    /// The text is left alone for a while. Returns whether it was not refused before.
    fn put_off(&mut self, now: Instant) -> bool {
        self.push_at = now.checked_add(self.retry_delay);
        self.retry_delay = self.retry_delay.saturating_mul(2).min(LONGEST_RETRY_DELAY);
        !std::mem::replace(&mut self.refused, true)
    }

    /// The metadata that was refused is to be taken now: the channel, if there is none, the text, and its copy.
    pub fn retry_metadata(&mut self, mut keys: impl FnMut() -> u64) {
        if self.metadata == MetadataStage::Failed {
            self.metadata = MetadataStage::Wanted;
            self.metadata_key = keys();
            self.metadata_wanted = false;
        }
        self.refused = false;
        self.retry_delay = RETRY_DELAY;
        self.push_at = None;
        if let Some(copy) = &mut self.copy {
            copy.failed = false;
        }
    }

    /// Whether the consumer daemon has a metadata channel that takes text.
    pub fn metadata_ready(&self) -> bool {
        self.metadata == MetadataStage::Ready
    }

    /// Whether it is known if there is a metadata channel.
    pub fn metadata_settled(&self) -> bool {
        self.metadata_ready() || self.is_undescribable()
    }

    /// Whether no metadata channel is to be had for now.
    pub fn is_undescribable(&self) -> bool {
        self.metadata == MetadataStage::Failed
    }

    /// Generation of the metadata; raised when the text starts over.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Has the text start over, with a clock offset measured now. The consumer daemon gets it with the next push.
    pub fn regenerate(&mut self, clock_offset: i64) {
        self.header.clock.offset = clock_offset;
        self.registry.regenerate(&self.header);
        self.version = self.version.saturating_add(1);
        self.delivered = 0;
    }

    /// Takes note of a channel's contexts.
    ///
    /// # Errors
    ///
    /// Those of [`Registry::register_channel`](crate::ust::registry::Registry::register_channel).
    pub fn register_channel(&mut self, number: u32, contexts: &[Field]) -> Result<(), i32> {
        let restarts = self.registry.restarts();
        let result = self.registry.register_channel(number, contexts);
        if self.registry.restarts() != restarts {
            self.version = self.version.saturating_add(1);
            self.delivered = 0;
        }
        result
    }

    /// Text that the consumer daemon does not have, with its offset. A reader can read it together with the rest.
    pub fn undelivered(&mut self) -> (usize, &[u8]) {
        self.registry.complete();
        (self.delivered, self.registry.text().as_bytes().get(self.delivered..).unwrap_or_default())
    }

    /// Whether the consumer daemon has no part in some of the text yet, and is to be given it unasked.
    pub fn has_undelivered(&self) -> bool {
        self.monitored && self.has_data_channels() && self.delivered < self.registry.text().len()
    }

    /// Whether the consumer daemon would not take some of the text.
    pub fn is_refused(&self) -> bool {
        self.has_undelivered() && self.refused
    }

    /// Whether there is text that the consumer daemon can be expected to take.
    pub fn is_behind(&self) -> bool {
        self.has_undelivered() && !self.refused
    }

    /// What the consumer daemon refused before may be pushed once more.
    pub fn forget_refusal(&mut self) {
        self.refused = false;
    }

    /// Whether a push can be made now.
    pub fn can_push(&self) -> bool {
        self.metadata_ready() && self.has_undelivered() && self.pushing.is_none()
    }

    /// There is text to push: the metadata channel is needed. True if it is to be asked for now.
    pub fn want_metadata(&mut self) -> bool {
        if self.metadata == MetadataStage::Failed {
            self.metadata = MetadataStage::Wanted;
        }
        !std::mem::replace(&mut self.metadata_wanted, true)
    }

    /// When the next push is due, if one is. New text is given a moment to gather.
    pub fn push_due(&mut self, now: Instant) -> Option<Instant> {
        let settled = self.metadata_ready() || (self.data_channels_settled() && !self.metadata_wanted);
        if !self.has_undelivered() || self.pushing.is_some() || !settled {
            return None;
        }
        let at = *self.push_at.get_or_insert_with(|| after(now, PUSH_DELAY));
        Some(at)
    }

    /// A push of everything new is under way; its text and offset.
    pub fn begin_push(&mut self) -> (usize, Vec<u8>) {
        let (offset, text) = self.undelivered();
        let piece = (offset, text.to_vec());
        self.pushing = Some((self.registry.text().len(), self.version));
        self.push_at = None;
        piece
    }

    /// How long the text is that a push under way brings the consumer daemon up to.
    pub fn being_pushed(&self) -> Option<usize> {
        self.pushing.filter(|(_, version)| *version == self.version).map(|(end, _)| end)
    }

    /// A push was answered. Returns whether it was refused, and the one before was not.
    pub fn pushed(&mut self, accepted: bool, now: Instant) -> bool {
        match self.pushing.take() {
            Some((end, version)) if accepted => {
                self.refused = false;
                self.retry_delay = RETRY_DELAY;
                self.delivered_up_to(end, version);
                false
            }
            _ => self.put_off(now),
        }
    }

    /// The consumer daemon took text on its metadata connection.
    pub fn delivered_up_to(&mut self, end: usize, version: u64) {
        if version == self.version {
            self.delivered = self.delivered.max(end.min(self.registry.text().len()));
        }
    }
}
