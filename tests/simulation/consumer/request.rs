// SPDX-License-Identifier: GPL-2.0-only
//! What a simulated consumer daemon makes of each request.

use super::*;

impl Consumer {
    pub(super) fn requested(&mut self, request: UstRequest, trouble: Option<Trouble>) -> Vec<Message> {
        self.requests.push(request.clone());
        let next = self.refuse_next.take_if(|(is_it, _)| is_it(&request));
        let chosen =
            next.or(self.refuse_all.filter(|(is_it, _)| is_it(&request))).map_or(0, |(_, status)| status);
        let forced = if chosen != 0 { chosen } else { refusal(trouble) };
        let key_status = |known: bool, status: i32| if known { 0 } else { status };
        let plain = |bytes: Vec<u8>| vec![(bytes, Vec::new())];
        let status = match &request {
            UstRequest::AskChannelCreation(asked) => {
                let code = if forced != 0 { forced } else { self.make_channel(asked) };
                let made = code == 0;
                let stream_count = if asked.kind == ChannelKind::Data { STREAMS } else { 1 };
                let status = ChannelStatus {
                    code,
                    key: if made { asked.key } else { 0 },
                    stream_count: if made { stream_count } else { 0 },
                };
                self.note(&request, code, forced);
                return plain(status.encode());
            }
            UstRequest::GetChannel { key } if forced == 0 && self.channels.contains_key(key) => {
                return self.hand_over(*key);
            }
            UstRequest::DataPending { .. } => {
                let pending = self.pending > 0;
                self.pending = self.pending.saturating_sub(1);
                return plain(i32::from(pending).to_ne_bytes().to_vec());
            }
            UstRequest::DiscardedEvents { .. } | UstRequest::LostPackets { .. } => {
                self.counted += 1;
                return plain(self.lost.to_ne_bytes().to_vec());
            }
            UstRequest::CloseTraceChunk(close) => {
                let chunk = self.chunks.get_mut(&(close.session_id, close.chunk_id));
                let code = if forced != 0 { forced } else { key_status(chunk.is_some(), 128) };
                for key in chunk.iter().flat_map(|chunk| &chunk.snapshot) {
                    self.channels[key].check_kept("written");
                }
                // Refused on purpose, it is over too.
                chunk.into_iter().for_each(|chunk| chunk.closed = true);
                let (session, id) = (close.session_id, close.chunk_id);
                let left = self.channels_of(session).filter(|channel| channel.next_files == Some(id));
                left.for_each(|channel| channel.next_files = None);
                let left = self.kernel_of(session).filter(|channel| channel.next_files == Some(id));
                left.for_each(|channel| channel.next_files = None);
                self.note(&request, code, forced);
                let mut bytes = CloseReply { code, path_length: 1 }.encode();
                bytes.push(0);
                return plain(bytes);
            }
            UstRequest::TraceChunkExists(exists) => {
                let id = (exists.session_id, exists.chunk_id);
                let status = if forced != 0 { forced } else { self.chunk_status(id) };
                return plain(status.to_ne_bytes().to_vec());
            }
            UstRequest::SetupMetadata { key } if forced != 0 => {
                // A real one gives it up too.
                self.channels.remove(key);
                forced
            }
            UstRequest::GetChannel { key } if forced != 0 => {
                self.channels.get_mut(key).into_iter().for_each(|channel| channel.refused = true);
                forced
            }
            UstRequest::RotateChannel { key, .. } if forced != 0 => {
                // Refused on purpose, it has left all the same: one that never leaves keeps the rotation going for
                // ever, as with the stock daemon.
                self.channels.get_mut(key).into_iter().for_each(Channel::rotate);
                forced
            }
            UstRequest::CloseMetadata { key } if forced != 0 => {
                self.channels.get_mut(key).into_iter().for_each(|channel| channel.closed = true);
                forced
            }
            _ if forced != 0 => forced,
            UstRequest::Init { .. } => 0,
            UstRequest::SetChannelMonitorPipe => {
                self.expect = Expect::Descriptor { chunk: None };
                0
            }
            UstRequest::AddRelaySocket(socket) => {
                self.expect = Expect::Relay { id: socket.relayd_id, kind: socket.kind };
                0
            }
            UstRequest::DestroyRelayd { relayd_id } => {
                key_status(self.relays.remove(relayd_id).is_some() || self.trouble.is_some(), 117)
            }
            UstRequest::CreateTraceChunk(chunk) if chunk.relayd_id.is_some() => {
                assert_eq!(chunk.credentials, None, "nobody here owns a remote chunk");
                let known = chunk.relayd_id.is_some_and(|id| self.relays.get(&id) == Some(&2));
                if known {
                    self.begin_chunk((chunk.session_id, chunk.chunk_id, chunk.override_name.clone()));
                }
                key_status(known, 123)
            }
            UstRequest::CreateTraceChunk(chunk) => {
                assert!(!chunk.override_name.contains(['/', '.']), "a real one refuses the name");
                let chunk = (chunk.session_id, chunk.chunk_id, chunk.override_name.clone());
                self.expect = Expect::Descriptor { chunk: Some(chunk) };
                0
            }
            UstRequest::PushMetadata { key, target_offset, len, version } => {
                let known = self.begin_push(*key, *version);
                if known && *len > 0 {
                    self.expect = Expect::Text { key: *key, offset: *target_offset, length: *len };
                }
                key_status(known, 118)
            }
            UstRequest::SetupMetadata { key } => {
                let channel = self.channels.get_mut(key);
                let known = channel.is_some();
                channel.into_iter().for_each(|channel| channel.set_up = true);
                key_status(known, 59)
            }
            UstRequest::CloseMetadata { key } => {
                let channel = self.channels.get_mut(key);
                let known = channel.is_some();
                channel.into_iter().for_each(|channel| channel.closed = true);
                key_status(known, 59)
            }
            UstRequest::FlushChannel { key } | UstRequest::ClearQuiescentChannel { key } => {
                key_status(self.channels.contains_key(key), 59)
            }
            UstRequest::SnapshotChannel(snapshot) => self.write_snapshot(snapshot),
            UstRequest::DestroyChannel { key } => {
                self.channels.remove(key);
                0
            }
            UstRequest::RotateChannel { key, .. } => {
                let channel = self.channels.get_mut(key);
                let known = channel.is_some();
                channel.into_iter().for_each(Channel::rotate);
                key_status(known, 119)
            }
            UstRequest::ClearChannel { key } => {
                let channel = self.channels.get_mut(key);
                let known = channel.is_some();
                channel.into_iter().for_each(|channel| {
                    channel.check_kept("cleared");
                    channel.cleared += 1;
                });
                key_status(known, 119)
            }
            UstRequest::GetChannel { key } | UstRequest::OpenChannelPackets { key } => {
                key_status(self.channels.contains_key(key), 119)
            }
            other => panic!("{other:?} is not expected"),
        };
        self.note(&request, status, forced);
        plain(status.to_ne_bytes().to_vec())
    }

    pub(super) fn channels_of(&mut self, session: u64) -> impl Iterator<Item = &mut Channel> {
        self.channels.values_mut().filter(move |channel| channel.asked.session_id == session)
    }

    /// A chunk is there until it is closed, all files are elsewhere, and a moment has passed.
    fn chunk_status(&mut self, id: (u64, u64)) -> i32 {
        let in_use =
            self.channels_of(id.0).any(|channel| channel.files == Some(id.1) && !channel.is_abandoned())
                || self.kernel_of(id.0).any(|channel| channel.files == Some(id.1));
        match self.chunks.get_mut(&id) {
            None => 128,
            Some(chunk) if chunk.closed && !in_use && chunk.uses == 0 => {
                self.chunks.remove(&id);
                128
            }
            Some(chunk) => {
                chunk.uses = chunk.uses.saturating_sub(usize::from(chunk.closed));
                126
            }
        }
    }

    fn note(&mut self, request: &UstRequest, status: i32, forced: i32) {
        if status != 0 && forced == 0 {
            self.refused.push((request.clone(), status));
        }
    }

    pub(super) fn begin_chunk(&mut self, (session, id, name): (u64, u64, String)) {
        let of_session = name.is_empty();
        // That of a snapshot has no streams when the snapshot is over.
        let uses = if of_session { 2 } else { 0 };
        let chunk = Chunk { closed: false, name, snapshot: Vec::new(), uses };
        let before = self.chunks.insert((session, id), chunk);
        assert!(before.is_none_or(|before| before.closed), "two chunks of one number");
        if of_session {
            self.channels_of(session).for_each(|channel| channel.next_files = Some(id));
            self.kernel_of(session).for_each(|channel| channel.next_files = Some(id));
        }
    }

    pub(super) fn take_relay(&mut self, id: u64, kind: RelaySocketKind) {
        let count = self.relays.entry(id).or_default();
        let expected = if *count == 0 { RelaySocketKind::Control } else { RelaySocketKind::Data };
        assert_eq!(kind, expected, "the control connection comes first");
        *count += 1;
        assert!(*count <= 2);
    }

    fn make_channel(&mut self, asked: &AskChannel) -> i32 {
        assert_ne!(asked.key, 0, "keys are never 0");
        assert!(!self.channels.contains_key(&asked.key), "keys are never used twice");
        if let Some(id) = asked.relayd_id {
            assert_eq!(self.relays.get(&id), Some(&2), "an unknown relay daemon");
        }
        assert_eq!(asked.monitor, asked.chunk_id.is_some(), "a trace chunk for what is written all the time");
        if asked.chunk_id.is_some_and(|chunk| !self.chunks.contains_key(&(asked.session_id, chunk))) {
            return 118;
        }
        if let Some(chunk) = asked.chunk_id {
            let chunk = &self.chunks[&(asked.session_id, chunk)];
            assert!(!chunk.closed, "a channel in a trace chunk that was left");
        }
        if asked.kind == ChannelKind::Metadata {
            assert_eq!((asked.channel_id, asked.overwrite), (u32::MAX, -1));
        }
        let channel = Channel {
            asked: asked.clone(),
            handed_over: false,
            set_up: false,
            closed: false,
            refused: false,
            files: asked.chunk_id,
            next_files: asked.chunk_id,
            cleared: 0,
            text: Vec::new(),
            version: 0,
            hang_up: None,
        };
        self.channels.insert(asked.key, channel);
        0
    }

    fn write_snapshot(&mut self, wanted: &SnapshotChannel) -> i32 {
        let Some(channel) = self.channels.get(&wanted.key) else { return 119 };
        channel.check_kept("written");
        let asked = &channel.asked;
        assert!(!asked.monitor, "what is written all the time has no snapshots");
        assert_eq!(wanted.pathname, asked.pathname);
        if let Some(id) = wanted.relayd_id {
            assert_eq!(self.relays.get(&id), Some(&2), "an unknown relay daemon");
        }
        assert_eq!(wanted.metadata, asked.kind == ChannelKind::Metadata);
        let mut chunks = self.chunks.iter_mut().filter(|((session, _), _)| *session == asked.session_id);
        let (_, chunk) = chunks.find(|(_, chunk)| !chunk.closed).expect("a trace chunk");
        assert!(!chunk.name.is_empty(), "the trace chunk of a snapshot has a name");
        chunk.snapshot.push(wanted.key);
        if wanted.metadata {
            assert!(channel.set_up, "metadata that was not set up");
            self.wants_text = Some(wanted.key);
        }
        0
    }

    fn hand_over(&mut self, key: u64) -> Vec<Message> {
        let channel = self.channels.get_mut(&key).unwrap();
        assert!(!channel.handed_over, "a channel is handed over once");
        assert_eq!(channel.asked.kind, ChannelKind::Data);
        channel.handed_over = true;
        let (reader, writer) = pipe().unwrap();
        channel.hang_up = Some(reader);
        let object = Handover {
            session: channel.asked.session_id,
            number: channel.asked.channel_id,
            streams: STREAMS,
            name: channel.asked.name.clone(),
        }
        .encode();
        let copy = |writer: &PipeWriter| OwnedFd::from(writer.try_clone().unwrap());
        let mut bytes = 0i32.to_ne_bytes().to_vec();
        bytes.extend(ChannelHead { size: object.len() as u64, kind: 0 }.encode());
        bytes.extend(object);
        let mut messages = vec![(bytes, Vec::new()), (vec![0], vec![copy(&writer)])];
        for number in 0..STREAMS {
            messages.push((StreamHead { size: 4096, number }.encode(), Vec::new()));
            messages.push((vec![0], vec![copy(&writer), copy(&writer)]));
        }
        let mut end = END_OF_STREAMS.to_ne_bytes().to_vec();
        end.extend(0i32.to_ne_bytes());
        messages.push((end, Vec::new()));
        messages
    }

    /// Whether there is such a metadata channel. A new generation of its text starts from nothing.
    pub(super) fn begin_push(&mut self, key: u64, version: u64) -> bool {
        let Some(channel) = self.channels.get_mut(&key) else { return false };
        assert!(version >= channel.version, "an old generation of metadata");
        if version > channel.version {
            channel.version = version;
            channel.text.clear();
        }
        true
    }

    /// Overlapping pieces are fine, gaps are not.
    pub(super) fn write(&mut self, key: u64, offset: u64, text: &[u8]) {
        let channel = self.channels.get_mut(&key).unwrap();
        assert!(!channel.closed, "metadata after its end");
        let offset = usize::try_from(offset).unwrap();
        assert!(offset <= channel.text.len(), "a gap in the metadata");
        let known = channel.text.len().min(offset + text.len());
        assert_eq!(channel.text[offset..known], text[..known - offset], "metadata that changes");
        channel.text.truncate(offset.max(known));
        channel.text.extend(&text[known - offset..]);
    }
}

pub(super) fn refusal(trouble: Option<Trouble>) -> i32 {
    match trouble {
        Some(Trouble::Refuse(_, status)) => status,
        _ => 0,
    }
}
