// SPDX-License-Identifier: GPL-2.0-only
//! Bytes that the daemon of lttng-tools 2.13.9 and applications with lttng-ust 2.13.5 exchanged, on x86-64 (those in
//! `foreign`: 32-bit ones, and ones with lttng-ust 2.12.1): each is decoded, compared with what is known of it, and encoded again to the same bytes.
#![cfg(target_endian = "little")]
// Helpers outside of `#[test]` functions: a failure here is the failure of a test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use lttng_protocol::Text;
use lttng_protocol::ust::NAME_SIZE;
use lttng_protocol::ust::command::{
    Bytecode, Command, Context, EventRule, LogLevel, Message, ROOT, Reply, ReplyBody, TracepointField,
    TracerVersion, code, decode_exclusion_payload, exclusion_payload,
};
use lttng_protocol::ust::event_notifier::{CounterConfiguration, EventNotifier};
use lttng_protocol::ust::field::{
    Basic, Encoding, Field, FieldKind, Float, Integer, LegacyEnum, modernize_contexts,
};
use lttng_protocol::ust::notify::{self, EnumEntry, EnumValue, HeaderType, RegisterEvent, Request};
use lttng_protocol::ust::registration::{Alignments, ByteOrder, Registration, SocketKind};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/ust")
}

fn vector(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Names, without the folder, of all vectors in `subfolder` that end with `suffix`.
fn names(subfolder: &str, suffix: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder().join(subfolder))
        .unwrap()
        .map(|entry| format!("{subfolder}/{}", entry.unwrap().file_name().to_str().unwrap()))
        .filter(|name| name.ends_with(suffix))
        .collect();
    names.sort();
    names
}

#[test]
fn registrations() {
    for (name, socket) in [("reg-cmd.bin", SocketKind::Command), ("reg-notify.bin", SocketKind::Notify)] {
        let bytes = vector(name);
        let registration = Registration::decode(&bytes).unwrap();
        assert_eq!(registration.byte_order, ByteOrder::Little);
        assert_eq!((registration.major, registration.minor), (9, 0));
        assert_eq!((registration.uid, registration.gid, registration.bits_per_long), (0, 0, 64));
        assert!(registration.pid > 1 && registration.ppid > 0);
        let Alignments { uint8, uint16, uint32, uint64, long } = registration.alignments;
        assert_eq!([uint8, uint16, uint32, uint64, long], [8; 5]);
        assert_eq!(registration.socket, socket);
        assert_eq!(registration.name, "vecapp");
        assert_eq!(registration.encode(), bytes);
    }
}

#[test]
fn refused_registrations() {
    let good = vector("reg-cmd.bin");
    let refused = |offset: usize, value: u32| {
        let mut bytes = good.clone();
        bytes[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        Registration::decode(&bytes).is_err()
    };
    assert!(refused(0, 0xC57C_57C6), "magic");
    assert!(refused(4, 7) && refused(4, 10), "major");
    assert!(!refused(4, 8), "major of lttng-ust 2.10 to 2.12");
    assert!(refused(28, 16), "word size");
    assert!(refused(52, 2), "kind of socket");
    assert!(Registration::decode(&good[..135]).is_err());
    assert!(Registration::decode(&[good.as_slice(), &[0]].concat()).is_err());

    let mut swapped = good.clone();
    swapped[..4].reverse();
    let swapped = Registration::decode(&swapped).unwrap();
    assert_eq!(swapped.byte_order, ByteOrder::NATIVE.reversed());
    assert_eq!(Registration::decode(&swapped.encode()), Ok(swapped));
}

fn rule(name: &str, loglevel: LogLevel) -> Command {
    Command::Event(EventRule { name: name.into(), loglevel, token: 0 })
}

/// Name of each command vector, the handle and the command in it.
fn commands() -> Vec<(&'static str, u32, Command)> {
    let perf = |kind, config, name: &str| Context::Perf { kind, config, name: name.into() };
    let app = Context::App { provider: "myprov".into(), name: "myctx".into() };
    let bytecode = |data_size, reloc_offset| Bytecode { data_size, reloc_offset, seqnum: 0 };
    vec![
        ("capture", 8, Command::Capture(bytecode(11, 5))),
        ("channel", 3, Command::Channel { len: 920 }),
        ("channel-disable", 4, Command::Disable),
        ("context-app", 4, Command::Context(app)),
        ("context-perf", 4, Command::Context(perf(1, 2, "perf_thread_page_fault"))),
        ("context-perf-refused", 4, Command::Context(perf(0, 0, "perf_thread_cpu_cycles"))),
        ("context-time-ns", 4, Command::Context(Context::TimeNs)),
        ("context-vpid", 4, Command::Context(Context::Vpid)),
        ("counter", 1, Command::Counter { len: 192 }),
        ("counter-cpu0", 2, Command::CounterCpu { len: 0x4400, cpu: 0 }),
        ("event-disable", 8, Command::Disable),
        ("event-enable", 5, Command::Enable),
        ("event-exact-filter", 4, rule("vec_prov:ints", LogLevel::All)),
        ("event-glob", 4, rule("vec_prov:*", LogLevel::All)),
        ("event-loglevel-range", 4, rule("vec_prov:inst1", LogLevel::Range(6))),
        ("event-loglevel-single", 4, rule("vec_prov:inst2", LogLevel::Single(0))),
        ("event-notifier-create", 1, Command::EventNotifier { len: 612 }),
        ("event-notifier-group-create", ROOT, Command::EventNotifierGroup),
        ("exclusion", 7, Command::Exclusion { count: 2 }),
        ("filter", 8, Command::Filter(bytecode(41, 30))),
        ("register-done", ROOT, Command::RegisterDone),
        ("release", 3, Command::Release),
        ("session", ROOT, Command::Session),
        ("session-disable", 3, Command::Disable),
        ("session-enable", 3, Command::Enable),
        ("session-statedump", 3, Command::SessionStatedump),
        ("stream0", 4, Command::Stream { len: 0x51180, nr: 0 }),
        ("stream1", 4, Command::Stream { len: 0x51180, nr: 1 }),
        ("tracepoint-field-list", ROOT, Command::TracepointFieldList),
        ("tracepoint-field-list-get-end", 3, Command::TracepointFieldListGet),
        ("tracepoint-field-list-get-ok", 3, Command::TracepointFieldListGet),
        ("tracepoint-list", ROOT, Command::TracepointList),
        ("tracepoint-list-get-end", 3, Command::TracepointListGet),
        ("tracepoint-list-get-ok", 3, Command::TracepointListGet),
        ("tracer-version", ROOT, Command::TracerVersion),
        ("wait-quiescent", ROOT, Command::WaitQuiescent),
    ]
}

#[test]
fn command_messages() {
    let recorded = names("cmd", ".cmd.bin");
    let known: Vec<String> = commands().iter().map(|(name, ..)| format!("cmd/{name}.cmd.bin")).collect();
    assert_eq!(recorded.len(), known.len());
    for (name, handle, command) in commands() {
        let mut bytes = vector(&format!("cmd/{name}.cmd.bin"));
        assert_eq!(bytes.len(), Message::LEN);
        if matches!(command, Command::Context(Context::App { .. })) {
            assert_eq!(Message::length(&bytes), Ok(Some(Message::LEN + 13)));
            bytes.extend(vector(&format!("cmd/{name}.payload.bin")));
        } else {
            assert_eq!(Message::length(&bytes), Ok(Some(Message::LEN)));
            let payload = folder().join(format!("cmd/{name}.payload.bin"));
            let length = fs::metadata(payload).map_or(0, |metadata| metadata.len());
            assert_eq!(command.payload_len(), length, "{name}");
        }
        let message = Message { handle, command };
        assert_eq!(Message::decode(&bytes), Ok(message.clone()), "{name}");
        let mut encoded = Vec::new();
        message.encode_into(&mut encoded);
        assert!(encoded == bytes, "{name}");
        assert!(Message::decode(&bytes[..bytes.len() - 1]).is_err(), "{name}");
    }
}

#[test]
fn payloads() {
    let names = ["vec_prov:ints", "vec_prov:inst*"];
    let exclusion = vector("cmd/exclusion.payload.bin");
    let decoded = decode_exclusion_payload(&exclusion).unwrap();
    assert_eq!(exclusion_payload(&decoded), exclusion);
    assert_eq!(exclusion.len(), 2 * NAME_SIZE);
    assert_eq!(decoded, names);
    assert!(decode_exclusion_payload(&exclusion[1..]).is_err());

    let bytes = vector("cmd/event-notifier-create.payload.bin");
    let rule = EventRule { name: "vec_prov:ints".into(), loglevel: LogLevel::All, token: 1 };
    let notifier = EventNotifier { rule, error_counter_index: 0 };
    assert_eq!(EventNotifier::decode(&bytes).as_ref(), Ok(&notifier));
    assert_eq!(notifier.encode(), bytes);

    let bytes = vector("cmd/counter.payload.bin");
    assert_eq!(CounterConfiguration::decode(&bytes), Ok(CounterConfiguration { size: 4096 }));
    assert_eq!(CounterConfiguration { size: 4096 }.encode(), bytes);
}

#[test]
fn replies() {
    let mut seen = 0;
    for (name, handle, command) in commands() {
        for kind in ["reply", "reply1", "reply2"] {
            let path = format!("cmd/{name}.{kind}.bin");
            if !folder().join(&path).exists() {
                continue;
            }
            seen += 1;
            assert_eq!(kind != "reply", command.replies_twice(), "{path}");
            let bytes = vector(&path);
            let reply = Reply::decode(&bytes).unwrap();
            assert!(reply.answers(handle, &command), "{path}");
            assert!(!reply.answers(handle + 1, &command), "{path}");
            assert!(!reply.answers(handle, &Command::Stream { len: 0, nr: 0 }) || name.starts_with("stream"));
            assert!(reply.encode() == bytes, "{path}");
            let expected = match name {
                "context-perf-refused" => code::ERR,
                "tracepoint-list-get-end" | "tracepoint-field-list-get-end" => code::NOENT,
                _ => code::OK,
            };
            assert_eq!(reply.code, expected, "{path}");
            assert_eq!(reply.tracer_version().is_ok(), name == "tracer-version");
            assert_eq!(reply.tracepoint().is_ok(), name == "tracepoint-list-get-ok");
        }
    }
    assert_eq!(seen, names("cmd", "reply.bin").len() + names("cmd", "reply1.bin").len() * 2);
    assert_eq!(seen, 41);
}

#[test]
fn reply_contents() {
    let reply = |name: &str| Reply::decode(&vector(&format!("cmd/{name}.reply.bin"))).unwrap();
    let version = TracerVersion { major: 2, minor: 13, patchlevel: 5 };
    assert_eq!(reply("tracer-version").tracer_version(), Ok(version));
    assert_eq!(reply("session").value, 3);
    assert_eq!(reply("context-perf-refused").value as i32, -19);
    let tracepoint = reply("tracepoint-list-get-ok").tracepoint().unwrap().clone();
    assert!(tracepoint.name.to_string().contains(':'), "{tracepoint:?}");
    let built = Reply::ok(3, &Command::TracepointListGet, 0).with_body(ReplyBody::Tracepoint(tracepoint));
    assert_eq!(built.encode(), vector("cmd/tracepoint-list-get-ok.reply.bin"));
    let refused = Reply { value: 0, ..reply("context-perf-refused") };
    assert_eq!(refused, Reply::error(4, &Command::Context(Context::Vpid), code::ERR));

    let bytes = vector("cmd/tracepoint-field-list-get-ok.trailer.bin");
    let field = TracepointField::decode(&bytes).unwrap();
    assert!(field.event_name.to_string().contains(':') && (0..=4).contains(&field.field_type), "{field:?}");
    assert_eq!(field.encode(), bytes);
}

/// Decodes a recorded request, having checked that it can be found at the head of a longer buffer as soon as
/// its fixed part is there, and that it goes round.
fn request(name: &str) -> Request {
    let bytes = vector(name);
    let fixed = match bytes[0] {
        0 => 316,
        1 => 48,
        _ => 300,
    };
    assert_eq!(Request::length(&bytes[..fixed - 1]), Ok(None), "{name}");
    assert_eq!(Request::length(&bytes[..fixed]), Ok(Some(bytes.len())), "{name}");
    assert_eq!(Request::length(&[bytes.as_slice(), b"next"].concat()), Ok(Some(bytes.len())), "{name}");
    let request = Request::decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(request.encode() == bytes, "{name}");
    assert!(Request::decode(&bytes[..bytes.len() - 1]).is_err(), "{name}");
    assert!(Request::decode(&[bytes.as_slice(), &[0]].concat()).is_err(), "{name}");
    request
}

fn event(name: &str) -> RegisterEvent {
    let Request::Event(event) = request(name) else { panic!("{name} is not about an event") };
    event
}

#[test]
fn notify_requests_and_replies() {
    let requests = names("notify", ".req.bin");
    assert_eq!(requests.len(), 34);
    for name in requests {
        let path = name.replace(".req.", ".reply.");
        let bytes = vector(&path);
        let reply = notify::Reply::decode(&bytes).unwrap();
        assert_eq!(reply.encode(), bytes, "{path}");
        match (request(&name), reply) {
            (Request::Event(event), notify::Reply::Event { code: 0, .. }) => {
                let known = name.contains(&event.name.to_string().replace(':', "_"));
                assert!(known && !event.signature.is_empty(), "{event:?}");
            }
            (Request::Channel(_), notify::Reply::Channel { code: 0, header: HeaderType::Large, .. }) => {}
            (Request::Enum(registered), notify::Reply::Enum { code: 0, .. }) => {
                assert!(name.contains(&format!("-enum-{}.", registered.name)), "{name}");
            }
            (request, reply) => panic!("{name}: {request:?} answered by {reply:?}"),
        }
    }
}

#[test]
fn event_descriptions() {
    let ints = event("notify/a04-event-vec_prov_ints.req.bin");
    assert_eq!((ints.channel, ints.loglevel, ints.fields.len()), (6, 4, 12));
    assert_eq!(ints.model_emf_uri, Some("http://example.com/path_to_model?q=vec_prov:ints".into()));
    let net = Integer {
        size: 32,
        signed: false,
        reverse_byte_order: true,
        base: 16,
        encoding: Encoding::NONE,
        alignment: 8,
    };
    let expected = Field { name: "net32x".into(), kind: FieldKind::Integer(net) };
    assert_eq!(ints.fields.last(), Some(&expected));

    let floats = event("notify/a05-event-vec_prov_floats.req.bin");
    assert_eq!(floats.model_emf_uri, None);
    let double = Float { exponent: 11, mantissa: 53, reverse_byte_order: false, alignment: 8 };
    assert_eq!(floats.fields[1].kind, FieldKind::Float(double));

    let strings = event("notify/a06-event-vec_prov_strings.req.bin");
    assert_eq!(strings.fields[0].kind, FieldKind::String(Encoding::UTF8));
    assert_eq!(strings.fields[1].kind, FieldKind::Array { length: 4, alignment: 0 });
    let length_name = "_st_length".into();
    assert_eq!(strings.fields[4].kind, FieldKind::Sequence { length_name, alignment: 0 });

    let enums = event("notify/a10-event-vec_prov_enums.req.bin");
    let name = "vec_prov_my_enum".into();
    assert_eq!(enums.fields[0].kind, FieldKind::Enum { name, id: 1 });

    let empty = event("notify/a11-event-vec_prov_empty.req.bin");
    assert_eq!(empty.fields, []);
}

#[test]
fn enumeration_entries() {
    let Request::Enum(registered) = request("notify/a08-enum-vec_prov_my_enum.req.bin") else { panic!() };
    let value = |value: i64| EnumValue { value: value as u64, signed: true };
    let entry = |label: &str, start, end| EnumEntry {
        start: value(start),
        end: value(end),
        label: label.into(),
        auto: false,
    };
    assert_eq!(
        registered.entries[..4],
        [entry("NEG", -5, -5), entry("ZERO", 0, 0), entry("TEN_TO_20", 10, 20), entry("q\"uo\\te", 30, 30)]
    );
    let auto = &registered.entries[4];
    assert!(auto.auto && auto.label == "AUTO31");
    assert_eq!(auto.start, EnumValue { value: u64::MAX, signed: false });
}

#[test]
fn contexts_become_modern() {
    let Request::Channel(channel) = request("notify/s-channel-all-contexts.req.bin") else { panic!() };
    assert_eq!(channel.fields.len(), 36);
    let tag = Text::from("$app.myprov:myctx_tag");
    let legacy = FieldKind::LegacyVariant { choices: 12, tag: tag.clone() };
    let position = channel.fields.iter().position(|field| field.kind == legacy).unwrap();
    let modern = modernize_contexts(&channel.fields).unwrap();
    assert_eq!(modern.len(), 36);
    assert_eq!(modern[position].kind, FieldKind::Variant { choices: 12, tag, alignment: 0 });
    assert_eq!(modernize_contexts(&modern), Some(modern));
}

#[test]
fn oversized_requests() {
    let mut bytes = vector("notify/a04-event-vec_prov_ints.req.bin");
    let mut with = |offset: usize, value: u32| {
        let before = bytes[offset..offset + 4].to_vec();
        bytes[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
        let length = Request::length(&bytes);
        assert_eq!(Request::decode(&bytes).is_err(), length != Ok(Some(bytes.len())));
        bytes[offset..offset + 4].copy_from_slice(&before);
        length
    };
    assert!(with(272, notify::MAX_TEXT_SIZE).is_ok());
    assert!(with(272, notify::MAX_TEXT_SIZE + 1).is_err(), "signature");
    assert!(with(276, notify::MAX_LIST_SIZE / 920 * 920).is_ok());
    assert!(with(276, (notify::MAX_LIST_SIZE / 920 + 1) * 920).is_err(), "fields");
    assert!(with(276, 919).is_err(), "part of a field");
    assert!(with(280, u32::MAX).is_err(), "URI");
    assert!(with(0, 3).is_err(), "command");
}

#[test]
fn unknown_kinds_are_kept() {
    let mut bytes = vector("notify/a12-event-vec_prov_inst1.req.bin");
    let field = bytes.len() - Field::LEN;
    bytes[field + 256] = 13;
    let Ok(Request::Event(event)) = Request::decode(&bytes) else { panic!() };
    assert_eq!(event.fields[0].kind, FieldKind::Unknown(13));
}

#[test]
fn names_that_are_not_text() {
    let mut bytes = vector("notify/a12-event-vec_prov_inst1.req.bin");
    bytes[12] = 0xFF;
    let Ok(Request::Event(event)) = Request::decode(&bytes) else { panic!() };
    assert_eq!(event.name.as_bytes(), b"\xFFec_prov:inst1");
}

#[test]
fn registrations_of_foreign_applications() {
    for (name, major, minor, bits) in [("abi8", 8, 1, 64), ("i386", 9, 0, 32)] {
        let bytes = vector(&format!("foreign/{name}-reg-cmd.bin"));
        let registration = Registration::decode(&bytes).unwrap();
        assert_eq!((registration.major, registration.minor), (major, minor), "{name}");
        assert_eq!(registration.bits_per_long, bits, "{name}");
        let Alignments { uint8, uint16, uint32, uint64, long } = registration.alignments;
        assert_eq!([uint8, uint16, uint32, uint64, long], [8; 5], "{name}");
        assert_eq!(registration.encode(), bytes, "{name}");
    }
}

fn integer(size: u32, signed: bool, base: u32) -> Integer {
    Integer { size, signed, reverse_byte_order: false, base, encoding: Encoding::NONE, alignment: 8 }
}

#[test]
fn events_in_the_older_protocol() {
    let enums = event("foreign/abi8-event-valuesapp_enums.req.bin");
    assert_eq!(enums.model_emf_uri, Some("http://example.com/enums?a=1&b=2".into()));
    let of_kind = |name: &str, container, id| {
        FieldKind::LegacyEnum(Box::new(LegacyEnum { name: name.into(), container, id }))
    };
    let kinds: Vec<FieldKind> = enums.fields.into_iter().map(|field| field.kind).collect();
    assert_eq!(
        kinds,
        [
            of_kind("valuesapp_signs", integer(32, true, 10), 1),
            of_kind("valuesapp_signs", integer(8, true, 10), 1),
            of_kind("valuesapp_large", integer(64, false, 10), 2),
        ]
    );
    let Request::Enum(signs) = request("foreign/abi8-enum-valuesapp_signs.req.bin") else { panic!() };
    assert_eq!((signs.entries.len(), signs.entries[3].auto), (8, true));

    // Length and elements are one descriptor.
    let lists = event("foreign/abi8-event-valuesapp_lists.req.bin");
    assert_eq!(lists.fields.len(), 12);
    let FieldKind::LegacyArray { element, length: 3 } = &lists.fields[1].kind else { panic!() };
    assert_eq!(**element, Basic::Integer(integer(16, true, 10)));
    let FieldKind::LegacySequence { length, element } = &lists.fields[6].kind else { panic!() };
    assert_eq!(**length, Basic::Integer(integer(64, false, 10)));
    assert_eq!(**element, Basic::Integer(integer(16, true, 10)));
}

#[test]
fn contexts_in_the_older_protocol() {
    let channel = |name: &str| {
        let Request::Channel(channel) = request(name) else { panic!("{name}") };
        modernize_contexts(&channel.fields).unwrap()
    };
    let (old, new) = (channel("foreign/abi8-channel.req.bin"), channel("foreign/i386-channel.req.bin"));
    // `vpid` and `procname` are the same.
    assert_eq!(old[..3], new[..3]);
    let numbers = |fields: &[Field]| -> Vec<FieldKind> {
        fields[3..5].iter().map(|field| field.kind.clone()).collect()
    };
    let kinds = |of: [Integer; 2]| of.map(FieldKind::Integer).to_vec();
    assert_eq!(numbers(&old), kinds([integer(64, false, 16), integer(64, false, 10)]));
    assert_eq!(numbers(&new), kinds([integer(32, false, 10), integer(32, false, 10)]));
    // What says which type an application's context has now stays as it was; the rest becomes the same.
    assert!(matches!(old[5].kind, FieldKind::LegacyEnum(_)));
    assert!(matches!(new[5].kind, FieldKind::Enum { .. }));
    assert_eq!(old[6..], new[7..]);
}

#[test]
fn a_32_bit_application_has_shorter_lengths() {
    let lists = event("foreign/i386-event-valuesapp_lists.req.bin");
    let length = lists.fields.iter().find(|field| field.name == "_sequence_length").unwrap();
    assert_eq!(length.kind, FieldKind::Integer(integer(32, false, 10)));
}
