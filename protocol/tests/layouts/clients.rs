// SPDX-License-Identifier: GPL-2.0-only
//! Requests and replies of clients.

use lttng_protocol::Reader;
use lttng_protocol::client::*;
use lttng_protocol::health;

use crate::maker::{Maker, encoded, made};
use crate::{SHORT, WIDE, WORD};

/// What a command has in the request's head, and its bytes otherwise. A request of session `s` about the channel `c` of
/// applications.
fn request(maker: &Maker, body: &Body, head: &[u8], payload: &[u8]) {
    let bytes = body.request("s", Some((Domain::Ust, BufferType::Global)));
    let name = format!("{:?}", body.command());
    assert_eq!(bytes.len(), maker.size("lttcomm_session_msg") + payload.len(), "{name}");
    let (head_bytes, payload_bytes) = bytes.split_at(head.len());
    assert!(head_bytes == head, "{name}: head");
    assert!(payload_bytes == payload, "{name}: {payload_bytes:02x?} is not {payload:02x?}");
    let header = Header::decode(head).unwrap();
    assert_eq!(decode_body(&header, payload).as_ref(), Ok(body), "{name}");
}

macro_rules! head {
    ($maker:expr, $command:ident, { $($way:literal: $value:expr),* $(,)? }) => {
        made!($maker, "lttcomm_session_msg", {
            "cmd_type": Command::$command.number(), "session.name": "s", "domain.type": 2, "domain.buf_type": 2,
            $($way: $value),*
        })
    };
}

pub fn check(maker: &mut Maker) {
    heads(maker);
    parameters(maker);
    outputs(maker);
    rules(maker);
    contexts(maker);
    trackers(maker);
    replies(maker);
}

fn heads(maker: &mut Maker) {
    let mut header = Header::new(Command::ListDomains, "s");
    (header.domain_type, header.buffer_type, header.domain_word, header.fd_count) =
        (WORD, WORD + 1, WORD + 2, WORD + 3);
    let bytes = made!(maker, "lttcomm_session_msg", {
        "cmd_type": Command::ListDomains.number(), "session.name": "s", "domain.type": WORD,
        "domain.buf_type": WORD + 1, "domain.attr.pid": WORD + 2, "fd_count": WORD + 3,
    });
    assert_eq!(header.encode(), bytes);
    assert_eq!(Header::decode(&bytes), Ok(header));
}

fn parameters(maker: &mut Maker) {
    let head = head!(maker, DisableChannel, { "u.list.channel_name": "c" });
    request(maker, &Body::DisableChannel { channel: "c".into() }, &head, &[]);
    let head = head!(maker, SaveSession, {
        "u.save_session.attr.session_name": "s1", "u.save_session.attr.configuration_url": "/d",
        "u.save_session.attr.overwrite": 1,
    });
    let body =
        Body::SaveSession { session: Some("s1".into()), directory: Some("/d".into()), overwrite: true };
    request(maker, &body, &head, &[]);
    let head = head!(maker, SetShmPath, { "u.set_shm_path.shm_path": "/p" });
    request(maker, &Body::SetShmPath { path: "/p".into() }, &head, &[]);
    let attribute = WORD as i32;
    let head = head!(maker, TrackerGetInclusionSet, {
        "u.process_attr_tracker_get_inclusion_set.process_attr": attribute,
    });
    request(maker, &Body::TrackerSet { attribute }, &head, &[]);
    let head = head!(maker, TrackerGetPolicy, {
        "u.process_attr_tracker_get_tracking_policy.process_attr": attribute,
    });
    request(maker, &Body::TrackerPolicy { attribute }, &head, &[]);
    let head = head!(maker, TrackerSetPolicy, {
        "u.process_attr_tracker_set_tracking_policy.process_attr": attribute,
        "u.process_attr_tracker_set_tracking_policy.tracking_policy": attribute + 1,
    });
    request(maker, &Body::TrackerSetPolicy { attribute, policy: attribute + 1 }, &head, &[]);
    let head = head!(maker, RotationGetInfo, { "u.get_rotation_info.rotation_id": WIDE });
    request(maker, &Body::RotationInfo { id: WIDE }, &head, &[]);
    let head = head!(maker, RotationSetSchedule, {
        "u.rotation_set_schedule.type": 1, "u.rotation_set_schedule.set": 1, "u.rotation_set_schedule.value": WIDE,
    });
    request(maker, &Body::SetRotationSchedule { kind: 1, set: true, value: WIDE }, &head, &[]);
}

fn outputs(maker: &mut Maker) {
    let uri = Uri {
        destination: Destination::Ipv6("::1".into()),
        stream: StreamType::Data,
        port: SHORT,
        subdir: "d".into(),
    };
    let uri_bytes = made!(maker, "lttng_uri", {
        "dtype": 2, "utype": 0, "stype": 1, "proto": 1, "port": SHORT, "subdir": "d", "dst.ipv6": "::1",
    });
    let head = head!(maker, SetConsumerUri, { "u.uri.size": 1 });
    request(maker, &Body::SetConsumerUri { uris: vec![uri] }, &head, &uri_bytes);
    for (destination, bytes) in [
        (
            Destination::Ipv4("1.2".into()),
            made!(maker, "lttng_uri", { "dtype": 1, "proto": 1, "dst.ipv4": "1.2" }),
        ),
        (Destination::Path("/p".into()), made!(maker, "lttng_uri", { "dtype": 3, "dst.path": "/p" })),
    ] {
        let uri = Uri { destination, stream: StreamType::Control, port: 0, subdir: String::new() };
        assert_eq!(encoded(|writer| uri.encode(writer)), bytes);
    }

    let output = || {
        let (control_url, data_url) = ("net".into(), "data".into());
        Box::new(SnapshotOutput { id: WORD, max_size: Some(WIDE), name: "n".into(), control_url, data_url })
    };
    let bytes = made!(maker, "lttng_snapshot_output", {
        "id": WORD, "max_size": WIDE, "name": "n", "ctrl_url": "net", "data_url": "data",
    });
    assert_eq!(SnapshotOutput::encode_list(&[*output(), *output()]), bytes.repeat(2));
    let head = head!(maker, SnapshotAddOutput, {
        "u.snapshot_output.output.id": WORD, "u.snapshot_output.output.max_size": WIDE,
        "u.snapshot_output.output.name": "n", "u.snapshot_output.output.ctrl_url": "net",
        "u.snapshot_output.output.data_url": "data",
    });
    request(maker, &Body::SnapshotAddOutput(output()), &head, &[]);
    let head = head!(maker, SnapshotRecord, {
        "u.snapshot_record.output.id": WORD, "u.snapshot_record.output.max_size": WIDE,
        "u.snapshot_record.output.name": "n", "u.snapshot_record.output.ctrl_url": "net",
        "u.snapshot_record.output.data_url": "data",
    });
    request(maker, &Body::SnapshotRecord(output()), &head, &[]);

    let create = |kind, descriptor_head: Vec<u8>, maker: &mut Maker| {
        let payload = [b"/h\0", &descriptor_head[..], b"n\0"].concat();
        let head = head!(maker, CreateSessionExt, {
            "u.create_session.home_dir_size": 3, "u.create_session.session_descriptor_size": payload.len() - 3,
        });
        let descriptor = SessionDescriptor { kind, name: Some("n".into()), output: SessionOutput::None };
        request(maker, &Body::CreateSession { home: Some("/h".into()), descriptor }, &head, &payload);
    };
    let regular = made!(maker, "lttng_session_descriptor_comm", {
        "type": 1, "output_type": 0, "name_len": 2, "uri_count": 0,
    });
    create(SessionKind::Regular, regular, maker);
    let live = made!(maker, "lttng_session_descriptor_live_comm", {
        "base.type": 3, "base.name_len": 2, "live_timer_us": WIDE,
    });
    create(SessionKind::Live { timer: WIDE }, live, maker);
}

fn rules(maker: &mut Maker) {
    let channel = Channel {
        name: "ch".into(),
        enabled: true,
        overwrite: Overwrite::from_number(-1).unwrap(),
        subbuf_size: WIDE,
        num_subbuf: WIDE + 1,
        switch_timer: WORD,
        read_timer: WORD + 1,
        output: ChannelOutput::Mmap,
        tracefile_size: WIDE + 2,
        tracefile_count: WIDE + 3,
        live_timer: WORD + 2,
        discarded_events: WIDE + 4,
        lost_packets: WIDE + 5,
        monitor_timer: WIDE + 6,
        blocking_timeout: -2,
    };
    let bytes = made!(maker, "lttng_channel_comm", {
        "name_len": 3, "enabled": 1, "overwrite": -1, "subbuf_size": WIDE, "num_subbuf": WIDE + 1,
        "switch_timer_interval": WORD, "read_timer_interval": WORD + 1, "output": 1, "tracefile_size": WIDE + 2,
        "tracefile_count": WIDE + 3, "live_timer_interval": WORD + 2, "discarded_events": WIDE + 4,
        "lost_packets": WIDE + 5, "monitor_timer_interval": WIDE + 6, "blocking_timeout": -2_i64,
    });
    let payload = [&bytes[..], b"ch\0"].concat();
    let head = head!(maker, EnableChannel, { "u.channel.length": payload.len() });
    request(maker, &Body::EnableChannel(channel), &head, &payload);

    let code = Bytecode { reloc_offset: 2, seqnum: WIDE, data: vec![1, 2, 3] };
    let bytecode = made!(maker, "lttng_bytecode", { "len": 3, "reloc_table_offset": 2, "seqnum": WIDE });
    let event = Event {
        loglevel_type: -2,
        loglevel: -3,
        exclusions: vec!["x".into()],
        filter: Some("f".into()),
        bytecode: Some(code),
        enabled: -4,
        pid: WORD as i32,
        flags: WORD + 1,
        ..Event::tracepoint("ev")
    };
    let bytes = made!(maker, "lttng_event_comm", {
        "event_type": 0, "loglevel_type": -2, "loglevel": -3, "enabled": -4, "pid": WORD, "flags": WORD + 1,
        "name_len": 3, "exclusion_count": 1, "filter_expression_len": 2, "bytecode_len": 51,
    });
    let exclusion = made!(maker, "lttng_event_exclusion_comm", { "len": 2 });
    let payload = [&bytes[..], b"ev\0", &exclusion, b"x\0f\0", &bytecode, &[1, 2, 3]].concat();
    let head = head!(maker, EnableEvent, { "u.enable.channel_name": "c", "u.enable.length": payload.len() });
    request(maker, &Body::EnableEvent { channel: "c".into(), event: event.clone() }, &head, &payload);
    let fields = made!(maker, "lttng_event_field_comm", {
        "type": 3, "nowrite": 1, "name_len": 2, "event_len": payload.len(),
    });
    let field = EventField { field_type: FieldType::Float, nowrite: true, name: "f".into(), event };
    assert_eq!(encoded(|writer| field.encode(writer)), [&fields[..], b"f\0", &payload].concat());

    let head = made!(maker, "lttng_event_comm", { "event_type": 4, "loglevel": -1, "name_len": 2 });
    let event =
        Event { instrumentation: Instrumentation::Noop, loglevel: -1, enabled: 0, ..Event::tracepoint("n") };
    let payload = [&head[..], b"n\0"].concat();
    let head =
        head!(maker, DisableEvent, { "u.disable.channel_name": "c", "u.disable.length": payload.len() });
    request(maker, &Body::DisableEvent { channel: "c".into(), event }, &head, &payload);

    let event = |instrumentation| {
        let event = Event { instrumentation, ..Event::tracepoint("p") };
        let bytes = encoded(|writer| event.encode(writer));
        assert_eq!(Event::decode(&mut Reader::new("event", &bytes)), Ok(event));
        bytes
    };
    let probe = KernelProbe { address: WIDE, offset: WIDE + 1, symbol: "sy".into() };
    let attributes = made!(maker, "lttng_event_probe_attr_comm", {
        "addr": WIDE, "offset": WIDE + 1, "symbol_name_len": 3,
    });
    let head = made!(maker, "lttng_event_comm", {
        "event_type": 1, "enabled": -1, "name_len": 2, "lttng_event_probe_attr_len": 23,
    });
    assert_eq!(event(Instrumentation::Probe(probe)), [&head[..], b"p\0", &attributes, b"sy\0"].concat());
    let attributes = made!(maker, "lttng_event_function_attr_comm", { "symbol_name_len": 3 });
    let head = made!(maker, "lttng_event_comm", {
        "event_type": 3, "enabled": -1, "name_len": 2, "lttng_event_function_attr_len": 7,
    });
    let entry = Instrumentation::FunctionEntry("sy".into());
    assert_eq!(event(entry), [&head[..], b"p\0", &attributes, b"sy\0"].concat());

    let (binary, elf) = ("/b".to_owned(), true);
    let function = ProbeLocation::Function { function: "main".into(), binary: binary.clone(), elf };
    let location = [
        made!(maker, "lttng_userspace_probe_location_comm", { "type": 0 }),
        made!(maker, "lttng_userspace_probe_location_function_comm", { "function_name_len": 5, "binary_path_len": 3 }),
        b"main\0/b\0".to_vec(),
        made!(maker, "lttng_userspace_probe_location_lookup_method_comm", { "type": 1 }),
    ]
    .concat();
    let head = made!(maker, "lttng_event_comm", {
        "event_type": 6, "enabled": -1, "name_len": 2, "userspace_probe_location_len": location.len(),
    });
    assert_eq!(event(Instrumentation::UserspaceProbe(function)), [&head[..], b"p\0", &location].concat());
    let sdt = ProbeLocation::Tracepoint { probe: "abc".into(), provider: "p".into(), binary };
    let location = [
        made!(maker, "lttng_userspace_probe_location_comm", { "type": 1 }),
        made!(maker, "lttng_userspace_probe_location_tracepoint_comm", {
            "probe_name_len": 4, "provider_name_len": 2, "binary_path_len": 3,
        }),
        b"abc\0p\0/b\0".to_vec(),
        made!(maker, "lttng_userspace_probe_location_lookup_method_comm", { "type": 2 }),
    ]
    .concat();
    assert!(event(Instrumentation::UserspaceProbe(sdt)).ends_with(&location));
}

fn contexts(maker: &mut Maker) {
    let perf = Context::Perf {
        context_type: Context::PERF_THREAD_COUNTER,
        perf_type: WORD,
        config: WIDE,
        name: "perf".into(),
    };
    let perf_bytes = [
        made!(maker, "lttng_event_context_comm", { "type": 14 }),
        made!(maker, "lttng_event_context_perf_counter_comm", { "type": WORD, "config": WIDE, "name_len": 5 }),
        b"perf\0".to_vec(),
    ]
    .concat();
    let application = Context::Application { provider: "pr".into(), name: "n".into() };
    let application_bytes = [
        made!(maker, "lttng_event_context_comm", { "type": 15 }),
        made!(maker, "lttng_event_context_app_comm", { "provider_name_len": 3, "ctx_name_len": 2 }),
        b"pr\0n\0".to_vec(),
    ]
    .concat();
    for (context, payload) in [(perf, perf_bytes), (application, application_bytes)] {
        let head =
            head!(maker, AddContext, { "u.context.channel_name": "c", "u.context.length": payload.len() });
        request(maker, &Body::AddContext { channel: "c".into(), context }, &head, &payload);
    }
}

fn trackers(maker: &mut Maker) {
    let attribute = WORD as i32;
    let head = head!(maker, TrackerAddValue, {
        "u.process_attr_tracker_add_remove_include_value.process_attr": attribute,
        "u.process_attr_tracker_add_remove_include_value.value_type": 1,
        "u.process_attr_tracker_add_remove_include_value.integral_value.u._unsigned": WIDE,
    });
    request(maker, &Body::TrackerAdd { attribute, value: TrackerValue::Uid(WIDE) }, &head, &[]);
    let head = head!(maker, TrackerRemoveValue, {
        "u.process_attr_tracker_add_remove_include_value.process_attr": attribute,
        "u.process_attr_tracker_add_remove_include_value.value_type": 2,
        "u.process_attr_tracker_add_remove_include_value.name_len": 5,
    });
    let value = TrackerValue::UserName("user".into());
    request(maker, &Body::TrackerRemove { attribute, value: value.clone() }, &head, b"user\0");
    let bytes = [
        made!(maker, "process_attr_tracker_values_comm_header", { "count": 2 }),
        made!(maker, "process_attr_tracker_value_comm", { "type": 0, "value.integral.u._signed": -9_i64 }),
        made!(maker, "process_attr_tracker_value_comm", { "type": 2, "value.name_len": 5 }),
        b"user\0".to_vec(),
    ]
    .concat();
    let values = [TrackerValue::Pid(-9), value];
    assert_eq!(TrackerValue::encode_list(&values), bytes);
    assert_eq!(TrackerValue::decode_list(&bytes).as_deref(), Ok(&values[..]));
}

fn replies(maker: &mut Maker) {
    let mut reply = Reply::ok(&Header::new(Command::ListDomains, "")).with_count(WORD);
    (reply.pid, reply.fd_count, reply.payload) = (WORD + 1, WORD + 2, vec![1, 2, 3]);
    let bytes = [
        made!(maker, "lttcomm_lttng_msg", {
            "cmd_type": Command::ListDomains.number(), "ret_code": ErrorCode::Ok.number(), "pid": WORD + 1,
            "cmd_header_size": 4, "data_size": 3, "fd_count": WORD + 2,
        }),
        made!(maker, "lttcomm_list_command_header", { "count": WORD }),
        vec![1, 2, 3],
    ]
    .concat();
    assert_eq!(reply.encode(), bytes);
    assert_eq!(Reply::decode(&bytes).as_ref(), Ok(&reply));
    assert_eq!(Reply::length(&bytes), Some(bytes.len()));
    let state = made!(maker, "lttcomm_session_destroy_command_header", { "rotation_state": -1 });
    assert!(
        reply
            .clone()
            .with_rotation_state(RotationState::Error)
            .encode()
            .ends_with(&[&state[..], &[1, 2, 3]].concat())
    );
    let number = made!(maker, "lttcomm_lttng_output_id", { "id": WORD });
    assert_eq!(reply.clone().with_snapshot_output(WORD).payload, number);
    let number = made!(maker, "lttng_rotate_session_return", { "rotation_id": WIDE });
    assert_eq!(reply.with_rotation(WIDE).payload, number);

    let session = |name: &str, created| Session {
        name: name.into(),
        path: "/t".into(),
        active: true,
        snapshot_mode: true,
        live_timer: WORD,
        created,
    };
    let first = |maker: &mut Maker, name| {
        made!(maker, "lttng_session", {
            "name": name, "path": "/t", "enabled": 1, "snapshot_mode": 1, "live_timer_interval": WORD,
        })
    };
    let second = |maker: &mut Maker, created| made!(maker, "lttng_session_extended", { "creation_time.value": created, "creation_time.is_set": 1 });
    let bytes = [first(maker, "a"), first(maker, "b"), second(maker, WIDE), second(maker, WIDE + 1)].concat();
    let sessions = [session("a", WIDE), session("b", WIDE + 1)];
    assert!(Session::encode_list(&sessions) == bytes);
    assert_eq!(Session::decode_list(&bytes).as_deref(), Ok(&sessions[..]));
    let domains = [DomainEntry { domain: Domain::Kernel, buffer_type: BufferType::Global }; 2];
    let bytes = made!(maker, "lttng_domain", { "type": 1, "buf_type": 2 }).repeat(2);
    assert_eq!(DomainEntry::encode_list(&domains), bytes);

    let schedules = RotationSchedules { periodic: Some(WIDE), size: Some(WIDE + 1) };
    let bytes = made!(maker, "lttng_session_list_schedules_return", {
        "periodic.set": 1, "periodic.value": WIDE, "size.set": 1, "size.value": WIDE + 1,
    });
    assert_eq!(schedules.encode(), bytes);
    assert_eq!(RotationSchedules::decode(&bytes), Ok(schedules));
    locations(maker);
    let reply = health::encode([health::Component::Consumer]);
    assert_eq!(reply.to_vec(), made!(maker, "health_comm_reply", { "ret_code": 16 }));
    assert_eq!(maker.size("health_comm_msg"), health::REQUEST_LEN);
}

fn locations(maker: &mut Maker) {
    let local = ArchiveLocation::Local { path: "/a".into() };
    let (control_port, data_port) = (SHORT, SHORT + 1);
    let relay = ArchiveLocation::Relay { host: "host".into(), control_port, data_port, path: "r".into() };
    let local_bytes =
        made!(maker, "lttng_trace_archive_location_comm", { "type": 1, "types.local.absolute_path_len": 3 });
    let relay_bytes = made!(maker, "lttng_trace_archive_location_comm", {
        "type": 2, "types.relay.hostname_len": 5, "types.relay.protocol": 0, "types.relay.ports.control": SHORT,
        "types.relay.ports.data": SHORT + 1, "types.relay.relative_path_len": 2,
    });
    let local_info = made!(maker, "lttng_rotation_get_info_return", {
        "status": 2, "location_type": 1, "location.local.absolute_path": "/a",
    });
    let relay_info = made!(maker, "lttng_rotation_get_info_return", {
        "status": 2, "location_type": 2, "location.relay.host": "host", "location.relay.protocol": 0,
        "location.relay.ports.control": SHORT, "location.relay.ports.data": SHORT + 1,
        "location.relay.relative_path": "r",
    });
    for (location, bytes, info_bytes) in [
        (local, [&local_bytes[..], b"/a\0"].concat(), local_info),
        (relay, [&relay_bytes[..], b"host\0r\0"].concat(), relay_info),
    ] {
        assert_eq!(location.encode(), bytes);
        assert_eq!(ArchiveLocation::decode(&bytes).as_ref(), Ok(&location));
        let info = RotationInfo { state: RotationState::Completed, location: Some(location) };
        assert!(info.encode() == info_bytes);
        assert_eq!(RotationInfo::decode(&info_bytes), Ok(info));
    }
}
