// SPDX-License-Identifier: GPL-2.0-only
//! What one application is known to have of one session.
//!
//! The mirror changes at two moments only: when a request is put into the application's queue
//! ([`SessionMirror::sent`]) and when its answer arrives ([`SessionMirror::answered`]). An application
//! carries out its commands in order, so a switch (enabled or not) counts as made once it is sent; an object
//! counts as there only once the application has told its handle, because handles can't be guessed.

use crate::small_map::SmallMap;
use crate::turn::ids::{ChannelId, RuleId};

/// One request to an application about one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Make the session.
    CreateSession,
    /// Make a channel on the buffers of the consumer daemon.
    CreateChannel(ChannelId),
    /// Hand over one stream of a channel.
    AddStream(ChannelId, u32),
    /// Add the context with this position among the channel's.
    AddContext(ChannelId, usize),
    /// Make an event rule, disabled.
    CreateRule(ChannelId, RuleId),
    /// Attach the rule's filter.
    SetFilter(ChannelId, RuleId),
    /// Attach the rule's exclusions.
    SetExclusions(ChannelId, RuleId),
    /// Switch a rule on or off.
    SwitchRule(ChannelId, RuleId, bool),
    /// Switch a channel on or off.
    SwitchChannel(ChannelId, bool),
    /// Start or stop recording.
    SwitchSession(bool),
    /// Record the state of the process again.
    RecordState,
    /// Let the probes that are running now finish.
    WaitQuiescent,
    /// Give up a rule.
    ReleaseRule(ChannelId, RuleId),
    /// Give up a channel.
    ReleaseChannel(ChannelId),
    /// Give up the session.
    ReleaseSession,
}

/// An object in the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Slot {
    /// Not there.
    #[default]
    Absent,
    /// Asked for; its handle is not known yet.
    Requested,
    /// There, under this handle.
    Held(u32),
    /// The application would not make it. It is asked again when the session is started again.
    Refused,
}

impl Slot {
    /// The handle, if the object is there.
    pub fn handle(self) -> Option<u32> {
        match self {
            Slot::Held(handle) => Some(handle),
            _ => None,
        }
    }

    /// What asking for it came to.
    pub(super) fn settle(&mut self, answer: Result<u32, i32>) {
        *self = answer.map_or(Slot::Refused, Slot::Held);
    }
}

/// An event rule in the application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleMirror {
    /// The rule object.
    pub slot: Slot,
    /// Filter and exclusions were sent.
    pub conditions_sent: bool,
    /// Switched on.
    pub enabled: bool,
    /// Some part of it failed: the rule must not record, since it would record too much.
    pub broken: bool,
}

/// A channel in the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelMirror {
    /// The channel object.
    pub slot: Slot,
    /// All streams were sent.
    pub streams_sent: bool,
    /// Switched on; channels are made that way.
    pub enabled: bool,
    /// A stream was refused: the application takes no more commands on this channel.
    pub broken: bool,
    /// Its rules.
    pub rules: SmallMap<RuleId, RuleMirror>,
}

impl Default for ChannelMirror {
    fn default() -> Self {
        ChannelMirror {
            slot: Slot::Absent,
            streams_sent: false,
            enabled: true,
            broken: false,
            rules: SmallMap::default(),
        }
    }
}

impl Request {
    /// Whether what is planned from here on can be planned anew, when all before was asked: nothing that belongs
    /// together is torn apart.
    pub fn can_come_later(self) -> bool {
        matches!(
            self,
            Request::CreateRule(..)
                | Request::SetFilter(..)
                | Request::SwitchRule(..)
                | Request::ReleaseRule(..)
        )
    }
}

/// A session in the application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionMirror {
    /// The session object.
    pub slot: Slot,
    /// Recording.
    pub enabled: bool,
    /// Recorded at least once: channels can't be added any more.
    pub was_enabled: bool,
    /// The application failed to start it; tried again when the session is started again.
    pub start_refused: bool,
    /// Its channels.
    pub channels: SmallMap<ChannelId, ChannelMirror>,
    /// Requests sent whose answer is outstanding.
    pub outstanding: usize,
    /// The last plan was not the whole way: an answer or a buffer must come first.
    pub waiting: bool,
}

impl SessionMirror {
    /// Notes that `request` was put into the application's queue.
    pub fn sent(&mut self, request: Request) {
        self.outstanding = self.outstanding.saturating_add(1);
        match request {
            Request::CreateSession => self.slot = Slot::Requested,
            Request::CreateChannel(id) => self.channel(id).slot = Slot::Requested,
            Request::AddStream(id, _) => self.channel(id).streams_sent = true,
            Request::CreateRule(id, rule) => self.rule(id, rule).slot = Slot::Requested,
            Request::SetFilter(id, rule) | Request::SetExclusions(id, rule) => {
                self.rule(id, rule).conditions_sent = true;
            }
            Request::SwitchRule(id, rule, on) => self.rule(id, rule).enabled = on,
            Request::SwitchChannel(id, on) => self.channel(id).enabled = on,
            Request::SwitchSession(on) => {
                self.enabled = on;
                self.was_enabled |= on;
            }
            Request::AddContext(..) | Request::RecordState | Request::WaitQuiescent => {}
            Request::ReleaseRule(id, rule) => drop(self.channel(id).rules.remove(&rule)),
            Request::ReleaseChannel(id) => drop(self.channels.remove(&id)),
            Request::ReleaseSession => {
                let outstanding = self.outstanding;
                *self = SessionMirror { outstanding, ..SessionMirror::default() };
            }
        }
    }

    /// Notes the answer to `request`: the value on success (a handle, for what creates), else the code.
    pub fn answered(&mut self, request: Request, answer: Result<u32, i32>) {
        self.outstanding = self.outstanding.saturating_sub(1);
        let failed = answer.is_err();
        match request {
            Request::CreateSession => self.slot.settle(answer),
            Request::CreateChannel(id) => self.channel(id).slot.settle(answer),
            Request::AddStream(id, _) if failed => self.channel(id).broken = true,
            Request::CreateRule(id, rule) => self.rule(id, rule).slot.settle(answer),
            Request::SetFilter(id, rule) | Request::SetExclusions(id, rule) if failed => {
                self.rule(id, rule).broken = true;
            }
            Request::SwitchRule(id, rule, true) if failed => {
                let rule = self.rule(id, rule);
                (rule.enabled, rule.broken) = (false, true);
            }
            Request::SwitchSession(true) if failed => {
                (self.enabled, self.start_refused) = (false, true);
            }
            _ => {}
        }
    }

    /// What the application refused may be asked for once more, as far as it can still be added. What it got partly is
    /// left as it is.
    pub fn forget_refusals(&mut self) {
        self.start_refused = false;
        if self.slot == Slot::Refused {
            self.slot = Slot::Absent;
        }
        for channel in self.channels.values_mut() {
            channel.rules.retain(|rule| rule.slot != Slot::Refused);
        }
    }

    /// Whether the application has all that was planned for it.
    pub fn is_settled(&self) -> bool {
        self.outstanding == 0 && !self.waiting
    }

    /// The channel under this handle.
    pub fn channel_by_handle(&self, handle: u32) -> Option<ChannelId> {
        self.channels.iter().find(|(_, channel)| channel.slot == Slot::Held(handle)).map(|(&id, _)| id)
    }

    /// Whether something was asked for whose handle is not known yet.
    pub fn awaits_handle(&self) -> bool {
        self.slot == Slot::Requested
            || self.channels.values().any(|channel| {
                channel.slot == Slot::Requested
                    || channel.rules.values().any(|rule| rule.slot == Slot::Requested)
            })
    }

    fn channel(&mut self, id: ChannelId) -> &mut ChannelMirror {
        self.channels.or_default(id)
    }

    fn rule(&mut self, channel: ChannelId, id: RuleId) -> &mut RuleMirror {
        self.channel(channel).rules.or_default(id)
    }
}
