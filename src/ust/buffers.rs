// SPDX-License-Identifier: GPL-2.0-only
//! The buffers of one session for the applications of one user: channels made by the consumer daemon, the
//! registry of what they hold, and how much of its text the consumer daemon has.
//!
//! [`Buffers::needs`] is the planner of this side: it names what can be asked of helper and consumer daemon
//! now. The rest records answers. Dropping the value closes the descriptors, which is what makes the consumer
//! daemon free the buffers.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use lttng_protocol::ust::field::Field;

use super::planner::BufferState;
use super::registry::Registry;
use super::tsdl::Header;
use crate::consumer::ChannelBuffers;
use crate::helper::FileStart;
use crate::sys::clock::after;
use crate::turn::ids::{ChannelId, ConsumerKind};

/// How long new metadata may gather before it is pushed. Long, since a push keeps the consumer daemon busy.
const PUSH_DELAY: Duration = Duration::from_millis(700);
/// How long a push that failed is left alone.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// What is to be known of the application that causes a set of buffers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Its user.
    pub uid: u32,
    /// Where the files are, relative to the `ust` folder of the trace.
    pub path: String,
    /// Number that stands for this set in metadata requests.
    pub application_session: u64,
}

/// Something to be asked of another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Helper: the folders of the trace files.
    Directory,
    /// Consumer daemon: make this channel.
    Channel(ChannelId),
    /// Consumer daemon: hand over the buffers of this channel.
    Handover(ChannelId),
    /// Consumer daemon: make the metadata channel.
    Metadata,
    /// Consumer daemon: put the metadata channel to use.
    SetUpMetadata,
}

#[derive(Debug)]
enum Stage {
    Wanted,
    Asked,
    Made,
    Fetching,
    Ready(Rc<ChannelBuffers>),
    Failed,
}

/// One data channel.
#[derive(Debug)]
pub struct BufferedChannel {
    /// Its number in the trace, as the registry gave it.
    pub number: u32,
    /// Its number at the consumer daemon.
    pub key: u64,
    /// How many streams it was handed over with.
    pub streams: u32,
    /// Bytes that it has written, as far as the consumer daemon has told.
    written: u64,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directory {
    Wanted,
    /// This many folders are being made.
    Asked(u32),
    Made,
}

/// The copy of the metadata beside buffers that outlive a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Copy {
    /// Bytes of the text that the file holds.
    length: usize,
    /// Generation of the text.
    version: u64,
    /// Bytes being appended.
    under_way: Option<usize>,
    /// The file exists.
    exists: bool,
    /// Something went wrong: nothing more is copied.
    failed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MetadataStage {
    Wanted,
    Asked,
    Made,
    SettingUp,
    Ready,
    Failed,
}

/// Everything of one [`BuffersKey`].
#[derive(Debug)]
pub struct Buffers {
    /// The consumer daemon that has them.
    pub consumer: ConsumerKind,
    /// What caused them.
    pub cause: Cause,
    /// Its only user is gone: it is being given up.
    pub retired: bool,
    /// What it lost is counted among the losses of applications that have exited.
    pub counted: bool,
    /// Whether the consumer daemon writes what comes. Else it does so for a snapshot only: then it asks for the
    /// metadata itself, and nothing is pushed.
    monitored: bool,
    /// What the channels hold.
    pub registry: Registry,
    header: Header,
    /// Number of the metadata channel at the consumer daemon.
    pub metadata_key: u64,
    directory: Directory,
    copy: Option<Copy>,
    channels: BTreeMap<ChannelId, BufferedChannel>,
    metadata: MetadataStage,
    metadata_wanted: bool,
    version: u64,
    delivered: usize,
    /// How long the text is that is being pushed, and its version.
    pushing: Option<(usize, u64)>,
    push_at: Option<Instant>,
    /// The last push failed.
    refused: bool,
}

impl Buffers {
    /// Buffers that are all to be made. `keys` gives numbers for the consumer daemon, never the same twice.
    pub fn new(
        consumer: ConsumerKind,
        cause: Cause,
        header: Header,
        channels: impl Iterator<Item = ChannelId>,
        mut keys: impl FnMut() -> u64,
    ) -> Self {
        let mut registry = Registry::new(&header);
        let channels = channels
            .map(|id| {
                let number = registry.add_channel();
                let channel =
                    BufferedChannel { number, key: keys(), streams: 0, written: 0, stage: Stage::Wanted };
                (id, channel)
            })
            .collect();
        Buffers {
            consumer,
            cause,
            retired: false,
            counted: false,
            monitored: true,
            registry,
            header,
            metadata_key: keys(),
            directory: Directory::Wanted,
            copy: None,
            channels,
            metadata: MetadataStage::Wanted,
            metadata_wanted: false,
            version: 0,
            delivered: 0,
            pushing: None,
            push_at: None,
            refused: false,
        }
    }

    /// These are the buffers of a session without output: what is in them is written by snapshots.
    pub fn only_for_snapshots(mut self) -> Self {
        self.monitored = false;
        self
    }

    /// Folder of the files, relative to the trace chunk.
    pub fn folder(&self) -> String {
        format!("ust/{}", self.cause.path)
    }

    /// What can be asked now; each thing is named once. The metadata channel comes after all data channels, and
    /// only when there is text to push: as long as one that is monitored is empty, the consumer daemon calls data
    /// pending.
    pub fn needs(&mut self) -> Vec<Need> {
        if self.directory == Directory::Wanted {
            self.directory = Directory::Asked(1);
            return vec![Need::Directory];
        }
        let mut needs = Vec::new();
        if self.directory != Directory::Made {
            return needs;
        }
        for (&id, channel) in &mut self.channels {
            match channel.stage {
                Stage::Wanted => {
                    channel.stage = Stage::Asked;
                    needs.push(Need::Channel(id));
                }
                Stage::Made => {
                    channel.stage = Stage::Fetching;
                    needs.push(Need::Handover(id));
                }
                _ => {}
            }
        }
        let settled = self.data_channels_settled();
        match self.metadata {
            MetadataStage::Wanted if (self.metadata_wanted || !self.monitored) && settled => {
                self.metadata = MetadataStage::Asked;
                needs.push(Need::Metadata);
            }
            MetadataStage::Made => {
                self.metadata = MetadataStage::SettingUp;
                needs.push(Need::SetUpMetadata);
            }
            _ => {}
        }
        needs
    }

    /// The folders are there, or not.
    pub fn directory_made(&mut self, made: bool) {
        self.directory = match self.directory {
            Directory::Asked(count) if count > 1 => Directory::Asked(count.saturating_sub(1)),
            _ => Directory::Made,
        };
        if !made {
            self.fail();
        }
    }

    /// Buffers and metadata are to be kept in another folder too, which is being made.
    pub fn keep_copy(&mut self) {
        if let Directory::Asked(count) = self.directory {
            self.directory = Directory::Asked(count.saturating_add(1));
        }
        let none = Copy { length: 0, version: 0, under_way: None, exists: false, failed: false };
        self.copy = Some(none);
    }

    /// What is to be appended to the copy now, at most `limit` bytes, and how it begins.
    pub fn next_copy(&mut self, limit: usize) -> Option<(FileStart, Vec<u8>)> {
        let copy = self.copy.as_mut().filter(|copy| copy.under_way.is_none() && !copy.failed)?;
        if self.directory != Directory::Made {
            return None;
        }
        let restart = copy.version != self.version;
        if restart {
            (copy.length, copy.version) = (0, self.version);
        }
        let text = self.registry.text().as_bytes().get(copy.length..).filter(|text| !text.is_empty())?;
        let piece = text.get(..limit).unwrap_or(text).to_vec();
        copy.under_way = Some(piece.len());
        let start = match (copy.exists, restart) {
            (false, _) => FileStart::Create,
            (true, true) => FileStart::Truncate,
            (true, false) => FileStart::Continue,
        };
        Some((start, piece))
    }

    /// The copy was continued, or could not be.
    pub fn copied(&mut self, done: bool) {
        if let Some(copy) = &mut self.copy {
            copy.length = copy.length.saturating_add(copy.under_way.take().unwrap_or(0));
            copy.exists |= done;
            copy.failed |= !done;
        }
    }

    /// The consumer daemon made a channel, or not.
    pub fn channel_made(&mut self, id: ChannelId, made: bool) {
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.stage = if made { Stage::Made } else { Stage::Failed };
        }
    }

    /// The consumer daemon handed over a channel, or not. Buffers without a stream are none.
    pub fn channel_handed_over(&mut self, id: ChannelId, buffers: Option<ChannelBuffers>) {
        if let Some(channel) = self.channels.get_mut(&id) {
            let streams = buffers.as_ref().map_or(0, |buffers| buffers.streams.len());
            channel.streams = u32::try_from(streams).unwrap_or(u32::MAX);
            channel.stage = match buffers.filter(|buffers| !buffers.streams.is_empty()) {
                Some(buffers) => Stage::Ready(Rc::new(buffers)),
                None => Stage::Failed,
            };
        }
    }

    /// The consumer daemon made the metadata channel, or not.
    pub fn metadata_made(&mut self, made: bool) {
        self.metadata = if made { MetadataStage::Made } else { MetadataStage::Failed };
    }

    /// The consumer daemon put the metadata channel to use, or not.
    pub fn metadata_set_up(&mut self, done: bool) {
        self.metadata = if done { MetadataStage::Ready } else { MetadataStage::Failed };
    }

    /// Nothing more will come: the consumer daemon is gone, or no file can be made.
    pub fn fail(&mut self) {
        for channel in self.channels.values_mut() {
            channel.stage = Stage::Failed;
        }
        self.metadata = MetadataStage::Failed;
        self.pushing = None;
    }

    /// How far a channel is, for the planner of an application.
    pub fn state(&self, id: ChannelId) -> BufferState {
        match self.channels.get(&id).map(|channel| &channel.stage) {
            Some(Stage::Ready(buffers)) => {
                BufferState::Ready(u32::try_from(buffers.streams.len()).unwrap_or(u32::MAX))
            }
            Some(Stage::Failed) | None => BufferState::Failed,
            Some(_) => BufferState::Pending,
        }
    }

    /// The buffers of a channel, once they are there.
    pub fn handed_over(&self, id: ChannelId) -> Option<&Rc<ChannelBuffers>> {
        match &self.channels.get(&id)?.stage {
            Stage::Ready(buffers) => Some(buffers),
            _ => None,
        }
    }

    /// A stream was handed to its only user. After the last one, the descriptors of the streams are not needed any
    /// more.
    pub fn stream_given_away(&mut self, id: ChannelId, number: u32) {
        if let Some(BufferedChannel { stage: Stage::Ready(buffers), .. }) = self.channels.get_mut(&id)
            && buffers.streams.len() == (number as usize).saturating_add(1)
            && let Some(buffers) = Rc::get_mut(buffers)
        {
            buffers.streams.clear();
        }
    }

    /// A channel.
    pub fn channel(&self, id: ChannelId) -> Option<&BufferedChannel> {
        self.channels.get(&id)
    }

    /// The channel that the consumer daemon knows by this number.
    pub fn channel_by_key(&self, key: u64) -> Option<ChannelId> {
        self.channels.iter().find(|(_, channel)| channel.key == key).map(|(&id, _)| id)
    }

    /// A channel has written this much in all. Returns by how much that has grown.
    pub fn consumed(&mut self, id: ChannelId, total: u64) -> u64 {
        let Some(channel) = self.channels.get_mut(&id) else { return 0 };
        total.saturating_sub(std::mem::replace(&mut channel.written, total))
    }

    /// Consumer daemon's numbers of the data channels that exist there.
    pub fn data_keys(&self) -> impl Iterator<Item = (ChannelId, u64)> + '_ {
        let ready = |(&id, channel): (&ChannelId, &BufferedChannel)| {
            matches!(channel.stage, Stage::Ready(_)).then_some((id, channel.key))
        };
        self.channels.iter().filter_map(ready)
    }

    /// Whether the consumer daemon has a metadata channel that takes text.
    pub fn metadata_ready(&self) -> bool {
        self.metadata == MetadataStage::Ready
    }

    /// Whether it is known if there will be a metadata channel.
    pub fn metadata_settled(&self) -> bool {
        matches!(self.metadata, MetadataStage::Ready | MetadataStage::Failed)
    }

    /// Whether nothing of it is being made.
    pub fn is_complete(&self) -> bool {
        let making =
            matches!(self.metadata, MetadataStage::Asked | MetadataStage::Made | MetadataStage::SettingUp);
        self.directory == Directory::Made && self.data_channels_settled() && !making
    }

    fn data_channels_settled(&self) -> bool {
        self.channels.values().all(|channel| matches!(channel.stage, Stage::Ready(_) | Stage::Failed))
    }

    /// Generation of the metadata; raised when the text starts over.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The trace's UUID.
    pub fn uuid(&self) -> [u8; 16] {
        self.header.uuid
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
    /// Those of [`Registry::register_channel`].
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
        self.monitored
            && self.metadata != MetadataStage::Failed
            && self.delivered < self.registry.text().len()
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

    /// There is text to push: the metadata channel is needed. True the first time.
    pub fn want_metadata(&mut self) -> bool {
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

    /// A push was answered.
    pub fn pushed(&mut self, accepted: bool, now: Instant) {
        self.refused = !accepted;
        match self.pushing.take() {
            Some((end, version)) if accepted => self.delivered_up_to(end, version),
            _ => self.push_at = now.checked_add(RETRY_DELAY),
        }
    }

    /// The consumer daemon took text on its metadata connection.
    pub fn delivered_up_to(&mut self, end: usize, version: u64) {
        if version == self.version {
            self.delivered = self.delivered.max(end.min(self.registry.text().len()));
        }
    }
}
