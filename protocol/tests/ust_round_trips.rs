// SPDX-License-Identifier: GPL-2.0-only
//! Every message between daemon and applications, with arbitrary contents: encoded and decoded it is the same
//! again, and no bytes whatever make a decoder panic.

use lttng_protocol::Text;
use lttng_protocol::ust::command::{
    Bytecode, Command, Context, EventRule, LogLevel, Message, Reply, ReplyBody, Tracepoint, TracepointField,
    TracerVersion, decode_exclusion_payload, exclusion_payload,
};
use lttng_protocol::ust::event_notifier::{CounterConfiguration, EventNotifier};
use lttng_protocol::ust::field::{
    Basic, Encoding, Field, FieldKind, Float, Integer, LegacyEnum, modernize_contexts,
};
use lttng_protocol::ust::notify::{
    self, EnumEntry, EnumValue, HeaderType, RegisterChannel, RegisterEnum, RegisterEvent, Request,
};
use lttng_protocol::ust::registration::{Alignments, ByteOrder, Registration, SocketKind};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn name() -> impl Strategy<Value = Text> {
    vec(1..=u8::MAX, 0..60).prop_map(Text::from)
}

prop_compose! {
    fn registration()(
        byte_order in prop_oneof![Just(ByteOrder::Little), Just(ByteOrder::Big)],
        (major, minor, bits_per_long) in (8..=9_u32, any::<u32>(), prop_oneof![Just(32_u32), Just(64)]),
        (pid, ppid, uid, gid) in any::<(i32, i32, u32, u32)>(),
        (uint8, uint16, uint32, uint64, long) in any::<(u32, u32, u32, u32, u32)>(),
        socket in prop_oneof![Just(SocketKind::Command), Just(SocketKind::Notify)],
        name in "[ -~]{0,15}",
    ) -> Registration {
        let alignments = Alignments { uint8, uint16, uint32, uint64, long };
        Registration {
            byte_order, major, minor, pid, ppid, uid, gid, bits_per_long, alignments, socket, name: name.into(),
        }
    }
}

prop_compose! {
    fn rule()(
        name in name(),
        loglevel in prop_oneof![
            Just(LogLevel::All),
            any::<i32>().prop_map(LogLevel::Range),
            any::<i32>().prop_map(LogLevel::Single),
        ],
        token in any::<u64>(),
    ) -> EventRule {
        EventRule { name, loglevel, token }
    }
}

fn context() -> impl Strategy<Value = Context> {
    let plain = [
        Context::Vtid,
        Context::Vpid,
        Context::PthreadId,
        Context::Procname,
        Context::Ip,
        Context::CpuId,
        Context::CgroupNs,
        Context::IpcNs,
        Context::MntNs,
        Context::NetNs,
        Context::PidNs,
        Context::UserNs,
        Context::UtsNs,
        Context::Vuid,
        Context::Veuid,
        Context::Vsuid,
        Context::Vgid,
        Context::Vegid,
        Context::Vsgid,
        Context::TimeNs,
    ];
    prop_oneof![
        3 => prop::sample::select(plain.to_vec()),
        1 => (any::<u32>(), any::<u64>(), name())
            .prop_map(|(kind, config, name)| Context::Perf { kind, config, name }),
        1 => (name(), name()).prop_map(|(provider, name)| Context::App { provider, name }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let plain = [
        Command::Release,
        Command::Session,
        Command::TracerVersion,
        Command::TracepointList,
        Command::WaitQuiescent,
        Command::RegisterDone,
        Command::TracepointFieldList,
        Command::EventNotifierGroup,
        Command::SessionStatedump,
        Command::Enable,
        Command::Disable,
        Command::TracepointListGet,
        Command::TracepointFieldListGet,
    ];
    let bytecode = any::<(u32, u32, u64)>().prop_map(|(data_size, reloc_offset, seqnum)| Bytecode {
        data_size,
        reloc_offset,
        seqnum,
    });
    prop_oneof![
        prop::sample::select(plain.to_vec()),
        any::<u64>().prop_map(|len| Command::Channel { len }),
        any::<(u64, u32)>().prop_map(|(len, nr)| Command::Stream { len, nr }),
        rule().prop_map(Command::Event),
        context().prop_map(Command::Context),
        bytecode.clone().prop_map(Command::Filter),
        bytecode.prop_map(Command::Capture),
        any::<u32>().prop_map(|count| Command::Exclusion { count }),
        any::<u32>().prop_map(|len| Command::EventNotifier { len }),
        any::<u64>().prop_map(|len| Command::Counter { len }),
        any::<(u64, u32)>().prop_map(|(len, cpu)| Command::CounterCpu { len, cpu }),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    let success = (command(), any::<(u32, u32, u32)>(), name(), any::<i32>()).prop_map(
        |(command, (major, minor, patchlevel), name, loglevel)| {
            let body = match command {
                Command::TracerVersion => {
                    ReplyBody::TracerVersion(TracerVersion { major, minor, patchlevel })
                }
                Command::TracepointListGet => ReplyBody::Tracepoint(Tracepoint { name, loglevel }),
                _ => ReplyBody::Empty,
            };
            Reply::ok(major, &command, minor).with_body(body)
        },
    );
    let failure = (any::<u32>(), command(), i32::MIN..0)
        .prop_map(|(handle, command, code)| Reply::error(handle, &command, code));
    prop_oneof![success, failure]
}

prop_compose! {
    fn integer()(
        (size, base, encoding, alignment) in any::<(u32, u32, i32, u16)>(),
        (signed, reverse_byte_order) in any::<(bool, bool)>(),
    ) -> Integer {
        Integer { size, signed, reverse_byte_order, base, encoding: Encoding(encoding), alignment }
    }
}

prop_compose! {
    fn float()((exponent, mantissa, reverse_byte_order, alignment) in any::<(u32, u32, bool, u16)>()) -> Float {
        Float { exponent, mantissa, reverse_byte_order, alignment }
    }
}

prop_compose! {
    fn legacy_enum()(name in name(), container in integer(), id in any::<u64>()) -> LegacyEnum {
        LegacyEnum { name, container, id }
    }
}

fn basic() -> impl Strategy<Value = Box<Basic>> {
    prop_oneof![
        integer().prop_map(Basic::Integer),
        legacy_enum().prop_map(Basic::Enum),
        any::<i32>().prop_map(|encoding| Basic::String(Encoding(encoding))),
        float().prop_map(Basic::Float),
        (6..99_u32).prop_map(Basic::Unknown),
    ]
    .prop_map(Box::new)
}

fn kind() -> impl Strategy<Value = FieldKind> {
    prop_oneof![
        integer().prop_map(FieldKind::Integer),
        legacy_enum().prop_map(|legacy| FieldKind::LegacyEnum(Box::new(legacy))),
        (basic(), any::<u32>()).prop_map(|(element, length)| FieldKind::LegacyArray { element, length }),
        (basic(), basic()).prop_map(|(length, element)| FieldKind::LegacySequence { length, element }),
        any::<i32>().prop_map(|encoding| FieldKind::String(Encoding(encoding))),
        float().prop_map(FieldKind::Float),
        (any::<u32>(), name()).prop_map(|(choices, tag)| FieldKind::LegacyVariant { choices, tag }),
        any::<u32>().prop_map(|fields| FieldKind::LegacyStruct { fields }),
        (name(), any::<u64>()).prop_map(|(name, id)| FieldKind::Enum { name, id }),
        any::<(u32, u32)>().prop_map(|(length, alignment)| FieldKind::Array { length, alignment }),
        (name(), any::<u32>())
            .prop_map(|(length_name, alignment)| FieldKind::Sequence { length_name, alignment }),
        any::<(u32, u32)>().prop_map(|(fields, alignment)| FieldKind::Struct { fields, alignment }),
        (any::<(u32, u32)>(), name()).prop_map(|((choices, alignment), tag)| FieldKind::Variant {
            choices,
            tag,
            alignment
        }),
        (13..u32::MAX).prop_map(FieldKind::Unknown),
    ]
}

fn fields() -> impl Strategy<Value = Vec<Field>> {
    vec((name(), kind()).prop_map(|(name, kind)| Field { name, kind }), 0..6)
}

fn value() -> impl Strategy<Value = EnumValue> {
    any::<(u64, bool)>().prop_map(|(value, signed)| EnumValue { value, signed })
}

fn request() -> impl Strategy<Value = Request> {
    let event = (any::<(u32, u32, i32)>(), name(), name(), fields(), option::of(name())).prop_map(
        |((session, channel, loglevel), name, signature, fields, model_emf_uri)| {
            Request::Event(RegisterEvent {
                session,
                channel,
                name,
                loglevel,
                signature,
                fields,
                model_emf_uri,
            })
        },
    );
    let channel = (any::<(u32, u32)>(), fields()).prop_map(|((session, channel), fields)| {
        Request::Channel(RegisterChannel { session, channel, fields })
    });
    let entry = (value(), value(), name(), any::<bool>()).prop_map(|(start, end, label, auto)| EnumEntry {
        start,
        end,
        label,
        auto,
    });
    let enumeration = (any::<u32>(), name(), vec(entry, 0..6))
        .prop_map(|(session, name, entries)| Request::Enum(RegisterEnum { session, name, entries }));
    prop_oneof![event, channel, enumeration]
}

fn notify_reply() -> impl Strategy<Value = notify::Reply> {
    let header = prop_oneof![Just(HeaderType::Unknown), Just(HeaderType::Compact), Just(HeaderType::Large)];
    prop_oneof![
        any::<(i32, u32)>().prop_map(|(code, id)| notify::Reply::Event { code, id }),
        (any::<(i32, u32)>(), header).prop_map(|((code, id), header)| notify::Reply::Channel {
            code,
            id,
            header
        }),
        any::<(i32, u64)>().prop_map(|(code, id)| notify::Reply::Enum { code, id }),
    ]
}

/// Gives `bytes` to every decoder. Whatever they make of them, they return.
fn decode_all(bytes: &[u8]) {
    drop(Registration::decode(bytes));
    drop(Message::length(bytes));
    drop(Message::decode(bytes));
    drop(decode_exclusion_payload(bytes));
    drop(Reply::decode(bytes));
    drop(TracepointField::decode(bytes));
    drop(EventNotifier::decode(bytes));
    drop(CounterConfiguration::decode(bytes));
    if let Ok(fields) = Field::decode_all(bytes) {
        drop(modernize_contexts(&fields));
    }
    drop(Request::length(bytes));
    drop(Request::decode(bytes));
    drop(notify::Reply::decode(bytes));
}

proptest! {
    #[test]
    fn registrations(registration in registration()) {
        let bytes = registration.encode();
        prop_assert_eq!(bytes.len(), Registration::LEN);
        prop_assert_eq!(Registration::decode(&bytes), Ok(registration));
    }

    #[test]
    fn messages(handle: u32, command in command(), next: u8) {
        let message = Message { handle, command };
        let mut bytes = Vec::new();
        message.encode_into(&mut bytes);
        prop_assert_eq!(Message::decode(&bytes), Ok(message));
        let length = bytes.len();
        bytes.push(next);
        prop_assert_eq!(Message::length(&bytes), Ok(Some(length)));
    }

    #[test]
    fn replies(reply in reply()) {
        let bytes = reply.encode();
        prop_assert_eq!(bytes.len(), Reply::LEN);
        prop_assert_eq!(Reply::decode(&bytes), Ok(reply));
    }

    #[test]
    fn tracepoint_fields(
        (event_name, field_name) in (name(), name()),
        (field_type, loglevel, nowrite) in any::<(u32, i32, bool)>(),
    ) {
        let field = TracepointField { event_name, field_name, field_type, loglevel, nowrite };
        prop_assert_eq!(TracepointField::decode(&field.encode()), Ok(field));
    }

    #[test]
    fn exclusions(names in vec(name(), 0..5)) {
        prop_assert_eq!(decode_exclusion_payload(&exclusion_payload(&names)), Ok(names));
    }

    #[test]
    fn event_notifiers(rule in rule(), error_counter_index: u64, size: u64) {
        let notifier = EventNotifier { rule, error_counter_index };
        prop_assert_eq!(EventNotifier::decode(&notifier.encode()), Ok(notifier));
        let counter = CounterConfiguration { size };
        prop_assert_eq!(CounterConfiguration::decode(&counter.encode()), Ok(counter));
    }

    #[test]
    fn requests(request in request(), next: u8) {
        let mut bytes = request.encode();
        prop_assert_eq!(Request::decode(&bytes), Ok(request));
        let length = bytes.len();
        bytes.push(next);
        prop_assert_eq!(Request::length(&bytes), Ok(Some(length)));
    }

    #[test]
    fn notify_replies(reply in notify_reply()) {
        prop_assert_eq!(notify::Reply::decode(&reply.encode()), Ok(reply));
    }

    #[test]
    fn modern_contexts_stay_as_they_are(fields in fields()) {
        if let Some(modern) = modernize_contexts(&fields) {
            prop_assert_eq!(modernize_contexts(&modern), Some(modern));
        }
    }

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..2000)) {
        decode_all(&bytes);
    }

    #[test]
    fn damaged_requests(request in request(), place: prop::sample::Index, damage in vec(any::<u8>(), 1..8)) {
        let mut bytes = request.encode();
        let start = place.index(bytes.len());
        for (byte, damage) in bytes[start..].iter_mut().zip(damage) {
            *byte = damage;
        }
        decode_all(&bytes);
        bytes.truncate(start);
        decode_all(&bytes);
    }

    #[test]
    fn damaged_messages(handle: u32, command in command(), place: prop::sample::Index, damage: u8) {
        let mut bytes = Vec::new();
        Message { handle, command }.encode_into(&mut bytes);
        let start = place.index(bytes.len());
        bytes[start] = damage;
        decode_all(&bytes);
        bytes.truncate(start);
        decode_all(&bytes);
    }

    #[test]
    fn any_descriptor(kind in 0..14_u32, bytes in vec(any::<u8>(), Field::LEN)) {
        let mut bytes = bytes;
        bytes[256..260].copy_from_slice(&kind.to_ne_bytes());
        let field = Field::decode(&bytes);
        prop_assert!(field.is_ok());
        decode_all(&bytes);
    }
}
