// SPDX-License-Identifier: GPL-2.0-only
//! The requests: which number an ioctl has, what goes with it and what comes back.
//!
//! A number holds direction (2 bits), size of the argument (14 bits), `0xF6` and the request (8 bits each). An unknown
//! one is ENOTTY (ENOSYS on counters). Which errno means what to a client is not decided here.
//!
//! Source: `lttng-modules 2.13: include/lttng/abi.h`, `src/lttng-abi.c`.

use serde::{Deserialize, Serialize};

use super::counter::{AGGREGATE_LEN, CLEAR_LEN, decode_index, encode_index};
use super::event::{decode_bytecode, encode_bytecode};
use super::session::{CREATION_TIME_SIZE, TRACKER_LEN, decode_tracker, encode_tracker, terminated};
use super::{
    AbiVersion, Bytecode, Channel, Context, CounterConfiguration, Event, EventNotifier, NAME_SIZE,
    ProcessAttribute, TracerVersion,
};
use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::text::Text;

/// What a descriptor of the tracer stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Object {
    /// `/proc/lttng`.
    Tracer,
    /// The list of tracepoints, a text.
    TracepointList,
    /// The list of system calls, a text.
    SyscallList,
    /// A session.
    Session,
    /// A channel of events.
    Channel,
    /// A channel of metadata.
    MetadataChannel,
    /// One CPU's ring buffer of a channel, or a metadata channel's only one.
    Stream,
    /// An event rule of a channel.
    Event,
    /// The group of all event notifiers.
    EventNotifierGroup,
    /// What the group tells, a stream of [`EventNotification`](super::EventNotification)s.
    Notifications,
    /// An event notifier.
    EventNotifier,
    /// The group's error counters.
    Counter,
}

/// What goes with a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Argument {
    /// Nothing: 0.
    None,
    /// The number itself, not its address.
    Value(i32),
    /// The address of these bytes. The tracer overwrites them where the answer is [`Answer::Bytes`].
    Buffer(Vec<u8>),
}

/// What a request brings, besides an errno.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Answer {
    /// 0.
    Nothing,
    /// A descriptor of this object. It is not close-on-exec.
    Descriptor(Object),
    /// 0, and the argument's bytes are other ones now.
    Bytes,
}

/// A request. Each says which objects take it, and what it brings if that is anything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Request {
    /// Tracer: makes a session.
    Session,
    /// Tracer: its version, a [`TracerVersion`].
    TracerVersion,
    /// Tracer: version of the interface, an [`AbiVersion`].
    AbiVersion,
    /// Tracer: opens the list of tracepoints, see [`listing::tracepoints`](super::listing::tracepoints).
    TracepointList,
    /// Tracer: opens the list of system calls, see [`listing::syscalls`](super::listing::syscalls).
    SyscallList,
    /// Tracer: returns when probes that were running have ended.
    WaitQuiescent,
    /// Tracer: makes the group of event notifiers.
    EventNotifierGroup,
    /// Session: its name, in the trace. At most 255 bytes.
    SetName(Text),
    /// Session: its begin, in the trace: `20261122T194002+0000`. At most 25 bytes.
    SetCreationTime(Text),
    /// Session: makes a channel of events.
    Channel(Channel),
    /// Session: makes a channel of metadata.
    Metadata(Channel),
    /// Session: begins to record.
    Start,
    /// Session: stops.
    Stop,
    /// Session: follows processes with this value too; with -1 all there are.
    Track {
        /// Which attribute of a process.
        attribute: ProcessAttribute,
        /// Its value.
        id: i32,
    },
    /// Session: no longer follows processes with this value; with -1 none at all.
    Untrack {
        /// Which attribute of a process.
        attribute: ProcessAttribute,
        /// Its value.
        id: i32,
    },
    /// Session, active: writes its metadata anew.
    MetadataRegenerate,
    /// Session, active: records the state of the system again.
    Statedump,
    /// Channel or metadata channel: opens the next ring buffer; ENOENT when all are open.
    Stream,
    /// Channel: makes an event rule, disabled.
    Event(Event),
    /// Channel: adds a context.
    Context(Context),
    /// Channel, event rule or event notifier.
    Enable,
    /// Channel, event rule or event notifier.
    Disable,
    /// Event rule or event notifier: adds a filter.
    Filter(Bytecode),
    /// Event rule or event notifier that is a uprobe: adds a place.
    AddCallsite {
        /// Offset in the binary's file, bytes.
        offset: u64,
    },
    /// Event notifier group: makes an event notifier, disabled.
    EventNotifier(EventNotifier),
    /// Event notifier group: opens the stream of notifications. Once.
    Notifications,
    /// Event notifier group: makes its error counters. Once.
    Counter(CounterConfiguration),
    /// Event notifier: adds a value to capture.
    Capture(Bytecode),
    /// Counter: what it says, a [`CounterValue`](super::CounterValue).
    CounterAggregate {
        /// Which of them.
        index: u64,
    },
    /// Counter: begins at 0 again.
    CounterClear {
        /// Which of them.
        index: u64,
    },
    /// Stream: closes the current packet.
    Flush,
}

/// A number by which no argument, or one of unsaid size, goes along.
const fn none(request: u8) -> u32 {
    0xF600 | request as u32
}

/// The number of a request whose argument the tracer reads.
const fn write(request: u8, size: usize) -> u32 {
    0x4000_0000 | (size as u32) << 16 | none(request)
}

/// The number of a request whose argument the tracer overwrites.
const fn read(request: u8, size: usize) -> u32 {
    0x8000_0000 | (size as u32) << 16 | none(request)
}

/// Numbers, in the order of the last byte.
mod number {
    use super::*;

    pub const FLUSH: u32 = none(0x0C);
    pub const SESSION: u32 = none(0x45);
    pub const TRACER_VERSION: u32 = read(0x46, TracerVersion::LEN);
    pub const TRACEPOINT_LIST: u32 = none(0x47);
    pub const WAIT_QUIESCENT: u32 = none(0x48);
    pub const SYSCALL_LIST: u32 = none(0x4A);
    pub const ABI_VERSION: u32 = read(0x4B, AbiVersion::LEN);
    pub const EVENT_NOTIFIER_GROUP: u32 = none(0x4C);
    pub const METADATA: u32 = write(0x54, Channel::LEN);
    pub const CHANNEL: u32 = write(0x55, Channel::LEN);
    pub const START: u32 = none(0x56);
    pub const STOP: u32 = none(0x57);
    pub const TRACK_PID: u32 = write(0x58, size_of::<i32>());
    pub const TRACK_PID_ALIAS: u32 = read(0x58, size_of::<i32>());
    pub const UNTRACK_PID: u32 = write(0x59, size_of::<i32>());
    pub const UNTRACK_PID_ALIAS: u32 = read(0x59, size_of::<i32>());
    pub const METADATA_REGENERATE: u32 = none(0x59);
    pub const STATEDUMP: u32 = none(0x5C);
    pub const SET_NAME: u32 = write(0x5D, NAME_SIZE);
    pub const SET_NAME_ALIAS: u32 = read(0x5D, NAME_SIZE);
    pub const SET_CREATION_TIME: u32 = write(0x5E, CREATION_TIME_SIZE);
    pub const SET_CREATION_TIME_ALIAS: u32 = read(0x5E, CREATION_TIME_SIZE);
    pub const STREAM: u32 = none(0x62);
    pub const EVENT: u32 = write(0x63, Event::LEN);
    pub const CONTEXT: u32 = write(0x71, Context::LEN);
    pub const ENABLE: u32 = none(0x82);
    pub const DISABLE: u32 = none(0x83);
    pub const COUNTER: u32 = write(0x84, CounterConfiguration::LEN);
    pub const FILTER: u32 = none(0x90);
    pub const ADD_CALLSITE: u32 = none(0x91);
    pub const TRACK_ID: u32 = write(0xA1, TRACKER_LEN);
    pub const TRACK_ID_ALIAS: u32 = read(0xA1, TRACKER_LEN);
    pub const UNTRACK_ID: u32 = write(0xA2, TRACKER_LEN);
    pub const UNTRACK_ID_ALIAS: u32 = read(0xA2, TRACKER_LEN);
    pub const EVENT_NOTIFIER: u32 = write(0xB0, EventNotifier::LEN);
    pub const NOTIFICATIONS: u32 = none(0xB1);
    pub const CAPTURE: u32 = none(0xB8);
    pub const COUNTER_AGGREGATE: u32 = read(0xC1, AGGREGATE_LEN) | write(0xC1, AGGREGATE_LEN);
    pub const COUNTER_CLEAR: u32 = write(0xC2, CLEAR_LEN);
}

impl Request {
    /// The value of [`Request::Track`] and [`Request::Untrack`] that stands for every one.
    pub const ALL: i32 = -1;

    /// Number of the ioctl.
    pub fn number(&self) -> u32 {
        match self {
            Request::Session => number::SESSION,
            Request::TracerVersion => number::TRACER_VERSION,
            Request::AbiVersion => number::ABI_VERSION,
            Request::TracepointList => number::TRACEPOINT_LIST,
            Request::SyscallList => number::SYSCALL_LIST,
            Request::WaitQuiescent => number::WAIT_QUIESCENT,
            Request::EventNotifierGroup => number::EVENT_NOTIFIER_GROUP,
            Request::SetName(_) => number::SET_NAME,
            Request::SetCreationTime(_) => number::SET_CREATION_TIME,
            Request::Channel(_) => number::CHANNEL,
            Request::Metadata(_) => number::METADATA,
            Request::Start => number::START,
            Request::Stop => number::STOP,
            Request::Track { attribute: ProcessAttribute::Pid, .. } => number::TRACK_PID,
            Request::Track { .. } => number::TRACK_ID,
            Request::Untrack { attribute: ProcessAttribute::Pid, .. } => number::UNTRACK_PID,
            Request::Untrack { .. } => number::UNTRACK_ID,
            Request::MetadataRegenerate => number::METADATA_REGENERATE,
            Request::Statedump => number::STATEDUMP,
            Request::Stream => number::STREAM,
            Request::Event(_) => number::EVENT,
            Request::Context(_) => number::CONTEXT,
            Request::Enable => number::ENABLE,
            Request::Disable => number::DISABLE,
            Request::Filter(_) => number::FILTER,
            Request::AddCallsite { .. } => number::ADD_CALLSITE,
            Request::EventNotifier(_) => number::EVENT_NOTIFIER,
            Request::Notifications => number::NOTIFICATIONS,
            Request::Counter(_) => number::COUNTER,
            Request::Capture(_) => number::CAPTURE,
            Request::CounterAggregate { .. } => number::COUNTER_AGGREGATE,
            Request::CounterClear { .. } => number::COUNTER_CLEAR,
            Request::Flush => number::FLUSH,
        }
    }

    /// The number by which tracers before ABI 2.6 know it: that of the wrong direction. To be tried with the same
    /// argument when the first gets ENOTTY or ENOSYS.
    pub fn alias(&self) -> Option<u32> {
        Some(match self.number() {
            number::SET_NAME => number::SET_NAME_ALIAS,
            number::SET_CREATION_TIME => number::SET_CREATION_TIME_ALIAS,
            number::TRACK_PID => number::TRACK_PID_ALIAS,
            number::UNTRACK_PID => number::UNTRACK_PID_ALIAS,
            number::TRACK_ID => number::TRACK_ID_ALIAS,
            number::UNTRACK_ID => number::UNTRACK_ID_ALIAS,
            _ => return None,
        })
    }

    /// Its name, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Request::Session => "SESSION",
            Request::TracerVersion => "TRACER_VERSION",
            Request::AbiVersion => "TRACER_ABI_VERSION",
            Request::TracepointList => "TRACEPOINT_LIST",
            Request::SyscallList => "SYSCALL_LIST",
            Request::WaitQuiescent => "WAIT_QUIESCENT",
            Request::EventNotifierGroup => "EVENT_NOTIFIER_GROUP_CREATE",
            Request::SetName(_) => "SESSION_SET_NAME",
            Request::SetCreationTime(_) => "SESSION_SET_CREATION_TIME",
            Request::Channel(_) => "CHANNEL",
            Request::Metadata(_) => "METADATA",
            Request::Start => "SESSION_START",
            Request::Stop => "SESSION_STOP",
            Request::Track { attribute: ProcessAttribute::Pid, .. } => "SESSION_TRACK_PID",
            Request::Track { .. } => "SESSION_TRACK_ID",
            Request::Untrack { attribute: ProcessAttribute::Pid, .. } => "SESSION_UNTRACK_PID",
            Request::Untrack { .. } => "SESSION_UNTRACK_ID",
            Request::MetadataRegenerate => "SESSION_METADATA_REGEN",
            Request::Statedump => "SESSION_STATEDUMP",
            Request::Stream => "STREAM",
            Request::Event(_) => "EVENT",
            Request::Context(_) => "CONTEXT",
            Request::Enable => "ENABLE",
            Request::Disable => "DISABLE",
            Request::Filter(_) => "FILTER",
            Request::AddCallsite { .. } => "ADD_CALLSITE",
            Request::EventNotifier(_) => "EVENT_NOTIFIER_CREATE",
            Request::Notifications => "EVENT_NOTIFIER_GROUP_NOTIFICATION_FD",
            Request::Counter(_) => "COUNTER",
            Request::Capture(_) => "CAPTURE",
            Request::CounterAggregate { .. } => "COUNTER_AGGREGATE",
            Request::CounterClear { .. } => "COUNTER_CLEAR",
            Request::Flush => "FLUSH",
        }
    }

    /// The objects that take it.
    pub fn objects(&self) -> &'static [Object] {
        match self {
            Request::Session
            | Request::TracerVersion
            | Request::AbiVersion
            | Request::TracepointList
            | Request::SyscallList
            | Request::WaitQuiescent
            | Request::EventNotifierGroup => &[Object::Tracer],
            Request::SetName(_)
            | Request::SetCreationTime(_)
            | Request::Channel(_)
            | Request::Metadata(_)
            | Request::Start
            | Request::Stop
            | Request::Track { .. }
            | Request::Untrack { .. }
            | Request::MetadataRegenerate
            | Request::Statedump => &[Object::Session],
            Request::Stream => &[Object::Channel, Object::MetadataChannel],
            Request::Event(_) | Request::Context(_) => &[Object::Channel],
            Request::Enable | Request::Disable => &[Object::Channel, Object::Event, Object::EventNotifier],
            Request::Filter(_) | Request::AddCallsite { .. } => &[Object::Event, Object::EventNotifier],
            Request::EventNotifier(_) | Request::Notifications | Request::Counter(_) => {
                &[Object::EventNotifierGroup]
            }
            Request::Capture(_) => &[Object::EventNotifier],
            Request::CounterAggregate { .. } | Request::CounterClear { .. } => &[Object::Counter],
            Request::Flush => &[Object::Stream],
        }
    }

    /// What it brings.
    pub fn answer(&self) -> Answer {
        match self {
            Request::Session => Answer::Descriptor(Object::Session),
            Request::TracepointList => Answer::Descriptor(Object::TracepointList),
            Request::SyscallList => Answer::Descriptor(Object::SyscallList),
            Request::EventNotifierGroup => Answer::Descriptor(Object::EventNotifierGroup),
            Request::Channel(_) => Answer::Descriptor(Object::Channel),
            Request::Metadata(_) => Answer::Descriptor(Object::MetadataChannel),
            Request::Stream => Answer::Descriptor(Object::Stream),
            Request::Event(_) => Answer::Descriptor(Object::Event),
            Request::EventNotifier(_) => Answer::Descriptor(Object::EventNotifier),
            Request::Notifications => Answer::Descriptor(Object::Notifications),
            Request::Counter(_) => Answer::Descriptor(Object::Counter),
            Request::TracerVersion | Request::AbiVersion | Request::CounterAggregate { .. } => Answer::Bytes,
            _ => Answer::Nothing,
        }
    }

    /// What goes with it. Text that is too long for its place is cut: check it before.
    pub fn argument(&self) -> Argument {
        let mut writer = Writer::default();
        match self {
            Request::Track { attribute: ProcessAttribute::Pid, id }
            | Request::Untrack { attribute: ProcessAttribute::Pid, id } => return Argument::Value(*id),
            Request::Track { attribute, id } | Request::Untrack { attribute, id } => {
                encode_tracker(*attribute, *id, &mut writer);
            }
            Request::TracerVersion => {
                writer.zeros(TracerVersion::LEN);
            }
            Request::AbiVersion => {
                writer.zeros(AbiVersion::LEN);
            }
            Request::SetName(name) => {
                writer.fixed_string(name, NAME_SIZE);
            }
            Request::SetCreationTime(time) => {
                writer.fixed_string(time, CREATION_TIME_SIZE);
            }
            Request::Channel(channel) | Request::Metadata(channel) => channel.encode(&mut writer),
            Request::Event(event) => event.encode(&mut writer),
            Request::Context(context) => context.encode(&mut writer),
            Request::Filter(bytecode) | Request::Capture(bytecode) => encode_bytecode(bytecode, &mut writer),
            Request::AddCallsite { offset } => {
                writer.u64(*offset);
            }
            Request::EventNotifier(notifier) => notifier.encode(&mut writer),
            Request::Counter(configuration) => configuration.encode(&mut writer),
            Request::CounterAggregate { index } => encode_index(*index, AGGREGATE_LEN, &mut writer),
            Request::CounterClear { index } => encode_index(*index, CLEAR_LEN, &mut writer),
            Request::Session
            | Request::TracepointList
            | Request::SyscallList
            | Request::WaitQuiescent
            | Request::EventNotifierGroup
            | Request::Start
            | Request::Stop
            | Request::MetadataRegenerate
            | Request::Statedump
            | Request::Stream
            | Request::Enable
            | Request::Disable
            | Request::Notifications
            | Request::Flush => return Argument::None,
        }
        Argument::Buffer(writer.into_bytes())
    }

    /// Decodes what a tracer (or a simulated one) is asked. `argument` is the buffer, or the four bytes of a number
    /// that goes along itself. The numbers of older tracers are known too.
    ///
    /// # Errors
    ///
    /// A request that a session daemon does not make, another size of the argument, and in it what the tracer refuses
    /// or what is to be 0.
    pub fn decode(number: u32, argument: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("kernel tracer request", argument);
        let request = match number {
            number::SESSION => Request::Session,
            number::TRACER_VERSION => {
                reader.skip(TracerVersion::LEN)?;
                Request::TracerVersion
            }
            number::ABI_VERSION => {
                reader.skip(AbiVersion::LEN)?;
                Request::AbiVersion
            }
            number::TRACEPOINT_LIST => Request::TracepointList,
            number::SYSCALL_LIST => Request::SyscallList,
            number::WAIT_QUIESCENT => Request::WaitQuiescent,
            number::EVENT_NOTIFIER_GROUP => Request::EventNotifierGroup,
            number::SET_NAME | number::SET_NAME_ALIAS => {
                Request::SetName(terminated(&mut reader, NAME_SIZE)?)
            }
            number::SET_CREATION_TIME | number::SET_CREATION_TIME_ALIAS => {
                Request::SetCreationTime(terminated(&mut reader, CREATION_TIME_SIZE)?)
            }
            number::CHANNEL => Request::Channel(Channel::decode(&mut reader)?),
            number::METADATA => Request::Metadata(Channel::decode(&mut reader)?),
            number::START => Request::Start,
            number::STOP => Request::Stop,
            number::TRACK_PID | number::TRACK_PID_ALIAS => {
                Request::Track { attribute: ProcessAttribute::Pid, id: reader.i32()? }
            }
            number::UNTRACK_PID | number::UNTRACK_PID_ALIAS => {
                Request::Untrack { attribute: ProcessAttribute::Pid, id: reader.i32()? }
            }
            number::TRACK_ID | number::TRACK_ID_ALIAS => {
                let (attribute, id) = decode_tracker(&mut reader)?;
                Request::Track { attribute, id }
            }
            number::UNTRACK_ID | number::UNTRACK_ID_ALIAS => {
                let (attribute, id) = decode_tracker(&mut reader)?;
                Request::Untrack { attribute, id }
            }
            number::METADATA_REGENERATE => Request::MetadataRegenerate,
            number::STATEDUMP => Request::Statedump,
            number::STREAM => Request::Stream,
            number::EVENT => Request::Event(Event::decode(&mut reader)?),
            number::CONTEXT => Request::Context(Context::decode(&mut reader)?),
            number::ENABLE => Request::Enable,
            number::DISABLE => Request::Disable,
            number::FILTER => Request::Filter(decode_bytecode(&mut reader)?),
            number::ADD_CALLSITE => Request::AddCallsite { offset: reader.u64()? },
            number::EVENT_NOTIFIER => Request::EventNotifier(EventNotifier::decode(&mut reader)?),
            number::NOTIFICATIONS => Request::Notifications,
            number::COUNTER => Request::Counter(CounterConfiguration::decode(&mut reader)?),
            number::CAPTURE => Request::Capture(decode_bytecode(&mut reader)?),
            number::COUNTER_AGGREGATE => {
                Request::CounterAggregate { index: decode_index(&mut reader, AGGREGATE_LEN)? }
            }
            number::COUNTER_CLEAR => Request::CounterClear { index: decode_index(&mut reader, CLEAR_LEN)? },
            number::FLUSH => Request::Flush,
            other => return Err(reader.error(ErrorKind::BadValue(other.into()))),
        };
        reader.finish()?;
        Ok(request)
    }
}
