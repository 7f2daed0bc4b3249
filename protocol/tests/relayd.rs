// SPDX-License-Identifier: GPL-2.0-only
//! The relay daemon protocol against recorded bytes of stock programs, made-up values and damaged bytes.

// Helpers and strategies stand outside the test functions that the lints spare.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use lttng_protocol::codec::{ErrorKind, Writer};
use lttng_protocol::consumer::CloseCommand;
use lttng_protocol::relayd::*;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/relayd")
}

fn vector(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The version that a recorded request was sent in.
fn version(name: &str) -> Version {
    let minor = if name.contains("-2.1.") { 3 } else { 13 };
    Version { major: 2, minor: if name.contains("-2.4.") { 10 } else { minor } }
}

fn request(name: &str) -> Request {
    decode(&vector(name), version(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn decode(bytes: &[u8], version: Version) -> lttng_protocol::codec::Result<Request> {
    let (head, payload) = bytes.split_at(Header::LEN);
    Request::decode(&Header::decode(head)?, payload, version)
}

fn session(name: &str) -> Session {
    match request(name) {
        Request::CreateSession(CreateSession::Full(session)) => *session,
        other => panic!("{other:?}"),
    }
}

/// Decodes a reply's fixed part and encodes it again; tells the length of the path that it announces.
fn again(request: &Request, head: &[u8]) -> (Vec<u8>, u32) {
    match request {
        Request::Version(_) => (Version::decode(head).unwrap().encode(), 0),
        Request::GetConfiguration => (Configuration::decode(head).unwrap().encode(), 0),
        Request::CreateSession(session) => {
            let reply = CreateSessionReply::decode(head, session.layout()).unwrap();
            (reply.encode(session.layout()), reply.path_length)
        }
        Request::CreateTraceChunk(_) => (Code::decode(head).unwrap().encode(), 0),
        Request::CloseTraceChunk(_) => {
            let reply = CloseTraceChunkReply::decode(head).unwrap();
            (reply.encode(), reply.path_length)
        }
        Request::TraceChunkExists { .. } => (TraceChunkExistsReply::decode(head).unwrap().encode(), 0),
    }
}

#[test]
fn every_recorded_message_goes_round() {
    let names = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    let requests = names.iter().filter(|name| name.ends_with(".bin") && !name.ends_with(".reply.bin"));
    let mut count = 0;
    for name in requests {
        let request = request(name);
        if name == "create-session-2.4.bin" {
            // The original sends stale memory behind the names; zeros are sent instead.
            assert_eq!(request.encode().len(), vector(name).len());
        } else {
            assert_eq!(request.encode(), vector(name), "{name}");
        }
        let reply = vector(&name.replace(".bin", ".reply.bin"));
        let (head, path) = reply.split_at(request.reply_len());
        let (bytes, path_length) = again(&request, head);
        assert_eq!(bytes, head, "{name}: reply");
        assert_eq!(path.len(), path_length as usize, "{name}: path");
        count += 1;
    }
    assert_eq!(count, 17);
}

#[test]
fn versions_agree_on_the_older() {
    assert_eq!(request("version-2.13.bin"), Request::Version(Version::LOCAL));
    let agreed = |bytes: &[u8]| Version::decode(bytes).unwrap().agreed();
    assert_eq!(agreed(&vector("version-2.13.reply.bin")), Some(Version::LOCAL));
    assert_eq!(agreed(&vector("version-3.reply.bin")), None);
    let answered = |minor| Version { major: 2, minor }.agreed().unwrap();
    assert_eq!(answered(14), Version::LOCAL);
    assert_eq!((answered(3).session_layout(), answered(4).session_layout()), {
        (SessionLayout::Unnamed, SessionLayout::Named)
    });
    assert_eq!((answered(10).session_layout(), answered(11).session_layout()), {
        (SessionLayout::Named, SessionLayout::Full)
    });
    assert_eq!((answered(10).has_chunks(), answered(11).has_chunks()), (false, true));
    assert_eq!((answered(11).has_configuration(), answered(12).has_configuration()), (false, true));
}

#[test]
fn sessions_are_created_as_recorded() {
    let plain = session("create-session-2.11.bin");
    assert_eq!(
        (plain.name.as_str(), plain.hostname.as_str(), plain.base_path.as_str()),
        ("netsess", "vm", "")
    );
    assert_eq!((plain.live_timer, plain.snapshot, plain.chunk_id), (0, false, None));
    assert!(!plain.name_has_date && plain.session_id == 0 && plain.created == 0x6b03_451a);
    assert_eq!(session("create-session-2.11-live.bin").live_timer, 500_000);
    assert!(session("create-session-2.11-snapshot.bin").snapshot);
    assert_eq!(session("create-session-2.11-base-path.bin").base_path, "some/base");
    let snapshot = session("create-session-2.11-snapshot-base-path.bin");
    assert_eq!((snapshot.base_path.as_str(), snapshot.snapshot), ("recurl", true));
    let Request::CreateSession(CreateSession::Named(named)) = request("create-session-2.4.bin") else {
        panic!()
    };
    assert_eq!((named.name.as_str(), named.hostname.as_str()), ("fminor10", "vm"));
    assert_eq!((named.live_timer, named.snapshot), (0, false));
    assert_eq!(request("create-session-2.1.bin"), Request::CreateSession(CreateSession::Unnamed));
}

#[test]
fn replies_read_as_recorded() {
    let created = |name: &str| {
        let reply = vector(name);
        let (head, path) = reply.split_at(CreateSessionReply::len(SessionLayout::Full));
        (CreateSessionReply::decode(head, SessionLayout::Full).unwrap(), decode_path(path))
    };
    let (reply, path) = created("create-session-2.11.reply.bin");
    assert_eq!((reply.session_id, reply.code), (1, Code::OK));
    assert_eq!(path, "vm/netsess-20261122-194010");
    let (reply, path) = created("create-session-refused.reply.bin");
    assert_eq!((reply.code, reply.code.is_ok(), path.as_str()), (Code::REFUSED, false, ""));
    let (_, path) = created("create-session-2.11-group-by-session.reply.bin");
    assert_eq!(path, "n6/vm-20261123-014451/sub/dir");
    let configuration = |name: &str| Configuration::decode(&vector(name)).unwrap();
    assert!(configuration("get-configuration.reply.bin").clear_allowed());
    assert!(!configuration("get-configuration-clear-refused.reply.bin").clear_allowed());
    let exists = TraceChunkExistsReply::decode(&vector("consumer-trace-chunk-exists.reply.bin")).unwrap();
    assert_eq!(exists, TraceChunkExistsReply { code: Code::OK, exists: false });
}

#[test]
fn chunks_read_as_recorded() {
    let Request::CreateTraceChunk(chunk) = request("consumer-create-trace-chunk-named.bin") else { panic!() };
    assert!(chunk.override_name.unwrap().starts_with("snapshot-"));
    let Request::CloseTraceChunk(chunk) = request("consumer-close-trace-chunk.bin") else { panic!() };
    assert_eq!((chunk.chunk_id, chunk.command), (0, Some(CloseCommand::MoveToCompleted)));
}

/// Every request of the recorded conversations that has a type here reads and encodes to the same bytes.
#[test]
fn recorded_conversations_go_round() {
    let mut count = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "txt") {
            continue;
        }
        let mut current = Version::LOCAL;
        for line in std::fs::read_to_string(&path).unwrap().lines().filter(|line| !line.starts_with('#')) {
            let (line, _) = line.split_once(';').unwrap_or((line, ""));
            let mut words = line.split_whitespace().skip(1);
            let speaker = words.next().unwrap();
            let outgoing = words.next() == Some(">");
            let size: usize = words.next().unwrap().parse().unwrap();
            let bytes = unpack(words);
            if !outgoing {
                if speaker == "sessiond" && size == Version::LEN {
                    current = Version::decode(&bytes).unwrap().agreed().unwrap_or(Version::LOCAL);
                }
                continue;
            }
            let Some(number) = Number::from_number(u32::from_be_bytes(bytes[16..20].try_into().unwrap()))
            else {
                continue;
            };
            assert_eq!(bytes.len(), size);
            let request = decode(&bytes, current).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(request.number(), number);
            if current.session_layout() != SessionLayout::Named {
                assert_eq!(request.encode(), bytes, "{line}");
            }
            count += 1;
        }
    }
    assert_eq!(count, 98);
}

/// The bytes of one line: hexadecimal, with `{00*N}` for N zeros.
fn unpack<'a>(words: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in words {
        if let Some(count) = word.strip_prefix("{00*").and_then(|word| word.strip_suffix('}')) {
            bytes.resize(bytes.len() + count.parse::<usize>().unwrap(), 0);
            continue;
        }
        for pair in word.as_bytes().chunks(2) {
            bytes.push(u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
        }
    }
    bytes
}

#[test]
fn damaged_messages_are_refused() {
    let bytes = vector("create-session-2.11-base-path.bin");
    let kind = |bytes: &[u8]| decode(bytes, Version::LOCAL).unwrap_err().kind;
    for end in Header::LEN..bytes.len() {
        assert_eq!(kind(&bytes[..end]), ErrorKind::Truncated);
    }
    let mut long = bytes.clone();
    long[24..28].copy_from_slice(&256_u32.to_be_bytes());
    assert_eq!(kind(&long), ErrorKind::TooLong(256));
    let mut header = Writer::default();
    Header { data_size: Header::MAX_DATA + 1, number: 2 }.encode(&mut header);
    assert_eq!(kind(&header.into_bytes()), ErrorKind::TooLong(Header::MAX_DATA + 1));
    let mut unknown = bytes;
    unknown[16..20].copy_from_slice(&13_u32.to_be_bytes());
    assert_eq!(kind(&unknown), ErrorKind::BadValue(13));
    let reply = CloseTraceChunkReply { code: Code::OK, path_length: MAX_PATH + 1 }.encode();
    assert_eq!(CloseTraceChunkReply::decode(&reply).unwrap_err().kind, ErrorKind::TooLong(4097));
    assert!(TraceChunkExistsReply::decode(&[0; 4]).is_err() && Code::decode(&[0; 5]).is_err());
}

#[test]
fn sessions_that_a_version_cannot_say_are_refused() {
    let plain = session("create-session-2.11.bin");
    let ask = |session: &Session, minor| session.clone().request(Version { major: 2, minor });
    let long = Session { hostname: "h".repeat(64), ..plain.clone() };
    assert_eq!(ask(&long, 10).unwrap_err().kind, ErrorKind::TooLong(64));
    assert_eq!(ask(&long, 3), Ok(CreateSession::Unnamed));
    assert_eq!(ask(&long, 11), Ok(CreateSession::Full(Box::new(long))));
    let long = Session { name: "n".repeat(255), ..plain.clone() };
    assert!(ask(&long, 4).is_err() && ask(&long, 13).is_err());
    let long = Session { base_path: "p".repeat(4096), ..plain };
    assert!(ask(&long, 10).is_ok() && ask(&long, 13).is_err());
}

prop_compose! {
    fn any_session()(
        (name, hostname, base_path) in ("[^\0]{1,60}", "[a-z.-]{0,255}", "[^\0]{0,1000}"),
        (live_timer, snapshot, name_has_date) in any::<(u32, bool, bool)>(),
        (sessiond_uuid, session_id, created) in any::<([u8; 16], u64, u64)>(),
        chunk_id in option::of(any::<u64>()),
    ) -> Session {
        Session {
            name, hostname, base_path, live_timer, snapshot, name_has_date, sessiond_uuid, session_id, created,
            chunk_id,
        }
    }
}

fn any_request() -> impl Strategy<Value = (Request, Version)> {
    let command = prop_oneof![Just(CloseCommand::MoveToCompleted), Just(CloseCommand::Delete)];
    let chunk = (any::<u64>(), any::<u64>(), option::of("[^\0]{0,60}"));
    let request = prop_oneof![
        any::<(u32, u32)>().prop_map(|(major, minor)| Request::Version(Version { major, minor })),
        Just(Request::GetConfiguration),
        chunk.prop_map(|(chunk_id, created, override_name)| {
            Request::CreateTraceChunk(CreateTraceChunk { chunk_id, created, override_name })
        }),
        (any::<u64>(), any::<u64>(), option::of(command)).prop_map(|(chunk_id, closed, command)| {
            Request::CloseTraceChunk(CloseTraceChunk { chunk_id, closed, command })
        }),
        any::<u64>().prop_map(|chunk_id| Request::TraceChunkExists { chunk_id }),
    ];
    prop_oneof![
        request.prop_map(|request| (request, Version::LOCAL)),
        (any_session(), 1..14_u32).prop_filter_map("too long", |(session, minor)| {
            let version = Version { major: 2, minor };
            Some((Request::CreateSession(session.request(version).ok()?), version))
        }),
    ]
}

proptest! {
    #[test]
    fn requests_go_round((request, version) in any_request()) {
        let bytes = request.encode();
        prop_assert_eq!(decode(&bytes, version), Ok(request));
    }

    #[test]
    fn replies_go_round(session_id: u64, code: u32, flags: u64, exists: bool, path_length in 0..=MAX_PATH) {
        let code = Code(code);
        for layout in [SessionLayout::Unnamed, SessionLayout::Named, SessionLayout::Full] {
            let path_length = if layout == SessionLayout::Full { path_length } else { 0 };
            let reply = CreateSessionReply { session_id, code, path_length };
            let bytes = reply.encode(layout);
            prop_assert_eq!(bytes.len(), CreateSessionReply::len(layout));
            prop_assert_eq!(CreateSessionReply::decode(&bytes, layout), Ok(reply));
        }
        let reply = CloseTraceChunkReply { code, path_length };
        prop_assert_eq!(CloseTraceChunkReply::decode(&reply.encode()), Ok(reply));
        let reply = TraceChunkExistsReply { code, exists };
        prop_assert_eq!(TraceChunkExistsReply::decode(&reply.encode()), Ok(reply));
        let reply = Configuration { code, flags };
        prop_assert_eq!(Configuration::decode(&reply.encode()), Ok(reply));
        prop_assert_eq!(Code::decode(&code.encode()), Ok(code));
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in vec(any::<u8>(), 0..400), number in 0..24_u32, minor in 0..16_u32) {
        let _ = Header::decode(&bytes);
        let header = Header { data_size: bytes.len() as u64, number };
        let _ = Request::decode(&header, &bytes, Version { major: 2, minor });
        let _ = decode_path(&bytes);
        for layout in [SessionLayout::Unnamed, SessionLayout::Full] {
            let _ = CreateSessionReply::decode(&bytes, layout);
        }
    }
}
