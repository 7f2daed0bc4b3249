// SPDX-License-Identifier: GPL-2.0-only
//! Rules that are refused, rules that are accepted though they look odd, and rules that are the same.

use super::*;

fn rule(bytes: &[u8]) -> std::result::Result<EventRule, ErrorKind> {
    let mut reader = Reader::new("test", bytes);
    let rule = EventRule::decode(&mut reader).map_err(|error| error.kind)?;
    reader.finish().map_err(|error| error.kind)?;
    Ok(rule)
}

fn encoded(rule: &EventRule) -> Vec<u8> {
    let mut writer = Writer::default();
    rule.encode(&mut writer);
    writer.into_bytes()
}

/// A type, numbers, and what follows them.
fn made(kind: u8, numbers: &[u32], rest: &[u8]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.u8(kind);
    for &number in numbers {
        writer.u32(number);
    }
    writer.bytes(rest);
    writer.into_bytes()
}

/// The numbers of each kind whose pattern and filter have these lengths, with neither level nor exclusions.
fn with_texts(pattern: u32, filter: u32) -> Vec<(u8, Vec<u32>)> {
    vec![
        (0, vec![1, pattern, filter]),
        (2, vec![pattern, filter]),
        (4, vec![pattern, filter, 0, 0, 0]),
        (5, vec![pattern, filter, 0]),
        (6, vec![pattern, filter, 0]),
        (7, vec![pattern, filter, 0]),
    ]
}

fn user(log_level: Option<LogLevelRule>, exclusions: &[&str]) -> EventRule {
    EventRule::UserTracepoint {
        pattern: "p".into(),
        filter: None,
        log_level,
        exclusions: exclusions.iter().map(|&name| name.into()).collect(),
    }
}

fn function(name: &str, binary: &str) -> ProbeLocation {
    ProbeLocation::Function { function: name.to_owned(), binary: binary.to_owned(), elf: true }
}

fn uprobe(place: ProbeLocation, binary: Option<FileId>) -> EventRule {
    EventRule::KernelUprobe { name: "u".into(), location: UserspaceLocation { place, binary } }
}

#[test]
fn kinds_that_there_are_not() {
    for kind in [8, 9, 255] {
        assert_eq!(rule(&made(kind, &[2, 0, 0], b"p\0")), Err(ErrorKind::BadValue(kind.into())));
    }
    assert_eq!(rule(b""), Err(ErrorKind::Truncated));
}

#[test]
fn patterns_are_whole_and_not_empty() {
    for (kind, numbers) in with_texts(3, 0) {
        assert!(rule(&made(kind, &numbers, b"ab\0")).is_ok(), "{kind}");
        assert_eq!(rule(&made(kind, &numbers, b"abc")), Err(ErrorKind::BadString), "{kind}");
        assert_eq!(rule(&made(kind, &numbers, b"a\0\0")), Err(ErrorKind::BadString), "{kind}");
        assert_eq!(rule(&made(kind, &numbers, b"ab")), Err(ErrorKind::Truncated), "{kind}");
        assert_eq!(rule(&made(kind, &numbers, b"ab\0c")), Err(ErrorKind::TrailingBytes), "{kind}");
    }
    for (kind, numbers) in with_texts(1, 0) {
        assert_eq!(rule(&made(kind, &numbers, b"\0")), Err(ErrorKind::BadString), "{kind}");
    }
    for (kind, numbers) in with_texts(0, 0) {
        assert_eq!(rule(&made(kind, &numbers, b"")), Err(ErrorKind::BadString), "{kind}");
    }
    for (kind, numbers) in with_texts(u32::MAX, 0) {
        assert_eq!(rule(&made(kind, &numbers, b"ab\0")), Err(ErrorKind::Truncated), "{kind}");
    }
}

#[test]
fn patterns_have_no_limit_and_no_runs_of_stars() {
    let pattern = |bytes: &[u8]| match rule(bytes) {
        Ok(EventRule::KernelTracepoint { pattern, .. }) => pattern,
        other => panic!("{other:?}"),
    };
    let long = "p".repeat(1000);
    assert_eq!(pattern(&made(2, &[1001, 0], format!("{long}\0").as_bytes())), *long);
    assert_eq!(pattern(&made(2, &[8, 0], b"a**b***\0")), "a*b*");
    assert_eq!(pattern(&made(2, &[4, 0], b"a\xffb\0")), Text::from(b"a\xffb".as_slice()));
}

#[test]
fn filters_are_absent_or_not_empty() {
    for (kind, numbers) in with_texts(2, 1) {
        assert_eq!(rule(&made(kind, &numbers, b"p\0\0")), Err(ErrorKind::BadString), "{kind}");
    }
    for (kind, numbers) in with_texts(2, 6) {
        let filtered = rule(&made(kind, &numbers, b"p\0a == \0")).unwrap();
        assert_eq!(filtered.filter(), Some(&"a == ".into()), "{kind}");
    }
    for (kind, numbers) in with_texts(2, 0) {
        assert_eq!(rule(&made(kind, &numbers, b"p\0")).unwrap().filter(), None, "{kind}");
    }
}

#[test]
fn system_calls_have_a_site() {
    for site in 0..3 {
        let bytes = made(0, &[site, 2, 0], b"*\0");
        let syscall = rule(&bytes).unwrap();
        assert!(
            matches!(&syscall, EventRule::KernelSyscall { site: decoded, .. } if decoded.number() == site)
        );
        assert_eq!(encoded(&syscall), bytes);
    }
    assert_eq!(rule(&made(0, &[3, 2, 0], b"*\0")), Err(ErrorKind::BadValue(3)));
}

#[test]
fn log_levels_of_applications() {
    let level = |kind: u8, padding: u8, level: i32| {
        let mut rest = vec![b'p', 0, kind, padding, padding, padding];
        rest.extend(level.to_ne_bytes());
        rule(&made(4, &[2, 0, 8, 0, 0], &rest))
    };
    for number in [0, 14] {
        assert_eq!(level(0, 0, number), Ok(user(Some(LogLevelRule::Exactly(number)), &[])));
        assert_eq!(level(1, 0xaa, number), Ok(user(Some(LogLevelRule::AtLeast(number)), &[])));
    }
    for number in [15, -1, i32::MIN, i32::MAX] {
        assert!(matches!(level(1, 0, number), Err(ErrorKind::BadValue(_))), "{number}");
    }
    assert_eq!(level(2, 0, 6), Err(ErrorKind::BadValue(2)));
    assert_eq!(level(0xff, 0, 6), Err(ErrorKind::BadValue(255)));
    for length in [1, 5, 7, 9, 16] {
        assert_eq!(rule(&made(4, &[2, 0, length, 0, 0], &[b'p'; 40])), Err(ErrorKind::BadString));
        let bytes = made(4, &[2, 0, length, 0, 0], &[&b"p\0"[..], &[0; 16]].concat());
        assert_eq!(rule(&bytes), Err(ErrorKind::BadValue(length.into())));
    }
}

#[test]
fn loggers_have_any_level() {
    for kind in 5..8 {
        for level in [i32::MIN, -1, 15, i32::MAX] {
            let rest = [&b"p\0\x01\0\0\0"[..], &level.to_ne_bytes()].concat();
            let bytes = made(kind, &[2, 0, 8], &rest);
            let logging = rule(&bytes).unwrap();
            assert!(
                matches!(&logging, EventRule::Logging { domain, log_level: Some(LogLevelRule::AtLeast(decoded)), .. }
                if domain.number() == kind && *decoded == level)
            );
            assert_eq!(encoded(&logging), bytes);
        }
        assert_eq!(rule(&made(kind, &[2, 0, 8], b"p\0\x02\0\0\0\0\0\0\0")), Err(ErrorKind::BadValue(2)));
        assert_eq!(rule(&made(kind, &[2, 0, 4], b"p\0\0\0\0\0")), Err(ErrorKind::BadValue(4)));
    }
}

#[test]
fn exclusions_have_at_most_255_bytes() {
    let excluded = |count: u32, total: u32, names: &[&str]| {
        let mut rest = b"p\0".to_vec();
        for name in names {
            rest.extend(wire_len(name).to_ne_bytes());
            rest.extend(name.as_bytes());
            rest.push(0);
        }
        rule(&made(4, &[2, 0, 0, count, total], &rest))
    };
    let (longest, too_long) = ("x".repeat(255), "x".repeat(256));
    assert_eq!(excluded(2, 0, &[&longest, "a**"]), Ok(user(None, &[&longest, "a**"])));
    assert_eq!(excluded(1, u32::MAX, &["a"]), Ok(user(None, &["a"])));
    assert_eq!(excluded(1, 261, &[&too_long]), Err(ErrorKind::TooLong(257)));
    assert_eq!(excluded(1, 7, &["a\0b"]), Err(ErrorKind::BadString));
    assert_eq!(excluded(2, 6, &["a"]), Err(ErrorKind::Truncated));
    assert_eq!(excluded(u32::MAX, 6, &["a"]), Err(ErrorKind::Truncated));
    assert_eq!(excluded(0, 0, &["a"]), Err(ErrorKind::TrailingBytes));
    // The total is made anew.
    let bytes = encoded(&user(None, &["ab", "c"]));
    assert_eq!(&bytes[17..21], 13_u32.to_ne_bytes());
}

#[test]
fn kernel_locations() {
    let kprobe = |name_len: u32, location: &[u8], location_len: usize| {
        rule(&made(1, &[name_len, location_len as u32], &[b"k\0", location].concat()))
    };
    let symbol = |symbol: &str| {
        let mut writer = Writer::default();
        KernelLocation::Symbol { symbol: symbol.to_owned(), offset: 16 }.encode(&mut writer);
        writer.into_bytes()
    };
    let address = [&[1][..], &7_u64.to_ne_bytes()].concat();
    for location in [symbol("do_sys_open"), symbol(&"s".repeat(255)), symbol(""), address.clone()] {
        let kprobe = kprobe(2, &location, location.len()).unwrap();
        assert_eq!(encoded(&kprobe), made(1, &[2, location.len() as u32], &[b"k\0", &location[..]].concat()));
    }
    assert_eq!(kprobe(2, &symbol(&"s".repeat(256)), 270), Err(ErrorKind::TooLong(257)));
    assert_eq!(kprobe(2, &address, 8), Err(ErrorKind::TooLong(8)));
    assert_eq!(kprobe(2, &address, 10), Err(ErrorKind::TooLong(10)));
    assert_eq!(kprobe(2, &[2; 9], 9), Err(ErrorKind::BadValue(2)));
    assert_eq!(kprobe(2, &[], 0), Err(ErrorKind::Truncated));
    assert_eq!(kprobe(0, &address, 9), Err(ErrorKind::BadString));
    assert_eq!(rule(&made(1, &[1, 9], &[b"\0", &address[..]].concat())), Err(ErrorKind::BadString));
}

#[test]
fn userspace_locations() {
    let place = |place: ProbeLocation| rule(&encoded(&uprobe(place, None)));
    let sdt = |probe: &str, provider: &str| ProbeLocation::Tracepoint {
        probe: probe.to_owned(),
        provider: provider.to_owned(),
        binary: "/b".to_owned(),
    };
    let (longest, path) = ("n".repeat(255), format!("/{}", "p".repeat(4094)));
    for good in [
        function("main", "/bin/true"),
        function(&longest, &path),
        sdt("probe", "prov"),
        sdt(&longest, &longest),
    ] {
        assert_eq!(place(good.clone()), Ok(uprobe(good, None)));
    }
    let unset = ProbeLocation::Function { function: "f".to_owned(), binary: "/b".to_owned(), elf: false };
    assert_eq!(place(unset), Err(ErrorKind::BadValue(0)));
    for bad in [function(&"n".repeat(256), "/b"), sdt(&"n".repeat(256), "p"), sdt("p", &"n".repeat(256))] {
        assert_eq!(place(bad), Err(ErrorKind::TooLong(257)));
    }
    assert_eq!(place(function("f", &format!("{path}p"))), Err(ErrorKind::TooLong(4097)));
    let bytes = encoded(&uprobe(function("f", "/b"), None));
    let damaged = |at: usize, value: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        rule(&bytes)
    };
    assert_eq!(damaged(11, 2), Err(ErrorKind::BadValue(2)));
    assert_eq!(damaged(bytes.len() - 1, 2), Err(ErrorKind::BadValue(2)));
    let lowest = if cfg!(target_endian = "big") { 8 } else { 5 };
    assert!(matches!(damaged(lowest, 3), Err(ErrorKind::TooLong(3))));
}

/// Everything about two rules is compared, but for the emission site.
#[test]
fn the_same_rule() {
    let syscall =
        |site, pattern: &str| EventRule::KernelSyscall { site, pattern: pattern.into(), filter: None };
    assert!(syscall(EmissionSite::Entry, "a").same_as(&syscall(EmissionSite::Exit, "a")));
    assert!(!syscall(EmissionSite::Entry, "a").same_as(&syscall(EmissionSite::Entry, "b")));
    let tracepoint = |filter: Option<&str>| EventRule::KernelTracepoint {
        pattern: "a".into(),
        filter: filter.map(Text::from),
    };
    assert!(tracepoint(Some("a == 1")).same_as(&tracepoint(Some("a == 1"))));
    assert!(!tracepoint(Some("a == 1")).same_as(&tracepoint(Some("a==1"))));
    assert!(!tracepoint(Some("a")).same_as(&tracepoint(None)));
    assert!(!tracepoint(None).same_as(&syscall(EmissionSite::Entry, "a")));
    assert!(!user(Some(LogLevelRule::Exactly(3)), &[]).same_as(&user(Some(LogLevelRule::AtLeast(3)), &[])));
    assert!(!user(Some(LogLevelRule::Exactly(3)), &[]).same_as(&user(None, &[])));
    assert!(!user(None, &["a", "b"]).same_as(&user(None, &["b", "a"])));
    assert!(user(None, &["a", "b"]).same_as(&user(None, &["a", "b"])));
}

#[test]
fn the_same_path_may_be_another_binary() {
    let at = |inode| uprobe(function("f", "/b"), Some(FileId { device: 1, inode }));
    assert!(at(1).same_as(&at(1)));
    assert!(!at(1).same_as(&at(2)));
    assert!(!at(1).same_as(&uprobe(function("f", "/c"), Some(FileId { device: 1, inode: 1 }))));
    let mut known = uprobe(function("f", "/b"), None);
    known.userspace_location_mut().unwrap().binary = Some(FileId { device: 1, inode: 1 });
    assert!(known.same_as(&at(1)));
    assert_eq!((known.fd_count(), user(None, &[]).fd_count()), (1, 0));
}
