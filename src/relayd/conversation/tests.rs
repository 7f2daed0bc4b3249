// SPDX-License-Identifier: GPL-2.0-only
//! Conversations with relay daemons of all versions, whole and in pieces.

use lttng_protocol::relayd::{Code, Header};

use super::*;

fn session() -> Session {
    Session {
        name: "name".to_owned(),
        hostname: "host".to_owned(),
        base_path: String::new(),
        live_timer: 0,
        snapshot: false,
        name_has_date: false,
        sessiond_uuid: [7; 16],
        session_id: 3,
        created: 1_700_000_000,
        chunk_id: None,
    }
}

/// The replies of a relay daemon of this version, with what they are replies to.
fn replies(minor: u32) -> Vec<(u32, Vec<u8>)> {
    let version = Version { major: 2, minor };
    let mut replies = vec![(5, version.encode())];
    if minor >= 12 {
        replies.push((22, Configuration { code: Code::OK, flags: 1 }.encode()));
    }
    let layout = version.session_layout();
    let path = b"host/name\0";
    let full = layout == SessionLayout::Full;
    let path_length = if full { u32::try_from(path.len()).unwrap() } else { 0 };
    let mut created = CreateSessionReply { session_id: 9, code: Code::OK, path_length }.encode(layout);
    if full {
        created.extend(path);
    }
    replies.push((2, created));
    replies
}

/// The number of a request.
fn number(request: &[u8]) -> u32 {
    Header::decode(request.get(..Header::LEN).unwrap()).unwrap().number
}

#[test]
fn every_version_in_pieces_of_every_size() {
    for minor in [1, 3, 4, 10, 11, 12, 13, 99] {
        for size in 1..40 {
            let mut talk = Conversation::new(session());
            let mut said = talk.begin();
            let mut end = None;
            for (asked, reply) in replies(minor) {
                assert_eq!(number(&said), asked, "2.{minor}");
                for piece in reply.chunks(size) {
                    match talk.received(piece).unwrap() {
                        Step::More => {}
                        Step::Say(next) => said = next,
                        Step::Agreed(agreement) => end = Some(agreement),
                    }
                }
            }
            let version = Version { major: 2, minor: minor.min(13) };
            let wanted = Agreement { version, clear_allowed: minor >= 12, session_id: 9 };
            assert_eq!(end, Some(wanted), "2.{minor} in pieces of {size}");
        }
    }
}

#[test]
fn refusals() {
    let version = |major, minor| Version { major, minor }.encode();
    let code = Code::REFUSED;
    let refused = CreateSessionReply { session_id: 0, code, path_length: 0 };
    let too_long = CreateSessionReply { session_id: 0, code: Code::OK, path_length: 5000 };
    let full = |reply: CreateSessionReply| reply.encode(SessionLayout::Full);
    let cases: [(&[Vec<u8>], Refusal); 6] = [
        (&[version(1, 13)], Refusal::Version),
        (&[version(3, 0)], Refusal::Version),
        (&[version(2, 12), Configuration { code, flags: 1 }.encode()], Refusal::Unreachable),
        (&[version(2, 11), full(refused)], Refusal::Session),
        (&[version(2, 11), full(too_long)], Refusal::Session),
        (&[version(2, 4), refused.encode(SessionLayout::Named)], Refusal::Session),
    ];
    for (replies, refusal) in cases {
        let mut talk = Conversation::new(session());
        let (last, first) = replies.split_last().unwrap();
        for reply in first {
            assert!(matches!(talk.received(reply), Ok(Step::Say(_))));
        }
        assert_eq!(talk.received(last), Err(refusal));
    }
}

#[test]
fn bytes_that_nobody_asked_for_are_refused() {
    for (extra, at) in [(1, 0), (1, 1), (1, 2), (100, 2)] {
        let mut talk = Conversation::new(session());
        for (index, (_, mut reply)) in replies(13).into_iter().enumerate() {
            if index == at {
                reply.extend(vec![0; extra]);
                assert!(talk.received(&reply).is_err());
                break;
            }
            talk.received(&reply).unwrap();
        }
    }
}

#[test]
fn silence_means_what_was_asked_last() {
    let mut talk = Conversation::new(session());
    let mut meanings = vec![talk.silence()];
    for (_, reply) in replies(13) {
        talk.received(&reply).unwrap();
        meanings.push(talk.silence());
    }
    assert_eq!(
        meanings,
        [Refusal::Unreachable, Refusal::Unreachable, Refusal::Session, Refusal::Unreachable]
    );
}

#[test]
fn a_host_name_that_is_too_long_for_the_version() {
    let long = Session { hostname: "h".repeat(64), ..session() };
    let mut talk = Conversation::new(long.clone());
    assert_eq!(talk.received(&Version { major: 2, minor: 10 }.encode()), Err(Refusal::Session));
    let mut talk = Conversation::new(long);
    assert!(matches!(talk.received(&Version { major: 2, minor: 11 }.encode()), Ok(Step::Say(_))));
}
