// SPDX-License-Identifier: GPL-2.0-only
//! The buffers of one session for the applications of one user: channels made by the consumer daemon, the
//! registry of what they hold, and how much of its text the consumer daemon has.
//!
//! [`Buffers::needs`] is the planner of this side: it names what can be asked of helper and consumer daemon
//! now. The rest records answers. Dropping the value closes the descriptors, which is what makes the consumer
//! daemon free the buffers.

mod copy;
mod metadata;
mod missing;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::obstacle::Obstacle;
use super::planner::BufferState;
use super::registry::Registry;
use super::tsdl::Header;
use crate::accounts::Charge;
use crate::consumer::ChannelBuffers;
use crate::turn::ids::{ChannelId, ConsumerId};

/// How long what could not be had is left alone, metadata or channels: longer each time.
const RETRY_DELAY: Duration = Duration::from_secs(1);
const LONGEST_RETRY_DELAY: Duration = Duration::from_secs(60);

/// What whoever waits for a channel knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outlook {
    Pending,
    Ready,
    Failed(Obstacle),
}

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
    Failed(Obstacle),
}

impl Stage {
    fn outlook(&self) -> Outlook {
        match self {
            Stage::Ready(_) => Outlook::Ready,
            Stage::Failed(why) => Outlook::Failed(*why),
            Stage::Wanted | Stage::Asked | Stage::Made | Stage::Fetching => Outlook::Pending,
        }
    }
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
    /// Bytes in use in the fullest of its streams, at the last sample.
    used: Option<u64>,
    stage: Stage,
    /// What those who wait for it were told last.
    told: Outlook,
    /// That it failed was said.
    said: bool,
    /// It was said to be missing, and not yet that it is there again.
    missed: bool,
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
    /// Something went wrong: nothing more is copied until all that failed is tried again.
    failed: bool,
    /// Something went wrong before: there may be a file that was not finished.
    tried: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MetadataStage {
    Wanted,
    Asked,
    Made,
    SettingUp,
    Ready,
    /// Not to be had for now.
    Failed,
}

/// Everything of one [`BuffersKey`](crate::turn::ids::BuffersKey).
#[derive(Debug)]
pub struct Buffers {
    /// The consumer daemon that has them.
    pub consumer: ConsumerId,
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
    /// The last push failed, or there is no metadata channel for one.
    refused: bool,
    /// How long the next one that fails is left alone.
    retry_delay: Duration,
    /// When the channels that could not be had are to be asked for again, if that was thought of.
    again_at: Option<Instant>,
    /// How long they are left alone the next time.
    again_delay: Duration,
}

impl Buffers {
    /// Buffers that are all to be made. `keys` gives numbers for the consumer daemon, never the same twice; what
    /// applications register is added to `charge`.
    pub fn new(
        consumer: ConsumerId,
        cause: Cause,
        (header, charge): (Header, Charge),
        channels: impl Iterator<Item = ChannelId>,
        mut keys: impl FnMut() -> u64,
    ) -> Self {
        let mut registry = Registry::new(&header, charge);
        let channels = channels
            .map(|id| {
                let number = registry.add_channel();
                let (stage, told) = (Stage::Wanted, Outlook::Pending);
                let (streams, written, used, said, missed) = (0, 0, None, false, false);
                let key = keys();
                (id, BufferedChannel { number, key, streams, written, used, stage, told, said, missed })
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
            retry_delay: RETRY_DELAY,
            again_at: None,
            again_delay: RETRY_DELAY,
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

    /// One of the folders is there, or the system's error.
    pub fn directory_made(&mut self, result: Result<(), i32>) {
        self.directory = match self.directory {
            Directory::Asked(count) if count > 1 => Directory::Asked(count.saturating_sub(1)),
            _ => Directory::Made,
        };
        let Err(errno) = result else { return };
        if self.data_keys().next().is_none() {
            return self.fail(Obstacle::Folder(errno));
        }
        // What is there goes on.
        for channel in self.channels.values_mut().filter(|channel| matches!(channel.stage, Stage::Wanted)) {
            channel.stage = Stage::Failed(Obstacle::Folder(errno));
        }
    }

    /// The consumer daemon made a channel, or not.
    pub fn channel_made(&mut self, id: ChannelId, result: Result<(), Obstacle>) {
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.stage = result.map_or_else(Stage::Failed, |()| Stage::Made);
        }
    }

    /// The consumer daemon handed over a channel, or not. Buffers without a stream are none.
    pub fn channel_handed_over(&mut self, id: ChannelId, result: Result<ChannelBuffers, Obstacle>) {
        if let Some(channel) = self.channels.get_mut(&id) {
            let streams = result.as_ref().map_or(0, |buffers| buffers.streams.len());
            channel.streams = u32::try_from(streams).unwrap_or(u32::MAX);
            channel.stage = match result {
                Ok(_) if streams == 0 => Stage::Failed(Obstacle::NoStreams),
                Ok(buffers) => Stage::Ready(Rc::new(buffers)),
                Err(why) => Stage::Failed(why),
            };
        }
    }

    /// Nothing more will come: the consumer daemon is gone, or no file can be made.
    pub fn fail(&mut self, why: Obstacle) {
        for channel in self.channels.values_mut() {
            channel.stage = Stage::Failed(why);
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
            Some(Stage::Failed(_)) | None => BufferState::Failed,
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

    /// A channel has written this much in all, and so many bytes are in use in its fullest stream. Returns by how much it
    /// has grown, and how much was in use before, if that was known.
    pub fn sampled(&mut self, id: ChannelId, total: u64, used: u64) -> (u64, Option<u64>) {
        let Some(channel) = self.channels.get_mut(&id) else { return (0, None) };
        let written = total.saturating_sub(std::mem::replace(&mut channel.written, total));
        (written, channel.used.replace(used))
    }

    /// Bytes in use in the fullest stream of a channel, as it was told last.
    pub fn used(&self, id: ChannelId) -> Option<u64> {
        self.channels.get(&id)?.used
    }

    /// Consumer daemon's numbers of the data channels that exist there.
    pub fn data_keys(&self) -> impl Iterator<Item = (ChannelId, u64)> + '_ {
        let ready = |(&id, channel): (&ChannelId, &BufferedChannel)| {
            matches!(channel.stage, Stage::Ready(_)).then_some((id, channel.key))
        };
        self.channels.iter().filter_map(ready)
    }

    /// Whether nothing of it is being made.
    pub fn is_complete(&self) -> bool {
        let making =
            matches!(self.metadata, MetadataStage::Asked | MetadataStage::Made | MetadataStage::SettingUp);
        self.directory == Directory::Made && self.data_channels_settled() && !making
    }

    fn data_channels_settled(&self) -> bool {
        self.channels.values().all(|channel| matches!(channel.stage, Stage::Ready(_) | Stage::Failed(_)))
    }

    /// Whether there is a data channel, or one may come.
    fn has_data_channels(&self) -> bool {
        self.channels.values().any(|channel| !matches!(channel.stage, Stage::Failed(_)))
    }

    /// The trace's UUID.
    pub fn uuid(&self) -> [u8; 16] {
        self.header.uuid
    }
}
