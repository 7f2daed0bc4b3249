// SPDX-License-Identifier: GPL-2.0-only
//! Buffers are made when an application of a recording session first needs them, and their metadata is pushed
//! to the consumer daemon soon after it was produced.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use log::Level;

use lttng_protocol::consumer::{AskChannel, ChannelKind, UstRequest};

use super::helper::PathPurpose;
use super::{Settings, State};
use crate::accounts::Resource;
use crate::consumer::Tail;
use crate::consumer::purpose::Purpose;
use crate::helper::PathJob;
use crate::model::Session;
use crate::sys::clock::{self, TraceClock};
use crate::sys::socket::Credentials;
use crate::turn::Begin;
use crate::turn::ids::{AppId, BuffersKey, ChannelId, ConsumerKind, Owner, SessionId};
use crate::turn::messages::Topic;
use crate::ust::app::App;
use crate::ust::buffers::{Buffers, Cause, Need};
use crate::ust::obstacle::Obstacle;
use crate::ust::tsdl::{Clock, Header, Scheme};

/// Mode of folders made for traces.
pub const FOLDER_MODE: u32 = 0o770;
/// Bytes of metadata copied at once: a message to the helper holds not much more.
const COPY_PIECE: usize = 8 << 10;
/// Pause between pushes of the metadata of single applications: there may be hundreds, and the consumer daemon must
/// have time for those that come.
const PRIVATE_PUSH_PAUSE: Duration = Duration::from_millis(500);
/// Sub-buffers of a metadata channel.
pub(super) const METADATA_SUBBUFS: u64 = 2;
/// Least size in bytes of a sub-buffer of a metadata channel.
pub(super) const METADATA_SUBBUF_SIZE: u64 = 4096;

impl State {
    /// Makes the buffers that an application needs in a session, unless they exist.
    pub(super) fn make_buffers(&mut self, id: AppId, session: SessionId) {
        let Some(app) = self.applications.all.get(&id) else { return };
        let Credentials { pid, uid, gid } = app.credentials;
        // While the chunk is being changed, it is not known which one they would belong to.
        let ready = |session: &Session| {
            !session.recording.is_changing_chunk()
                && (session.recording.chunk().is_some() || !session.has_output())
        };
        let wants =
            |session: &&Session| session.is_active() && ready(session) && session.follows(pid, uid, gid);
        let Some(session) = self.sessions.get(session).filter(wants) else { return };
        let bits = app.registration.bits_per_long;
        let key = app.buffers_key(session.id, session.scheme());
        let kind = ConsumerKind::for_bits(bits);
        let consumer = self.consumers_of(session.id).into_iter().find(|consumer| consumer.kind == kind);
        let (Some(tracer), Some(consumer)) = (app.tracer, consumer) else { return };
        if self.buffers.contains_key(&key) {
            return;
        }
        let uuid = match (self.settings.sources.uuid)() {
            Ok(uuid) => uuid,
            Err(error) => {
                self.turn.say(
                    Level::Error,
                    Topic::Internal,
                    None,
                    format_args!("No random numbers for a trace's UUID: {error}"),
                );
                return;
            }
        };
        let header = Header {
            uuid,
            byte_order: app.registration.byte_order,
            alignments: app.registration.alignments.of_packets(),
            bits_per_long: bits,
            tracer,
            scheme: trace_scheme(app, key),
            trace_name: if session.wanted.generated_name {
                "auto".to_owned()
            } else {
                session.wanted.name.clone()
            },
            created: clock::iso_date(session.wanted.created),
            hostname: self.settings.hostname.clone(),
            clock: trace_clock(&self.settings),
        };
        let channels = session.channels().iter().map(|channel| channel.id);
        // Traced again after it was not for a while, its files must not replace the former ones.
        let earlier = app.buffer_sets.get(&session.id).copied().unwrap_or(0);
        let cause = Cause {
            uid: app.credentials.uid,
            path: trace_path(app, key, earlier),
            application_session: self.counters.application_session(),
        };
        let keys = || self.counters.consumer_key();
        let Ok(charge) = self.accounts.charge(cause.uid, Resource::Memory, 0) else { return };
        let mut buffers = Buffers::new(consumer, cause, (header, charge), channels, keys);
        if !session.has_output() {
            buffers = buffers.only_for_snapshots();
        }
        self.buffers.insert(key, buffers);
        if let Some(app) = self.applications.all.get_mut(&id) {
            app.buffer_sets.insert(key.session, earlier.saturating_add(1));
        }
        self.turn.changed = true;
    }

    /// Has the metadata of a session start over.
    pub fn regenerate_metadata(&mut self, session: SessionId) {
        let of_session = self.buffers_of(session).map(|(&key, _)| key);
        for key in of_session.collect::<Vec<_>>() {
            if let Some(buffers) = self.buffers.get_mut(&key) {
                buffers.regenerate(trace_clock(&self.settings).offset);
            }
        }
    }

    /// Gives up the buffers of an application that is gone.
    pub(super) fn retire_buffers(&mut self, key: BuffersKey) {
        if let Some(buffers) = self.buffers.get_mut(&key) {
            buffers.retired = true;
        }
        self.turn.begin(Begin::Retire(key));
    }

    /// Has everything made anew that a session's buffers could not have: it is begun, or goes on, and what stood in the
    /// way may be gone.
    pub fn retry_buffers(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get(id) else { return };
        let active = session.is_active();
        let ready = self.ready_consumers();
        let within_reach =
            self.buffers_of(id).filter(|(_, buffers)| !buffers.retired && ready.contains(&buffers.consumer));
        let keys: Vec<BuffersKey> = within_reach.map(|(&key, _)| key).collect();
        for key in keys {
            let Some(buffers) = self.buffers.get_mut(&key) else { continue };
            buffers.retry_metadata(|| self.counters.consumer_key());
            self.turn.changed = true;
            if matches!(key.owner, Owner::User(_)) {
                buffers.retry(|| self.counters.consumer_key());
            } else if buffers.failures().next().is_some() && (!active || buffers.data_keys().next().is_none())
            {
                // What an application was given of its own buffers can't be given once more.
                self.retire_buffers(key);
            }
        }
    }

    /// Has the metadata channels made anew that a session could not have.
    pub fn retry_metadata(&mut self, session: SessionId) {
        let of_session = self.buffers_of(session).map(|(&key, _)| key);
        for key in of_session.collect::<Vec<_>>() {
            if let Some(buffers) = self.buffers.get_mut(&key) {
                buffers.retry_metadata(|| self.counters.consumer_key());
                self.turn.changed = true;
            }
        }
    }

    /// The buffers of a session that applications need now and that can't be had, and why.
    pub fn failed_buffers(&self, session: SessionId) -> BTreeMap<BuffersKey, Obstacle> {
        let failed = self.buffers_of(session).filter(|(_, buffers)| !buffers.retired);
        let failed = failed.filter_map(|(&key, buffers)| Some((key, buffers.failures().next()?.1)));
        failed.filter(|&(key, _)| self.users_of(key).next().is_some()).collect()
    }

    /// The buffers of a session some of which are missing, also those that are being asked for again.
    pub fn missing_buffers(&self, session: SessionId) -> BTreeSet<BuffersKey> {
        let missing = self.buffers_of(session).filter(|(_, buffers)| buffers.is_missing_some());
        missing.map(|(&key, _)| key).collect()
    }

    /// The applications that record to some buffers, if their session is for them.
    fn users_of(&self, key: BuffersKey) -> impl Iterator<Item = AppId> {
        let uses = move |id: AppId, app: &App| match key.owner {
            Owner::User(uid) => app.credentials.uid == uid && app.registration.bits_per_long == key.bits,
            Owner::Application(owner) => id == owner,
        };
        self.applications.all.iter().filter(move |&(&id, app)| uses(id, app)).map(|(&id, _)| id)
    }

    /// The user whose session they are for.
    pub(super) fn owner_of(&self, key: BuffersKey) -> Option<u32> {
        self.sessions.get(key.session).map(|session| session.wanted.owner.uid)
    }

    /// Whose buffers they are, for messages.
    pub(super) fn owner_name(&self, key: BuffersKey) -> String {
        match key.owner {
            Owner::User(uid) => format!("the {}-bit applications of user {uid}", key.bits),
            Owner::Application(id) => match self.applications.all.get(&id) {
                Some(app) => format!("process {}", app.credentials.pid),
                None => "a process that has exited".to_owned(),
            },
        }
    }

    /// Has everybody look at what became of buffers who waits for them. This is the one place, whoever changed them.
    fn tell_news(&mut self, key: BuffersKey) {
        if !self.buffers.serve(&key).is_some_and(Buffers::take_news) {
            return;
        }
        let users: Vec<AppId> = self.users_of(key).collect();
        self.applications.dirty.extend(users);
        self.turn.changed = true;
        let unsaid = self.buffers.serve(&key).map(Buffers::take_unsaid).unwrap_or_default();
        let recovered = self.buffers.serve(&key).map(Buffers::take_recovered).unwrap_or_default();
        let mut channels: BTreeMap<Obstacle, Vec<ChannelId>> = BTreeMap::new();
        for (id, why) in unsaid {
            channels.entry(why).or_default().push(id);
        }
        // That one is said for all buffers together.
        channels.remove(&Obstacle::ConsumerLost);
        let Some(session) = self.sessions.get(key.session) else { return };
        let name_of = |id: &ChannelId| session.channel(*id).map_or("", |channel| &channel.name);
        let mut look_for_shortage = false;
        for (why, channels) in channels {
            let names: Vec<&str> = channels.iter().map(name_of).collect();
            let (names, of, session) = (names.join(", "), self.owner_name(key), &session.wanted);
            let refused = matches!(why, Obstacle::Refused(_));
            let shortage = Some(key).filter(|_| refused).and_then(|key| self.shortage(key));
            let shortage = shortage.map(|shortage| format!("; {shortage}")).unwrap_or_default();
            self.turn.say(
                Level::Error,
                Topic::Buffers,
                Some(session.owner.uid),
                format_args!(
                    "Session {} records nothing of {of} in these channels: {names}: {why}{shortage}",
                    session.name
                ),
            );
            look_for_shortage |= refused;
        }
        if !recovered.is_empty() {
            let names: Vec<&str> = recovered.iter().map(name_of).collect();
            let (names, of, session) = (names.join(", "), self.owner_name(key), &session.wanted);
            self.turn.say(
                Level::Warn,
                Topic::Buffers,
                Some(session.owner.uid),
                format_args!("Session {} can record {of} after all; channels: {names}", session.name),
            );
        }
        if look_for_shortage {
            self.look_for_shortage(key);
        }
    }

    /// Asks for everything that buffers need, and pushes metadata that is due.
    pub(super) fn serve_buffers(&mut self) {
        while let Some(key) = self.buffers.next_touched() {
            let needs = self.buffers.serve(&key).map(Buffers::needs).unwrap_or_default();
            for need in needs {
                self.ask_need(key, need);
            }
            self.copy_metadata(key);
            self.serve_readers(key);
            self.tell_news(key);
            // The delay begins to run here, also for what is kept back.
            let due = self.buffers.serve(&key).and_then(|buffers| buffers.push_due(self.turn.now));
            self.buffers.set_push(key, due);
            let retry = self.retry_due(key);
            self.buffers.set_retry(key, retry);
        }
        self.retry_by_itself();
        // One keeps the consumer daemon busy: the others are looked at again when it is not any more.
        for kind in ConsumerKind::USER_SPACE {
            let due = |&(key, due): &(BuffersKey, Instant)| {
                ConsumerKind::for_bits(key.bits) == kind && due <= self.turn.now && self.may_push(key)
            };
            let found = self.buffers.pushes().find(due);
            if let Some((key, _)) = found {
                self.push_by_itself(key);
            }
        }
    }

    /// When what could not be had is to be asked for again. Of its own buffers an application would have to give up what it
    /// has to get the rest: that is left to the next start.
    fn retry_due(&mut self, key: BuffersKey) -> Option<Instant> {
        let buffers = self.buffers.serve(&key)?;
        match key.owner {
            Owner::Application(_) if buffers.data_keys().next().is_some() => None,
            _ => buffers.retry_due(self.turn.now),
        }
    }

    /// Asks again for buffers whose time has come.
    fn retry_by_itself(&mut self) {
        let due = |&(key, due): &(BuffersKey, Instant)| due <= self.turn.now && self.may_retry(key);
        let due: Vec<BuffersKey> = self.buffers.retries().filter(due).map(|(key, _)| key).collect();
        for key in due {
            if let Some(buffers) = self.buffers.get_mut(&key) {
                buffers.retry_by_itself(|| self.counters.consumer_key());
                self.turn.changed = true;
            }
        }
    }

    /// When buffers are to be asked for again, if nothing keeps that back: the end of whatever does is followed by another
    /// look.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.buffers.retries().filter(|(key, _)| self.may_retry(*key)).map(|(_, due)| due).min()
    }

    /// Whether buffers can be asked for without being in the way of a task.
    fn may_retry(&self, key: BuffersKey) -> bool {
        let Some(session) = self.sessions.get(key.session) else { return false };
        let consumer = self.buffers.get(&key).map(|buffers| buffers.consumer);
        session.is_active()
            && !session.recording.is_changing_chunk()
            && !self.is_held(key.session)
            && consumer.is_some_and(|consumer| self.ready_consumers().contains(&consumer))
    }

    /// In a live session the consumer daemon asks for metadata itself, as soon as there is a channel for it.
    fn serve_readers(&mut self, key: BuffersKey) {
        let live = self.sessions.get(key.session).is_some_and(|session| session.live_timer() > 0);
        let buffers = self.buffers.serve(&key).filter(|_| live);
        if buffers.is_some_and(|buffers| buffers.is_behind() && buffers.want_metadata()) {
            // There is something new to ask for: it is looked at once more.
            let _ = self.buffers.get_mut(&key);
        }
    }

    fn push_by_itself(&mut self, key: BuffersKey) {
        self.push_metadata(key);
        self.turn.changed = true;
        // The metadata channel may have to be made first; as long as it has no text, it should not have to wait.
        let begun = self.buffers.get(&key).is_some_and(|buffers| buffers.being_pushed().is_some());
        let active = self.sessions.get(key.session).is_some_and(|session| session.is_active());
        if begun && active && matches!(key.owner, Owner::Application(_)) {
            self.pushes.next_private = self.turn.after(PRIVATE_PUSH_PAUSE);
        }
    }

    /// When metadata is to be pushed without being asked for, if nothing keeps it back: an operation or a consumer
    /// daemon that has something to do is followed by another look.
    pub(super) fn next_push(&self) -> Option<Instant> {
        let at = |(key, due): (BuffersKey, Instant)| match key.owner {
            Owner::User(_) => due,
            Owner::Application(_) => due.max(self.pushes.next_private),
        };
        self.buffers.pushes().filter(|(key, _)| self.is_free_for(*key)).map(at).min()
    }

    fn may_push(&self, key: BuffersKey) -> bool {
        let in_turn = matches!(key.owner, Owner::User(_)) || self.turn.now >= self.pushes.next_private;
        in_turn && self.is_free_for(key)
    }

    /// A push keeps the consumer daemon busy for 200 ms, so it never goes before other work.
    fn is_free_for(&self, key: BuffersKey) -> bool {
        self.has_quiet_consumer(key) && !self.is_held(key.session)
    }

    /// Whether a task has a session to itself.
    pub fn is_held(&self, session: SessionId) -> bool {
        self.sessions.get(session).is_some_and(|session| session.recording.holder.is_some())
    }

    fn has_quiet_consumer(&self, key: BuffersKey) -> bool {
        let consumer = self.consumers.all.get(&ConsumerKind::for_bits(key.bits));
        consumer.is_some_and(|consumer| consumer.is_quiet())
    }

    /// Continues the copy of the metadata beside buffers that outlive a crash.
    fn copy_metadata(&mut self, key: BuffersKey) {
        let Some(buffers) = self.buffers.serve(&key) else { return };
        let Some((start, bytes)) = buffers.next_copy(COPY_PIECE) else { return };
        let path = buffers.cause.path.clone();
        let Some(session) = self.sessions.get(key.session) else { return };
        let (owner, folder) = (session.wanted.owner, shared_memory_folder(session, &path));
        if let Some(folder) = folder {
            let path = PathBuf::from(format!("{folder}/metadata"));
            let operation = PathJob::AppendFile { path, start, bytes };
            self.ask_helper(owner, operation, PathPurpose::Copy(key));
        }
    }

    /// Pushes what the consumer daemon does not have of a registry's text, if there is anything. Without a
    /// metadata channel that is asked for first, and this must be called again.
    pub fn push_metadata(&mut self, key: BuffersKey) {
        let Some(buffers) = self.buffers.get_mut(&key) else { return };
        if buffers.has_undelivered() && buffers.want_metadata() {
            self.turn.changed = true;
        }
        if !buffers.can_push() {
            return;
        }
        let (offset, text) = buffers.begin_push();
        let (kind, now) = (buffers.consumer, self.turn.now);
        let request = UstRequest::PushMetadata {
            key: buffers.metadata_key,
            target_offset: offset as u64,
            len: text.len() as u64,
            version: buffers.version(),
        };
        if !self.ask_consumer(kind, request, Tail::Text(text), Purpose::Push(key))
            && let Some(buffers) = self.buffers.get_mut(&key)
        {
            buffers.pushed(false, now);
        }
    }

    /// Like [`Self::push_metadata`], but only when nobody has anything else to ask of the consumer daemon: hundreds of
    /// pushes, 200 ms each, must not go before that. Until it is pushed, this must be called again at each look.
    pub fn push_when_quiet(&mut self, key: BuffersKey) {
        if self.buffers.get(&key).is_some_and(Buffers::metadata_ready) {
            self.pushes.wanted.insert(key);
        } else {
            self.push_metadata(key);
        }
    }

    /// Makes the pushes whose turn it is. To be called when everybody else has asked.
    pub(super) fn push_in_turn(&mut self) -> bool {
        let mut pushed = false;
        for key in std::mem::take(&mut self.pushes.wanted) {
            if self.has_quiet_consumer(key) && self.buffers.get(&key).is_some_and(Buffers::can_push) {
                self.push_metadata(key);
                pushed = true;
            }
        }
        pushed
    }

    /// Has the folders made: those of the trace files, and those of buffers that are to outlive a crash.
    fn make_folders(&mut self, key: BuffersKey) {
        let Some(session) = self.sessions.get(key.session) else { return };
        let Some(buffers) = self.buffers.get_mut(&key) else { return };
        let owner = session.wanted.owner;
        let chunk = session.recording.chunk().filter(|chunk| !chunk.folder.is_empty());
        let trace = chunk.map(|chunk| format!("{}/{}/index", chunk.folder, buffers.folder()));
        let kept = shared_memory_folder(session, &buffers.cause.path);
        if kept.is_some() {
            buffers.keep_copy();
        }
        if trace.is_none() {
            // Nothing is recorded to this machine.
            buffers.directory_made(Ok(()));
            self.turn.changed = true;
        }
        for path in [trace, kept].into_iter().flatten() {
            let operation = PathJob::MakeDirectories { path: PathBuf::from(path), mode: FOLDER_MODE };
            self.ask_helper(owner, operation, PathPurpose::Buffers(key));
        }
    }

    fn ask_need(&mut self, key: BuffersKey, need: Need) {
        let Some(session) = self.sessions.get(key.session) else { return };
        let Some(buffers) = self.buffers.get(&key) else { return };
        let channel_key = |id| buffers.channel(id).map(|channel| channel.key).unwrap_or_default();
        let (request, purpose) = match need {
            Need::Directory => return self.make_folders(key),
            Need::Channel(id) => {
                let Some(mut ask) = ask_data_channel(session, key, buffers, id) else { return };
                ask.pathname = self.stream_folder(session, session.recording.relay, "", &ask.pathname);
                (UstRequest::AskChannelCreation(Box::new(ask)), Purpose::Channel(key, id))
            }
            Need::Handover(id) => {
                (UstRequest::GetChannel { key: channel_key(id) }, Purpose::Handover(key, id))
            }
            Need::Metadata => {
                let page = self.settings.page_size;
                let mut ask = ask_metadata_channel(session, key, buffers, page);
                ask.pathname = self.stream_folder(session, session.recording.relay, "", &ask.pathname);
                (UstRequest::AskChannelCreation(Box::new(ask)), Purpose::Metadata(key))
            }
            Need::SetUpMetadata => {
                let number = buffers.metadata_key;
                (UstRequest::SetupMetadata { key: number }, Purpose::SetUpMetadata(key, number))
            }
        };
        let kind = buffers.consumer;
        if !self.ask_consumer(kind, request, Tail::None, purpose)
            && let Some(buffers) = self.buffers.get_mut(&key)
        {
            buffers.fail(Obstacle::ConsumerLost);
        }
    }
}

/// Where the buffers are kept, if the session wants them to outlive a crash.
pub fn shared_memory_folder(session: &Session, path: &str) -> Option<String> {
    session.wanted.shm_path.as_ref().map(|root| format!("{root}/ust/{path}"))
}

/// The clock of the time stamps, with its offset as it is now.
fn trace_clock(settings: &Settings) -> Clock {
    let TraceClock { name, uuid, description, frequency, .. } = settings.clock.clone();
    let offset = settings.clock.offset((settings.sources.monotonic_offset)());
    Clock { name, uuid, description, freq: frequency, offset }
}

/// Where trace files go (lttng-tools 2.13: `src/bin/lttng-sessiond/ust-app.c`).
fn trace_path(app: &App, key: BuffersKey, earlier: u32) -> String {
    match key.owner {
        Owner::User(uid) => format!("uid/{uid}/{}-bit", key.bits),
        Owner::Application(_) => {
            // A name is what the process chose: it must not lead elsewhere. Paths here are UTF-8.
            let name = app.registration.name.to_string().replace('/', "_");
            let path = format!("pid/{name}-{}-{}", app.credentials.pid, clock::name_date(app.registered));
            if earlier == 0 { path } else { format!("{path}-{earlier}") }
        }
    }
}

fn trace_scheme(app: &App, key: BuffersKey) -> Scheme {
    match key.owner {
        Owner::User(uid) => Scheme::PerUid { uid },
        Owner::Application(_) => Scheme::PerPid {
            pid: app.credentials.pid,
            name: app.registration.name.clone(),
            registered: clock::iso_date(app.registered),
        },
    }
}

/// What a metadata channel is asked for with; data channels differ from it.
fn ask_metadata_channel(session: &Session, key: BuffersKey, buffers: &Buffers, page: u64) -> AskChannel {
    AskChannel {
        subbuf_size: page.max(METADATA_SUBBUF_SIZE),
        num_subbuf: METADATA_SUBBUFS,
        overwrite: -1,
        switch_timer: 0,
        read_timer: 0,
        live_timer: session.live_timer(),
        is_live: session.live_timer() > 0,
        monitor_timer: 0,
        kind: ChannelKind::Metadata,
        session_id: key.session.0,
        pathname: buffers.cause.path.clone(),
        name: "metadata".to_owned(),
        uid: session.wanted.owner.uid,
        gid: session.wanted.owner.gid,
        relayd_id: session.recording.relay.map(|relay| relay.0),
        key: buffers.metadata_key,
        chunk_id: session.recording.chunk().map(|chunk| chunk.id),
        uuid: buffers.uuid(),
        channel_id: u32::MAX,
        tracefile_size: 0,
        tracefile_count: 0,
        session_id_per_pid: buffers.cause.application_session,
        monitor: session.has_output(),
        app_uid: buffers.cause.uid,
        blocking_timeout: 0,
        root_shm_path: String::new(),
        shm_path: String::new(),
    }
}

fn ask_data_channel(
    session: &Session,
    key: BuffersKey,
    buffers: &Buffers,
    id: ChannelId,
) -> Option<AskChannel> {
    let (channel, made) = (session.channel(id)?, buffers.channel(id)?);
    let attributes = &channel.attributes;
    Some(AskChannel {
        subbuf_size: attributes.subbuf_size,
        num_subbuf: attributes.num_subbuf,
        overwrite: attributes.overwrite.into(),
        switch_timer: attributes.switch_timer,
        read_timer: attributes.read_timer,
        monitor_timer: u32::try_from(attributes.monitor_timer).unwrap_or(u32::MAX),
        kind: ChannelKind::Data,
        name: channel.name.clone(),
        key: made.key,
        channel_id: made.number,
        tracefile_size: attributes.tracefile_size,
        tracefile_count: u32::try_from(attributes.tracefile_count).unwrap_or(u32::MAX),
        blocking_timeout: attributes.blocking_timeout,
        root_shm_path: session.wanted.shm_path.clone().unwrap_or_default(),
        shm_path: shared_memory_folder(session, &buffers.cause.path)
            .map(|folder| format!("{folder}/{}_", channel.name))
            .unwrap_or_default(),
        ..ask_metadata_channel(session, key, buffers, 0)
    })
}
