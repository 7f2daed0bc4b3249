// SPDX-License-Identifier: GPL-2.0-only
//! Requests: what a command carries in the header's parameters and in the variable part.
//!
//! [`decode_body`] gives the code that the client must read when the bytes are wrong. It must be called after
//! the variable part was read (or found to be too long to be read), and after the checks that come first: does
//! the session exist, may this client use it, is the domain there.
//!
//! Source: `lttng-tools 2.13.5: src/bin/lttng-sessiond/client.c` and the serializers it calls.

use super::channel::Channel;
use super::command::Command;
use super::context::Context;
use super::error::ErrorCode;
use super::event::{Event, EventType};
use super::header::{BufferType, DESCRIPTOR_LIMIT, Domain, Header, PARAMETERS_LEN, PATH_LIMIT};
use super::session::SessionDescriptor;
use super::snapshot::SnapshotOutput;
use super::text::{self, NAME_LEN, PATH_LEN, SYMBOL_LEN};
use super::tracker::TrackerValue;
use super::uri::Uri;
use crate::codec::{self, Reader, Writer};
use crate::trigger::{ErrorQuery, Trigger};

/// What a command carries. Commands that carry nothing have an empty variant.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// ADD_CONTEXT.
    AddContext {
        /// The channel; empty means all.
        channel: String,
        /// The context.
        context: Context,
    },
    /// CLEAR_SESSION.
    ClearSession,
    /// CREATE_SESSION_EXT.
    CreateSession {
        /// The client's home directory, absolute; sent when the daemon must choose the output directory.
        home: Option<String>,
        /// The session.
        descriptor: SessionDescriptor,
    },
    /// DATA_PENDING.
    DataPending,
    /// DESTROY_SESSION.
    DestroySession,
    /// DISABLE_CHANNEL.
    DisableChannel {
        /// The channel; empty means the default one.
        channel: String,
    },
    /// DISABLE_EVENT.
    DisableEvent {
        /// The channel; empty means the default one.
        channel: String,
        /// Name and type count; the rest is ignored.
        event: Event,
    },
    /// ENABLE_CHANNEL.
    EnableChannel(Channel),
    /// ENABLE_EVENT.
    EnableEvent {
        /// The channel; empty means the default one.
        channel: String,
        /// The rule. Has filter and bytecode, or neither.
        event: Event,
    },
    /// LIST_CHANNELS.
    ListChannels,
    /// LIST_DOMAINS.
    ListDomains,
    /// LIST_EVENTS.
    ListEvents {
        /// The channel.
        channel: String,
    },
    /// LIST_SESSIONS.
    ListSessions,
    /// LIST_TRACEPOINT_FIELDS.
    ListTracepointFields,
    /// LIST_TRACEPOINTS.
    ListTracepoints,
    /// SESSION_LIST_ROTATION_SCHEDULES.
    ListRotationSchedules,
    /// ROTATE_SESSION.
    RotateSession,
    /// ROTATION_GET_INFO.
    RotationInfo {
        /// Number of the chunk, as ROTATE_SESSION answered it.
        id: u64,
    },
    /// ROTATION_SET_SCHEDULE.
    SetRotationSchedule {
        /// The [`ScheduleKind`](super::ScheduleKind)'s number as sent.
        kind: u8,
        /// Whether it is set, not removed.
        set: bool,
        /// Bytes or microseconds. To remove a schedule, it must be the schedule's.
        value: u64,
    },
    /// SET_CONSUMER_URI.
    SetConsumerUri {
        /// One or two.
        uris: Vec<Uri>,
    },
    /// SNAPSHOT_ADD_OUTPUT.
    SnapshotAddOutput(Box<SnapshotOutput>),
    /// SNAPSHOT_DEL_OUTPUT: number or name of the output; the rest is ignored.
    SnapshotDelOutput(Box<SnapshotOutput>),
    /// SNAPSHOT_LIST_OUTPUT.
    SnapshotListOutput,
    /// SNAPSHOT_RECORD: what replaces the outputs' own values. A flag "wait" before it is ignored.
    SnapshotRecord(Box<SnapshotOutput>),
    /// SAVE_SESSION. What is to be left out of the file is ignored, as the original does.
    SaveSession {
        /// The session; without, all of them.
        session: Option<String>,
        /// Where the files are to be, not validated; without, the daemon chooses. At most 4095 bytes.
        directory: Option<String>,
        /// Files that exist are replaced.
        overwrite: bool,
    },
    /// SET_SESSION_SHM_PATH.
    SetShmPath {
        /// Directory of the shared memory files, not validated. At most 4095 bytes.
        path: String,
    },
    /// START_TRACE.
    StartTrace,
    /// STOP_TRACE.
    StopTrace,
    /// PROCESS_ATTR_TRACKER_ADD_INCLUDE_VALUE.
    TrackerAdd {
        /// The process attribute as sent.
        attribute: i32,
        /// The value.
        value: TrackerValue,
    },
    /// PROCESS_ATTR_TRACKER_REMOVE_INCLUDE_VALUE.
    TrackerRemove {
        /// The process attribute as sent.
        attribute: i32,
        /// The value.
        value: TrackerValue,
    },
    /// PROCESS_ATTR_TRACKER_GET_INCLUSION_SET.
    TrackerSet {
        /// The process attribute as sent.
        attribute: i32,
    },
    /// PROCESS_ATTR_TRACKER_SET_POLICY.
    TrackerSetPolicy {
        /// The process attribute as sent.
        attribute: i32,
        /// The policy as sent.
        policy: i32,
    },
    /// REGENERATE_METADATA.
    RegenerateMetadata,
    /// REGENERATE_STATEDUMP.
    RegenerateStatedump,
    /// PROCESS_ATTR_TRACKER_GET_POLICY.
    TrackerPolicy {
        /// The process attribute as sent.
        attribute: i32,
    },
    /// REGISTER_TRIGGER.
    RegisterTrigger {
        /// The trigger.
        trigger: Box<Trigger>,
        /// It is to have no name, not even a made-up one.
        anonymous: bool,
    },
    /// UNREGISTER_TRIGGER: a trigger that is the same as the one that is meant.
    UnregisterTrigger(Box<Trigger>),
    /// LIST_TRIGGERS.
    ListTriggers,
    /// EXECUTE_ERROR_QUERY.
    ErrorQuery(Box<ErrorQuery>),
    /// A command without a decoder here.
    Other(Command),
}

/// Decodes what a command carries.
///
/// `payload` is the variable part. When the header declares more than [`Header::payload_limit`], nothing needs
/// to be read: any `payload` gives the right code.
///
/// The codes are those that the original gives for a malformed request:
///
/// | Command | Code |
/// |---|---|
/// | unknown | 12 |
/// | ADD_CONTEXT, ENABLE_EVENT, DISABLE_EVENT, error query | 152 |
/// | triggers | 152 when bytes are missing, else 125 |
/// | ENABLE_EVENT, only one of filter and bytecode | 97 |
/// | DISABLE_EVENT, fields set that it does not use | 11 |
/// | ENABLE_CHANNEL, trackers, paths, snapshot outputs | 97 |
/// | CREATE_SESSION_EXT | 18 when bytes are missing, else 97 |
/// | SET_CONSUMER_URI | 18 when bytes are missing, else 97: no URI, more than two, an unknown kind of one |
pub fn decode_body(header: &Header, payload: &[u8]) -> Result<Body, ErrorCode> {
    decode_body_of(header.command().ok_or(ErrorCode::Und)?, header, payload)
}

/// [`decode_body`] for this command, whatever its number is in the client's dialect.
pub fn decode_body_of(command: Command, header: &Header, payload: &[u8]) -> Result<Body, ErrorCode> {
    let declared = header.payload_len_of(command);
    if declared > command.payload_limit() {
        return Err(malformed(command));
    }
    let complete = payload.len() as u64 == declared;
    match command {
        Command::CreateSessionExt => return decode_create(header, payload, complete),
        Command::SetConsumerUri if !complete => return Err(ErrorCode::SessionFail),
        _ if !complete => return Err(malformed(command)),
        _ => {}
    }
    match command {
        Command::EnableEvent => decode_enable_event(header, payload),
        Command::DisableEvent => decode_disable_event(header, payload),
        Command::RegisterTrigger | Command::UnregisterTrigger => decode_trigger(command, header, payload),
        Command::ExecuteErrorQuery => ErrorQuery::decode(payload, header.fd_count)
            .map(|query| Body::ErrorQuery(Box::new(query)))
            .map_err(|_| malformed(command)),
        _ => decode_plain(command, header, payload).map_err(|_| malformed(command)),
    }
}

/// The code of a request whose bytes do not make the command.
fn malformed(command: Command) -> ErrorCode {
    match command {
        Command::AddContext
        | Command::EnableEvent
        | Command::DisableEvent
        | Command::RegisterTrigger
        | Command::UnregisterTrigger
        | Command::ExecuteErrorQuery => ErrorCode::InvalidProtocol,
        _ => ErrorCode::Invalid,
    }
}

fn decode_plain(command: Command, header: &Header, payload: &[u8]) -> codec::Result<Body> {
    let mut reader = Reader::new("client request", payload);
    let body = match command {
        Command::AddContext => {
            Body::AddContext { channel: channel_name(header)?, context: Context::decode(&mut reader)? }
        }
        Command::DataPending => Body::DataPending,
        Command::DestroySession => Body::DestroySession,
        Command::DisableChannel => Body::DisableChannel { channel: channel_name(header)? },
        Command::EnableChannel => Body::EnableChannel(Channel::decode(&mut reader)?),
        Command::ListChannels => Body::ListChannels,
        Command::ListDomains => Body::ListDomains,
        Command::ListEvents => Body::ListEvents { channel: channel_name(header)? },
        Command::ListSessions => Body::ListSessions,
        Command::ListTracepointFields => Body::ListTracepointFields,
        Command::ListTracepoints => Body::ListTracepoints,
        Command::ListTriggers => Body::ListTriggers,
        Command::SessionListRotationSchedules => Body::ListRotationSchedules,
        Command::SaveSession => {
            let mut parameters = header.parameters();
            let given = |text: String| (!text.is_empty()).then_some(text);
            let session = given(text::fixed_name(&mut parameters, NAME_LEN)?);
            let directory = given(parameters.fixed_string(PATH_LEN)?);
            Body::SaveSession { session, directory, overwrite: parameters.u8()? != 0 }
        }
        Command::SetShmPath => Body::SetShmPath { path: header.parameters().fixed_string(PATH_LEN)? },
        Command::StartTrace => Body::StartTrace,
        Command::StopTrace => Body::StopTrace,
        Command::TrackerGetPolicy => Body::TrackerPolicy { attribute: header.parameters().i32()? },
        Command::RegenerateMetadata => Body::RegenerateMetadata,
        Command::RegenerateStatedump => Body::RegenerateStatedump,
        Command::TrackerAddValue | Command::TrackerRemoveValue => {
            let mut parameters = header.parameters();
            let attribute = parameters.i32()?;
            let value = TrackerValue::decode(&mut parameters, payload)?;
            return Ok(match command {
                Command::TrackerAddValue => Body::TrackerAdd { attribute, value },
                _ => Body::TrackerRemove { attribute, value },
            });
        }
        Command::TrackerGetInclusionSet => Body::TrackerSet { attribute: header.parameters().i32()? },
        Command::TrackerSetPolicy => {
            let mut parameters = header.parameters();
            Body::TrackerSetPolicy { attribute: parameters.i32()?, policy: parameters.i32()? }
        }
        other => decode_output(other, header, &mut reader)?,
    };
    reader.finish()?;
    Ok(body)
}

/// The commands about outputs, snapshots and rotations.
fn decode_output(command: Command, header: &Header, payload: &mut Reader<'_>) -> codec::Result<Body> {
    let mut parameters = header.parameters();
    Ok(match command {
        Command::ClearSession => Body::ClearSession,
        Command::RotateSession => Body::RotateSession,
        Command::RotationGetInfo => Body::RotationInfo { id: parameters.u64()? },
        Command::RotationSetSchedule => Body::SetRotationSchedule {
            kind: parameters.u8()?,
            set: parameters.u8()? == 1,
            value: parameters.u64()?,
        },
        Command::SetConsumerUri => Body::SetConsumerUri { uris: decode_uris(payload)? },
        Command::SnapshotAddOutput => Body::SnapshotAddOutput(snapshot_output(&mut parameters)?),
        Command::SnapshotDelOutput => Body::SnapshotDelOutput(snapshot_output(&mut parameters)?),
        Command::SnapshotListOutput => Body::SnapshotListOutput,
        Command::SnapshotRecord => {
            parameters.skip(WAIT_LEN)?;
            Body::SnapshotRecord(snapshot_output(&mut parameters)?)
        }
        other => {
            payload.skip(payload.remaining())?;
            Body::Other(other)
        }
    })
}

/// Size of the flag before SNAPSHOT_RECORD's output.
const WAIT_LEN: usize = 4;

fn snapshot_output(parameters: &mut Reader<'_>) -> codec::Result<Box<SnapshotOutput>> {
    SnapshotOutput::decode(parameters).map(Box::new)
}

/// Reads URIs, at least one. The header's limit allows no more than two.
fn decode_uris(reader: &mut Reader<'_>) -> codec::Result<Vec<Uri>> {
    let mut uris = vec![Uri::decode(reader)?];
    while reader.remaining() > 0 {
        uris.push(Uri::decode(reader)?);
    }
    Ok(uris)
}

fn decode_create(header: &Header, payload: &[u8], complete: bool) -> Result<Body, ErrorCode> {
    let (home_len, descriptor_len) = header.create_lengths().map_err(|_| ErrorCode::Invalid)?;
    if u64::from(home_len) >= PATH_LIMIT || descriptor_len > DESCRIPTOR_LIMIT {
        return Err(ErrorCode::Invalid);
    }
    if !complete {
        return Err(ErrorCode::SessionFail);
    }
    let mut reader = Reader::new("session descriptor", payload);
    let home = match home_len {
        0 => None,
        length => Some(text::path(&mut reader, length.into(), PATH_LEN).map_err(|_| ErrorCode::Invalid)?),
    };
    // What follows the descriptor is ignored, as the original does.
    let descriptor = SessionDescriptor::decode(&mut reader).map_err(|_| ErrorCode::Invalid)?;
    if home.as_deref().is_some_and(|home| !home.starts_with('/')) {
        return Err(ErrorCode::Invalid);
    }
    Ok(Body::CreateSession { home, descriptor })
}

fn decode_enable_event(header: &Header, payload: &[u8]) -> Result<Body, ErrorCode> {
    let (channel, event) = decode_rule(header, payload).map_err(|_| ErrorCode::InvalidProtocol)?;
    if header.fd_count != event.fd_count() {
        return Err(ErrorCode::InvalidProtocol);
    }
    if event.filter.is_some() != event.bytecode.is_some() {
        return Err(ErrorCode::Invalid);
    }
    Ok(Body::EnableEvent { channel, event })
}

fn decode_disable_event(header: &Header, payload: &[u8]) -> Result<Body, ErrorCode> {
    // The descriptor count is not compared: the client library forgets to announce the descriptor here.
    let (channel, event) = decode_rule(header, payload).map_err(|_| ErrorCode::InvalidProtocol)?;
    if event.loglevel_type != 0 || event.loglevel != -1 || event.enabled != 0 || event.pid != 0 {
        return Err(ErrorCode::Unk);
    }
    Ok(Body::DisableEvent { channel, event })
}

fn decode_trigger(command: Command, header: &Header, payload: &[u8]) -> Result<Body, ErrorCode> {
    let trigger = Trigger::decode_payload(payload, header.fd_count).map_err(|_| ErrorCode::InvalidTrigger)?;
    let trigger = Box::new(trigger);
    Ok(match command {
        Command::RegisterTrigger => {
            Body::RegisterTrigger { trigger, anonymous: header.is_trigger_anonymous() }
        }
        _ => Body::UnregisterTrigger(trigger),
    })
}

fn decode_rule(header: &Header, payload: &[u8]) -> codec::Result<(String, Event)> {
    let mut reader = Reader::new("event rule", payload);
    let event = Event::decode(&mut reader)?;
    reader.finish()?;
    Ok((channel_name(header)?, event))
}

fn channel_name(header: &Header) -> codec::Result<String> {
    text::fixed_name(&mut header.parameters(), SYMBOL_LEN)
}

impl Body {
    /// The command that carries this body.
    pub fn command(&self) -> Command {
        match self {
            Body::AddContext { .. } => Command::AddContext,
            Body::ClearSession => Command::ClearSession,
            Body::CreateSession { .. } => Command::CreateSessionExt,
            Body::DataPending => Command::DataPending,
            Body::DestroySession => Command::DestroySession,
            Body::DisableChannel { .. } => Command::DisableChannel,
            Body::DisableEvent { .. } => Command::DisableEvent,
            Body::EnableChannel(_) => Command::EnableChannel,
            Body::EnableEvent { .. } => Command::EnableEvent,
            Body::ListChannels => Command::ListChannels,
            Body::ListDomains => Command::ListDomains,
            Body::ListEvents { .. } => Command::ListEvents,
            Body::ListSessions => Command::ListSessions,
            Body::ListTracepointFields => Command::ListTracepointFields,
            Body::ListTracepoints => Command::ListTracepoints,
            Body::ListRotationSchedules => Command::SessionListRotationSchedules,
            Body::RotateSession => Command::RotateSession,
            Body::RotationInfo { .. } => Command::RotationGetInfo,
            Body::SetRotationSchedule { .. } => Command::RotationSetSchedule,
            Body::SetConsumerUri { .. } => Command::SetConsumerUri,
            Body::SnapshotAddOutput(_) => Command::SnapshotAddOutput,
            Body::SnapshotDelOutput(_) => Command::SnapshotDelOutput,
            Body::SnapshotListOutput => Command::SnapshotListOutput,
            Body::SnapshotRecord(_) => Command::SnapshotRecord,
            Body::SaveSession { .. } => Command::SaveSession,
            Body::SetShmPath { .. } => Command::SetShmPath,
            Body::StartTrace => Command::StartTrace,
            Body::StopTrace => Command::StopTrace,
            Body::RegenerateMetadata => Command::RegenerateMetadata,
            Body::RegenerateStatedump => Command::RegenerateStatedump,
            Body::TrackerAdd { .. } => Command::TrackerAddValue,
            Body::TrackerRemove { .. } => Command::TrackerRemoveValue,
            Body::TrackerSet { .. } => Command::TrackerGetInclusionSet,
            Body::TrackerSetPolicy { .. } => Command::TrackerSetPolicy,
            Body::TrackerPolicy { .. } => Command::TrackerGetPolicy,
            Body::RegisterTrigger { .. } => Command::RegisterTrigger,
            Body::UnregisterTrigger(_) => Command::UnregisterTrigger,
            Body::ListTriggers => Command::ListTriggers,
            Body::ErrorQuery(_) => Command::ExecuteErrorQuery,
            Body::Other(command) => *command,
        }
    }

    /// The bytes of a request without descriptors, as the client library sends it: the header and all that follows.
    ///
    /// `session` is empty for a command that is about none; `domain` is that of the command, if it has one, and how its
    /// buffers are shared.
    pub fn request(&self, session: &str, domain: Option<(Domain, BufferType)>) -> Vec<u8> {
        let (domain, buffers) =
            domain.map_or((0, 0), |(domain, buffers)| (domain.number(), buffers.number()));
        let (header, payload) = self.encode(session, domain, buffers);
        let mut bytes = header.encode();
        bytes.extend_from_slice(&payload);
        bytes
    }

    /// Encodes a request as the client library does: the header, and the variable part that follows it.
    ///
    /// Of [`Body::Other`] only the command is known, so its parameters are zero.
    pub fn encode(&self, session_name: &str, domain_type: u32, buffer_type: u32) -> (Header, Vec<u8>) {
        let mut parameters = Writer::with_capacity(PARAMETERS_LEN);
        let mut payload = Writer::default();
        match self {
            Body::AddContext { channel, context } => {
                context.encode(&mut payload);
                parameters.fixed_string(channel, SYMBOL_LEN).u32(payload_len(&payload));
            }
            Body::CreateSession { home, descriptor } => {
                let home_len = home.as_deref().map_or(0, |home| home.len().saturating_add(1));
                if let Some(home) = home {
                    payload.c_string(home);
                }
                descriptor.encode(&mut payload);
                let descriptor_len = payload.len().saturating_sub(home_len);
                parameters.u16(u16::try_from(home_len).unwrap_or(u16::MAX)).u64(descriptor_len as u64);
            }
            Body::DisableEvent { channel, event } | Body::EnableEvent { channel, event } => {
                event.encode(&mut payload);
                parameters.fixed_string(channel, SYMBOL_LEN).u32(payload_len(&payload));
            }
            Body::EnableChannel(channel) => {
                channel.encode(&mut payload);
                parameters.u32(payload_len(&payload));
            }
            Body::DisableChannel { channel } | Body::ListEvents { channel } => {
                parameters.fixed_string(channel, SYMBOL_LEN);
            }
            Body::SaveSession { session, directory, overwrite } => {
                let text = |text: &Option<String>| text.clone().unwrap_or_default();
                parameters.fixed_string(&text(session), NAME_LEN).fixed_string(&text(directory), PATH_LEN);
                parameters.u8((*overwrite).into());
            }
            Body::SetShmPath { path } => {
                parameters.fixed_string(path, PATH_LEN);
            }
            Body::TrackerAdd { attribute, value } | Body::TrackerRemove { attribute, value } => {
                parameters.i32(*attribute);
                value.encode(&mut parameters, &mut payload);
            }
            Body::TrackerSetPolicy { attribute, policy } => {
                parameters.i32(*attribute).i32(*policy);
            }
            Body::TrackerPolicy { attribute } | Body::TrackerSet { attribute } => {
                parameters.i32(*attribute);
            }
            Body::RegisterTrigger { trigger, anonymous } => {
                trigger.encode(&mut payload);
                parameters.u32(payload_len(&payload)).u8((*anonymous).into());
            }
            Body::UnregisterTrigger(trigger) => {
                trigger.encode(&mut payload);
                parameters.u32(payload_len(&payload));
            }
            Body::ErrorQuery(query) => {
                payload.bytes(&query.encode());
                parameters.u32(payload_len(&payload));
            }
            other => other.encode_output(&mut parameters, &mut payload),
        }
        parameters.pad_to(PARAMETERS_LEN);
        let header = Header {
            domain_type,
            buffer_type,
            parameters: parameters.into_bytes().into_boxed_slice(),
            fd_count: self.announced_fds(),
            ..Header::new(self.command(), session_name)
        };
        (header, payload.into_bytes())
    }

    /// The commands about outputs, snapshots and rotations. All others that come here carry nothing.
    fn encode_output(&self, parameters: &mut Writer, payload: &mut Writer) {
        match self {
            Body::RotationInfo { id } => {
                parameters.u64(*id);
            }
            Body::SetRotationSchedule { kind, set, value } => {
                parameters.u8(*kind).u8((*set).into()).u64(*value);
            }
            Body::SetConsumerUri { uris } => {
                parameters.u32(u32::try_from(uris.len()).unwrap_or(u32::MAX));
                for uri in uris {
                    uri.encode(payload);
                }
            }
            Body::SnapshotAddOutput(output) | Body::SnapshotDelOutput(output) => output.encode(parameters),
            Body::SnapshotRecord(output) => output.encode(parameters.zeros(WAIT_LEN)),
            _ => {}
        }
    }

    fn announced_fds(&self) -> u32 {
        match self {
            Body::EnableEvent { event, .. } if event.event_type() == EventType::UserspaceProbe => 1,
            Body::RegisterTrigger { trigger, .. } | Body::UnregisterTrigger(trigger) => trigger.fd_count(),
            Body::ErrorQuery(query) => query.trigger.fd_count(),
            _ => 0,
        }
    }
}

fn payload_len(payload: &Writer) -> u32 {
    u32::try_from(payload.len()).unwrap_or(u32::MAX)
}
