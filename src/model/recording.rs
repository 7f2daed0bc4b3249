// SPDX-License-Identifier: GPL-2.0-only
//! What goes on in a session: whether it records, to which trace chunk, how its rotations went, what was found out
//! when it stopped.
//!
//! It is changed through a [`Recorder`] only, whose methods are the things that can happen; each tells what became true
//! as a [`Fact`]. What the user asked for is in [`Wanted`](super::wanted::Wanted) and is not touched here.

use std::collections::BTreeMap;
use std::time::Instant;

use super::idle::Activity;
use super::losses::Losses;
use super::session::Session;
use crate::turn::facts::{Fact, Facts, Sample};
use crate::turn::ids::{ChannelId, ConsumerId, RelayId, TaskId};

/// How a rotation goes, or went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationState {
    /// It failed.
    Error,
    /// There was none.
    NoRotation,
    /// It goes on.
    Ongoing,
    /// It is done.
    Completed,
    /// A later one made this one's result unavailable.
    Expired,
}

/// A trace chunk: one generation of a session's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Its number in the session.
    pub id: u64,
    /// Seconds since the Epoch when it was made.
    pub created: i64,
    /// Where its files are now, absolute; empty when they are on another machine.
    pub folder: String,
}

/// A chunk that was archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    pub id: u64,
    /// Where it is: an absolute path on this machine, or a path below the relay daemon's output.
    pub path: String,
}

/// How far a session is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Life {
    /// Never started.
    #[default]
    New,
    Active,
    Stopped,
    /// It is being destroyed; whether it was ever started.
    Ending {
        started: bool,
    },
}

/// What is known of a session that does not record, until it starts again.
#[derive(Debug, Default)]
pub struct AtRest {
    /// All data is written.
    pub drained: bool,
    /// All metadata is written, too, or can't be.
    pub described: bool,
    /// What its channels lost: events, or packets of those that overwrite.
    pub losses: BTreeMap<ChannelId, u64>,
}

/// What a consumer daemon tells of a channel, in the buffers of one user or of one application.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sampled {
    /// Bytes written since the last sample.
    pub written: u64,
    /// Bytes in use in the fullest of its buffers.
    pub used: u64,
    /// The same of the sample before this, if there was one.
    pub used_before: Option<u64>,
    /// Bytes that one buffer has.
    pub capacity: u64,
}

/// The task that has a session to itself: commands about the session wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    pub task: TaskId,
    /// It has consumer daemons go through the session's buffers, which must stay meanwhile.
    pub uses_buffers: bool,
    /// It is the end of the session.
    pub ends_session: bool,
}

/// What goes on in a session.
#[derive(Debug)]
pub struct Recording {
    life: Life,
    /// The relay daemon, by the number that consumer daemons know its connections by, once they have them.
    pub relay: Option<RelayId>,
    /// The consumer daemons that it records with, from its first start on: also those that have died, with what it had
    /// there.
    consumers: Vec<ConsumerId>,
    chunk: Option<Chunk>,
    next_chunk: u64,
    /// The chunk is being changed.
    changing: bool,
    /// The chunk being left.
    leaving: Option<u64>,
    /// The same, if it is left because somebody wanted a rotation.
    rotating: Option<u64>,
    rotation: RotationState,
    archived: Option<Archived>,
    /// A chunk was moved to the archives.
    moved: bool,
    rotated_since_stop: bool,
    cleared_since_stop: bool,
    /// Bytes that its channels wrote, as far as they told.
    consumed: u64,
    /// The number of bytes at which it rotates next, if it does.
    rotate_at: u64,
    snapshots: u64,
    /// Who has it to itself.
    pub holder: Option<Holder>,
    /// It rotates by itself as soon as it is free.
    pub rotation_due: bool,
    /// What was found out when it stopped.
    pub at_rest: Option<AtRest>,
    /// What applications with buffers of their own had lost when they exited.
    pub losses_of_exited: BTreeMap<ChannelId, u64>,
    /// When something happened to it last.
    pub activity: Activity,
    /// What was lost in all, as far as consumer daemons were asked.
    pub losses: Losses,
}

impl Default for Recording {
    fn default() -> Self {
        Recording {
            life: Life::New,
            relay: None,
            consumers: Vec::new(),
            chunk: None,
            next_chunk: 0,
            changing: false,
            leaving: None,
            rotating: None,
            rotation: RotationState::NoRotation,
            archived: None,
            moved: false,
            rotated_since_stop: false,
            cleared_since_stop: false,
            consumed: 0,
            rotate_at: 0,
            snapshots: 0,
            holder: None,
            rotation_due: false,
            at_rest: None,
            losses_of_exited: BTreeMap::new(),
            activity: Activity::default(),
            losses: Losses::default(),
        }
    }
}

impl Recording {
    /// Whether it records now.
    pub fn is_active(&self) -> bool {
        self.life == Life::Active
    }

    /// Whether it was started at least once.
    pub fn was_started(&self) -> bool {
        !matches!(self.life, Life::New | Life::Ending { started: false })
    }

    /// Whether its end is under way.
    pub fn is_ending(&self) -> bool {
        matches!(self.life, Life::Ending { .. })
    }

    /// The consumer daemons that it records with. One that is dead took with it what the session had there.
    pub fn consumers(&self) -> &[ConsumerId] {
        &self.consumers
    }

    /// The trace chunk that consumer daemons write to, once there is one.
    pub fn chunk(&self) -> Option<&Chunk> {
        self.chunk.as_ref()
    }

    /// Number of the next chunk.
    pub fn next_chunk(&self) -> u64 {
        self.next_chunk
    }

    /// Whether the chunk is being changed: no buffers may be made before it was.
    pub fn is_changing_chunk(&self) -> bool {
        self.changing
    }

    /// The chunk being left: its data is on the way to its files, or its files to their place.
    pub fn leaving(&self) -> Option<u64> {
        self.leaving
    }

    /// The chunk being left by a rotation that somebody asked for.
    pub fn rotating(&self) -> Option<u64> {
        self.rotating
    }

    /// Bytes that its channels wrote, as far as they told.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// How the last rotation went, or that one goes on.
    pub fn rotation(&self) -> RotationState {
        self.rotation
    }

    /// The chunk that was archived last.
    pub fn archived(&self) -> Option<&Archived> {
        self.archived.as_ref()
    }

    /// Whether a chunk was moved to the archives: from then on, chunks have folders of their own.
    pub fn has_archives(&self) -> bool {
        self.moved
    }

    /// Whether it was rotated since it was stopped.
    pub fn rotated_since_stop(&self) -> bool {
        self.rotated_since_stop
    }

    /// Whether it was cleared since it was stopped.
    pub fn cleared_since_stop(&self) -> bool {
        self.cleared_since_stop
    }

    /// Snapshots recorded so far, which number their names.
    pub fn snapshots(&self) -> u64 {
        self.snapshots
    }

    /// What some buffers lost counts among the losses of those that have exited from now on. `in_findings` says that it was
    /// found out when the session stopped, too.
    pub fn move_losses(&mut self, lost: &BTreeMap<ChannelId, u64>, in_findings: bool) {
        let mut at_rest = self.at_rest.as_mut().filter(|_| in_findings);
        for (&channel, &count) in lost {
            let of_channel = self.losses_of_exited.entry(channel).or_default();
            *of_channel = of_channel.saturating_add(count);
            if let Some(found) = at_rest.as_mut().and_then(|at_rest| at_rest.losses.get_mut(&channel)) {
                *found = found.saturating_sub(count);
            }
        }
    }

    /// Has it rotate at this number of bytes, counted from its beginning.
    pub fn rotate_at(&mut self, bytes: u64) {
        self.rotate_at = bytes;
    }

    /// Whether it has written as much as it may before it rotates; then it rotates next when there are `size` bytes more.
    pub fn outgrew(&mut self, size: u64) -> bool {
        let outgrown = self.consumed >= self.rotate_at;
        if outgrown {
            self.rotate_at = self.consumed.saturating_add(size);
        }
        outgrown
    }
}

/// A session to which something happens.
#[derive(Debug)]
pub struct Recorder<'a> {
    session: &'a mut Session,
    facts: &'a mut Facts,
}

impl<'a> Recorder<'a> {
    /// What happens to `session` is told to `facts`.
    pub fn new(session: &'a mut Session, facts: &'a mut Facts) -> Self {
        Recorder { session, facts }
    }

    fn recording(&mut self) -> &mut Recording {
        &mut self.session.recording
    }

    /// It is to record with these consumer daemons.
    pub fn record_with(&mut self, consumers: Vec<ConsumerId>) {
        self.recording().consumers = consumers;
    }

    /// It could not be started. If it has recorded nothing so far, all is open again.
    pub fn start_failed(&mut self) {
        if !self.session.was_started() {
            self.recording().consumers.clear();
        }
    }

    /// From here on it records.
    pub fn start(&mut self, now: Instant) {
        self.recording().life = Life::Active;
        self.recording().losses.begin(now);
        self.facts.push(Fact::Started(self.session.id));
    }

    /// It has begun to record, and what was done to it while it was stopped does not count any more.
    pub fn begun(&mut self) {
        let recording = self.recording();
        (recording.rotated_since_stop, recording.cleared_since_stop) = (false, false);
    }

    /// It records no more, for good or for a while. Nothing happens to one that does not.
    pub fn stop(&mut self) {
        if self.session.is_active() {
            self.recording().life = Life::Stopped;
            self.facts.push(Fact::Stopped(self.session.id));
        }
    }

    /// Its end begins.
    pub fn end(&mut self) {
        let started = self.session.was_started();
        self.recording().life = Life::Ending { started };
    }

    /// Its chunk is being changed, or made ready to be moved. Returns the chunk.
    pub fn begin_change(&mut self) -> Option<Chunk> {
        self.recording().changing = true;
        self.session.recording.chunk.clone()
    }

    /// Its chunk stays what it is now.
    pub fn end_change(&mut self) {
        self.recording().changing = false;
    }

    /// It records to a new chunk, which has the number that was next.
    pub fn enter_chunk(&mut self, chunk: Chunk) {
        self.facts.push(Fact::ChunkMade(self.session.id, chunk.id));
        let recording = self.recording();
        recording.chunk = Some(chunk);
        recording.next_chunk = recording.next_chunk.saturating_add(1);
    }

    /// It records to no chunk.
    pub fn enter_no_chunk(&mut self) {
        self.recording().chunk = None;
    }

    /// Its chunk is in another folder now.
    pub fn chunk_moved(&mut self, folder: String) {
        if let Some(chunk) = &mut self.recording().chunk {
            chunk.folder = folder;
        }
    }

    /// A number for a chunk that is not recorded to all the time.
    pub fn number_chunk(&mut self) -> u64 {
        let recording = self.recording();
        let number = recording.next_chunk;
        recording.next_chunk = number.saturating_add(1);
        number
    }

    /// Chunks go to the archives from now on.
    pub fn begin_archives(&mut self) {
        self.recording().moved = true;
    }

    /// It has left this chunk, whose data is on its way. `asked_for` says whether it goes to the archives: to clear
    /// a session, or to destroy one that was never rotated, it is only a means.
    pub fn leave_chunk(&mut self, chunk: u64, asked_for: bool) {
        let recording = self.recording();
        recording.rotation = RotationState::Ongoing;
        recording.leaving = Some(chunk);
        recording.rotating = Some(chunk).filter(|_| asked_for);
        self.facts.push(Fact::ChunkLeft(self.session.id, chunk));
        if asked_for {
            self.facts.push(Fact::RotationBegun(self.session.id, chunk));
        }
    }

    /// It could not leave its chunk.
    pub fn rotation_failed(&mut self) {
        self.recording().rotation = RotationState::Error;
        self.facts.push(Fact::RotationFailed(self.session.id));
    }

    /// The chunk that it left is where it is to stay, or can't be brought there.
    pub fn chunk_left(&mut self, chunk: Archived, state: RotationState) {
        let recording = self.recording();
        recording.rotation = state;
        recording.leaving = None;
        let asked_for = recording.rotating.take();
        if state == RotationState::Completed {
            self.facts.push(Fact::Archived(self.session.id, chunk.id));
            self.recording().archived = Some(chunk);
            if let Some(chunk) = asked_for {
                self.facts.push(Fact::RotationCompleted(self.session.id, chunk));
            }
        } else {
            self.facts.push(Fact::RotationFailed(self.session.id));
        }
    }

    /// A rotation was carried out, or tried.
    pub fn rotated(&mut self) {
        let stopped = !self.session.is_active();
        self.recording().rotated_since_stop |= stopped;
    }

    /// What it had recorded is thrown away. One that has no output has nothing to rotate then, either.
    /// `recording` says whether it recorded until then.
    pub fn cleared(&mut self, recording: bool) {
        let has_output = self.session.has_output();
        if !recording {
            let recording = self.recording();
            recording.cleared_since_stop = true;
            recording.rotated_since_stop |= has_output;
        }
        self.facts.push(Fact::Cleared(self.session.id));
    }

    /// This was found out when it stopped.
    pub fn found(&mut self, at_rest: AtRest) {
        self.recording().at_rest = Some(at_rest);
    }

    /// What was found out when it stopped is not true any more.
    pub fn forget_findings(&mut self) {
        self.recording().at_rest = None;
    }

    /// A snapshot was recorded.
    pub fn snapshot_recorded(&mut self) {
        let recording = self.recording();
        recording.snapshots = recording.snapshots.saturating_add(1);
        self.facts.push(Fact::SnapshotRecorded(self.session.id));
    }

    /// A consumer daemon told this of one of its channels.
    pub fn sampled(&mut self, channel: ChannelId, sampled: Sampled) {
        let recording = self.recording();
        let consumed_before = recording.consumed;
        recording.consumed = consumed_before.saturating_add(sampled.written);
        let consumed = recording.consumed;
        let Sampled { used, used_before, capacity, .. } = sampled;
        let session = self.session.id;
        self.facts.push(Fact::Sampled(Sample {
            session,
            channel,
            used,
            used_before,
            capacity,
            consumed,
            consumed_before,
        }));
    }
}
