// SPDX-License-Identifier: GPL-2.0-only
//! Record a snapshot: what the buffers of a session hold is written to a folder of its own.
//!
//! The consumer daemons do the writing, into a trace chunk that exists for the snapshot only. Whatever goes wrong
//! after they were told of it, they are told of its end. They are asked for one channel after the other, not for
//! all at once: the requests of other sessions go between.

use std::collections::VecDeque;
use std::rc::Rc;

use lttng_protocol::client::{ErrorCode, NetworkOutput};
use lttng_protocol::consumer::{CloseTraceChunk, CreateTraceChunk, SnapshotChannel, Status, UstRequest};

use super::folders::{Folders, NotMade};
use super::{Context, Jobs, Progress};
use crate::consumer::Tail;
use crate::daemon::Reached;
use crate::model::{Output, Room, Session, SessionId, packets_per_stream};
use crate::output::{ConsumerKind, RelayId, SharedFd};
use crate::ust::buffers::{Buffers, BuffersKey, Owner};

/// Recording a snapshot.
#[derive(Debug)]
pub struct RecordSnapshot {
    session: SessionId,
    /// Name of the trace chunk and of its folder.
    name: String,
    max_size: u64,
    output: Output,
    /// Buffers whose content is written: those that were in use when the command came.
    buffers: Vec<BuffersKey>,
    chunk: u64,
    /// Number by which the consumer daemons know the connections to the relay daemon, if the output is there.
    relayd_id: Option<u64>,
    /// Consumer daemons that were told of the trace chunk.
    told: Vec<ConsumerKind>,
    /// Channels that are still to be written, data before the metadata of the same buffers.
    channels: VecDeque<Piece>,
    phase: Phase,
    /// For the client: the first thing that went wrong.
    code: ErrorCode,
}

#[derive(Debug)]
enum Phase {
    Begin,
    /// The last metadata channels are made.
    Metadata,
    /// The folders of the snapshot are made and opened.
    Folders(Folders),
    /// The relay daemon is being connected to.
    Relay(RelayId),
    /// The consumer daemons are told of the trace chunk.
    Chunk,
    /// A channel is written; this says whether it may have vanished.
    Channel {
        may_be_gone: bool,
    },
    /// The consumer daemons are told that the trace chunk ends.
    Close,
}

/// One channel to be written.
#[derive(Debug)]
struct Piece {
    kind: ConsumerKind,
    request: SnapshotChannel,
    /// Its buffers go with their application.
    may_be_gone: bool,
}

impl RecordSnapshot {
    /// Records what this session's buffers hold under this name. `max_size` is in bytes, 0 for any number.
    pub fn new(session: SessionId, name: String, max_size: u64, output: Output) -> Self {
        RecordSnapshot {
            session,
            name,
            max_size,
            output,
            buffers: Vec::new(),
            chunk: 0,
            relayd_id: None,
            told: Vec::new(),
            channels: VecDeque::new(),
            phase: Phase::Begin,
            code: ErrorCode::Ok,
        }
    }

    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Progress {
        loop {
            let next = match self.phase {
                Phase::Begin => {
                    let of_session = context.daemon.buffers_of(self.session);
                    let in_use = of_session.filter(|(_, buffers)| !buffers.retired);
                    self.buffers = in_use.map(|(&key, _)| key).collect();
                    Ok(Phase::Metadata)
                }
                Phase::Metadata if context.expired() => Err(ErrorCode::SnapshotFail),
                Phase::Metadata if !self.metadata_settled(context) => return Progress::Pending,
                Phase::Metadata => self.make_place(context),
                Phase::Folders(ref mut folders) => match folders.step(context) {
                    None => return Progress::Pending,
                    Some(Ok(folder)) => Ok(self.tell_chunk(context, Some(&Rc::new(folder)))),
                    Some(Err(NotMade)) => Err(ErrorCode::CreateDirFail),
                },
                Phase::Relay(relay) => match context.daemon.relay_reached(relay) {
                    Reached::Pending if !context.expired() => return Progress::Pending,
                    Reached::Pending => Err(ErrorCode::RelaydConnectFail),
                    Reached::No(code) => Err(code),
                    Reached::Yes => Ok(self.tell_chunk(context, None)),
                },
                Phase::Chunk => match context.answered() {
                    None if !context.expired() => return Progress::Pending,
                    Some(jobs) if !jobs.failed() => Ok(self.begin_writing(context)),
                    _ => Ok(self.close(context, ErrorCode::CreateTraceChunkFailConsumer)),
                },
                Phase::Channel { may_be_gone } => match context.answered() {
                    None if !context.expired() => return Progress::Pending,
                    jobs => match verdict(jobs, may_be_gone) {
                        ErrorCode::Ok => Ok(self.write_next(context)),
                        code => Ok(self.close(context, code)),
                    },
                },
                Phase::Close => match context.answered() {
                    None if !context.expired() => return Progress::Pending,
                    jobs => Err(self.outcome(context, jobs)),
                },
            };
            match next {
                Ok(phase) => self.phase = phase,
                // Also the end when all went well.
                Err(code) => {
                    if let Some(relay) = self.relayd_id {
                        // The consumer daemons have sent everything by now.
                        context.daemon.drop_relay(RelayId(relay));
                    }
                    return context.reply(code);
                }
            }
        }
    }

    /// Whether all the buffers that can hold something have their metadata channel, or will never have one.
    fn metadata_settled(&self, context: &Context<'_>) -> bool {
        let mut existing = self.buffers.iter().filter_map(|key| context.daemon.buffers.get(key));
        existing.all(|buffers| buffers.metadata_settled() || buffers.data_keys().next().is_none())
    }

    /// The buffers that can be written. Those whose metadata channel could not be made hold nothing that anybody
    /// could read.
    fn readable<'a>(
        &'a self,
        context: &'a Context<'_>,
    ) -> impl Iterator<Item = (&'a BuffersKey, &'a Buffers)> {
        let existing = self.buffers.iter().filter_map(|key| Some((key, context.daemon.buffers.get(key)?)));
        existing.filter(|(_, buffers)| buffers.metadata_ready())
    }

    /// Has the place made that the snapshot goes to.
    fn make_place(&mut self, context: &mut Context<'_>) -> Result<Phase, ErrorCode> {
        match &self.output {
            Output::Local(path) => {
                // It names a folder, and consumer daemons take neither character in it.
                if self.name.contains(['/', '.']) {
                    return Err(ErrorCode::CreateDirFail);
                }
                let Some(session) = context.daemon.model.get(self.session) else {
                    return Err(ErrorCode::CreateDirFail);
                };
                let owner = (session.uid, session.gid);
                let existing = self.buffers.iter().filter_map(|key| context.daemon.buffers.get(key));
                // Nothing is written to `index`, but the stock daemon makes it.
                let paths: Vec<String> = existing.map(|buffers| buffers.cause.path.clone()).collect();
                let folder = format!("{path}/{}", self.name);
                Ok(Phase::Folders(Folders::make(owner, &folder, paths.into_iter(), context)))
            }
            output => match output.network() {
                Some(network) => Ok(self.reach_relay_daemon(context, network)),
                None => Err(ErrorCode::EnableConsumerFail),
            },
        }
    }

    /// The one place where a relay daemon comes in: all else goes by `relayd_id`. Unlike in the original, the
    /// connections are given up in the end.
    fn reach_relay_daemon(&mut self, context: &mut Context<'_>, network: NetworkOutput) -> Phase {
        context.renew();
        let relay = context.daemon.reach_relay(self.session, network);
        self.relayd_id = Some(relay.0);
        Phase::Relay(relay)
    }

    /// Tells the consumer daemons of the trace chunk: its folder is on this machine, or known to the relay daemon.
    fn tell_chunk(&mut self, context: &mut Context<'_>, folder: Option<&SharedFd>) -> Phase {
        context.renew();
        let created = context.daemon.wall.max(0).cast_unsigned();
        let Some(session) = context.daemon.model.get_mut(self.session) else { return Phase::Chunk };
        self.chunk = session.next_chunk;
        session.next_chunk = session.next_chunk.saturating_add(1);
        let chunk = CreateTraceChunk {
            relayd_id: self.relayd_id,
            override_name: self.name.clone(),
            session_id: self.session.0,
            chunk_id: self.chunk,
            created,
            credentials: folder.map(|_| (session.uid, session.gid)),
        };
        self.told = context.create_chunk(&chunk, folder);
        Phase::Chunk
    }

    /// Finds out what has to be written, and begins with the first channel.
    fn begin_writing(&mut self, context: &mut Context<'_>) -> Phase {
        let Some(session) = context.daemon.model.get(self.session) else { return Phase::Close };
        let rooms: Vec<Room> =
            self.readable(context).flat_map(|(_, buffers)| rooms(session, buffers)).collect();
        let Some(packets) = packets_per_stream(self.max_size, &rooms) else {
            return self.close(context, ErrorCode::MaxSizeInvalid);
        };
        let readable = self.readable(context);
        self.channels =
            readable.flat_map(|(key, buffers)| self.pieces(context, key, buffers, packets)).collect();
        self.write_next(context)
    }

    /// The channels of one set of buffers.
    fn pieces(&self, context: &Context<'_>, key: &BuffersKey, buffers: &Buffers, packets: u64) -> Vec<Piece> {
        let path = &buffers.cause.path;
        let session = context.daemon.model.get(self.session);
        let folder = session.map_or_else(
            || path.clone(),
            |session| context.daemon.stream_folder(session, self.relayd_id, &self.name, path),
        );
        let (kind, may_be_gone) = (buffers.consumer, matches!(key.owner, Owner::Application(_)));
        let piece = |metadata, key, packets_per_stream| Piece {
            kind,
            request: SnapshotChannel {
                pathname: folder.clone(),
                metadata,
                relayd_id: self.relayd_id,
                key,
                packets_per_stream,
            },
            may_be_gone,
        };
        let data = buffers.data_keys().map(|(_, key)| piece(false, key, packets));
        data.chain([piece(true, buffers.metadata_key, 0)]).collect()
    }

    /// Has the next channel written, or ends the trace chunk after the last one.
    fn write_next(&mut self, context: &mut Context<'_>) -> Phase {
        let Some(Piece { kind, request, may_be_gone }) = self.channels.pop_front() else {
            return self.close(context, ErrorCode::Ok);
        };
        context.renew();
        context.ask_consumer(kind, UstRequest::SnapshotChannel(request), Tail::None, 0);
        Phase::Channel { may_be_gone }
    }

    /// Tells every consumer daemon that was told of the trace chunk that it ends.
    fn close(&mut self, context: &mut Context<'_>, code: ErrorCode) -> Phase {
        self.code = code;
        // What hangs is not waited for again.
        if !context.expired() {
            context.renew();
        }
        let request = CloseTraceChunk {
            relayd_id: self.relayd_id,
            session_id: self.session.0,
            chunk_id: self.chunk,
            closed: context.daemon.wall.max(0).cast_unsigned(),
            command: None,
        };
        for &kind in &self.told {
            context.ask_consumer(kind, UstRequest::CloseTraceChunk(request.clone()), Tail::None, 0);
        }
        Phase::Close
    }

    /// What the client is told, and what is remembered of it.
    fn outcome(&self, context: &mut Context<'_>, closed: Option<Jobs>) -> ErrorCode {
        match closed {
            _ if self.code != ErrorCode::Ok => self.code,
            Some(jobs) if !jobs.failed() => {
                if let Some(session) = context.daemon.model.get_mut(self.session) {
                    session.snapshots = session.snapshots.saturating_add(1);
                }
                ErrorCode::Ok
            }
            _ => ErrorCode::CloseTraceChunkFailConsumer,
        }
    }
}

/// What came of one channel.
fn verdict(jobs: Option<Jobs>, may_be_gone: bool) -> ErrorCode {
    let Some(jobs) = jobs.filter(|jobs| !jobs.lost) else { return ErrorCode::SnapshotFail };
    match jobs.failures.first().copied().map(Status) {
        None => ErrorCode::Ok,
        Some(Status::CHANNEL_NOT_FOUND) if may_be_gone => ErrorCode::Ok,
        Some(Status::CHANNEL_NOT_FOUND) => ErrorCode::ChanNotFound,
        Some(_) => ErrorCode::SnapshotFail,
    }
}

/// What the data channels of one set of buffers take.
fn rooms(session: &Session, buffers: &Buffers) -> Vec<Room> {
    let room = |(id, _)| {
        let attributes = &session.channel(id)?.attributes;
        let streams = u64::from(buffers.channel(id)?.streams);
        Some(Room { packets: attributes.num_subbuf, bytes: attributes.subbuf_size.saturating_mul(streams) })
    };
    buffers.data_keys().filter_map(room).collect()
}
