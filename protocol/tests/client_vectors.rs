// SPDX-License-Identifier: GPL-2.0-only
//! The client protocol against recorded bytes of stock programs, made-up values and damaged bytes.
//!
//! Every `.req.bin` and `.rep.bin` of `vectors/client` goes through the decoders and back.

// Helpers and strategies stand outside the test functions that the lints spare.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[allow(dead_code, reason = "only what turns recordings round is needed")]
#[path = "layouts/messages.rs"]
mod messages;
#[allow(dead_code, reason = "only what turns recordings round is needed")]
#[path = "layouts/table.rs"]
mod table;
#[path = "layouts/turn.rs"]
mod turn;

use lttng_protocol::Text;
use lttng_protocol::client::*;
use lttng_protocol::codec::{ErrorKind, Reader, Writer};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::ops::Range;
use std::path::PathBuf;

/// The bytes of a recording, with the numbers in the order of this machine.
fn vector(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/client").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if name.ends_with(".req.bin") { messages::request(&bytes) } else { messages::reply(&bytes) }
}

fn vectors(suffix: &str) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/client");
    let names =
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(suffix)).collect();
    names.sort();
    names
}

fn request(name: &str) -> (Header, Vec<u8>) {
    let bytes = vector(name);
    let (head, payload) = bytes.split_at(Header::LEN);
    (Header::decode(head).unwrap(), payload.to_vec())
}

fn body(name: &str) -> Body {
    let (header, payload) = request(name);
    decode_body(&header, &payload).unwrap_or_else(|code| panic!("{name}: {code:?}"))
}

fn reply(name: &str) -> Reply {
    Reply::decode(&vector(name)).unwrap()
}

#[test]
fn every_recorded_request_goes_round() {
    let names = vectors(".req.bin");
    assert_eq!(names.len(), 94);
    for name in names {
        let bytes = vector(&name);
        let (header, payload) = request(&name);
        assert_eq!(header.encode(), bytes[..Header::LEN], "{name}: header");
        assert_eq!(header.payload_len(), payload.len() as u64, "{name}: declared length");
        assert!(header.payload_len() <= header.payload_limit(), "{name}: limit");
        let body = decode_body(&header, &payload).unwrap_or_else(|code| panic!("{name}: {code:?}"));
        assert_eq!(Some(body.command()), header.command(), "{name}: command");
        if !matches!(body, Body::Other(_)) {
            let again = body.encode(&header.session_name, header.domain_type, header.buffer_type);
            assert_eq!(again, (header, payload), "{name}: body");
        }
    }
}

#[test]
fn commands_without_decoder_are_the_later_ones() {
    let mut other: Vec<u32> = vectors(".req.bin")
        .iter()
        .filter_map(|name| match body(name) {
            Body::Other(command) => Some(command.number()),
            _ => None,
        })
        .collect();
    other.sort_unstable();
    other.dedup();
    assert_eq!(other, [] as [u32; 0]);
}

#[test]
fn every_recorded_reply_goes_round() {
    let names = vectors(".rep.bin");
    assert_eq!(names.len(), 82);
    for name in names {
        let bytes = vector(&name);
        let reply = Reply::decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(reply.encode(), bytes, "{name}");
        let header = request(&name.replace(".rep.", ".req.")).0;
        assert_eq!(reply.command, header.command, "{name}: command");
        let deferred = matches!(header.command(), Some(Command::DestroySession | Command::ClearSession));
        assert_eq!(reply.pid, if deferred { Reply::DEFERRED_PID } else { header.domain_word }, "{name}: pid");
        if let Some(payload) = again(&reply) {
            assert_eq!(payload, reply.payload, "{name}: payload");
        }
    }
}

/// Decodes a payload into what it lists, and encodes that. None where the payload has no decoder.
fn again(reply: &Reply) -> Option<Vec<u8>> {
    let list = Reply { payload: Vec::new(), ..reply.clone() };
    let payload = match Command::from_number(reply.command)? {
        _ if reply.code != ErrorCode::Ok => return None,
        Command::CreateSessionExt => {
            let mut reader = Reader::new("reply", &reply.payload);
            let descriptor = SessionDescriptor::decode(&mut reader).unwrap();
            reader.finish().unwrap();
            let mut writer = Writer::default();
            descriptor.encode(&mut writer);
            writer.into_bytes()
        }
        Command::ListSessions => Session::encode_list(&Session::decode_list(&reply.payload).unwrap()),
        Command::ListDomains => DomainEntry::encode_list(&DomainEntry::decode_list(&reply.payload).unwrap()),
        Command::ListChannels => {
            list.with_list(&reply.elements(Channel::decode).unwrap(), Channel::encode).payload
        }
        Command::ListEvents | Command::ListTracepoints => {
            list.with_list(&reply.elements(Event::decode).unwrap(), Event::encode).payload
        }
        Command::ListTracepointFields => {
            list.with_list(&reply.elements(EventField::decode).unwrap(), EventField::encode).payload
        }
        Command::SessionListRotationSchedules => RotationSchedules::decode(&reply.payload).unwrap().encode(),
        Command::TrackerGetInclusionSet => {
            TrackerValue::encode_list(&TrackerValue::decode_list(&reply.payload).unwrap())
        }
        Command::SnapshotListOutput => {
            SnapshotOutput::encode_list(&SnapshotOutput::decode_list(&reply.payload).unwrap())
        }
        Command::RotationGetInfo => RotationInfo::decode(&reply.payload).unwrap().encode(),
        Command::DestroySession if !reply.payload.is_empty() => {
            let mut bytes = ArchiveLocation::decode(&reply.payload).unwrap().encode();
            if bytes[0] == 1 {
                // The original sends stale memory here; zeros are sent instead.
                assert_eq!(bytes[5..14], [0; 9]);
                bytes[5..14].copy_from_slice(&reply.payload[5..14]);
            }
            bytes
        }
        _ => return None,
    };
    Some(payload)
}

#[test]
fn sessions_are_created_as_recorded() {
    let descriptor = |name: &str| match body(name) {
        Body::CreateSession { home, descriptor } => (home, descriptor),
        other => panic!("{other:?}"),
    };
    let (home, local) = descriptor("create-local.req.bin");
    assert_eq!(home, None);
    assert_eq!(
        local,
        SessionDescriptor {
            kind: SessionKind::Regular,
            name: Some("demo".into()),
            output: SessionOutput::Local(Some("/tmp/demo/out".into())),
        }
    );
    let (home, auto) = descriptor("create-auto.req.bin");
    assert_eq!(home.as_deref(), Some("/tmp/demo"));
    let expected =
        SessionDescriptor { kind: SessionKind::Regular, name: None, output: SessionOutput::Local(None) };
    assert_eq!(auto, expected);
    assert_eq!(descriptor("create-no-output.req.bin").1.output, SessionOutput::None);
    assert_eq!(descriptor("create-snapshot.req.bin").1.kind, SessionKind::Snapshot);
    let (_, live) = descriptor("create-live.req.bin");
    assert_eq!(live.kind, SessionKind::Live { timer: 500_000 });
    let SessionOutput::Network(Some(network)) = descriptor("create-net.req.bin").1.output else {
        panic!("no network output")
    };
    assert_eq!(network.control.destination, Destination::Ipv4("127.0.0.1".into()));
    assert_eq!((network.control.port, network.data.port), (5342, 5343));
    assert_eq!(network.control.subdir, "sub/dir");
}

#[test]
fn channels_are_enabled_as_recorded() {
    let (header, _) = request("enable-channel-ust-options.req.bin");
    assert_eq!((header.domain(), header.buffers()), (Some(Domain::Ust), Some(BufferType::PerUid)));
    assert_eq!(header.session_name, "demo");
    let Body::EnableChannel(channel) = body("enable-channel-ust-options.req.bin") else { panic!() };
    assert_eq!((channel.subbuf_size, channel.num_subbuf), (65536, 8));
    assert_eq!(
        (channel.switch_timer, channel.read_timer, channel.monitor_timer),
        (100_000, 200_000, 500_000)
    );
    assert_eq!((channel.tracefile_size, channel.tracefile_count), (1 << 20, 4));
    assert_eq!((channel.blocking_timeout, channel.live_timer), (100, u32::MAX));
    assert_eq!((channel.overwrite, channel.output), (Overwrite::SessionDefault, ChannelOutput::Mmap));
    let Body::EnableChannel(kernel) = body("kernel-enable-channel-default.req.bin") else { panic!() };
    assert_eq!(kernel.output, ChannelOutput::Splice);
    assert_eq!(body("disable-channel.req.bin"), Body::DisableChannel { channel: "chan2".into() });
}

#[test]
fn rules_are_enabled_as_recorded() {
    let rule = |name: &str| match body(name) {
        Body::EnableEvent { event, .. } => event,
        other => panic!("{other:?}"),
    };
    let event = rule("enable-event-filter.req.bin");
    assert_eq!(event.name, "demo_prov:ti*");
    assert_eq!(event.filter, Some("n > 5 && msg == \"hello\"".into()));
    let code = event.bytecode.unwrap();
    assert!(code.data[code.reloc_offset as usize..].windows(4).any(|bytes| bytes == b"msg\0"));
    let event = rule("enable-event-exclusions.req.bin");
    assert_eq!(event.exclusions.len(), 2);
    assert_eq!((event.loglevel_type, event.loglevel), (LogLevelType::Range.number(), 6));
    let all = rule("kernel-enable-event-all.req.bin");
    assert_eq!((all.event_type(), &all.name), (EventType::All, &"*".into()));
    let probe = |address: u64, symbol: &str| KernelProbe { address, offset: address, symbol: symbol.into() };
    assert_eq!(
        rule("kernel-enable-event-kprobe-symbol.req.bin").instrumentation,
        Instrumentation::Probe(probe(0, "do_sys_open"))
    );
    assert_eq!(
        rule("kernel-enable-event-kprobe-address.req.bin").instrumentation,
        Instrumentation::Probe(probe(0xffff_ffff_8100_0000, ""))
    );
    assert_eq!(
        rule("kernel-enable-event-kretprobe.req.bin").instrumentation,
        Instrumentation::Function(probe(0, "do_sys_open"))
    );
    assert!(matches!(
        rule("kernel-enable-event-uprobe-elf.req.bin").instrumentation,
        Instrumentation::UserspaceProbe(ProbeLocation::Function { function, binary, .. })
            if function == "main" && binary == "/tmp/demo/hello"
    ));
}

#[test]
fn contexts_are_added_as_recorded() {
    let context = |name: &str| match body(name) {
        Body::AddContext { context, .. } => context,
        other => panic!("{other:?}"),
    };
    assert_eq!(context("add-context-vpid.req.bin"), Context::Plain(5));
    assert_eq!(
        context("add-context-app.req.bin"),
        Context::Application { provider: "prov".into(), name: "name".into() }
    );
    assert!(matches!(
        context("add-context-perf-thread.req.bin"),
        Context::Perf { context_type: Context::PERF_THREAD_COUNTER, perf_type: 0, .. }
    ));
}

#[test]
fn listings_read_as_recorded() {
    let sessions = Session::decode_list(&reply("list-sessions-two.rep.bin").payload).unwrap();
    assert_eq!(sessions.len(), 2);
    assert!(sessions[0].path.contains(" [data: "), "{}", sessions[0].path);
    assert_eq!(sessions[1].name, "excl");
    assert!(sessions[0].live_timer > 0 && sessions[0].created >= sessions[1].created);
    let domains = DomainEntry::decode_list(&reply("list-domains-ust-jul.rep.bin").payload).unwrap();
    let entry = |domain| DomainEntry { domain, buffer_type: BufferType::PerUid };
    assert_eq!(domains, [entry(Domain::Ust), entry(Domain::Jul)]);
    let channels = reply("list-channels.rep.bin").elements(Channel::decode).unwrap();
    assert_eq!(channels.len(), 2);
    assert!(channels.iter().all(|channel| channel.overwrite == Overwrite::Discard));
    let events = reply("list-events-exclusions.rep.bin").elements(Event::decode).unwrap();
    assert_eq!((events.len(), events[0].exclusions.len()), (1, 2));
    assert!(events[0].filter.is_some() && events[0].bytecode.is_none());
    let tracepoints = reply("list-tracepoints-ust.rep.bin").elements(Event::decode).unwrap();
    assert!(tracepoints.iter().all(|event| event.enabled == -1 && event.pid > 0));
    let fields = reply("list-tracepoint-fields-ust.rep.bin").elements(EventField::decode).unwrap();
    assert!(fields.iter().any(|field| field.field_type == FieldType::Integer));
    assert_eq!(reply("list-tracepoints-kernel-unavailable.rep.bin").code, ErrorCode::KernNa);
    assert_eq!(reply("enable-event-already.rep.bin").code, ErrorCode::UstEventEnabled);
    let schedules = RotationSchedules::decode(&reply("list-rotation-schedules.rep.bin").payload).unwrap();
    assert_eq!(schedules, RotationSchedules::default());
}

#[test]
fn rotations_read_as_recorded() {
    let info = RotationInfo::decode(&reply("rotation-info-completed.rep.bin").payload).unwrap();
    assert_eq!(info.state, RotationState::Completed);
    assert!(matches!(info.location, Some(ArchiveLocation::Local { path }) if path.starts_with("/tmp/demo")));
    let ongoing = RotationInfo::decode(&reply("rotation-info-ongoing.rep.bin").payload).unwrap();
    assert_eq!(ongoing, RotationInfo { state: RotationState::Ongoing, location: None });
    let destroyed = reply("destroy-implicit-rotation.rep.bin");
    let location = ArchiveLocation::decode(&destroyed.payload).unwrap();
    let again = Reply::deferred(Command::DestroySession, ErrorCode::Ok)
        .with_rotation_state(RotationState::Completed)
        .with_payload(location.encode());
    assert_eq!(again.header, destroyed.header);
    assert_eq!(again.payload.len(), destroyed.payload.len());
}

#[test]
fn numbers_are_those_of_the_abi() {
    assert_eq!(ErrorCode::ALL.len(), 158);
    for number in 0..300 {
        let code = ErrorCode::from_number(number);
        assert_eq!(code.is_some(), (10..=170).contains(&number) && !(94..=96).contains(&number), "{number}");
        assert!(code.is_none_or(|code| code.number() == number));
    }
    let holes = [1, 7, 8, 22, 23, 29, 30, 37, 38, 39];
    for number in 0..100 {
        let command = Command::from_number(number);
        assert_eq!(command.is_some(), number <= 52 && !holes.contains(&number), "{number}");
        assert!(command.is_none_or(|command| command.number() == number));
    }
}

/// Applies `damage` to a recorded request and says what the client is told.
fn refused(name: &str, damage: impl Fn(&mut Header, &mut Vec<u8>)) -> Option<ErrorCode> {
    let (mut header, mut payload) = request(name);
    damage(&mut header, &mut payload);
    decode_body(&header, &payload).err()
}

/// Sets a u32 of the parameters.
fn set_u32(header: &mut Header, offset: usize, value: u32) {
    header.parameters[offset..offset + 4].copy_from_slice(&value.to_ne_bytes());
}

#[test]
fn damaged_channels_are_invalid() {
    let name = "enable-channel-ust-default.req.bin";
    let invalid = Some(ErrorCode::Invalid);
    assert_eq!(refused(name, |_, payload| payload.truncate(88)), invalid);
    assert_eq!(refused(name, |_, payload| payload.clear()), invalid);
    assert_eq!(refused(name, |_, payload| payload[88] = b'x'), invalid);
    assert_eq!(refused(name, |_, payload| payload[84] = 0), invalid);
    assert_eq!(refused(name, |_, payload| payload[5] = 2), invalid);
    assert_eq!(refused(name, |_, payload| payload[30] = 9), invalid);
    assert_eq!(refused(name, |header, _| set_u32(header, 0, u32::MAX)), invalid);
    let trailing = |header: &mut Header, payload: &mut Vec<u8>| {
        payload.push(0);
        set_u32(header, 0, payload.len() as u32);
    };
    assert_eq!(refused(name, trailing), invalid);
    let long = |header: &mut Header, payload: &mut Vec<u8>| {
        payload.truncate(83);
        payload.extend_from_slice(&[b'a'; 255]);
        payload[0] = 255;
        set_u32(header, 0, payload.len() as u32);
    };
    assert_eq!(refused(name, long), invalid);
}

#[test]
fn damaged_rules_are_protocol_errors() {
    let name = "enable-event-filter.req.bin";
    let protocol = Some(ErrorCode::InvalidProtocol);
    assert_eq!(refused(name, |_, payload| payload.truncate(166)), protocol);
    assert_eq!(refused(name, |_, payload| payload[0] = 7), protocol);
    assert_eq!(refused(name, |_, payload| payload[15..19].fill(0)), protocol);
    assert_eq!(refused(name, |_, payload| payload[19..23].fill(0xff)), protocol);
    assert_eq!(refused(name, |_, payload| payload[23..27].fill(0)), protocol);
    assert_eq!(refused(name, |_, payload| payload[27] ^= 1), protocol);
    assert_eq!(refused(name, |header, _| header.fd_count = 1), protocol);
    assert_eq!(refused(name, |header, _| set_u32(header, 256, (1 << 20) + 1)), protocol);
    assert_eq!(refused("kernel-enable-event-uprobe-elf.req.bin", |header, _| header.fd_count = 0), protocol);
    assert_eq!(refused("kernel-enable-event-kprobe-symbol.req.bin", |_, payload| payload[35] ^= 1), protocol);
    assert_eq!(
        refused("kernel-enable-event-kretprobe.req.bin", |_, payload| payload[35..39].fill(0)),
        protocol
    );
    assert_eq!(refused("disable-event.req.bin", |_, payload| payload.truncate(3)), protocol);
    assert_eq!(refused("add-context-app.req.bin", |_, payload| payload[4] = 1), protocol);
    assert_eq!(refused("add-context-vpid.req.bin", |_, payload| payload.clear()), protocol);
    let text_alone = |header: &mut Header, payload: &mut Vec<u8>| {
        let code_len = u32::from_ne_bytes(payload[27..31].try_into().unwrap());
        payload[27..31].fill(0);
        payload.truncate(payload.len() - code_len as usize);
        set_u32(header, 256, payload.len() as u32);
    };
    assert_eq!(refused(name, text_alone), Some(ErrorCode::Invalid));
}

#[test]
fn disabling_refuses_what_it_does_not_use() {
    for offset in [1, 2, 6, 7] {
        let code = refused("disable-event.req.bin", |_, payload| payload[offset] ^= 1);
        assert_eq!(code, Some(ErrorCode::Unk), "byte {offset}");
    }
}

#[test]
fn damaged_sessions_are_refused() {
    let name = "create-local.req.bin";
    let invalid = Some(ErrorCode::Invalid);
    assert_eq!(refused(name, |_, payload| payload.truncate(100)), Some(ErrorCode::SessionFail));
    assert_eq!(
        refused(name, |header, _| header.parameters[0..2].copy_from_slice(&4096_u16.to_ne_bytes())),
        invalid
    );
    assert_eq!(refused(name, |header, _| set_u32(header, 2, 65537)), invalid);
    assert_eq!(refused(name, |header, _| header.parameters[2..10].fill(0xff)), invalid);
    for (offset, value) in [(0, 0xff), (0, 0), (0, 4), (1, 3), (1, 2), (1, 0), (2, 1), (6, 2), (6, 0xff)] {
        // A URI count below the real one leaves bytes over, which are ignored, so 0 is not among these.
        let code = refused(name, |_, payload| payload[offset] = value);
        assert_eq!(code, invalid, "byte {offset} = {value}");
    }
    assert_eq!(refused(name, |_, payload| payload[12..16].copy_from_slice(&1_u32.to_ne_bytes())), invalid);
    assert_eq!(refused("create-live.req.bin", |_, payload| payload[7..15].fill(0)), invalid);
    assert_eq!(refused("create-live.req.bin", |_, payload| payload[1] = 1), invalid);
    let swap_streams = |_: &mut Header, payload: &mut Vec<u8>| {
        let control = payload.len() - 2 * Uri::LEN;
        payload[control + 8] = 1;
    };
    assert_eq!(refused("create-net.req.bin", swap_streams), invalid);
    assert_eq!(refused("create-auto.req.bin", |_, payload| payload[0] = b'x'), invalid);
}

#[test]
fn other_refusals() {
    let unknown = |header: &mut Header, _: &mut Vec<u8>| header.command = 39;
    assert_eq!(refused("start.req.bin", unknown), Some(ErrorCode::Und));
    assert_eq!(refused("start.req.bin", |_, payload| payload.push(0)), Some(ErrorCode::Invalid));
    let uris = |header: &mut Header, count: u32| {
        header.command = Command::SetConsumerUri.number();
        set_u32(header, 0, count);
    };
    assert_eq!(refused("start.req.bin", |header, _| uris(header, 3)), Some(ErrorCode::Invalid));
    assert_eq!(refused("start.req.bin", |header, _| uris(header, 2)), Some(ErrorCode::SessionFail));
    let mut header = Header::new(Command::SetConsumerUri, "demo");
    uris(&mut header, u32::MAX);
    assert_eq!(header.payload_len(), u64::from(u32::MAX) * 8210);
}

/// Fields that are zero in every recording, at their offsets.
#[test]
fn fields_without_recording_are_where_they_belong() {
    let mut bytes = vector("start.req.bin");
    bytes[4400..4404].copy_from_slice(&77_u32.to_ne_bytes());
    let header = Header::decode(&bytes).unwrap();
    assert_eq!(header.domain_word, 77);
    assert_eq!(header.encode(), bytes);
    assert_eq!(Reply::error(&header, ErrorCode::Eperm).encode()[8..12], 77_u32.to_ne_bytes());
    for command in [Command::RegisterTrigger, Command::UnregisterTrigger, Command::ExecuteErrorQuery] {
        bytes[..4].copy_from_slice(&command.number().to_ne_bytes());
        bytes[4688..4692].copy_from_slice(&300_u32.to_ne_bytes());
        let header = Header::decode(&bytes).unwrap();
        assert_eq!(header.payload_len(), 300, "{command:?}");
        // Nothing but zeros is neither a trigger nor a query.
        let malformed = match command {
            Command::ExecuteErrorQuery => ErrorCode::InvalidProtocol,
            _ => ErrorCode::InvalidTrigger,
        };
        assert_eq!(decode_body(&header, &[0; 300]), Err(malformed));
        assert_eq!(decode_body(&header, &[0; 299]), Err(ErrorCode::InvalidProtocol), "{command:?}");
    }
}

#[test]
fn relocations_start_within_the_bytecode() {
    let code_at =
        |payload: &[u8]| payload.len() - u32::from_ne_bytes(payload[27..31].try_into().unwrap()) as usize;
    let moved = |past_end: u32| {
        refused("enable-event-filter.req.bin", |_, payload| {
            let at = code_at(payload);
            let data_len = u32::from_ne_bytes(payload[at..at + 4].try_into().unwrap());
            payload[at + 4..at + 8].copy_from_slice(&(data_len + past_end).to_ne_bytes());
        })
    };
    assert_eq!(moved(0), None);
    assert_eq!(moved(1), Some(ErrorCode::InvalidProtocol));
}

#[test]
fn addresses_have_a_protocol_and_paths_none() {
    let numbers = |destination: Destination| {
        let mut writer = Writer::default();
        Uri { destination, stream: StreamType::Data, port: 9, subdir: "s".into() }.encode(&mut writer);
        let bytes = writer.into_bytes();
        assert_eq!(bytes.len(), Uri::LEN);
        let mut reader = Reader::new("uri", &bytes);
        let numbers = [(); 4].map(|()| reader.u32().unwrap());
        assert_eq!((reader.u16(), reader.u8()), (Ok(9), Ok(b's')));
        numbers
    };
    assert_eq!(numbers(Destination::Ipv4("127.0.0.1".into())), [1, 0, 1, 1]);
    assert_eq!(numbers(Destination::Ipv6("::1".into())), [2, 0, 1, 1]);
    assert_eq!(numbers(Destination::Path("/a".into())), [3, 0, 1, 0]);
}

#[test]
fn variable_parts_are_limited() {
    let limit = |command| Header::new(command, "").payload_limit();
    assert_eq!(limit(Command::EnableChannel), 338);
    assert_eq!(limit(Command::AddContext), 65536);
    assert_eq!(limit(Command::CreateSessionExt), 4095 + 65536);
    assert_eq!(limit(Command::SetConsumerUri), 2 * 8210);
    assert_eq!(limit(Command::TrackerAddValue), 256);
    assert_eq!(limit(Command::EnableEvent), 1 << 20);
    assert_eq!(limit(Command::RegisterTrigger), 1 << 20);
    assert_eq!(limit(Command::StartTrace), 0);
}

#[test]
fn odd_names_are_no_protocol_break() {
    let mut bytes = vector("start.req.bin");
    bytes[4..259].fill(0xff);
    let header = Header::decode(&bytes).unwrap();
    assert!(header.session_name.chars().all(|character| character == '\u{fffd}'));
    assert!(header.session_name.len() < NAME_LEN);
    assert_eq!(Header::decode(&bytes[1..]).unwrap_err().kind, ErrorKind::Truncated);
    bytes.push(0);
    assert_eq!(Header::decode(&bytes).unwrap_err().kind, ErrorKind::TrailingBytes);
}

#[test]
fn false_counts_end_with_the_payload() {
    let mut listing = reply("list-channels.rep.bin");
    listing.header = Some(u32::MAX);
    assert_eq!(listing.elements(Channel::decode).unwrap_err().kind, ErrorKind::Truncated);
    listing.header = Some(1);
    assert_eq!(listing.elements(Channel::decode).unwrap_err().kind, ErrorKind::TrailingBytes);
    let sessions = reply("list-sessions-one.rep.bin").payload;
    assert!(Session::decode_list(&sessions[1..]).is_err());
}

fn name(longest: usize) -> impl Strategy<Value = String> {
    vec(prop_oneof![Just(b'*'), Just(b':'), b'a'..=b'z'], 1..=longest)
        .prop_map(|bytes| String::from_utf8(bytes).unwrap())
}

fn name_or_empty(longest: usize) -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), name(longest)]
}

prop_compose! {
    fn any_channel()(
        name in name_or_empty(254),
        enabled in any::<bool>(),
        overwrite in prop_oneof![
            Just(Overwrite::SessionDefault), Just(Overwrite::Discard), Just(Overwrite::Overwrite)
        ],
        output in prop_oneof![Just(ChannelOutput::Splice), Just(ChannelOutput::Mmap)],
        sizes in any::<[u64; 7]>(),
        timers in any::<[u32; 3]>(),
        blocking_timeout in any::<i64>(),
    ) -> Channel {
        let [subbuf_size, num_subbuf, tracefile_size, tracefile_count, discarded_events, lost_packets, monitor_timer] = sizes;
        let [switch_timer, read_timer, live_timer] = timers;
        Channel {
            name, enabled, overwrite, subbuf_size, num_subbuf, switch_timer, read_timer, output,
            tracefile_size, tracefile_count, live_timer, discarded_events, lost_packets, monitor_timer,
            blocking_timeout,
        }
    }
}

fn any_instrumentation() -> impl Strategy<Value = Instrumentation> {
    let probe =
        || {
            (any::<u64>(), any::<u64>(), name_or_empty(255))
                .prop_map(|(address, offset, symbol)| KernelProbe { address, offset, symbol })
        };
    let function = (name_or_empty(255), name(4095), any::<bool>())
        .prop_map(|(function, binary, elf)| ProbeLocation::Function { function, binary, elf });
    let tracepoint = (name(255), name(255), name(4095))
        .prop_map(|(probe, provider, binary)| ProbeLocation::Tracepoint { probe, provider, binary });
    prop_oneof![
        Just(Instrumentation::All),
        Just(Instrumentation::Tracepoint),
        Just(Instrumentation::Noop),
        Just(Instrumentation::Syscall),
        probe().prop_map(Instrumentation::Probe),
        probe().prop_map(Instrumentation::Function),
        name_or_empty(255).prop_map(Instrumentation::FunctionEntry),
        function.prop_map(Instrumentation::UserspaceProbe),
        tracepoint.prop_map(Instrumentation::UserspaceProbe),
    ]
}

/// Any bytes but NUL.
fn text(length: Range<usize>) -> impl Strategy<Value = Text> {
    vec(1..=u8::MAX, length).prop_map(Text::from)
}

fn any_filter() -> impl Strategy<Value = (Text, Bytecode)> {
    (text(1..300), vec(any::<u8>(), 0..300), any::<u64>(), any::<prop::sample::Index>()).prop_map(
        |(text, data, seqnum, split)| {
            let reloc_offset = split.index(data.len() + 1) as u32;
            (text, Bytecode { reloc_offset, seqnum, data })
        },
    )
}

prop_compose! {
    fn any_event()(
        instrumentation in any_instrumentation(),
        (loglevel_type, loglevel, enabled) in any::<(i8, i32, i8)>(),
        (pid, flags) in any::<(i32, u32)>(),
        name in text(0..255),
        exclusions in vec(text(0..255), 0..5),
        filter in option::of(any_filter()),
    ) -> Event {
        let (filter, bytecode) = filter.unzip();
        Event { instrumentation, loglevel_type, loglevel, enabled, pid, flags, name, exclusions, filter, bytecode }
    }
}

fn any_uri(stream: StreamType) -> impl Strategy<Value = Uri> {
    let destination = prop_oneof![
        name(15).prop_map(Destination::Ipv4),
        name(45).prop_map(Destination::Ipv6),
        name(4095).prop_map(Destination::Path),
    ];
    (destination, any::<u16>(), name_or_empty(4095)).prop_map(move |(destination, port, subdir)| Uri {
        destination,
        stream,
        port,
        subdir,
    })
}

fn any_descriptor() -> impl Strategy<Value = SessionDescriptor> {
    let kind = prop_oneof![
        Just(SessionKind::Regular),
        Just(SessionKind::Snapshot),
        (1..=u64::MAX).prop_map(|timer| SessionKind::Live { timer }),
    ];
    let network = (any_uri(StreamType::Control), any_uri(StreamType::Data))
        .prop_map(|(control, data)| Box::new(NetworkOutput { control, data }));
    let output = prop_oneof![
        Just(SessionOutput::None),
        option::of(name(4095)).prop_map(SessionOutput::Local),
        option::of(network).prop_map(SessionOutput::Network),
    ];
    (kind, option::of(name(254)), output)
        .prop_filter("a live session is never local", |(kind, _, output)| {
            !matches!((kind, output), (SessionKind::Live { .. }, SessionOutput::Local(_)))
        })
        .prop_map(|(kind, name, output)| SessionDescriptor { kind, name, output })
}

fn any_context() -> impl Strategy<Value = Context> {
    let perf_types = [Context::PERF_COUNTER, Context::PERF_CPU_COUNTER, Context::PERF_THREAD_COUNTER];
    prop_oneof![
        (prop::sample::select(perf_types.to_vec()), any::<u32>(), any::<u64>(), name_or_empty(255)).prop_map(
            |(context_type, perf_type, config, name)| Context::Perf {
                context_type,
                perf_type,
                config,
                name: name.into()
            }
        ),
        (text(1..1000), text(1..1000)).prop_map(|(provider, name)| Context::Application { provider, name }),
        any::<u32>()
            .prop_filter("has parameters", |number| ![1, 13, 14, 15].contains(number))
            .prop_map(Context::Plain),
    ]
}

fn any_body() -> impl Strategy<Value = Body> {
    let rule = (name_or_empty(255), any_event());
    prop_oneof![
        (option::of(name(4000)), any_descriptor()).prop_map(|(home, descriptor)| Body::CreateSession {
            home: home.map(|home| format!("/{home}")),
            descriptor
        }),
        (name_or_empty(255), any_context())
            .prop_map(|(channel, context)| Body::AddContext { channel, context }),
        any_channel().prop_map(Body::EnableChannel),
        rule.prop_map(|(channel, event)| Body::EnableEvent { channel, event }),
        (name_or_empty(255), any_event()).prop_map(|(channel, event)| Body::DisableEvent {
            channel,
            event: Event { loglevel_type: 0, loglevel: -1, enabled: 0, pid: 0, ..event }
        }),
        name_or_empty(255).prop_map(|channel| Body::DisableChannel { channel }),
        name_or_empty(255).prop_map(|channel| Body::ListEvents { channel }),
        name_or_empty(4095).prop_map(|path| Body::SetShmPath { path }),
        any::<i32>().prop_map(|attribute| Body::TrackerPolicy { attribute }),
        Just(Body::ListSessions),
        Just(Body::DestroySession),
    ]
}

fn any_location() -> impl Strategy<Value = ArchiveLocation> {
    prop_oneof![
        name(4095).prop_map(|path| ArchiveLocation::Local { path }),
        (name(255), any::<u16>(), any::<u16>(), name(4095)).prop_map(
            |(host, control_port, data_port, path)| {
                ArchiveLocation::Relay { host, control_port, data_port, path }
            }
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn requests_go_round(
        body in any_body(), session in name_or_empty(254), domain in any::<u32>(), buffers in any::<u32>(),
    ) {
        let (header, payload) = body.encode(&session, domain, buffers);
        let header = Header::decode(&header.encode()).unwrap();
        prop_assert_eq!(&header.session_name, &session);
        prop_assert_eq!((header.domain_type, header.buffer_type), (domain, buffers));
        prop_assert_eq!(header.payload_len(), payload.len() as u64);
        prop_assert_eq!(decode_body(&header, &payload), Ok(body));
    }

    #[test]
    fn listings_go_round(
        channels in vec(any_channel(), 0..4), events in vec(any_event(), 0..4), field_name in name_or_empty(254),
        field_type in 0_u8..5, nowrite in any::<bool>(), request in any::<u32>(),
    ) {
        let header = Header { domain_word: request, ..Header::new(Command::ListChannels, "demo") };
        let reply = Reply::ok(&header).with_list(&channels, Channel::encode);
        let reply = Reply::decode(&reply.encode()).unwrap();
        prop_assert_eq!(reply.pid, request);
        prop_assert_eq!(reply.elements(Channel::decode), Ok(channels));
        let fields: Vec<EventField> = events
            .iter()
            .map(|event| EventField {
                field_type: FieldType::from_number(field_type).unwrap(),
                nowrite,
                name: field_name.clone().into(),
                event: event.clone(),
            })
            .collect();
        let reply = Reply::ok(&header).with_list(&events, Event::encode);
        prop_assert_eq!(reply.elements(Event::decode), Ok(events));
        let reply = Reply::ok(&header).with_list(&fields, EventField::encode);
        prop_assert_eq!(reply.elements(EventField::decode), Ok(fields));
    }

    #[test]
    fn sessions_go_round(
        names in vec(name(254), 0..4), path in name_or_empty(4095),
        (active, snapshot_mode, live_timer, created) in any::<(bool, bool, u32, u64)>(),
    ) {
        let sessions: Vec<Session> = names
            .into_iter()
            .map(|name| Session { name, path: path.clone(), active, snapshot_mode, live_timer, created })
            .collect();
        prop_assert_eq!(Session::decode_list(&Session::encode_list(&sessions)), Ok(sessions));
    }

    #[test]
    fn domains_go_round(numbers in vec((1_u32..6, 0_u32..3), 0..6)) {
        let domains: Vec<DomainEntry> = numbers
            .into_iter()
            .map(|(domain, buffers)| DomainEntry {
                domain: Domain::from_number(domain).unwrap(),
                buffer_type: BufferType::from_number(buffers).unwrap(),
            })
            .collect();
        prop_assert_eq!(DomainEntry::decode_list(&DomainEntry::encode_list(&domains)), Ok(domains));
    }

    #[test]
    fn rotations_go_round(
        location in option::of(any_location()), state in -1_i32..4,
        periodic in option::of(any::<u64>()), size in option::of(any::<u64>()),
    ) {
        if let Some(location) = &location {
            prop_assert_eq!(&ArchiveLocation::decode(&location.encode()).unwrap(), location);
        }
        let info = RotationInfo { state: RotationState::from_number(state).unwrap(), location };
        let bytes = info.encode();
        prop_assert_eq!(bytes.len(), RotationInfo::LEN);
        prop_assert_eq!(RotationInfo::decode(&bytes), Ok(info));
        let schedules = RotationSchedules { periodic, size };
        prop_assert_eq!(RotationSchedules::decode(&schedules.encode()), Ok(schedules));
    }

    /// Damaged requests get a code or a body; whatever decodes encodes to bytes that decode to the same.
    #[test]
    fn damaged_requests_are_total(
        pick in any::<prop::sample::Index>(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let names = vectors(".req.bin");
        let mut bytes = vector(&names[pick.index(names.len())]);
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let header = Header::decode(&bytes[..Header::LEN]).unwrap();
        let payload = &bytes[Header::LEN..];
        let _ = decode_body(&header, &payload[..cut.index(payload.len() + 1)]);
        if let Ok(body) = decode_body(&header, payload) {
            let (header, payload) = body.encode("", 0, 0);
            prop_assert_eq!(decode_body(&header, &payload), Ok(body));
        }
    }

    #[test]
    fn arbitrary_bytes_are_total(command in 0_u32..60, bytes in vec(any::<u8>(), 0..600)) {
        let mut header = Header::new(Command::ListSessions, "");
        header.command = command;
        let filled = bytes.len().min(512);
        header.parameters[..filled].copy_from_slice(&bytes[..filled]);
        let _ = (header.payload_len(), decode_body(&header, &bytes));
        set_u32(&mut header, 0, bytes.len() as u32);
        set_u32(&mut header, 256, bytes.len() as u32);
        let _ = decode_body(&header, &bytes);
        let _ = Header::decode(&bytes);
        let _ = Session::decode_list(&bytes);
        let _ = DomainEntry::decode_list(&bytes);
        let _ = RotationSchedules::decode(&bytes);
        let _ = RotationInfo::decode(&bytes);
        let _ = ArchiveLocation::decode(&bytes);
        let _ = SessionDescriptor::decode(&mut Reader::new("test", &bytes));
        if let Ok(reply) = Reply::decode(&bytes) {
            prop_assert_eq!(reply.encode(), bytes);
        }
    }
}
