// SPDX-License-Identifier: GPL-2.0-only
//! The protocol of logging agents against recorded bytes of the stock daemon and stock agents, made-up values and damaged
//! bytes.

// Helpers and strategies stand outside the test functions that the lints spare.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::path::PathBuf;

use lttng_protocol::Text;
use lttng_protocol::agent::*;
use lttng_protocol::codec::ErrorKind;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/agent")
}

fn vector(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn decode(bytes: &[u8]) -> lttng_protocol::codec::Result<Request> {
    let (head, payload) = bytes.split_at(Header::LEN);
    Request::decode(&Header::decode(head)?, payload)
}

fn request(name: &str) -> Request {
    let bytes = vector(name);
    let request = decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(request.encode(), bytes, "{name}");
    request
}

fn list(bytes: &[u8]) -> Vec<String> {
    let (head, rest) = bytes.split_at(ListHead::LEN);
    let head = ListHead::decode(head).unwrap();
    assert_eq!(head.following(), rest.len());
    let names = Names::decode(rest).unwrap();
    let slices: Vec<&[u8]> = names.iter().collect();
    assert_eq!(Names::answer(&slices), bytes);
    let mut at = 0;
    for &name in &slices {
        let (found, next) = names.at(at).unwrap();
        assert_eq!(found, name);
        at = next;
    }
    assert_eq!(names.at(at), None);
    slices.into_iter().map(|name| String::from_utf8(name.to_vec()).unwrap()).collect()
}

#[test]
fn agents_introduce_themselves() {
    for (name, domain) in [("jul", 3), ("log4j", 4), ("python", 5)] {
        let bytes = vector(&format!("register-{name}.a2d.bin"));
        let registration = Registration::decode(&bytes).unwrap();
        assert_eq!((registration.domain, registration.version), (domain, Version::OURS));
        assert!(registration.pid > 1);
        assert_eq!(registration.encode(), bytes);
    }
}

#[test]
fn rules_say_level_name_and_filter() {
    let rule = |name: &str| match request(name) {
        Request::Enable(rule) => {
            let text = |text: &Text| text.to_string();
            (text(&rule.name), rule.levels, rule.level, rule.filter.as_ref().map(text))
        }
        other => panic!("{name}: {other:?}"),
    };
    let expected = |name: &str, levels, level, filter: Option<&str>| {
        (name.to_owned(), levels, level, filter.map(str::to_owned))
    };
    assert_eq!(
        rule("enable-python-name.d2a.bin"),
        expected("my.logger", LevelKind::All, 10, Some("logger_name == \"my.logger\""))
    );
    assert_eq!(
        rule("enable-jul-range.d2a.bin"),
        expected(
            "other.jul",
            LevelKind::AtLeast,
            900,
            Some("(logger_name == \"other.jul\") && (int_loglevel >= 900)")
        )
    );
    assert_eq!(rule("enable-log4j-single.d2a.bin").1, LevelKind::Exactly);
    assert_eq!(rule("enable-jul-name.d2a.bin").2, i32::MIN);
    assert_eq!(rule("enable-python-all.d2a.bin"), expected("*", LevelKind::All, 10, None));
}

#[test]
fn the_other_requests() {
    assert_eq!(request("list.d2a.bin"), Request::List);
    assert_eq!(request("reg-done.d2a.bin"), Request::RegistrationDone);
    assert_eq!(request("disable-python.d2a.bin"), Request::Disable("my.logger".into()));
    let context = Context { provider: "prov".into(), name: "intCtx".into() };
    assert_eq!(request("app-ctx-enable.d2a.bin"), Request::EnableContext(context.clone()));
    assert_eq!(request("app-ctx-disable.d2a.bin"), Request::DisableContext(context));
}

#[test]
fn answers() {
    assert_eq!(Code::decode(&vector("reply-success.a2d.bin")), Ok(Code::SUCCESS));
    assert_eq!(list(&vector("list-empty.a2d.bin")), [""; 0]);
    assert_eq!(list(&vector("list-jul.a2d.bin")), ["my.jul.logger", "other.jul"]);
    assert_eq!(list(&vector("list-python.a2d.bin")).len(), 3);
}

#[test]
fn every_recorded_message_is_read_and_written_again() {
    let mut read = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".d2a.bin") {
            request(&name);
        } else if name.starts_with("list-") {
            list(&vector(&name));
        } else if name.ends_with(".txt") {
            replay(&name);
        } else {
            continue;
        }
        read += 1;
    }
    assert!(read >= 25, "{read}");
}

/// Reads a whole recorded connection: each request is answered in its form before the next one.
fn replay(name: &str) {
    let text = String::from_utf8(vector(name)).unwrap();
    let (mut down, mut up) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (direction, size, hex) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let hex = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let bytes: Vec<u8> = hex.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        assert_eq!(bytes.len(), size.parse::<usize>().unwrap(), "{name}");
        if direction == "agent>daemon" { up.extend(bytes) } else { down.extend(bytes) }
    }
    let mut take = |count: usize| up.drain(..count).collect::<Vec<u8>>();
    Registration::decode(&take(Registration::LEN)).unwrap();
    while !down.is_empty() {
        let header = Header::decode(&down[..Header::LEN]).unwrap();
        let length = Header::LEN + usize::try_from(header.data_size).unwrap();
        let bytes: Vec<u8> = down.drain(..length).collect();
        let request = decode(&bytes).unwrap();
        assert_eq!(request.encode(), bytes, "{name}");
        match request {
            Request::RegistrationDone => {}
            Request::List => {
                let head = take(ListHead::LEN);
                let following = ListHead::decode(&head).unwrap().following();
                list(&[head, take(following)].concat());
            }
            _ => assert_eq!(Code::decode(&take(Code::LEN)), Ok(Code::SUCCESS), "{name}"),
        }
    }
    assert!(up.is_empty(), "{name}: {up:?}");
}

#[test]
fn lists_have_limits() {
    let head = |code: u32, size: u32| [code.to_be_bytes(), size.to_be_bytes()].concat();
    assert_eq!(ListHead::decode(&head(1, 1 << 20)).unwrap().following(), (1 << 20) + 4);
    let error = ListHead::decode(&head(1, u32::MAX)).unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLong(u64::from(u32::MAX)));
    // What is not there has no length.
    assert_eq!(ListHead::decode(&head(3, u32::MAX)).unwrap().following(), 0);
    let names = |count: u32, names: &[u8]| Names::decode(&[&count.to_be_bytes()[..], names].concat());
    assert_eq!(names(2, b"a\0\0").unwrap().iter().collect::<Vec<_>>(), [&b"a"[..], b""]);
    let mut some = names(4, b"abc\0ab\0\0abcd\0").unwrap();
    assert_eq!(some.leave_out_longer(3), 2);
    assert_eq!(some.iter().collect::<Vec<_>>(), [&b"ab"[..], b""]);
    assert_eq!(names(1, b"a").unwrap_err().kind, ErrorKind::BadString);
    assert_eq!(names(1, b"a\0b\0").unwrap_err().kind, ErrorKind::BadValue(1));
    assert_eq!(names(0, b"\0").unwrap_err().kind, ErrorKind::BadValue(0));
    assert_eq!(names(65_537, &[0; 65_537]).unwrap_err().kind, ErrorKind::TooLong(65_537));
    assert_eq!(names(65_536, &[0; 65_536]).unwrap().iter().count(), 65_536);
}

fn text(length: usize) -> impl Strategy<Value = Text> {
    vec(1..=u8::MAX, 0..length).prop_map(Text::from)
}

fn requests() -> impl Strategy<Value = Request> {
    let levels = prop_oneof![Just(LevelKind::All), Just(LevelKind::AtLeast), Just(LevelKind::Exactly)];
    let rule = (text(NAME_SIZE), levels, any::<i32>(), option::of(text(600)));
    let rule = rule.prop_map(|(name, levels, level, filter)| Rule { name, levels, level, filter });
    let context = || (text(300), text(300)).prop_map(|(provider, name)| Context { provider, name });
    prop_oneof![
        Just(Request::List),
        Just(Request::RegistrationDone),
        rule.prop_map(Request::Enable),
        text(NAME_SIZE).prop_map(Request::Disable),
        context().prop_map(Request::EnableContext),
        context().prop_map(Request::DisableContext),
    ]
}

proptest! {
    #[test]
    fn requests_go_round(request in requests()) {
        prop_assert_eq!(decode(&request.encode()), Ok(request));
    }

    #[test]
    fn damaged_bytes_are_refused_or_read(request in requests(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = request.encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode(&bytes);
        let _ = decode(&bytes[..at.max(Header::LEN)]);
        let _ = Names::decode(&bytes);
    }
}
