// SPDX-License-Identifier: GPL-2.0-only
//! What the tracer is known to have of one session, and what it refused.
//!
//! It is changed by what comes of jobs and of the handover to the consumer daemon, never by what is wanted. What was
//! refused is not asked again before somebody has taken the refusal: then it is wanted no more, or tried anew.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::job::{Done, Outcome};
use super::plan::{self, Aim};
use super::refusal::{Asked, Refusal};
use crate::model::KernelDomain;
use crate::model::kernel::ProcessAttribute;
use crate::model::tracker::Tracker;
use crate::turn::ids::{ChannelId, RuleId};
use crate::turn::output::SharedFd;

/// Something that the tracer can refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    Session,
    Tracker(ProcessAttribute),
    Channel(ChannelId),
    ChannelSwitch(ChannelId),
    Context(ChannelId),
    Rule(ChannelId, RuleId),
    Metadata,
    Streams(ChannelId),
    /// The consumer daemon takes the channels.
    Handover,
    Start,
    Stop,
}

/// How far a channel is at the consumer daemon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handed {
    /// The consumer daemon was told of the channel.
    pub known: bool,
    /// So many of its streams were sent.
    pub streams: usize,
    /// Those of them that it would not take, by their places. They are sent again.
    pub again: Vec<usize>,
    /// It was told that there are no more for now.
    pub ended: bool,
}

impl Handed {
    /// The places of the streams that are to be sent, of so many that there are.
    pub fn missing(&self, streams: usize) -> impl Iterator<Item = usize> {
        self.again.iter().copied().chain(self.streams..streams)
    }

    /// Everything of a channel with so many streams was sent.
    fn all(streams: usize) -> Self {
        Handed { known: true, streams, again: Vec::new(), ended: true }
    }
}

/// The metadata channel of a session, or that of one snapshot.
#[derive(Debug)]
pub struct Metadata {
    pub channel: SharedFd,
    pub stream: SharedFd,
    /// The consumer daemon's number of it.
    pub key: u64,
    pub handed: Handed,
}

/// A channel that the tracer has.
#[derive(Debug)]
pub struct ChannelMirror {
    pub object: SharedFd,
    /// The consumer daemon's number of it.
    pub key: u64,
    pub enabled: bool,
    /// How many contexts were added, the first ones of those that are wanted.
    pub contexts: usize,
    pub rules: BTreeMap<RuleId, RuleMirror>,
    /// Its streams in the order in which they were opened: one for each CPU that was seen.
    pub streams: Vec<SharedFd>,
    /// There was no further stream when it was last looked.
    pub all_open: bool,
    /// A CPU has come up since it began to be looked.
    pub look_again: bool,
    pub handed: Handed,
    /// It is looked after, so that it can tell of new CPUs.
    pub watched: bool,
    /// Bytes taken from it, and bytes in use in the fullest of its streams, when that was last told.
    pub told: Option<(u64, u64)>,
}

/// An event rule that the tracer has.
#[derive(Debug)]
pub struct RuleMirror {
    pub object: SharedFd,
    pub enabled: bool,
}

/// What the tracer has and nobody wants any more.
#[derive(Debug)]
pub struct Leftover {
    pub object: SharedFd,
    pub enabled: bool,
}

/// How far the end of the session is in the tracer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum End {
    /// It is in use.
    #[default]
    Not,
    /// Everything is to be given up.
    Wanted,
    /// The helper is closing it.
    UnderWay,
    /// The tracer has nothing any more.
    Over,
}

/// What the tracer has of a session.
#[derive(Debug, Default)]
pub struct Mirror {
    pub session: Option<SharedFd>,
    /// Its trackers; an attribute that is not here has never been told, `None` is one whose state is not known.
    pub trackers: BTreeMap<ProcessAttribute, Option<Tracker>>,
    pub metadata: Option<Metadata>,
    pub channels: BTreeMap<ChannelId, ChannelMirror>,
    /// It records.
    pub recording: bool,
    /// Streams whose last packets are to be closed.
    pub unflushed: Vec<SharedFd>,
    pub leftovers: Vec<Leftover>,
    pub end: End,
    /// Answers that the consumer daemon owes about what it was handed.
    pub owed: usize,
    refused: BTreeMap<Thing, Refusal>,
    /// What was wanted before the change that the job under way brings, and is wanted again.
    given_up: Option<KernelDomain>,
    /// What the steps of the job under way are for.
    under_way: Option<Vec<Aim>>,
}

impl Mirror {
    /// Whether a job is under way.
    pub fn is_busy(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether everything is to be given up, and no job has any of it in its hands.
    pub fn can_end(&self) -> bool {
        self.end == End::Wanted && !self.is_busy()
    }

    /// A job was sent.
    pub fn begun(&mut self, aims: Vec<Aim>) {
        self.under_way = Some(aims);
    }

    /// Whether this was refused, and nobody has taken the refusal yet.
    pub fn is_refused(&self, thing: Thing) -> bool {
        self.refused.contains_key(&thing)
    }

    /// A change was given up, and this is wanted again. What was made of it, and what the job under way still makes, belongs
    /// to nothing that is wanted, whatever gets its numbers next.
    pub fn give_up_change(&mut self, wanted: &KernelDomain) {
        self.prune(Some(wanted));
        if self.is_busy() {
            self.given_up.get_or_insert_with(|| wanted.clone());
        }
    }

    /// Takes what was refused. It is asked again as soon as it is planned again.
    pub fn take_refusals(&mut self) -> Vec<Refusal> {
        std::mem::take(&mut self.refused).into_values().collect()
    }

    /// Notes that something was refused.
    pub fn refuse(&mut self, thing: Thing, asked: Asked, errno: i32) {
        self.refused.entry(thing).or_insert(Refusal { asked, errno });
    }

    /// What is not wanted any more is left over.
    pub fn prune(&mut self, wanted: Option<&KernelDomain>) {
        let leftovers = &mut self.leftovers;
        self.channels.retain(|&id, channel| {
            let Some(wanted) = wanted.and_then(|wanted| wanted.channel(id)) else {
                // With a channel that pauses, its rules do.
                leftovers.push(Leftover { object: Rc::clone(&channel.object), enabled: channel.enabled });
                return false;
            };
            channel.contexts = channel.contexts.min(wanted.contexts.len());
            channel.rules.retain(|&rule, mirror| {
                let kept = wanted.rules.iter().any(|wanted| wanted.id == rule);
                if !kept {
                    leftovers.push(Leftover { object: Rc::clone(&mirror.object), enabled: mirror.enabled });
                }
                kept
            });
            true
        });
    }

    /// What came of the job under way. `key` makes numbers for the consumer daemon.
    pub fn done(&mut self, result: Result<(Done, Vec<OwnedFd>), i32>, mut key: impl FnMut() -> u64) {
        let Some(aims) = self.under_way.take() else { return };
        for (aim, outcome, made) in plan::came_of(aims, result) {
            match outcome {
                Outcome::Done(_) => self.succeeded(aim),
                Outcome::Made { ended, .. } => self.made(&aim, made, ended, &mut key),
                Outcome::Failed(errno) => self.failed(&aim, errno),
                Outcome::Skipped => {}
            }
        }
        if let Some(wanted) = self.given_up.take() {
            self.prune(Some(&wanted));
            self.refused.clear();
        }
    }

    fn made(&mut self, aim: &Aim, made: Vec<SharedFd>, ended: bool, key: &mut impl FnMut() -> u64) {
        if let Aim::Streams(id) = aim {
            let Some(channel) = self.channels.get_mut(id) else { return };
            channel.all_open = ended && !std::mem::take(&mut channel.look_again);
            channel.streams.extend(made);
            if channel.streams.is_empty() {
                // There is a CPU, so something else is the matter, of which only the end is known.
                self.failed(aim, libc::ENOENT);
            }
            return;
        }
        // All others make one.
        let Some(object) = made.into_iter().next() else { return self.failed(aim, libc::EMFILE) };
        match *aim {
            Aim::Session => self.session = Some(object),
            Aim::Channel(id) => {
                let channel = ChannelMirror {
                    object,
                    key: key(),
                    enabled: true,
                    contexts: 0,
                    rules: BTreeMap::new(),
                    streams: Vec::new(),
                    all_open: false,
                    look_again: false,
                    handed: Handed::default(),
                    watched: false,
                    told: None,
                };
                self.channels.insert(id, channel);
            }
            Aim::Rule(id, rule) => {
                if let Some(channel) = self.channels.get_mut(&id) {
                    channel.rules.insert(rule, RuleMirror { object, enabled: false });
                }
            }
            Aim::Metadata => {
                // Its stream is not there yet.
                let stream = Rc::clone(&object);
                self.metadata =
                    Some(Metadata { channel: object, stream, key: key(), handed: Handed::default() });
            }
            Aim::MetadataStream => {
                if let Some(metadata) = &mut self.metadata {
                    metadata.stream = object;
                }
            }
            _ => {}
        }
    }

    fn succeeded(&mut self, aim: Aim) {
        match aim {
            Aim::RuleSwitch { channel, rule, on, .. } => {
                let channel = self.channels.get_mut(&channel);
                if let Some(rule) = channel.and_then(|channel| channel.rules.get_mut(&rule)) {
                    rule.enabled = on;
                }
            }
            Aim::ChannelSwitch(id, on) => {
                if let Some(channel) = self.channels.get_mut(&id) {
                    channel.enabled = on;
                }
            }
            Aim::Context(id) => {
                if let Some(channel) = self.channels.get_mut(&id) {
                    channel.contexts = channel.contexts.saturating_add(1);
                }
            }
            Aim::Track(attribute, Some(tracker)) => {
                self.trackers.insert(attribute, Some(*tracker));
            }
            Aim::Start => self.recording = true,
            Aim::Stop { flushed } => {
                self.recording = false;
                self.unflushed = self.streams().skip(flushed).cloned().collect();
            }
            Aim::Leftover => {
                // They were asked in order.
                if let Some(leftover) = self.leftovers.iter_mut().find(|leftover| leftover.enabled) {
                    leftover.enabled = false;
                }
            }
            Aim::Flush => {
                if !self.unflushed.is_empty() {
                    self.unflushed.remove(0);
                }
            }
            Aim::Track(..)
            | Aim::RulePart(..)
            | Aim::FlushWithStop
            | Aim::Detail
            | Aim::Session
            | Aim::Channel(_)
            | Aim::Rule(..)
            | Aim::Metadata
            | Aim::MetadataStream
            | Aim::Streams(_) => {}
        }
    }

    fn failed(&mut self, aim: &Aim, errno: i32) {
        match (aim, errno) {
            (Aim::Session, _) => self.refuse(Thing::Session, Asked::Session, errno),
            (Aim::Channel(id), _) => self.refuse(Thing::Channel(*id), Asked::Channel, errno),
            // It is as it should be already.
            (Aim::ChannelSwitch(..), libc::EEXIST)
            | (Aim::Context(_), libc::EEXIST)
            | (Aim::Start | Aim::Stop { .. }, libc::EBUSY) => self.succeeded(aim.clone()),
            (Aim::ChannelSwitch(id, on), _) => {
                let asked = if *on { Asked::EnableChannel } else { Asked::DisableChannel };
                self.refuse(Thing::ChannelSwitch(*id), asked, errno);
            }
            (Aim::Context(id), _) => self.refuse(Thing::Context(*id), Asked::Context, errno),
            (Aim::Rule(id, rule), _) => self.refuse(Thing::Rule(*id, *rule), Asked::Event, errno),
            (Aim::RulePart(id, rule, asked), _) => self.lose_rule(*id, *rule, *asked, errno),
            (Aim::RuleSwitch { channel, rule, new: true, .. }, _) => {
                self.lose_rule(*channel, *rule, Asked::EnableNew, errno);
            }
            (Aim::RuleSwitch { channel, rule, on, .. }, _) => {
                let asked = if *on { Asked::EnableEvent } else { Asked::DisableEvent };
                self.refuse(Thing::Rule(*channel, *rule), asked, errno);
            }
            (Aim::Track(attribute, _), _) => {
                self.trackers.insert(*attribute, None);
                self.refuse(Thing::Tracker(*attribute), Asked::Track, errno);
            }
            (Aim::Metadata, _) => self.refuse(Thing::Metadata, Asked::Metadata, errno),
            (Aim::MetadataStream, _) => {
                self.metadata = None;
                self.refuse(Thing::Metadata, Asked::Stream, errno);
            }
            (Aim::Start, _) => self.refuse(Thing::Start, Asked::Start, errno),
            (Aim::Stop { .. }, _) => self.refuse(Thing::Stop, Asked::Stop, errno),
            (Aim::Streams(id), _) => {
                if let Some(channel) = self.channels.get_mut(id) {
                    (channel.all_open, channel.look_again) = (false, false);
                }
                self.refuse(Thing::Streams(*id), Asked::Stream, errno);
            }
            (Aim::Leftover | Aim::Flush, _) => self.succeeded(aim.clone()),
            (Aim::Detail | Aim::FlushWithStop, _) => log::debug!("The kernel tracer: errno {errno}"),
        }
    }

    /// A rule is of no use without this. It is never switched on.
    fn lose_rule(&mut self, id: ChannelId, rule: RuleId, asked: Asked, errno: i32) {
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.rules.remove(&rule);
        }
        self.refuse(Thing::Rule(id, rule), asked, errno);
    }

    /// Whether the tracer has everything that the consumer daemon is to be handed before the session records.
    pub fn is_open(&self, with_metadata: bool) -> bool {
        let all = |channel: &ChannelMirror| channel.all_open;
        (self.metadata.is_some() || !with_metadata) && self.channels.values().all(all)
    }

    /// Whether the consumer daemon has everything that there is, and has said so.
    pub fn is_handed(&self, with_metadata: bool) -> bool {
        let metadata = self.metadata.as_ref().is_some_and(|metadata| metadata.handed == Handed::all(1));
        let all = |channel: &ChannelMirror| channel.handed == Handed::all(channel.streams.len());
        self.owed == 0
            && !self.is_refused(Thing::Handover)
            && (metadata || !with_metadata)
            && self.channels.values().all(all)
    }

    /// Everything was sent to the consumer daemon.
    pub fn all_handed(&mut self) {
        if let Some(metadata) = &mut self.metadata {
            metadata.handed = Handed::all(1);
        }
        for channel in self.channels.values_mut() {
            channel.handed = Handed::all(channel.streams.len());
        }
    }

    /// How far the channel of this number is at the consumer daemon.
    pub fn handed_mut(&mut self, key: u64) -> Option<&mut Handed> {
        let metadata = self.metadata.as_mut().filter(|metadata| metadata.key == key);
        let metadata = metadata.map(|metadata| &mut metadata.handed);
        let mut channels = self.channels.values_mut().filter(|channel| channel.key == key);
        metadata.or_else(|| channels.next().map(|channel| &mut channel.handed))
    }

    /// A channel has a further stream, which the job under way may or may not have seen.
    pub fn has_more_streams(&mut self, id: ChannelId) {
        let looking = self.under_way.iter().flatten().any(|aim| *aim == Aim::Streams(id));
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.all_open = false;
            channel.look_again = looking;
        }
    }

    /// Who has this number at the consumer daemon.
    pub fn channel_by_key(&mut self, key: u64) -> Option<(ChannelId, &mut ChannelMirror)> {
        let mut channels = self.channels.iter_mut();
        channels.find(|(_, channel)| channel.key == key).map(|(&id, channel)| (id, channel))
    }

    /// All streams, that of the metadata first.
    pub fn streams(&self) -> impl Iterator<Item = &SharedFd> {
        let metadata = self.metadata.iter().map(|metadata| &metadata.stream);
        metadata.chain(self.channels.values().rev().flat_map(|channel| &channel.streams))
    }

    /// Gives up everything: the descriptors, which may be the last of what they stand for.
    pub fn let_go(&mut self) -> Vec<SharedFd> {
        let mut all: Vec<SharedFd> = self.session.take().into_iter().collect();
        if let Some(metadata) = self.metadata.take() {
            all.extend([metadata.stream, metadata.channel]);
        }
        all.extend(std::mem::take(&mut self.unflushed));
        for (_, channel) in std::mem::take(&mut self.channels).into_iter().rev() {
            all.push(channel.object);
            all.extend(channel.streams);
            all.extend(channel.rules.into_values().rev().map(|rule| rule.object));
        }
        all.extend(std::mem::take(&mut self.leftovers).into_iter().map(|leftover| leftover.object));
        self.recording = false;
        all
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::model::Attributes;
    use crate::model::kernel::{KernelChannel, Transfer};

    const CHANNEL: ChannelId = ChannelId(1);

    fn made(count: u16) -> Vec<OwnedFd> {
        (0..count).map(|_| File::open("/dev/null").unwrap().into()).collect()
    }

    /// A job for one thing comes to this.
    fn job(mirror: &mut Mirror, aim: Aim, outcome: Outcome) {
        let descriptors = match outcome {
            Outcome::Made { count, .. } => made(count),
            _ => Vec::new(),
        };
        mirror.begun(vec![aim]);
        mirror.done(Ok((Done::Steps(vec![outcome]), descriptors)), || 7);
    }

    fn with_channel() -> Mirror {
        let mut mirror = Mirror::default();
        job(&mut mirror, Aim::Channel(CHANNEL), Outcome::Made { count: 1, ended: false });
        mirror
    }

    fn wanted() -> KernelDomain {
        let channel = KernelChannel {
            id: CHANNEL,
            name: "c".into(),
            enabled: true,
            listed_enabled: true,
            attributes: Attributes::default_of_kernel(false, 4096),
            live_timer: 0,
            transfer: Transfer::Splice,
            contexts: Vec::new(),
            rules: Vec::new(),
        };
        KernelDomain { channels: vec![channel], ..KernelDomain::default() }
    }

    fn refused(mirror: &mut Mirror) -> Vec<(Asked, i32)> {
        mirror.take_refusals().into_iter().map(|refusal| (refusal.asked, refusal.errno)).collect()
    }

    #[test]
    fn what_is_so_already_is_no_refusal() {
        let mut mirror = with_channel();
        job(&mut mirror, Aim::ChannelSwitch(CHANNEL, false), Outcome::Failed(libc::EEXIST));
        job(&mut mirror, Aim::Context(CHANNEL), Outcome::Failed(libc::EEXIST));
        job(&mut mirror, Aim::Start, Outcome::Failed(libc::EBUSY));
        let channel = &mirror.channels[&CHANNEL];
        assert_eq!((channel.enabled, channel.contexts, mirror.recording), (false, 1, true));
        assert_eq!(refused(&mut mirror), []);
    }

    #[test]
    fn a_channel_without_any_stream_is_not_open() {
        let mut mirror = with_channel();
        job(&mut mirror, Aim::Streams(CHANNEL), Outcome::Made { count: 0, ended: true });
        assert_eq!(refused(&mut mirror), [(Asked::Stream, libc::ENOENT)]);
        assert!(!mirror.is_open(false));
        job(&mut mirror, Aim::Streams(CHANNEL), Outcome::Made { count: 2, ended: true });
        assert!(mirror.is_open(false) && !mirror.is_open(true));
        // The helper died: what there may be more is looked for again.
        mirror.begun(vec![Aim::Streams(CHANNEL)]);
        mirror.done(Err(libc::EIO), || 8);
        assert_eq!((mirror.is_open(false), refused(&mut mirror)), (false, vec![(Asked::Stream, libc::EIO)]));
    }

    #[test]
    fn a_cpu_that_comes_up_while_streams_are_opened_is_looked_for_again() {
        let mut mirror = with_channel();
        mirror.begun(vec![Aim::Streams(CHANNEL)]);
        mirror.has_more_streams(CHANNEL);
        let outcome = Outcome::Made { count: 2, ended: true };
        mirror.done(Ok((Done::Steps(vec![outcome.clone()]), made(2))), || 7);
        assert!(!mirror.is_open(false));
        job(&mut mirror, Aim::Streams(CHANNEL), outcome);
        assert!(mirror.is_open(false));
    }

    #[test]
    fn only_what_was_not_taken_is_handed_over_again() {
        let mut mirror = with_channel();
        job(&mut mirror, Aim::Streams(CHANNEL), Outcome::Made { count: 3, ended: true });
        assert!(!mirror.is_handed(false));
        mirror.all_handed();
        assert!(mirror.is_handed(false));
        mirror.handed_mut(7).unwrap().again.push(1);
        job(&mut mirror, Aim::Streams(CHANNEL), Outcome::Made { count: 1, ended: true });
        let missing: Vec<usize> = mirror.handed_mut(7).unwrap().missing(4).collect();
        assert_eq!((missing, mirror.is_handed(false)), (vec![1, 3], false));
    }

    #[test]
    fn what_a_given_up_change_still_makes_is_left_over() {
        let mut mirror = Mirror::default();
        mirror.begun(vec![Aim::Channel(CHANNEL)]);
        mirror.give_up_change(&KernelDomain::default());
        // Another one has its number by now.
        mirror.prune(Some(&wanted()));
        mirror.done(Ok((Done::Steps(vec![Outcome::Made { count: 1, ended: false }]), made(1))), || 7);
        assert!(mirror.channels.is_empty() && mirror.leftovers.len() == 1);
        let mut mirror = with_channel();
        mirror.give_up_change(&KernelDomain::default());
        assert!(mirror.channels.is_empty() && mirror.leftovers.len() == 1);
    }

    #[test]
    fn a_job_that_comes_to_something_else_is_a_failure_of_all_of_it() {
        for outcomes in [Vec::new(), vec![Outcome::Skipped; 3]] {
            let mut mirror = Mirror::default();
            mirror.begun(vec![Aim::Session]);
            mirror.done(Ok((Done::Steps(outcomes), made(1))), || 7);
            assert!(mirror.session.is_none());
            assert_eq!(refused(&mut mirror), [(Asked::Session, libc::EIO)]);
        }
        // A descriptor was to come and did not.
        let mut mirror = Mirror::default();
        mirror.begun(vec![Aim::Session]);
        mirror.done(Ok((Done::Steps(vec![Outcome::Made { count: 1, ended: false }]), Vec::new())), || 7);
        assert_eq!(refused(&mut mirror), [(Asked::Session, libc::EMFILE)]);
    }
}
