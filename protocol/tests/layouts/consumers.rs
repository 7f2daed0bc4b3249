// SPDX-License-Identifier: GPL-2.0-only
//! Requests to consumer daemons, and what they say.

use lttng_protocol::client::ChannelOutput;
use lttng_protocol::consumer::*;

use crate::maker::{Maker, made, ordered};
use crate::{WIDE, WORD};

macro_rules! message {
    ($maker:expr, $number:literal, { $($way:literal: $value:expr),* $(,)? }) => {
        made!($maker, "lttcomm_consumer_msg", { "cmd_type": $number, $($way: $value),* })
    };
}

fn ust(request: UstRequest, bytes: &[u8]) {
    assert!(request.encode() == bytes, "{request:?}");
    assert_eq!(UstRequest::decode(bytes), Ok(request));
}

fn kernel(request: KernelRequest, bytes: &[u8]) {
    assert!(request.encode() == bytes, "{request:?}");
    assert_eq!(KernelRequest::decode(bytes), Ok(request));
}

pub fn check(maker: &mut Maker) {
    channels(maker);
    chunks(maker);
    small(maker);
    replies(maker);
}

fn channels(maker: &mut Maker) {
    let channel = AddChannel {
        key: WIDE,
        session_id: WIDE + 1,
        chunk_id: Some(WIDE + 2),
        pathname: "p".into(),
        relayd_id: Some(WIDE + 3),
        stream_count: WORD,
        name: "n".into(),
        output: ChannelOutput::Mmap,
        kind: ChannelKind::Data,
        tracefile_size: WIDE + 4,
        tracefile_count: WORD + 1,
        monitor: true,
        live_timer: WORD + 2,
        is_live: true,
        monitor_timer: WORD + 3,
    };
    let bytes = message!(maker, 0, {
        "u.channel.channel_key": WIDE, "u.channel.session_id": WIDE + 1, "u.channel.chunk_id.is_set": 1,
        "u.channel.chunk_id.value": WIDE + 2, "u.channel.pathname": "p", "u.channel.relayd_id": WIDE + 3,
        "u.channel.nb_init_streams": WORD, "u.channel.name": "n", "u.channel.output": 1, "u.channel.type": 1,
        "u.channel.tracefile_size": WIDE + 4, "u.channel.tracefile_count": WORD + 1, "u.channel.monitor": 1,
        "u.channel.live_timer_interval": WORD + 2, "u.channel.is_live": 1,
        "u.channel.monitor_timer_interval": WORD + 3,
    });
    kernel(KernelRequest::AddChannel(Box::new(channel)), &bytes);
    let channel = AskChannel {
        subbuf_size: WIDE,
        num_subbuf: WIDE + 1,
        overwrite: -1,
        switch_timer: WORD,
        read_timer: WORD + 1,
        live_timer: WORD + 2,
        is_live: true,
        monitor_timer: WORD + 3,
        kind: ChannelKind::Metadata,
        session_id: WIDE + 2,
        pathname: "p".into(),
        name: "n".into(),
        uid: WORD + 4,
        gid: WORD + 5,
        relayd_id: Some(WIDE + 3),
        key: WIDE + 4,
        chunk_id: Some(WIDE + 5),
        uuid: *b"0123456789abcdef",
        channel_id: WORD + 6,
        tracefile_size: WIDE + 6,
        tracefile_count: WORD + 7,
        session_id_per_pid: WIDE + 7,
        monitor: true,
        app_uid: WORD + 8,
        blocking_timeout: -2,
        root_shm_path: "/r".into(),
        shm_path: "/s".into(),
    };
    let bytes = message!(maker, 7, {
        "u.ask_channel.subbuf_size": WIDE, "u.ask_channel.num_subbuf": WIDE + 1, "u.ask_channel.overwrite": -1,
        "u.ask_channel.switch_timer_interval": WORD, "u.ask_channel.read_timer_interval": WORD + 1,
        "u.ask_channel.live_timer_interval": WORD + 2, "u.ask_channel.is_live": 1,
        "u.ask_channel.monitor_timer_interval": WORD + 3, "u.ask_channel.output": 1, "u.ask_channel.type": 1,
        "u.ask_channel.session_id": WIDE + 2, "u.ask_channel.pathname": "p", "u.ask_channel.name": "n",
        "u.ask_channel.buffer_credentials.uid": WORD + 4, "u.ask_channel.buffer_credentials.gid": WORD + 5,
        "u.ask_channel.relayd_id": WIDE + 3, "u.ask_channel.key": WIDE + 4, "u.ask_channel.chunk_id.is_set": 1,
        "u.ask_channel.chunk_id.value": WIDE + 5, "u.ask_channel.uuid": "0123456789abcdef",
        "u.ask_channel.chan_id": WORD + 6, "u.ask_channel.tracefile_size": WIDE + 6,
        "u.ask_channel.tracefile_count": WORD + 7, "u.ask_channel.session_id_per_pid": WIDE + 7,
        "u.ask_channel.monitor": 1, "u.ask_channel.ust_app_uid": WORD + 8, "u.ask_channel.blocking_timeout": -2_i64,
        "u.ask_channel.root_shm_path": "/r", "u.ask_channel.shm_path": "/s",
    });
    ust(UstRequest::AskChannelCreation(Box::new(channel)), &bytes);
    let socket = RelaySocket {
        relayd_id: WIDE,
        kind: RelaySocketKind::Data,
        major: WORD,
        minor: WORD + 1,
        session_id: WIDE + 1,
        relayd_session_id: WIDE + 2,
    };
    let bytes = message!(maker, 4, {
        "u.relayd_sock.net_index": WIDE, "u.relayd_sock.type": 1, "u.relayd_sock.major": WORD,
        "u.relayd_sock.minor": WORD + 1, "u.relayd_sock.relayd_socket_protocol": 1,
        "u.relayd_sock.session_id": WIDE + 1, "u.relayd_sock.relayd_session_id": WIDE + 2,
    });
    ust(UstRequest::AddRelaySocket(socket), &bytes);
    let snapshot = SnapshotChannel {
        pathname: "p".into(),
        metadata: true,
        relayd_id: Some(WIDE),
        key: WIDE + 1,
        packets_per_stream: WIDE + 2,
    };
    let bytes = message!(maker, 14, {
        "u.snapshot_channel.pathname": "p", "u.snapshot_channel.use_relayd": 1, "u.snapshot_channel.metadata": 1,
        "u.snapshot_channel.relayd_id": WIDE, "u.snapshot_channel.key": WIDE + 1,
        "u.snapshot_channel.nb_packets_per_stream": WIDE + 2,
    });
    ust(UstRequest::SnapshotChannel(snapshot), &bytes);
}

fn chunks(maker: &mut Maker) {
    let chunk = CreateTraceChunk {
        relayd_id: Some(WIDE),
        override_name: "o".into(),
        session_id: WIDE + 1,
        chunk_id: WIDE + 2,
        created: WIDE + 3,
        credentials: Some((WORD, WORD + 1)),
    };
    let bytes = message!(maker, 23, {
        "u.create_trace_chunk.relayd_id.is_set": 1, "u.create_trace_chunk.relayd_id.value": WIDE,
        "u.create_trace_chunk.override_name": "o", "u.create_trace_chunk.session_id": WIDE + 1,
        "u.create_trace_chunk.chunk_id": WIDE + 2, "u.create_trace_chunk.creation_timestamp": WIDE + 3,
        "u.create_trace_chunk.credentials.is_set": 1, "u.create_trace_chunk.credentials.value.uid": WORD,
        "u.create_trace_chunk.credentials.value.gid": WORD + 1,
    });
    ust(UstRequest::CreateTraceChunk(chunk), &bytes);
    let chunk = CloseTraceChunk {
        relayd_id: Some(WIDE),
        session_id: WIDE + 1,
        chunk_id: WIDE + 2,
        closed: WIDE + 3,
        command: Some(CloseCommand::Delete),
    };
    let bytes = message!(maker, 24, {
        "u.close_trace_chunk.relayd_id.is_set": 1, "u.close_trace_chunk.relayd_id.value": WIDE,
        "u.close_trace_chunk.session_id": WIDE + 1, "u.close_trace_chunk.chunk_id": WIDE + 2,
        "u.close_trace_chunk.close_timestamp": WIDE + 3, "u.close_trace_chunk.close_command.is_set": 1,
        "u.close_trace_chunk.close_command.value": 2,
    });
    ust(UstRequest::CloseTraceChunk(chunk), &bytes);
    let chunk = TraceChunkExists { relayd_id: Some(WIDE), session_id: WIDE + 1, chunk_id: WIDE + 2 };
    let bytes = message!(maker, 25, {
        "u.trace_chunk_exists.relayd_id.is_set": 1, "u.trace_chunk_exists.relayd_id.value": WIDE,
        "u.trace_chunk_exists.session_id": WIDE + 1, "u.trace_chunk_exists.chunk_id": WIDE + 2,
    });
    ust(UstRequest::TraceChunkExists(chunk), &bytes);
}

fn small(maker: &mut Maker) {
    let (stream_key, key, cpu) = (WIDE, WIDE + 1, WORD as i32);
    let bytes = message!(maker, 1, {
        "u.stream.stream_key": stream_key, "u.stream.channel_key": key, "u.stream.cpu": cpu,
    });
    kernel(KernelRequest::AddStream { stream_key, key, cpu }, &bytes);
    let bytes = message!(maker, 5, { "u.destroy_relayd.net_seq_idx": WIDE });
    ust(UstRequest::DestroyRelayd { relayd_id: WIDE }, &bytes);
    let bytes = message!(maker, 6, { "u.data_pending.session_id": WIDE });
    ust(UstRequest::DataPending { session_id: WIDE }, &bytes);
    let bytes = message!(maker, 8, { "u.get_channel.key": WIDE });
    ust(UstRequest::GetChannel { key: WIDE }, &bytes);
    let push =
        UstRequest::PushMetadata { key: WIDE, target_offset: WIDE + 1, len: WIDE + 2, version: WIDE + 3 };
    let bytes = message!(maker, 10, {
        "u.push_metadata.key": WIDE, "u.push_metadata.target_offset": WIDE + 1, "u.push_metadata.len": WIDE + 2,
        "u.push_metadata.version": WIDE + 3,
    });
    ust(push, &bytes);
    let bytes =
        message!(maker, 16, { "u.sent_streams.channel_key": key, "u.sent_streams.net_seq_idx": WIDE });
    kernel(KernelRequest::StreamsSent { key, relayd_id: Some(WIDE) }, &bytes);
    let bytes =
        message!(maker, 17, { "u.discarded_events.session_id": WIDE, "u.discarded_events.channel_key": key });
    ust(UstRequest::DiscardedEvents { session_id: WIDE, key }, &bytes);
    let bytes = message!(maker, 21, {
        "u.rotate_channel.metadata": 1, "u.rotate_channel.relayd_id": WIDE, "u.rotate_channel.key": key,
    });
    ust(UstRequest::RotateChannel { metadata: true, relayd_id: Some(WIDE), key }, &bytes);
    let bytes = message!(maker, 22, { "u.init.sessiond_uuid": "0123456789abcdef" });
    ust(UstRequest::Init { uuid: *b"0123456789abcdef" }, &bytes);
}

fn replies(maker: &mut Maker) {
    // Two numbers each that follow one another, no structures.
    let two = [ordered(WIDE, 8), ordered(WORD.into(), 4)].concat();
    assert_eq!(ChannelHead { size: WIDE, kind: WORD }.encode(), two);
    assert_eq!(StreamHead { size: WIDE, number: WORD }.encode(), two);
    assert_eq!(Status(-7).encode(), made!(maker, "lttcomm_consumer_status_msg", { "ret_code": -7 }));
    let status = ChannelStatus { code: -7, key: WIDE, stream_count: WORD };
    let bytes = made!(maker, "lttcomm_consumer_status_channel", {
        "ret_code": -7, "key": WIDE, "stream_count": WORD,
    });
    assert_eq!(status.encode(), bytes);
    assert_eq!(ChannelStatus::decode(&bytes), Ok(status));
    let reply = CloseReply { code: -7, path_length: 5 };
    let bytes =
        made!(maker, "lttcomm_consumer_close_trace_chunk_reply", { "ret_code": -7, "path_length": 5 });
    assert_eq!(reply.encode(), bytes);
    assert_eq!(CloseReply::decode(&bytes), Ok(reply));
    let request = MetadataRequest {
        session_id: WIDE,
        session_id_per_pid: WIDE + 1,
        bits_per_long: 64,
        uid: WORD,
        key: WIDE + 2,
    };
    let bytes = made!(maker, "lttcomm_metadata_request_msg", {
        "session_id": WIDE, "session_id_per_pid": WIDE + 1, "bits_per_long": 64, "uid": WORD, "key": WIDE + 2,
    });
    assert_eq!(request.encode(), bytes);
    assert_eq!(MetadataRequest::decode(&bytes), Ok(request));
    let sample = MonitorSample { key: WIDE, lowest: WIDE + 1, highest: WIDE + 2, total_consumed: WIDE + 3 };
    let bytes = made!(maker, "lttcomm_consumer_channel_monitor_msg", {
        "key": WIDE, "lowest": WIDE + 1, "highest": WIDE + 2, "total_consumed": WIDE + 3,
    });
    assert_eq!(sample.encode(), bytes);
    assert_eq!(MonitorSample::decode(&bytes), Ok(sample));
}
