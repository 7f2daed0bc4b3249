// SPDX-License-Identifier: GPL-2.0-only
//! What is said to applications, and what they say.

use lttng_protocol::Text;
use lttng_protocol::ust::command::*;
use lttng_protocol::ust::event_notifier::{CounterConfiguration, EventNotification, EventNotifier};
use lttng_protocol::ust::field::{Basic, Encoding, Field, FieldKind, Float, Integer, LegacyEnum};
use lttng_protocol::ust::notify;
use lttng_protocol::ust::registration::{Alignments, ByteOrder, Registration, SocketKind};

use crate::maker::{Maker, encoded, made};
use crate::{SHORT, WIDE, WORD};

pub fn check(maker: &mut Maker) {
    registration(maker);
    commands(maker);
    replies(maker);
    notifiers(maker);
    requests(maker);
    fields(maker);
    legacy_fields(maker);
}

fn registration(maker: &mut Maker) {
    let alignments = Alignments { uint8: 8, uint16: 16, uint32: 32, uint64: 64, long: 24 };
    let registration = Registration {
        byte_order: ByteOrder::NATIVE,
        major: 9,
        minor: WORD,
        pid: WORD as i32 + 1,
        ppid: WORD as i32 + 2,
        uid: WORD + 3,
        gid: WORD + 4,
        bits_per_long: 32,
        alignments,
        socket: SocketKind::Notify,
        name: "n".into(),
    };
    let bytes = made!(maker, "lttng_ust_ctl_reg_msg", {
        "magic": 0xc57c_57c5_u64, "major": 9, "minor": WORD, "pid": WORD + 1, "ppid": WORD + 2, "uid": WORD + 3,
        "gid": WORD + 4, "bits_per_long": 32, "uint8_t_alignment": 8, "uint16_t_alignment": 16,
        "uint32_t_alignment": 32, "uint64_t_alignment": 64, "long_alignment": 24, "socket_type": 1, "name": "n",
    });
    assert_eq!(registration.encode(), bytes);
}

fn command(command: Command, bytes: &[u8]) {
    let message = Message { handle: WORD, command };
    let mut encoded = Vec::new();
    message.encode_into(&mut encoded);
    assert!(encoded == bytes, "{message:?}: {encoded:02x?}");
    assert_eq!(Message::length(bytes), Ok(Some(bytes.len())));
    assert_eq!(Message::decode(bytes), Ok(message));
}

macro_rules! message {
    ($maker:expr, $number:literal, { $($way:literal: $value:expr),* $(,)? }) => {
        made!($maker, "ustcomm_ust_msg", { "handle": WORD, "cmd": $number, $($way: $value),* })
    };
}

fn commands(maker: &mut Maker) {
    command(
        Command::Channel { len: WIDE },
        &message!(maker, 0x51, { "u.channel.len": WIDE, "u.channel.type": 0 }),
    );
    let bytes = message!(maker, 0x60, { "u.stream.len": WIDE, "u.stream.stream_nr": WORD + 1 });
    command(Command::Stream { len: WIDE, nr: WORD + 1 }, &bytes);
    let rule = EventRule { name: "e".into(), loglevel: LogLevel::Single(WORD as i32), token: WIDE };
    let bytes = message!(maker, 0x61, {
        "u.event.instrumentation": 0, "u.event.name": "e", "u.event.loglevel_type": 2, "u.event.loglevel": WORD,
        "u.event.token": WIDE,
    });
    command(Command::Event(rule), &bytes);
    let perf = Context::Perf { kind: WORD + 1, config: WIDE, name: "p".into() };
    let bytes = message!(maker, 0x70, {
        "u.context.ctx": 5, "u.context.u.perf_counter.type": WORD + 1, "u.context.u.perf_counter.config": WIDE,
        "u.context.u.perf_counter.name": "p",
    });
    command(Command::Context(perf), &bytes);
    let app = Context::App { provider: "pr".into(), name: "n".into() };
    let bytes = message!(maker, 0x70, {
        "u.context.ctx": 7, "u.context.u.app_ctx.provider_name_len": 3, "u.context.u.app_ctx.ctx_name_len": 2,
    });
    command(Command::Context(app), &[&bytes[..], b"pr\0n\0"].concat());
    let bytecode = Bytecode { data_size: WORD + 1, reloc_offset: WORD + 2, seqnum: WIDE };
    let bytes = message!(maker, 0xa0, {
        "u.filter.data_size": WORD + 1, "u.filter.reloc_offset": WORD + 2, "u.filter.seqnum": WIDE,
    });
    command(Command::Filter(bytecode), &bytes);
    let bytes = message!(maker, 0xa1, { "u.exclusion.count": WORD + 1 });
    command(Command::Exclusion { count: WORD + 1 }, &bytes);
    let bytes = message!(maker, 0xb0, { "u.event_notifier.len": WORD + 1 });
    command(Command::EventNotifier { len: WORD + 1 }, &bytes);
    command(Command::Counter { len: WIDE }, &message!(maker, 0xc0, { "u.counter.len": WIDE }));
    let bytes = message!(maker, 0xd1, { "u.counter_cpu.len": WIDE, "u.counter_cpu.cpu_nr": WORD + 1 });
    command(Command::CounterCpu { len: WIDE, cpu: WORD + 1 }, &bytes);
}

fn replies(maker: &mut Maker) {
    let version = TracerVersion { major: WORD, minor: WORD + 1, patchlevel: WORD + 2 };
    let reply = Reply::ok(WORD, &Command::TracerVersion, WORD + 3);
    let bytes = made!(maker, "ustcomm_ust_reply", {
        "handle": WORD, "cmd": 0x41, "ret_val": WORD + 3, "u.version.major": WORD, "u.version.minor": WORD + 1,
        "u.version.patchlevel": WORD + 2,
    });
    let with_version = reply.with_body(ReplyBody::TracerVersion(version));
    assert_eq!(with_version.encode(), bytes);
    assert_eq!(Reply::decode(&bytes), Ok(with_version));
    let tracepoint = Tracepoint { name: "t".into(), loglevel: WORD as i32 };
    let reply = Reply::ok(WORD, &Command::TracepointListGet, 0).with_body(ReplyBody::Tracepoint(tracepoint));
    let bytes = made!(maker, "ustcomm_ust_reply", {
        "handle": WORD, "cmd": 0x90, "u.tracepoint.name": "t", "u.tracepoint.loglevel": WORD,
    });
    assert_eq!(reply.encode(), bytes);
    let error = Reply::error(WORD, &Command::Session, -1030);
    let bytes = made!(maker, "ustcomm_ust_reply", { "handle": WORD, "cmd": 0x40, "ret_code": -1030 });
    assert_eq!(error.encode(), bytes);
    let field = TracepointField {
        event_name: "e".into(),
        field_name: "f".into(),
        field_type: WORD,
        loglevel: WORD as i32 + 1,
        nowrite: true,
    };
    let bytes = made!(maker, "lttng_ust_abi_field_iter", {
        "event_name": "e", "field_name": "f", "type": WORD, "loglevel": WORD + 1, "nowrite": 1,
    });
    assert_eq!(field.encode(), bytes);
    assert_eq!(TracepointField::decode(&bytes), Ok(field));
}

fn notifiers(maker: &mut Maker) {
    let rule = EventRule { name: "e".into(), loglevel: LogLevel::Range(WORD as i32), token: WIDE };
    let notifier = EventNotifier { rule, error_counter_index: WIDE + 1 };
    let bytes = made!(maker, "lttng_ust_abi_event_notifier", {
        "event.name": "e", "event.loglevel_type": 1, "event.loglevel": WORD, "event.token": WIDE,
        "error_counter_index": WIDE + 1,
    });
    assert_eq!(notifier.encode(), bytes);
    assert_eq!(EventNotifier::decode(&bytes), Ok(notifier));
    let counters = CounterConfiguration { size: WIDE };
    let bytes = made!(maker, "lttng_ust_abi_counter_conf", {
        "arithmetic": 0, "bitness": 0, "number_dimensions": 1, "global_sum_step": 0, "dimensions[0].size": WIDE,
    });
    assert_eq!(counters.encode(), bytes);
    assert_eq!(CounterConfiguration::decode(&bytes), Ok(counters));
    let captures = vec![7; SHORT.into()];
    let notification = EventNotification { token: WIDE, captures: &captures };
    let head = made!(maker, "lttng_ust_abi_event_notifier_notification", {
        "token": WIDE, "capture_buf_size": SHORT,
    });
    let bytes = [&head[..], &captures].concat();
    assert_eq!(notification.encode(), bytes);
    assert_eq!(EventNotification::decode(&bytes), Ok(notification));
}

fn requests(maker: &mut Maker) {
    let request = |request: notify::Request, bytes: &[u8]| {
        assert!(request.encode() == bytes, "{request:?}");
        assert_eq!(notify::Request::length(bytes), Ok(Some(bytes.len())));
        assert_eq!(notify::Request::decode(bytes), Ok(request));
    };
    let kind = |maker: &mut Maker, kind: i32| made!(maker, "ustcomm_notify_hdr", { "notify_cmd": kind });
    let field = Field { name: "f".into(), kind: FieldKind::String(Encoding::UTF8) };
    let field_bytes = encoded(|w| field.encode(w));
    let body = made!(maker, "ustcomm_notify_event_msg", {
        "session_objd": WORD, "channel_objd": WORD + 1, "event_name": "e", "loglevel": WORD + 2, "signature_len": 3,
        "fields_len": field_bytes.len(), "model_emf_uri_len": 2,
    });
    let event = notify::RegisterEvent {
        session: WORD,
        channel: WORD + 1,
        name: "e".into(),
        loglevel: WORD as i32 + 2,
        signature: "si".into(),
        fields: vec![field.clone()],
        model_emf_uri: Some("u".into()),
    };
    let bytes = [&kind(maker, 0)[..], &body, b"si\0", &field_bytes, b"u\0"].concat();
    request(notify::Request::Event(event), &bytes);
    let body = made!(maker, "ustcomm_notify_channel_msg", {
        "session_objd": WORD, "channel_objd": WORD + 1, "ctx_fields_len": field_bytes.len(),
    });
    let channel = notify::RegisterChannel { session: WORD, channel: WORD + 1, fields: vec![field] };
    request(notify::Request::Channel(channel), &[kind(maker, 1), body, field_bytes].concat());
    let entry = made!(maker, "lttng_ust_ctl_enum_entry", {
        "start.value": WIDE, "start.signedness": 1, "end.value": WIDE + 1, "string": "l", "u.extra.options": 1,
    });
    let body = made!(maker, "ustcomm_notify_enum_msg", {
        "session_objd": WORD, "enum_name": "n", "entries_len": entry.len(),
    });
    let entries = vec![notify::EnumEntry {
        start: notify::EnumValue { value: WIDE, signed: true },
        end: notify::EnumValue { value: WIDE + 1, signed: false },
        label: "l".into(),
        auto: true,
    }];
    let enumeration = notify::RegisterEnum { session: WORD, name: "n".into(), entries };
    request(notify::Request::Enum(enumeration), &[kind(maker, 2), body, entry].concat());

    let (code, id) = (-22, WORD);
    let body = made!(maker, "ustcomm_notify_event_reply", { "ret_code": code, "id": id });
    assert_eq!(notify::Reply::Event { code, id }.encode(), [kind(maker, 0), body].concat());
    let body =
        made!(maker, "ustcomm_notify_channel_reply", { "ret_code": code, "chan_id": id, "header_type": 2 });
    let reply = notify::Reply::Channel { code, id, header: notify::HeaderType::Large };
    assert_eq!(reply.encode(), [kind(maker, 1), body].concat());
    let body = made!(maker, "ustcomm_notify_enum_reply", { "ret_code": code, "enum_id": WIDE });
    assert_eq!(notify::Reply::Enum { code, id: WIDE }.encode(), [kind(maker, 2), body].concat());
}

fn field(kind: FieldKind, bytes: &[u8]) {
    let field = Field { name: "f".into(), kind };
    assert!(encoded(|w| field.encode(w)) == bytes, "{field:?}");
    assert_eq!(Field::decode(bytes), Ok(field));
}

macro_rules! described {
    ($maker:expr, $number:literal, { $($way:literal: $value:expr),* $(,)? }) => {
        made!($maker, "lttng_ust_ctl_field", { "name": "f", "type.atype": $number, $($way: $value),* })
    };
}

const INTEGER: Integer = Integer {
    size: WORD,
    signed: true,
    reverse_byte_order: true,
    base: WORD + 1,
    encoding: Encoding(WORD as i32 + 2),
    alignment: SHORT,
};

fn fields(maker: &mut Maker) {
    let bytes = described!(maker, 0, {
        "type.u.integer.size": WORD, "type.u.integer.signedness": 1, "type.u.integer.reverse_byte_order": 1,
        "type.u.integer.base": WORD + 1, "type.u.integer.encoding": WORD + 2, "type.u.integer.alignment": SHORT,
    });
    field(FieldKind::Integer(INTEGER), &bytes);
    let float = Float { exponent: WORD, mantissa: WORD + 1, reverse_byte_order: true, alignment: SHORT };
    let bytes = described!(maker, 5, {
        "type.u._float.exp_dig": WORD, "type.u._float.mant_dig": WORD + 1, "type.u._float.reverse_byte_order": 1,
        "type.u._float.alignment": SHORT,
    });
    field(FieldKind::Float(float), &bytes);
    let bytes = described!(maker, 4, { "type.u.string.encoding": WORD });
    field(FieldKind::String(Encoding(WORD as i32)), &bytes);
    let bytes = described!(maker, 8, { "type.u.enum_nestable.name": "n", "type.u.enum_nestable.id": WIDE });
    field(FieldKind::Enum { name: "n".into(), id: WIDE }, &bytes);
    let alignment = WORD + 1;
    let bytes = described!(maker, 9, {
        "type.u.array_nestable.length": WORD, "type.u.array_nestable.alignment": alignment,
    });
    field(FieldKind::Array { length: WORD, alignment }, &bytes);
    let bytes = described!(maker, 10, {
        "type.u.sequence_nestable.length_name": "n", "type.u.sequence_nestable.alignment": alignment,
    });
    field(FieldKind::Sequence { length_name: "n".into(), alignment }, &bytes);
    let bytes = described!(maker, 11, {
        "type.u.struct_nestable.nr_fields": WORD, "type.u.struct_nestable.alignment": alignment,
    });
    field(FieldKind::Struct { fields: WORD, alignment }, &bytes);
    let bytes = described!(maker, 12, {
        "type.u.variant_nestable.nr_choices": WORD, "type.u.variant_nestable.tag_name": "n",
        "type.u.variant_nestable.alignment": alignment,
    });
    field(FieldKind::Variant { choices: WORD, tag: "n".into(), alignment }, &bytes);
}

fn legacy_fields(maker: &mut Maker) {
    let bytes = described!(maker, 1, {
        "type.u.legacy.basic.enumeration.name": "n", "type.u.legacy.basic.enumeration.container_type.size": WORD,
        "type.u.legacy.basic.enumeration.container_type.signedness": 1,
        "type.u.legacy.basic.enumeration.container_type.reverse_byte_order": 1,
        "type.u.legacy.basic.enumeration.container_type.base": WORD + 1,
        "type.u.legacy.basic.enumeration.container_type.encoding": WORD + 2,
        "type.u.legacy.basic.enumeration.container_type.alignment": SHORT,
        "type.u.legacy.basic.enumeration.id": WIDE,
    });
    let enumeration = LegacyEnum { name: Text::from("n"), container: INTEGER, id: WIDE };
    field(FieldKind::LegacyEnum(Box::new(enumeration)), &bytes);
    let bytes = described!(maker, 2, {
        "type.u.legacy.array.elem_type.atype": 4,
        "type.u.legacy.array.elem_type.u.basic.string.encoding": WORD, "type.u.legacy.array.length": WORD + 1,
    });
    let string = || Box::new(Basic::String(Encoding(WORD as i32)));
    field(FieldKind::LegacyArray { element: string(), length: WORD + 1 }, &bytes);
    let bytes = described!(maker, 3, {
        "type.u.legacy.sequence.length_type.atype": 0,
        "type.u.legacy.sequence.length_type.u.basic.integer.size": WORD,
        "type.u.legacy.sequence.length_type.u.basic.integer.signedness": 1,
        "type.u.legacy.sequence.length_type.u.basic.integer.reverse_byte_order": 1,
        "type.u.legacy.sequence.length_type.u.basic.integer.base": WORD + 1,
        "type.u.legacy.sequence.length_type.u.basic.integer.encoding": WORD + 2,
        "type.u.legacy.sequence.length_type.u.basic.integer.alignment": SHORT,
        "type.u.legacy.sequence.elem_type.atype": 5,
        "type.u.legacy.sequence.elem_type.u.basic._float.exp_dig": WORD,
        "type.u.legacy.sequence.elem_type.u.basic._float.mant_dig": WORD + 1,
        "type.u.legacy.sequence.elem_type.u.basic._float.alignment": SHORT,
    });
    let float = Float { exponent: WORD, mantissa: WORD + 1, reverse_byte_order: false, alignment: SHORT };
    let (length, element) = (Box::new(Basic::Integer(INTEGER)), Box::new(Basic::Float(float)));
    field(FieldKind::LegacySequence { length, element }, &bytes);
    let bytes = described!(maker, 7, { "type.u.legacy._struct.nr_fields": WORD });
    field(FieldKind::LegacyStruct { fields: WORD }, &bytes);
    let bytes = described!(maker, 6, { "type.u.legacy.variant.nr_choices": WORD, "type.u.legacy.variant.tag_name": "n" });
    field(FieldKind::LegacyVariant { choices: WORD, tag: "n".into() }, &bytes);
}
