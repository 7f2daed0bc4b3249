// SPDX-License-Identifier: GPL-2.0-only
//! Whether the memory that a session's buffers need is there: who starts it is told before applications are asked, and so is
//! whoever looks for why something is not recorded.
//!
//! All buffers of user space are files of a memory file system, and the consumer daemon fills them with zeros when it makes
//! them (observed with 2.13.9: a channel that does not fit is refused with CHANNEL_FAIL when it is made, and what was taken is
//! given back; nobody is killed later on). So what is reckoned here is what will be taken, and a shortage is a refusal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use log::Level;

use super::State;
use super::buffers::{METADATA_SUBBUF_SIZE, METADATA_SUBBUFS};
use super::helper::PathPurpose;
use super::losses::in_units;
use crate::helper::PathJob;
use crate::model::{Attributes, BufferingScheme, Session};
use crate::sys::shared_memory::Space;
use crate::turn::ids::{BuffersKey, ChannelId, ConsumerKind, SessionId};
use crate::turn::messages::Topic;
use crate::ust::planner::BufferState;

/// Where buffers are that are not kept elsewhere.
const USUAL: &str = "/dev/shm";
/// Bytes that describe a sub-buffer, about.
const DESCRIPTION: u64 = 384;

/// Bytes of shared memory that a channel takes in one set of buffers, with so many possible CPUs and pages of so many bytes.
///
/// Each CPU, whether it is there or not, has `num_subbuf` sub-buffers and one more, for the reader, whatever the channel does
/// when they are full; then a page, and what describes the sub-buffers, in whole pages. (Measured with LTTng-UST 2.13 and 2 CPUs:
/// 20,480 bytes for each with 2 x 4 KiB, 294,912 with 64 x 4 KiB, 2,629,632 with 4 x 512 KiB, overwriting or not.)
pub fn size_of_channel(attributes: &Attributes, cpus: u32, page: u64) -> u64 {
    let Attributes { num_subbuf, subbuf_size, .. } = *attributes;
    size_of_stream(num_subbuf, subbuf_size, page).saturating_mul(cpus.into())
}

fn size_of_stream(number: u64, size: u64, page: u64) -> u64 {
    let described = number.saturating_mul(DESCRIPTION).saturating_add(page);
    let pages = described.div_ceil(page.max(1)).saturating_mul(page);
    number.saturating_add(1).saturating_mul(size).saturating_add(pages)
}

/// What a session's buffers will take that are not there yet.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needed {
    pub bytes: u64,
    /// Users, or applications, for whom that is.
    pub sets: u64,
}

impl State {
    /// What starting a session will take of shared memory, with the applications that are there.
    fn memory_needed(&self, session: &Session) -> Needed {
        let mut missing: BTreeMap<BuffersKey, u64> = BTreeMap::new();
        let consumers: BTreeSet<ConsumerKind> =
            self.consumers_of(session.id).into_iter().map(|consumer| consumer.kind).collect();
        for app in self.applications.all.values() {
            let (credentials, bits) = (app.credentials, app.registration.bits_per_long);
            let key = app.buffers_key(session.id, session.scheme());
            let follows = session.follows(credentials.pid, credentials.uid, credentials.gid);
            if follows && consumers.contains(&ConsumerKind::for_bits(bits)) && !missing.contains_key(&key) {
                missing.insert(key, self.memory_missing(session, key));
            }
        }
        missing.retain(|_, bytes| *bytes > 0);
        let bytes = missing.values().fold(0_u64, |sum, bytes| sum.saturating_add(*bytes));
        Needed { bytes, sets: missing.len() as u64 }
    }

    /// What one set of buffers will take that it does not have yet.
    fn memory_missing(&self, session: &Session, key: BuffersKey) -> u64 {
        let buffers = self.buffers.get(&key);
        let lacks =
            |id: ChannelId| buffers.is_none_or(|buffers| !matches!(buffers.state(id), BufferState::Ready(_)));
        let (cpus, page) = (self.settings.possible_cpus, self.settings.page_size);
        let channels = session.channels().iter().filter(|channel| lacks(channel.id));
        let sizes = channels.map(|channel| size_of_channel(&channel.attributes, cpus, page));
        let data = sizes.fold(0, u64::saturating_add);
        // The metadata channel has one stream for all CPUs.
        let metadata = size_of_stream(METADATA_SUBBUFS, page.max(METADATA_SUBBUF_SIZE), page);
        if buffers.is_none() { data.saturating_add(metadata) } else { data }
    }

    /// Where a session's buffers will be, if something needs them that is not there: to be asked about of the helper, since
    /// the way there may be long.
    pub fn memory_to_ask_about(&self, id: SessionId) -> Option<PathJob> {
        let session = self.sessions.get(id)?;
        let path = session.wanted.shm_path.as_ref()?;
        let needed = self.memory_needed(session);
        (needed.bytes > 0).then(|| PathJob::FreeSpace { path: PathBuf::from(path) })
    }

    /// Says so if a session that is about to start needs more shared memory than there is. `space` is what there is where it
    /// keeps its buffers, if it was asked about.
    pub fn warn_of_memory(&mut self, id: SessionId, space: Option<Space>) {
        let Some(session) = self.sessions.get(id) else { return };
        let usual = session.wanted.shm_path.is_none();
        let space = if usual { (self.settings.sources.memory_space)() } else { space };
        let Some(space) = space else { return };
        let needed = self.memory_needed(session);
        if needed.bytes <= space.free {
            return;
        }
        let text = in_words(session, &needed, space, self.settings.possible_cpus);
        let owner = session.wanted.owner.uid;
        self.turn.say(Level::Warn, Topic::Buffers, Some(owner), format_args!("{text}"));
    }

    /// What may be why buffers were refused: there is less memory than they need.
    pub(super) fn shortage(&self, key: BuffersKey) -> Option<String> {
        let session = self.sessions.get(key.session).filter(|session| session.wanted.shm_path.is_none())?;
        let space = (self.settings.sources.memory_space)()?;
        let missing = self.memory_missing(session, key);
        (missing > space.free).then(|| too_small(USUAL, missing, space))
    }

    /// Has it found out whether buffers were refused for want of room in the folder in which the session keeps them.
    pub(super) fn look_for_shortage(&mut self, key: BuffersKey) {
        let Some(session) = self.sessions.get(key.session) else { return };
        let (owner, path) = (session.wanted.owner, session.wanted.shm_path.clone());
        if let Some(path) = path {
            self.ask_helper(owner, PathJob::FreeSpace { path: path.into() }, PathPurpose::Space(key));
        }
    }

    /// The helper says how much room there is.
    pub(super) fn space_found(&mut self, key: BuffersKey, space: Space) {
        let Some(session) = self.sessions.get(key.session) else { return };
        let (missing, owner) = (self.memory_missing(session, key), session.wanted.owner.uid);
        let path = session.wanted.shm_path.as_deref().unwrap_or(USUAL);
        if missing > space.free {
            let text = format!("Session {}: {}", session.wanted.name, too_small(path, missing, space));
            self.turn.say(Level::Error, Topic::Buffers, Some(owner), format_args!("{text}"));
        }
    }
}

/// What it means that there is too little.
fn too_small(path: &str, needed: u64, space: Space) -> String {
    format!(
        "these buffers need {} of shared memory, and {path} has {} left of {}",
        about(needed),
        about(space.free),
        about(space.total)
    )
}

/// What is wrong, and what can be done about it.
fn in_words(session: &Session, needed: &Needed, space: Space, cpus: u32) -> String {
    let wanted = &session.wanted;
    let kinds = session.channels().iter().map(|channel| {
        let Attributes { num_subbuf, subbuf_size, .. } = channel.attributes;
        format!("\"{}\" {num_subbuf} x {}", channel.name, in_units(subbuf_size))
    });
    let mut channels: Vec<String> = kinds.take(4).collect();
    let more = session.channels().len().saturating_sub(channels.len());
    if more > 0 {
        channels.push(format!("{more} more"));
    }
    let sets = match (session.scheme(), needed.sets) {
        (BufferingScheme::PerUser, 1) => "1 user".to_owned(),
        (BufferingScheme::PerUser, sets) => format!("{sets} users"),
        (BufferingScheme::PerProcess, 1) => "1 process".to_owned(),
        (BufferingScheme::PerProcess, sets) => format!("{sets} processes"),
    };
    let path = wanted.shm_path.as_deref().unwrap_or(USUAL);
    let elsewhere = match wanted.shm_path {
        Some(_) => "in a larger folder (lttng create --shm-path)",
        None => "elsewhere (lttng create --shm-path)",
    };
    format!(
        "The start of session \"{}\" will take up to {} of shared memory (channels {}, for each of {cpus} CPUs and {sets}), \
         and {path} has {} left of {}: what does not fit is not recorded. Make it larger (mount -o remount,size=), the \
         buffers smaller (lttng enable-channel --subbuf-size, --num-subbuf), or have them {elsewhere}",
        wanted.name,
        about(needed.bytes),
        channels.join(", "),
        about(space.free),
        about(space.total)
    )
}

/// Bytes for people, with one decimal.
fn about(bytes: u64) -> String {
    let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / unit as f64),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_possible_cpu_has_all_sub_buffers_of_a_channel_and_one_more() {
        let usual = Attributes::default_for(BufferingScheme::PerUser, false, 4096);
        let with = |num_subbuf, subbuf_size, overwrite| {
            let attributes = Attributes { num_subbuf, subbuf_size, overwrite, ..usual.clone() };
            size_of_channel(&attributes, 2, 4096)
        };
        // As measured.
        assert_eq!(with(2, 4096, false), 40_960);
        assert_eq!(with(64, 4096, false), 589_824);
        assert_eq!(with(4, 512 << 10, false), 5_259_264);
        assert_eq!(with(4, 512 << 10, true), 5_259_264);
        assert_eq!(with(4, 4 << 20, false), 41_959_424);
        // A page more than measured.
        assert_eq!(with(256, 4096, false), 2_301_952 + 2 * 4096);
        assert_eq!(size_of_stream(2, 4096, 4096), 20_480);
        assert_eq!(with(1 << 31, 1 << 63, true), u64::MAX);
    }

    #[test]
    fn sizes_are_rounded_for_people() {
        let written =
            [(12, "12 bytes"), (1536, "1.5 KiB"), (60 << 20, "60.0 MiB"), (5_000_000_000, "4.7 GiB")];
        for (bytes, text) in written {
            assert_eq!(about(bytes), text);
        }
    }
}
