// SPDX-License-Identifier: GPL-2.0-only
//! The parts of the client protocol that say where data goes and what becomes of it: URLs, outputs, snapshots,
//! rotations. That the recorded bytes go round is tested in `client_vectors.rs`; here is what they say.

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

use lttng_protocol::client::*;
use lttng_protocol::codec::Reader;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

/// The bytes of a recording, with the numbers in the order of this machine.
fn vector(name: &str) -> Vec<u8> {
    let path = folder().join("client").join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if name.ends_with(".req.bin") { messages::request(&bytes) } else { messages::reply(&bytes) }
}

fn parts(name: &str) -> (Header, Vec<u8>) {
    let bytes = vector(name);
    let (head, payload) = bytes.split_at(Header::LEN);
    (Header::decode(head).unwrap(), payload.to_vec())
}

fn body(name: &str) -> Body {
    let (header, payload) = parts(name);
    decode_body(&header, &payload).unwrap_or_else(|code| panic!("{name}: {code:?}"))
}

fn reply(name: &str) -> Reply {
    Reply::decode(&vector(name)).unwrap()
}

/// Descriptors of each kind that the client library can make, and the listing that follows.
#[test]
fn sessions_of_every_kind_are_created_as_recorded() {
    let asked = |name: &str| match body(name) {
        Body::CreateSession { home, descriptor } => (home, descriptor),
        other => panic!("{other:?}"),
    };
    let answered = |name: &str| {
        let reply = reply(name);
        let mut reader = Reader::new("test", &reply.payload);
        SessionDescriptor::decode(&mut reader).unwrap()
    };
    let (home, descriptor) = asked("create-net-default.req.bin");
    assert_eq!((home.as_deref(), descriptor.output), (Some("/tmp/demo"), SessionOutput::Network(None)));
    let local = || SessionOutput::Network(Some(Box::new(NetworkOutput::local())));
    assert_eq!(answered("create-net-default.rep.bin").output, local());
    assert_eq!(asked("create-live-default.req.bin").1.kind, SessionKind::Live { timer: 1_000_000 });
    assert_eq!(answered("create-live-default.rep.bin").output, local());
    assert_eq!(answered("create-live-no-output.rep.bin").output, SessionOutput::None);
    let (_, snapshot) = asked("create-snapshot-net.req.bin");
    assert_eq!(snapshot, answered("create-snapshot-net.rep.bin"));
    let SessionOutput::Network(Some(network)) = snapshot.output else { panic!() };
    assert_eq!((snapshot.kind, network.control.subdir.as_str()), (SessionKind::Snapshot, "snapdir"));
}

#[test]
fn snapshots_read_as_recorded() {
    let output = |name: &str| match body(name) {
        Body::SnapshotAddOutput(output) | Body::SnapshotDelOutput(output) | Body::SnapshotRecord(output) => {
            *output
        }
        other => panic!("{other:?}"),
    };
    let wanted = |id, max_size, name: &str, control_url: &str, data_url: &str| SnapshotOutput {
        id,
        max_size,
        name: name.into(),
        control_url: control_url.into(),
        data_url: data_url.into(),
    };
    let added = output("snapshot-add-output-net.req.bin");
    assert_eq!(added, wanted(0, Some(1 << 20), "far", "net://127.0.0.1/abc", ""));
    let (header, _) = parts("snapshot-add-output-net.req.bin");
    assert_eq!(Reply::ok(&header).with_snapshot_output(2), reply("snapshot-add-output-net.rep.bin"));
    let record = output("snapshot-record-url.req.bin");
    assert_eq!(record, wanted(0, Some(1 << 20), "once", "net://127.0.0.1/recurl", ""));
    assert_eq!(output("snapshot-record.req.bin"), wanted(0, None, "", "", ""));
    assert_eq!(output("snapshot-del-output.req.bin").id, 1);
    assert_eq!(output("snapshot-del-output-name.req.bin"), wanted(0, None, "far", "", ""));
    let refused = output("snapshot-record-refused.req.bin");
    assert_eq!(OutputUrl::parse(&refused.control_url, &refused.data_url), Err(UrlError::Incomplete));
    let listed = |name: &str| SnapshotOutput::decode_list(&reply(name).payload).unwrap();
    let network = OutputUrl::parse(&added.control_url, &added.data_url).unwrap().network().unwrap();
    let (control, data) = (network.control.to_url(), network.data.to_url());
    assert_eq!(
        listed("snapshot-list-outputs-net.rep.bin"),
        [wanted(2, Some(1 << 20), "far", &control, &data)]
    );
    let file = wanted(4, Some(0), "snapshot-4", "/tmp/demo/snapfile", "");
    assert_eq!(listed("snapshot-list-outputs-file.rep.bin"), [file]);
    let two = output("snapshot-add-output-two-urls.req.bin");
    let network = OutputUrl::parse(&two.control_url, &two.data_url).unwrap().network();
    assert_eq!(network, Some(NetworkOutput::local()));
}

#[test]
fn rotations_read_as_recorded() {
    let schedule = |name: &str| match body(name) {
        Body::SetRotationSchedule { kind, set, value } => {
            (ScheduleKind::from_number(kind).unwrap(), set, value)
        }
        other => panic!("{other:?}"),
    };
    let period = 600_000_000;
    assert_eq!(schedule("rotation-set-schedule-periodic.req.bin"), (ScheduleKind::Periodic, true, period));
    assert_eq!(schedule("rotation-set-schedule-size.req.bin"), (ScheduleKind::Size, true, 64 << 20));
    assert_eq!(schedule("rotation-unset-schedule-periodic.req.bin"), (ScheduleKind::Periodic, false, period));
    let schedules = RotationSchedules::decode(&reply("list-rotation-schedules-both.rep.bin").payload);
    assert_eq!(schedules, Ok(RotationSchedules { periodic: Some(period), size: Some(64 << 20) }));
    let (header, _) = parts("rotate.req.bin");
    assert_eq!(Reply::ok(&header).with_rotation(0), reply("rotate.rep.bin"));
    assert_eq!(body("rotate.req.bin"), Body::RotateSession);
    assert_eq!(body("rotation-info-ongoing.req.bin"), Body::RotationInfo { id: 0 });
    assert_eq!(body("clear.req.bin"), Body::ClearSession);
    let relay = |host: &str, ports: (u16, u16), path: &str| ArchiveLocation::Relay {
        host: host.into(),
        control_port: ports.0,
        data_port: ports.1,
        path: path.into(),
    };
    let info = |name: &str| RotationInfo::decode(&reply(name).payload).unwrap();
    let done = |location| RotationInfo { state: RotationState::Completed, location: Some(location) };
    let first = relay("127.0.0.1", (5342, 5343), "vm/n1-20261123-014443");
    assert_eq!(info("rotation-info-completed-net.rep.bin"), done(first));
    let first = relay("::1", (6342, 6343), "n6/vm-20261123-014451/sub/dir");
    assert_eq!(info("rotation-info-completed-net6.rep.bin"), done(first));
    let last = relay(
        "127.0.0.1",
        (5342, 5343),
        "vm/n1-20261123-014443/archives/20261123T014450+0000-20261123T014450+0000-3",
    );
    let destroyed = Reply::deferred(Command::DestroySession, ErrorCode::Ok)
        .with_rotation_state(RotationState::Completed)
        .with_payload(last.encode());
    assert_eq!(destroyed.encode(), vector("destroy-implicit-rotation-net.rep.bin"));
}

/// Every URL that the original's parser was given. `None`: ours wants the host looked up, or reads no number in
/// text.
#[test]
fn urls_mean_what_the_original_reads() {
    let mut counts = (0, 0);
    for line in std::fs::read_to_string(folder().join("url/parsed.tsv")).unwrap().lines() {
        let [control, data, result] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let parsed = OutputUrl::parse(control, data);
        let shown = match &parsed {
            Ok(OutputUrl::Path(path)) => Some(format!("3,0,0,,{path},file://{path}/")),
            Ok(network) => network.network().map(|output| {
                let show = |uri: &Uri| {
                    let (kind, address) = match &uri.destination {
                        Destination::Ipv4(address) => (1, address),
                        Destination::Ipv6(address) => (2, address),
                        Destination::Path(_) => panic!("{line}"),
                    };
                    let stream = i32::from(uri.stream == StreamType::Data);
                    format!("{kind},{stream},{},{},{address},{}", uri.port, uri.subdir, uri.to_url())
                };
                format!("{} | {}", show(&output.control), show(&output.data))
            }),
            Err(_) => None,
        };
        let looked_up = ["net://127.1", "net://1"].contains(&control);
        let number = ["1a", "+1", " 1"].iter().any(|port| control.ends_with(&format!(":{port}")));
        if result == "refused" {
            assert_eq!(shown, None, "{line}");
            counts.0 += 1;
        } else if result.contains('|') || result.starts_with('3') {
            let expected = (!looked_up && !number).then(|| result.to_owned());
            assert_eq!(shown, expected, "{line}");
            counts.1 += 1;
        } else {
            // A network URL for one connection: refused later by the original.
            assert!(parsed.is_err(), "{line}");
        }
    }
    assert_eq!(counts, (51, 61));
}

#[test]
fn names_are_left_to_be_looked_up() {
    let url = OutputUrl::parse("net6://relay.example:1:2/a", "").unwrap();
    assert_eq!(url.network(), None);
    let OutputUrl::Network { control, data } = &url else { panic!() };
    assert_eq!(
        (control.host.as_str(), control.family, control.address()),
        ("relay.example", Family::Ipv6, None)
    );
    assert_eq!((control.port, data.port, control.subdir.as_str()), (1, 2, "a"));
    let network = url.network_at("2001:db8::1", "2001:db8::1").unwrap();
    assert_eq!(network.control.to_url(), "tcp6://[2001:db8::1]:1/a");
    assert_eq!(url.network_at("2001:db8::1", "2001:db8::2"), None);
    let pair = OutputUrl::parse("tcp://one.example", "tcp://two.example").unwrap();
    assert!(pair.network_at("10.0.0.1", "10.0.0.1").is_some());
    assert_eq!(OutputUrl::parse("/a", "").unwrap().network_at("10.0.0.1", "10.0.0.1"), None);
}

#[test]
fn damaged_requests_are_refused() {
    let (header, payload) = parts("set-consumer-uri-net.req.bin");
    let damaged = |at: usize, value: u8| {
        let mut payload = payload.clone();
        payload[at] = value;
        decode_body(&header, &payload)
    };
    assert_eq!(damaged(0, 4), Err(ErrorCode::Invalid), "destination");
    assert_eq!(damaged(8, 2), Err(ErrorCode::Invalid), "stream");
    assert_eq!(damaged(18, 0xff), Err(ErrorCode::Invalid), "text");
    assert_eq!(decode_body(&header, &payload[1..]), Err(ErrorCode::SessionFail));
    let none = Header::new(Command::SetConsumerUri, "demo");
    assert_eq!(decode_body(&none, &[]), Err(ErrorCode::Invalid));
    for (name, url) in [("snapshot-add-output-net.req.bin", 267), ("snapshot-record-url.req.bin", 271)] {
        let (mut header, _) = parts(name);
        header.parameters[url] = 0xff;
        assert_eq!(decode_body(&header, &[]), Err(ErrorCode::Invalid), "{name}");
        assert_eq!(decode_body(&header, &[0]), Err(ErrorCode::Invalid), "{name}");
    }
    let (mut header, _) = parts("snapshot-add-output-net.req.bin");
    header.parameters[12] = 0xff;
    assert!(decode_body(&header, &[]).is_ok(), "a name need not be UTF-8");
    let unknown = Body::SetRotationSchedule { kind: 9, set: true, value: 0 };
    let (header, payload) = unknown.encode("demo", 0, 0);
    assert_eq!(decode_body(&header, &payload), Ok(unknown), "the kind is the daemon's to refuse");
}

fn any_urls() -> impl Strategy<Value = (String, String)> {
    let host = r"(1\.2\.3\.4|localhost|\[::1\]|x)";
    let rest = r"(:[0-9]{0,5}){0,2}(/[a-z:./]{0,5})?";
    let whole = |schemes: &str| proptest::string::string_regex(&format!("{schemes}://{host}{rest}")).unwrap();
    let text = r"(net|tcp|file|NET)?[46]?(://)?[a-z0-9:./\[\]]{0,30}";
    prop_oneof![
        (text, "[a-z0-9:./]{0,12}"),
        (whole("(net|NET4|net6)"), Just(String::new())),
        (whole("tcp[46]?"), whole("tcp[46]?")),
    ]
}

fn any_uri() -> impl Strategy<Value = Uri> {
    let destination = prop_oneof![
        "[0-9.]{1,15}".prop_map(Destination::Ipv4),
        "[0-9a-f:]{1,45}".prop_map(Destination::Ipv6),
        "/[^\0]{0,200}".prop_map(Destination::Path),
    ];
    let stream = prop_oneof![Just(StreamType::Control), Just(StreamType::Data)];
    (destination, stream, any::<u16>(), "[^\0]{0,200}").prop_map(|(destination, stream, port, subdir)| Uri {
        destination,
        stream,
        port,
        subdir,
    })
}

fn any_snapshot() -> impl Strategy<Value = SnapshotOutput> {
    let max_size = option::of(0..u64::MAX);
    (any::<u32>(), max_size, "[^\0]{0,60}", "[^\0]{0,300}", "[^\0]{0,300}").prop_map(
        |(id, max_size, name, control_url, data_url)| SnapshotOutput {
            id,
            max_size,
            name,
            control_url,
            data_url,
        },
    )
}

fn any_body() -> impl Strategy<Value = Body> {
    let output = || any_snapshot().prop_map(Box::new);
    prop_oneof![
        Just(Body::ClearSession),
        Just(Body::RotateSession),
        Just(Body::SnapshotListOutput),
        any::<u64>().prop_map(|id| Body::RotationInfo { id }),
        any::<(u8, bool, u64)>().prop_map(|(kind, set, value)| Body::SetRotationSchedule {
            kind,
            set,
            value
        }),
        vec(any_uri(), 1..3).prop_map(|uris| Body::SetConsumerUri { uris }),
        output().prop_map(Body::SnapshotAddOutput),
        output().prop_map(Body::SnapshotDelOutput),
        output().prop_map(Body::SnapshotRecord),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn requests_go_round(body in any_body()) {
        let (header, payload) = body.encode("demo", 0, 0);
        let header = Header::decode(&header.encode()).unwrap();
        prop_assert_eq!(header.payload_len(), payload.len() as u64);
        prop_assert!(header.payload_len() <= header.payload_limit());
        prop_assert_eq!(header.command(), Some(body.command()));
        prop_assert_eq!(decode_body(&header, &payload), Ok(body));
    }

    #[test]
    fn snapshot_lists_go_round(outputs in vec(any_snapshot(), 0..4), cut in 1..SnapshotOutput::LEN) {
        let bytes = SnapshotOutput::encode_list(&outputs);
        prop_assert_eq!(bytes.len(), outputs.len() * SnapshotOutput::LEN);
        if !outputs.is_empty() {
            prop_assert!(SnapshotOutput::decode_list(&bytes[cut..]).is_err());
        }
        prop_assert_eq!(SnapshotOutput::decode_list(&bytes), Ok(outputs));
    }

    /// Whatever parses names the same output again when it is printed as listings do.
    #[test]
    fn urls_are_total((control, data) in any_urls()) {
        let Ok(url) = OutputUrl::parse(&control, &data) else { return Ok(()) };
        if let Some(output) = url.network() {
            let again = OutputUrl::parse(&output.control.to_url(), &output.data.to_url()).unwrap();
            prop_assert_eq!(again.network(), Some(output));
        }
    }
}
