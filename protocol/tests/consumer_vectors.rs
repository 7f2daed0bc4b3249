// SPDX-License-Identifier: GPL-2.0-only
//! The consumer protocol against recorded bytes of stock programs, made-up values and damaged bytes.
//!
//! Requests that were sent to a kernel consumer daemon are read as such. Those whose command a UST consumer daemon knows
//! too are also checked as that one's: the layouts are the same.

// Helpers and strategies stand outside the test functions that the lints spare.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[allow(dead_code, reason = "only what turns recordings round is needed")]
#[path = "layouts/table.rs"]
mod table;
#[path = "layouts/turn.rs"]
mod turn;

use lttng_protocol::client::ChannelOutput;
use lttng_protocol::codec::{ErrorKind, Reader};
use lttng_protocol::consumer::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::path::PathBuf;
use table::Table;

/// The bytes of a recording, with the numbers in the order of this machine.
fn vector(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/consumer").join(name);
    let mut bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let table = Table::shared();
    match name.get(..8).unwrap_or(name) {
        "meta-req" => turn::structure(table, "lttcomm_metadata_request_msg", "", &mut bytes),
        "monitor-" => turn::structure(table, "lttcomm_consumer_channel_monitor_msg", "", &mut bytes),
        "reply-07" => turn::structure(table, "lttcomm_consumer_status_channel", "", &mut bytes),
        "reply-24" => turn::structure(
            table,
            "lttcomm_consumer_close_trace_chunk_reply",
            "",
            &mut bytes[..CloseReply::LEN],
        ),
        // Numbers that are no structure: of the whole reply, or one after another.
        "reply-17" | "reply-18" => turn::number(&mut bytes),
        "reply-08" => {
            // Status; size and type of the object; size and number of each stream; end, status.
            for number in [0..4, 4..12, 12..16, 937..945, 945..949, 950..958, 958..962, 963..971, 971..975] {
                turn::number(&mut bytes[number]);
            }
        }
        kind => match kind.strip_prefix("cmd-").and_then(|kind| kind[..2].parse().ok()) {
            Some(number) => turn::structure(table, "lttcomm_consumer_msg", arm(number), &mut bytes),
            None => turn::structure(table, "lttcomm_consumer_status_msg", "", &mut bytes),
        },
    }
    bytes
}

/// The member of the union of parameters that this command has.
fn arm(number: u32) -> &'static str {
    match number {
        0 => "channel",
        1 => "stream",
        4 => "relayd_sock",
        5 => "destroy_relayd",
        6 => "data_pending",
        7 => "ask_channel",
        10 => "push_metadata",
        14 => "snapshot_channel",
        16 => "sent_streams",
        17 | 18 => "discarded_events",
        21 => "rotate_channel",
        22 => "init",
        23 => "create_trace_chunk",
        24 => "close_trace_chunk",
        25 => "trace_chunk_exists",
        // The key of a channel.
        _ => "get_channel",
    }
}

fn vectors(prefix: &str) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/consumer");
    let names =
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter(|name| name.starts_with(prefix) && name.ends_with(".bin")).collect();
    names.sort();
    names
}

fn request(name: &str) -> UstRequest {
    UstRequest::decode(&vector(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_recorded_request_goes_round() {
    let mut kernel_only = Vec::new();
    let mut checked = 0;
    for name in vectors("cmd-") {
        let bytes = vector(&name);
        assert_eq!(bytes.len(), REQUEST_LEN, "{name}");
        let number: u32 = name[4..6].parse().unwrap();
        if [0, 1, 16].contains(&number) {
            assert_eq!(
                UstRequest::decode(&bytes).unwrap_err().kind,
                ErrorKind::BadValue(number.into()),
                "{name}"
            );
            kernel_only.push(name);
            continue;
        }
        let request = request(&name);
        assert_eq!(request.number(), number, "{name}");
        assert!(request.encode() == bytes, "{name}: encodes to other bytes");
        checked += 1;
    }
    assert!(kernel_only.iter().all(|name| name.contains("-kernel-")), "{kernel_only:?}");
    assert_eq!((kernel_only.len(), checked), (11, 83));
}

fn kernel_request(name: &str) -> KernelRequest {
    KernelRequest::decode(&vector(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_recorded_request_to_the_kernels_goes_round() {
    let (mut checked, mut refused) = (0, 0);
    for name in vectors("cmd-") {
        let (bytes, number): (_, u32) = (vector(&name), name[4..6].parse().unwrap());
        if (7..=8).contains(&number) || (10..=13).contains(&number) || number == 19 {
            let error = KernelRequest::decode(&bytes).unwrap_err();
            assert_eq!(error.kind, ErrorKind::BadValue(number.into()), "{name}");
            assert!(name.contains("-ust-"), "{name}");
            refused += 1;
            continue;
        }
        let request = kernel_request(&name);
        assert_eq!(request.number(), number, "{name}");
        assert!(request.encode() == bytes, "{name}: encodes to other bytes");
        checked += 1;
    }
    assert_eq!((checked, refused), (73, 21));
}

#[test]
fn kernel_channels_are_made_known_as_recorded() {
    let add = |name: &str| match kernel_request(name) {
        KernelRequest::AddChannel(channel) => *channel,
        other => panic!("{other:?}"),
    };
    let data = add("cmd-00-kernel-add-channel-data.bin");
    let expected = AddChannel {
        key: 1,
        session_id: 0,
        chunk_id: Some(0),
        pathname: String::new(),
        relayd_id: None,
        stream_count: 2,
        name: "kch".into(),
        output: ChannelOutput::Splice,
        kind: ChannelKind::Data,
        tracefile_size: 0,
        tracefile_count: 0,
        monitor: true,
        live_timer: u32::MAX,
        is_live: false,
        monitor_timer: 1_000_000,
    };
    assert_eq!(data, expected);
    let metadata = add("cmd-00-kernel-add-channel-metadata-net-live.bin");
    assert_eq!((metadata.kind, metadata.output), (ChannelKind::Metadata, ChannelOutput::Mmap));
    assert_eq!((metadata.name.as_str(), metadata.stream_count, metadata.relayd_id), ("metadata", 1, Some(3)));
    assert_eq!((metadata.is_live, metadata.live_timer, metadata.monitor_timer), (true, 0, 0));
    let snapshot = add("cmd-00-kernel-add-channel-data-no-monitor.bin");
    assert_eq!((snapshot.monitor, snapshot.chunk_id, snapshot.output), (false, None, ChannelOutput::Mmap));
    assert_eq!(
        kernel_request("cmd-01-kernel-add-stream.bin"),
        KernelRequest::AddStream { stream_key: 94, key: 2, cpu: 0 }
    );
    assert_eq!(
        kernel_request("cmd-16-kernel-streams-sent.bin"),
        KernelRequest::StreamsSent { key: 1, relayd_id: None }
    );
}

#[test]
fn damaged_kernel_channels_are_errors() {
    for offset in [4393, 4397] {
        let mut bytes = vector("cmd-00-kernel-add-channel-data.bin");
        bytes[offset..offset + 4].copy_from_slice(&9_u32.to_ne_bytes());
        assert_eq!(KernelRequest::decode(&bytes).unwrap_err().kind, ErrorKind::BadValue(9));
    }
}

#[test]
fn channels_are_asked_for_as_recorded() {
    let ask = |name: &str| match request(name) {
        UstRequest::AskChannelCreation(channel) => *channel,
        other => panic!("{other:?}"),
    };
    let data = ask("cmd-07-ust-ask-channel-creation-data.bin");
    assert_eq!((data.subbuf_size, data.num_subbuf, data.overwrite), (4096, 4, 0));
    assert_eq!((data.kind, data.key, data.chunk_id, data.relayd_id), (ChannelKind::Data, 1, Some(0), None));
    assert_eq!((data.pathname.as_str(), data.name.as_str()), ("uid/0/64-bit", "ch0"));
    assert!(data.monitor && !data.is_live);
    let metadata = ask("cmd-07-ust-ask-channel-creation-metadata.bin");
    assert_eq!(
        (metadata.kind, metadata.channel_id, metadata.overwrite),
        (ChannelKind::Metadata, u32::MAX, -1)
    );
    assert_eq!(metadata.uuid, data.uuid);
    let live = ask("cmd-07-ust-ask-channel-creation-data-net-live.bin");
    assert_eq!((live.live_timer, live.is_live, live.relayd_id), (500_000, true, Some(2)));
    let unmonitored = ask("cmd-07-ust-ask-channel-creation-data-no-monitor.bin");
    assert_eq!((unmonitored.monitor, unmonitored.chunk_id, unmonitored.overwrite), (false, None, 1));
    let shm = ask("cmd-07-ust-ask-channel-creation-data-shm.bin");
    assert_eq!(shm.shm_path, format!("{}/ust/{}/{}_", shm.root_shm_path, shm.pathname, shm.name));
    let user = ask("cmd-07-ust-ask-channel-creation-data-user.bin");
    assert_eq!((user.uid, user.gid, user.app_uid), (65534, 65534, 65534));
}

#[test]
fn small_requests_read_as_recorded() {
    assert_eq!(request("cmd-08-ust-get-channel.bin"), UstRequest::GetChannel { key: 1 });
    assert_eq!(
        request("cmd-10-ust-push-metadata-on-meta-empty.bin"),
        UstRequest::PushMetadata { key: 2, target_offset: 2695, len: 0, version: 0 }
    );
    assert_eq!(request("cmd-12-ust-setup-metadata.bin"), UstRequest::SetupMetadata { key: 2 });
    assert_eq!(
        request("cmd-21-ust-rotate-channel-metadata-net.bin"),
        UstRequest::RotateChannel { metadata: true, relayd_id: Some(2), key: 2 }
    );
    assert_eq!(
        request("cmd-14-ust-snapshot-channel-data-max-size.bin"),
        UstRequest::SnapshotChannel(SnapshotChannel {
            pathname: "uid/0/64-bit".into(),
            metadata: false,
            relayd_id: None,
            key: 1,
            packets_per_stream: 1,
        })
    );
    assert_eq!(
        request("cmd-04-ust-add-relayd-socket-control.bin"),
        UstRequest::AddRelaySocket(RelaySocket {
            relayd_id: 2,
            kind: RelaySocketKind::Control,
            major: 2,
            minor: 13,
            session_id: 0,
            relayd_session_id: 1,
        })
    );
}

#[test]
fn chunks_read_as_recorded() {
    assert_eq!(
        request("cmd-23-ust-create-trace-chunk-local-user.bin"),
        UstRequest::CreateTraceChunk(CreateTraceChunk {
            relayd_id: None,
            override_name: String::new(),
            session_id: 0,
            chunk_id: 0,
            created: 1_795_376_675,
            credentials: Some((65534, 65534)),
        })
    );
    let UstRequest::CreateTraceChunk(named) = request("cmd-23-ust-create-trace-chunk-net-named.bin") else {
        panic!("not a chunk")
    };
    assert_eq!(named.override_name, "snapshot-0-20261122-194157-5");
    assert_eq!((named.relayd_id, named.chunk_id, named.credentials), (Some(2), 6, None));
    let close = |name: &str| match request(name) {
        UstRequest::CloseTraceChunk(close) => close.command,
        other => panic!("{other:?}"),
    };
    assert_eq!(close("cmd-24-ust-close-trace-chunk-local-unset.bin"), None);
    assert_eq!(close("cmd-24-ust-close-trace-chunk-local-move.bin"), Some(CloseCommand::MoveToCompleted));
    assert_eq!(close("cmd-24-ust-close-trace-chunk-net-delete.bin"), Some(CloseCommand::Delete));
}

#[test]
fn no_metadata_is_a_bare_number() {
    let bytes = UstRequest::NoMetadata.encode();
    assert_eq!(bytes.len(), REQUEST_LEN);
    assert_eq!(bytes[..4], 12_u32.to_ne_bytes());
    assert!(bytes[4..].iter().all(|&byte| byte == 0));
    assert_eq!(UstRequest::decode(&bytes), Ok(UstRequest::NoMetadata));
}

#[test]
fn recorded_statuses() {
    let status = |name: &str| Status::decode(&vector(name)).unwrap();
    assert_eq!(status("error-socket-ready.bin"), Status(READY));
    assert_eq!(status("error-socket-ready.bin"), Status::COMMAND_SOCK_READY);
    assert!(status("reply-status-ok.bin").is_success());
    assert_eq!(status("reply-25-unknown.bin"), Status::UNKNOWN_TRACE_CHUNK);
    assert_eq!(status("reply-25-unknown.bin").name(), "UNKNOWN_TRACE_CHUNK");
    assert_eq!(status("reply-25-unknown.bin").encode(), vector("reply-25-unknown.bin"));
    assert_eq!((status("reply-06-none-pending.bin").0, status("reply-06-pending.bin").0), (0, 1));
    assert_eq!(Status(-7).name(), "unknown");
    assert!(Status::decode(&[0; 5]).is_err());
}

#[test]
fn recorded_channel_replies() {
    for (name, stream_count) in
        [("reply-07-ask-data", 2), ("reply-07-ask-metadata", 1), ("reply-07-ask-metadata-no-monitor", 0)]
    {
        let bytes = vector(&format!("{name}.bin"));
        let reply = ChannelStatus::decode(&bytes).unwrap();
        assert_eq!((reply.code, reply.stream_count), (0, stream_count), "{name}");
        assert_eq!(reply.encode(), bytes, "{name}");
    }
    assert!(decode_count(&vector("reply-18-lost.bin")).unwrap() > 0);
    assert!(decode_count(&vector("reply-17-discarded.bin")).is_ok());
    assert!(decode_count(&[0; 7]).is_err());
}

/// The whole GET_CHANNEL conversation; the bytes that carry descriptors are at offsets 936, 949 and 962.
#[test]
fn recorded_channel_objects() {
    let bytes = vector("reply-08-get-channel.bin");
    let mut reader = Reader::new("reply", &bytes);
    assert!(Status::decode(reader.bytes(Status::LEN).unwrap()).unwrap().is_success());
    let head_bytes = reader.bytes(ChannelHead::LEN).unwrap();
    let head = ChannelHead::decode(head_bytes).unwrap();
    assert_eq!((head.size, head.kind, head.encode()), (920, 0, head_bytes.to_vec()));
    assert!(head.size <= ChannelHead::MAX_SIZE);
    reader.skip(head.size as usize).unwrap();
    assert_eq!(reader.offset(), 936);
    reader.skip(1).unwrap();
    for number in 0..2 {
        let stream_bytes = reader.bytes(StreamHead::LEN).unwrap();
        let stream = StreamHead::decode(stream_bytes).unwrap();
        assert_eq!((stream.number, stream.encode()), (number, stream_bytes.to_vec()));
        assert_eq!(reader.offset(), 949 + number as usize * 13);
        reader.skip(1).unwrap();
    }
    assert_eq!(reader.u64(), Ok(END_OF_STREAMS));
    assert!(Status::decode(reader.bytes(Status::LEN).unwrap()).unwrap().is_success());
    reader.finish().unwrap();
}

#[test]
fn recorded_close_replies() {
    for name in vectors("reply-24-") {
        let bytes = vector(&name);
        let (head, path) = bytes.split_at(CloseReply::LEN);
        let reply = CloseReply::decode(head).unwrap();
        assert_eq!((reply.code, reply.path_length as usize), (0, path.len()), "{name}");
        assert_eq!(reply.encode(), head, "{name}");
    }
    let long = CloseReply { code: 0, path_length: CloseReply::MAX_PATH + 1 };
    assert_eq!(CloseReply::decode(&long.encode()).unwrap_err().kind, ErrorKind::TooLong(4097));
}

#[test]
fn recorded_metadata_requests_and_samples() {
    for name in vectors("meta-request") {
        let bytes = vector(&name);
        let request = MetadataRequest::decode(&bytes).unwrap();
        assert_eq!((request.bits_per_long, request.uid), (64, 0), "{name}");
        assert_eq!(request.encode(), bytes, "{name}");
    }
    let request = MetadataRequest::decode(&vector("meta-request.bin")).unwrap();
    assert_eq!((request.session_id, request.session_id_per_pid, request.key), (1, 2, 4));
    for (name, lowest, highest, total_consumed) in [
        ("monitor-sample-0", 84, 1052, 0),
        ("monitor-sample-1", 0, 824, 16384),
        ("monitor-sample-2", 0, 0, 24576),
    ] {
        let bytes = vector(&format!("{name}.bin"));
        let sample = MonitorSample { key: 1, lowest, highest, total_consumed };
        assert_eq!(MonitorSample::decode(&bytes), Ok(sample), "{name}");
        assert_eq!(sample.encode(), bytes, "{name}");
    }
}

#[test]
fn every_vector_is_looked_at() {
    let known = ["cmd-", "error-socket-ready", "meta-request", "monitor-sample-", "reply-"];
    for name in vectors("") {
        assert!(known.iter().any(|prefix| name.starts_with(prefix)), "{name}");
    }
}

#[test]
fn damaged_requests_are_errors() {
    let kind = |bytes: &[u8]| UstRequest::decode(bytes).unwrap_err().kind;
    assert_eq!(kind(&[]), ErrorKind::Truncated);
    assert_eq!(kind(&[&[0; 4], &UstRequest::NoMetadata.encode()[4..]].concat()), ErrorKind::BadValue(0));
    assert_eq!(kind(&UstRequest::NoMetadata.encode()[..REQUEST_LEN - 1]), ErrorKind::Truncated);
    let mut long = UstRequest::NoMetadata.encode();
    long.push(0);
    assert_eq!(kind(&long), ErrorKind::TrailingBytes);
    let damaged = |name: &str, offset: usize| {
        let mut bytes = vector(name);
        bytes[offset..offset + 4].copy_from_slice(&9_u32.to_ne_bytes());
        kind(&bytes)
    };
    assert_eq!(damaged("cmd-07-ust-ask-channel-creation-data.bin", 41), ErrorKind::BadValue(9));
    assert_eq!(damaged("cmd-07-ust-ask-channel-creation-data.bin", 45), ErrorKind::BadValue(9));
    assert_eq!(damaged("cmd-04-ust-add-relayd-socket-data.bin", 12), ErrorKind::BadValue(9));
    let mut protocol = vector("cmd-04-ust-add-relayd-socket-data.bin");
    protocol[24] = 9;
    assert_eq!(kind(&protocol), ErrorKind::BadValue(9));
    assert_eq!(damaged("cmd-24-ust-close-trace-chunk-local-move.bin", 38), ErrorKind::BadValue(9));
    assert_eq!(damaged("cmd-14-ust-snapshot-channel-data.bin", 4100), ErrorKind::BadValue(1));
}

fn text(longest: usize) -> impl Strategy<Value = String> {
    vec(prop_oneof![Just(b'/'), b'a'..=b'z'], 0..=longest).prop_map(|bytes| String::from_utf8(bytes).unwrap())
}

/// A relay number; all bits set is how "none" is written.
fn any_relayd() -> impl Strategy<Value = Option<u64>> {
    option::of(0..u64::MAX)
}

prop_compose! {
    fn any_ask()(
        sizes in any::<[u64; 6]>(),
        words in any::<[u32; 9]>(),
        (overwrite, blocking_timeout, is_live, monitor, metadata) in any::<(i32, i64, bool, bool, bool)>(),
        (relayd_id, chunk_id, uuid) in (any_relayd(), option::of(any::<u64>()), any::<[u8; 16]>()),
        (pathname, name, root_shm_path, shm_path) in (text(4095), text(255), text(4095), text(4095)),
    ) -> AskChannel {
        let [subbuf_size, num_subbuf, session_id, key, tracefile_size, session_id_per_pid] = sizes;
        let [switch_timer, read_timer, live_timer, monitor_timer, uid, gid, channel_id, tracefile_count, app_uid] = words;
        let kind = if metadata { ChannelKind::Metadata } else { ChannelKind::Data };
        AskChannel {
            subbuf_size, num_subbuf, overwrite, switch_timer, read_timer, live_timer, is_live, monitor_timer,
            kind, session_id, pathname, name, uid, gid, relayd_id, key, chunk_id, uuid, channel_id,
            tracefile_size, tracefile_count, session_id_per_pid, monitor, app_uid, blocking_timeout,
            root_shm_path, shm_path,
        }
    }
}

fn any_chunk_request() -> impl Strategy<Value = UstRequest> {
    let ids = || (option::of(any::<u64>()), any::<u64>(), any::<u64>(), any::<u64>());
    let credentials = option::of(any::<(u32, u32)>());
    let create = (ids(), text(254), credentials).prop_map(
        |((relayd_id, session_id, chunk_id, created), override_name, credentials)| CreateTraceChunk {
            relayd_id,
            override_name,
            session_id,
            chunk_id,
            created,
            credentials,
        },
    );
    let commands = vec![None, Some(CloseCommand::MoveToCompleted), Some(CloseCommand::Delete)];
    let close = (ids(), prop::sample::select(commands)).prop_map(
        |((relayd_id, session_id, chunk_id, closed), command)| CloseTraceChunk {
            relayd_id,
            session_id,
            chunk_id,
            closed,
            command,
        },
    );
    prop_oneof![
        create.prop_map(UstRequest::CreateTraceChunk),
        close.prop_map(UstRequest::CloseTraceChunk),
        ids().prop_map(|(relayd_id, session_id, chunk_id, _)| UstRequest::TraceChunkExists(
            TraceChunkExists { relayd_id, session_id, chunk_id }
        )),
    ]
}

/// Requests whose fields are a few numbers.
fn any_small_request() -> impl Strategy<Value = UstRequest> {
    (0..17, 1..=u64::MAX, any::<[u64; 3]>(), any_relayd(), any::<bool>(), any::<[u8; 16]>()).prop_map(
        |(pick, key, [first, second, third], relayd_id, metadata, uuid)| match pick {
            0 => UstRequest::DestroyRelayd { relayd_id: first },
            1 => UstRequest::DataPending { session_id: first },
            2 => UstRequest::GetChannel { key },
            3 => UstRequest::DestroyChannel { key },
            4 => UstRequest::PushMetadata { key, target_offset: first, len: second, version: third },
            5 => UstRequest::CloseMetadata { key },
            6 => UstRequest::SetupMetadata { key },
            7 => UstRequest::NoMetadata,
            8 => UstRequest::FlushChannel { key },
            9 => UstRequest::DiscardedEvents { session_id: first, key },
            10 => UstRequest::LostPackets { session_id: first, key },
            11 => UstRequest::ClearQuiescentChannel { key },
            12 => UstRequest::SetChannelMonitorPipe,
            13 => UstRequest::RotateChannel { metadata, relayd_id, key },
            14 => UstRequest::Init { uuid },
            15 => UstRequest::ClearChannel { key },
            _ => UstRequest::OpenChannelPackets { key },
        },
    )
}

fn any_request() -> impl Strategy<Value = UstRequest> {
    let snapshot = (text(4095), any::<bool>(), any_relayd(), any::<u64>(), any::<u64>()).prop_map(
        |(pathname, metadata, relayd_id, key, packets_per_stream)| SnapshotChannel {
            pathname,
            metadata,
            relayd_id,
            key,
            packets_per_stream,
        },
    );
    let relay = (any::<[u64; 3]>(), any::<[u32; 2]>(), any::<bool>()).prop_map(
        |([relayd_id, session_id, relayd_session_id], [major, minor], data)| RelaySocket {
            relayd_id,
            kind: if data { RelaySocketKind::Data } else { RelaySocketKind::Control },
            major,
            minor,
            session_id,
            relayd_session_id,
        },
    );
    prop_oneof![
        any_small_request(),
        any_chunk_request(),
        any_ask().prop_map(|ask| UstRequest::AskChannelCreation(Box::new(ask))),
        snapshot.prop_map(UstRequest::SnapshotChannel),
        relay.prop_map(UstRequest::AddRelaySocket),
    ]
}

prop_compose! {
    fn any_add()(
        ids in any::<[u64; 3]>(),
        words in any::<[u32; 4]>(),
        (monitor, is_live, metadata, mmap) in any::<(bool, bool, bool, bool)>(),
        (relayd_id, chunk_id) in (any_relayd(), option::of(any::<u64>())),
        (pathname, name) in (text(4095), text(255)),
    ) -> AddChannel {
        let [key, session_id, tracefile_size] = ids;
        let [stream_count, tracefile_count, live_timer, monitor_timer] = words;
        AddChannel {
            key, session_id, chunk_id, pathname, relayd_id, stream_count, name,
            output: if mmap { ChannelOutput::Mmap } else { ChannelOutput::Splice },
            kind: if metadata { ChannelKind::Metadata } else { ChannelKind::Data },
            tracefile_size, tracefile_count, monitor, live_timer, is_live, monitor_timer,
        }
    }
}

fn any_kernel_request() -> impl Strategy<Value = KernelRequest> {
    let small = (any::<u64>(), any::<u64>(), any::<i32>(), any_relayd()).prop_flat_map(
        |(key, stream_key, cpu, relayd_id)| {
            prop::sample::select(vec![
                KernelRequest::AddStream { stream_key, key, cpu },
                KernelRequest::StreamsSent { key, relayd_id },
            ])
        },
    );
    // What both kinds know, as the kernel's kind reads it.
    let common = any_request()
        .prop_filter_map("not for the kernel's", |request| KernelRequest::decode(&request.encode()).ok());
    prop_oneof![any_add().prop_map(|add| KernelRequest::AddChannel(Box::new(add))), small, common]
}

proptest! {
    #[test]
    fn kernel_requests_go_round(request in any_kernel_request()) {
        let bytes = request.encode();
        prop_assert_eq!(bytes.len(), REQUEST_LEN);
        prop_assert_eq!(KernelRequest::decode(&bytes), Ok(request));
    }

    /// A request that both kinds answer reads the same.
    #[test]
    fn both_kinds_read_alike(request in any_request()) {
        let bytes = request.encode();
        if let Ok(kernel) = KernelRequest::decode(&bytes) {
            prop_assert_eq!(kernel.number(), request.number());
            prop_assert_eq!(kernel.encode(), bytes);
        }
    }

    #[test]
    fn requests_go_round(request in any_request()) {
        let bytes = request.encode();
        prop_assert_eq!(bytes.len(), REQUEST_LEN);
        prop_assert_eq!(UstRequest::decode(&bytes), Ok(request));
    }

    /// The replies have no invalid bytes, only invalid lengths; so bytes go round.
    #[test]
    fn replies_go_round(bytes in vec(any::<u8>(), 0..40)) {
        let len = bytes.len();
        let status = Status::decode(&bytes);
        prop_assert_eq!(status.is_ok(), len == Status::LEN);
        prop_assert!(status.is_ok_and(|status| status.encode() == bytes) || len != Status::LEN);
        let channel = ChannelStatus::decode(&bytes);
        prop_assert!(channel.is_ok_and(|channel| channel.encode() == bytes) || len != ChannelStatus::LEN);
        let head = ChannelHead::decode(&bytes);
        prop_assert!(head.is_ok_and(|head| head.encode() == bytes) || len != ChannelHead::LEN);
        let stream = StreamHead::decode(&bytes);
        prop_assert!(stream.is_ok_and(|stream| stream.encode() == bytes) || len != StreamHead::LEN);
        let request = MetadataRequest::decode(&bytes);
        prop_assert!(request.is_ok_and(|request| request.encode() == bytes) || len != MetadataRequest::LEN);
        let sample = MonitorSample::decode(&bytes);
        prop_assert!(sample.is_ok_and(|sample| sample.encode() == bytes) || len != MonitorSample::LEN);
        let _ = (CloseReply::decode(&bytes), decode_count(&bytes), UstRequest::decode(&bytes));
    }

    /// Whatever decodes encodes to bytes that decode to the same.
    #[test]
    fn damaged_requests_are_total(
        number in 0_u32..32,
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..200),
    ) {
        let mut bytes = vec![0; REQUEST_LEN];
        bytes[..4].copy_from_slice(&number.to_ne_bytes());
        // Most fields are near the ends of the structures.
        for (at, value) in damage {
            let at = 4 + at.index(if value & 1 == 0 { 400 } else { REQUEST_LEN - 4 });
            bytes[at] = value;
        }
        if let Ok(request) = UstRequest::decode(&bytes) {
            prop_assert_eq!(UstRequest::decode(&request.encode()), Ok(request));
        }
        if let Ok(request) = KernelRequest::decode(&bytes) {
            prop_assert_eq!(KernelRequest::decode(&request.encode()), Ok(request));
        }
    }
}
