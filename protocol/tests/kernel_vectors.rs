// SPDX-License-Identifier: GPL-2.0-only
//! What the stock daemon was recorded to ask of the kernel tracer, and what that answered, against the types.

// Helpers stand outside the test functions that the lints spare.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[allow(dead_code, reason = "only what turns recordings round is needed")]
#[path = "layouts/table.rs"]
mod table;
#[path = "layouts/turn.rs"]
mod turn;

use std::collections::BTreeMap;
use std::path::PathBuf;

use lttng_protocol::client;
use lttng_protocol::kernel::*;
use table::Table;

fn text(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/kernel").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A line of a recording.
struct Line {
    /// Kind of the descriptor.
    object: char,
    name: String,
    number: String,
    before: Vec<u8>,
    after: Option<Vec<u8>>,
    result: String,
    /// The command that it belongs to.
    command: String,
}

fn hexadecimal(field: &str) -> Vec<u8> {
    let digits = if field == "-" { "" } else { field };
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn lines(name: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut command = String::new();
    for line in text(name).lines() {
        if let Some(text) = line.strip_prefix("# ") {
            command = text.to_owned();
            continue;
        }
        let fields: Vec<&str> = line.split('\t').collect();
        let [object, name, number, before, after, result] = fields[..] else { panic!("{line}") };
        lines.push(Line {
            object: object.chars().next().unwrap(),
            name: name.to_owned(),
            number: number.to_owned(),
            before: hexadecimal(before),
            after: (after != "=").then(|| hexadecimal(after)),
            result: result.to_owned(),
            command: command.clone(),
        });
    }
    lines
}

fn all_lines() -> Vec<Line> {
    let names =
        ["lifecycle.tsv", "channels.tsv", "rules.tsv", "contexts.tsv", "trackers.tsv", "triggers.tsv"];
    names.into_iter().flat_map(lines).collect()
}

/// What goes along with a request. Zeros at its end are left out in a recording, and the numbers are those of a
/// little-endian machine.
fn sized(number: u32, bytes: &[u8]) -> Vec<u8> {
    let size = match number {
        0xF690 | 0xF6B8 => {
            let mut length = [0; 4];
            length.copy_from_slice(&bytes[..4]);
            16 + u32::from_le_bytes(length) as usize
        }
        0xF691 => 8,
        _ => (number >> 16 & 0x3FFF) as usize,
    };
    let mut bytes = bytes.to_vec();
    bytes.resize(size, 0);
    let (structure, arm) = match (number & 0xff, size) {
        (0x46, _) => ("tracer_version", ""),
        (0x4b, _) => ("tracer_abi_version", ""),
        (0x54 | 0x55, _) => ("channel", ""),
        (0x63, _) => ("event", instrumentation(&bytes)),
        (0x71, _) => ("context", if bytes[0] == 1 { "perf_counter" } else { "" }),
        (0x84, _) => ("counter_conf", ""),
        (0x90 | 0xb8, _) => ("filter_bytecode", ""),
        (0x91, _) => ("event_callsite", ""),
        (0xa1 | 0xa2, _) => ("tracker_args", ""),
        (0xb0, _) => ("event_notifier", instrumentation(&bytes)),
        (0xc1, _) => ("counter_aggregate", ""),
        (0xc2, _) => ("counter_clear", ""),
        (0x58 | 0x59, 4) => {
            turn::number(&mut bytes);
            return bytes;
        }
        _ => return bytes,
    };
    let (structure, table) = (format!("lttng_kernel_abi_{structure}"), Table::shared());
    let size = table.structure(&structure).size;
    turn::structure(table, &structure, arm, &mut bytes[..size]);
    bytes
}

/// The member of the union of attributes that a recorded event rule has.
fn instrumentation(bytes: &[u8]) -> &'static str {
    match bytes[256] {
        1 => "kprobe",
        3 => "kretprobe",
        5 => "syscall",
        6 => "uprobe",
        _ => "",
    }
}

/// The request of a line, with its argument; `None` for system calls.
fn request(line: &Line) -> Option<(Request, Vec<u8>)> {
    let number = u32::from_str_radix(&line.number, 16).ok()?;
    let bytes = sized(number, &line.before);
    let request = Request::decode(number, &bytes)
        .unwrap_or_else(|error| panic!("{} ({}): {error}", line.name, line.command));
    assert_eq!((request.number(), request.name()), (number, line.name.as_str()));
    Some((request, bytes))
}

fn letter(object: Object) -> char {
    match object {
        Object::Tracer => 'T',
        Object::TracepointList | Object::SyscallList => 'L',
        Object::Session => 'S',
        Object::Channel => 'C',
        Object::MetadataChannel => 'M',
        Object::Stream => 'R',
        Object::Event => 'E',
        Object::EventNotifierGroup => 'G',
        Object::Notifications => 'F',
        Object::EventNotifier => 'N',
        Object::Counter => 'K',
    }
}

#[test]
fn every_recorded_request_goes_round() {
    let mut kinds = BTreeMap::new();
    for line in all_lines() {
        let Some((request, bytes)) = request(&line) else { continue };
        let encoded = match request.argument() {
            Argument::None => Vec::new(),
            Argument::Value(value) => value.to_ne_bytes().to_vec(),
            Argument::Buffer(bytes) => bytes,
        };
        // Behind the end of these texts there is what was on the original's stack.
        let compared = match &request {
            Request::SetName(text) | Request::SetCreationTime(text) => text.len() + 1,
            _ => bytes.len(),
        };
        assert_eq!(encoded.len(), bytes.len(), "{}", line.name);
        assert_eq!(encoded[..compared], bytes[..compared], "{} ({})", line.name, line.command);
        let takers: Vec<char> = request.objects().iter().copied().map(letter).collect();
        assert!(takers.contains(&line.object), "{} of {}", line.name, line.object);
        *kinds.entry(line.name).or_insert(0) += 1;
    }
    assert_eq!(kinds.len(), 33, "{kinds:?}");
}

#[test]
fn recorded_results_are_what_is_expected() {
    for line in all_lines() {
        let Some((request, _)) = request(&line) else { continue };
        let failed = line.result.starts_with('E') && line.result.len() > 3;
        match request.answer() {
            Answer::Descriptor(object) if !failed => {
                assert_eq!(line.result.chars().next(), Some(letter(object)), "{}", line.name);
            }
            _ if failed => {}
            Answer::Bytes => assert_eq!(line.result, "0", "{}", line.name),
            Answer::Nothing => {
                assert_eq!((line.result.as_str(), &line.after), ("0", &None), "{}", line.name);
            }
            Answer::Descriptor(_) => panic!("{}: {}", line.name, line.result),
        }
    }
}

#[test]
fn recorded_answers_are_read() {
    let mut counts = Vec::new();
    for line in all_lines() {
        let Some((request, before)) = request(&line) else { continue };
        let after = line.after.map_or(before, |bytes| sized(request.number(), &bytes));
        match request {
            Request::TracerVersion => {
                let version = TracerVersion { major: 2, minor: 13, patchlevel: 9 };
                assert_eq!(TracerVersion::decode(&after), Ok(version));
                assert_eq!(version.encode(), after);
            }
            Request::AbiVersion => {
                let version = AbiVersion { major: 2, minor: 6 };
                assert_eq!(AbiVersion::decode(&after), Ok(version));
                assert_eq!(version.encode(), after);
            }
            Request::CounterAggregate { index } => {
                let value = CounterValue::decode(&after).unwrap();
                assert_eq!(value.encode(index), after);
                assert!(!value.underflow && !value.overflow);
                counts.push(value.value);
            }
            _ => {}
        }
    }
    assert!(counts.contains(&0) && counts.iter().any(|&count| count > 0), "{counts:?}");
}

/// Requests as this crate's types say them, where the command says what is meant.
#[test]
fn commands_lead_to_the_requests_that_were_recorded() {
    let counter = Request::Counter(CounterConfiguration { size: 4096, bitness: Bitness::Bits64 });
    let metadata = Request::Metadata(Channel::metadata(4096));
    for line in all_lines() {
        let Some((request, _)) = request(&line) else { continue };
        match request {
            Request::Counter(_) => assert_eq!(request, counter),
            Request::Metadata(_) => assert_eq!(request, metadata),
            Request::Event(event) => assert_eq!(event.token, 0),
            _ => {}
        }
    }
}

/// Every number that a client can say, in turn: what the original made of it.
#[test]
fn recorded_contexts_are_those_of_the_table() {
    let recorded: Vec<Context> = lines("contexts.tsv")
        .iter()
        .filter_map(request)
        .filter_map(|(request, _)| match request {
            Request::Context(context) => Some(context),
            _ => None,
        })
        .collect();
    let of_clients: Vec<Context> =
        (0..50).filter_map(|number| Context::for_client(&client::Context::Plain(number))).collect();
    // All but the number of the CPU, for which no client can ask.
    assert_eq!(of_clients.len(), PlainContext::ALL.len() - 1);
    let missing: Vec<&Context> = of_clients.iter().filter(|context| !recorded.contains(context)).collect();
    assert_eq!(missing, [&Context::Plain(PlainContext::CpuId); 0]);
    assert!(recorded.iter().any(|context| matches!(context, Context::Perf { .. })));
}

#[test]
fn recorded_notifications_are_told_apart() {
    let reads: Vec<Vec<u8>> = all_lines()
        .into_iter()
        .filter(|line| line.object == 'F' && line.name == "read")
        .map(|line| {
            let mut bytes = line.after.unwrap_or_default();
            bytes.resize(line.result.parse().unwrap(), 0);
            bytes
        })
        .collect();
    let mut stream = reads.concat();
    let (table, head) = (Table::shared(), "lttng_kernel_abi_event_notifier_notification");
    let mut at = 0;
    while at < stream.len() {
        let size =
            table.structure(head).size + usize::from(u16::from_le_bytes([stream[at + 8], stream[at + 9]]));
        turn::structure(table, head, "", &mut stream[at..at + table.structure(head).size]);
        at += size;
    }
    let (mut rest, mut tokens) = (&stream[..], BTreeMap::new());
    while let Some(length) = EventNotification::length(rest).unwrap() {
        let (whole, after) = rest.split_at(length);
        let told = EventNotification::decode(whole).unwrap();
        // An array of as many values as there are captures: 19 of the first trigger, few of the others.
        match told.token {
            1 => assert_eq!(told.captures[..3], [0xDC, 0, 19]),
            _ => assert!(told.captures.is_empty() || told.captures[0] & 0xF0 == 0x90),
        }
        *tokens.entry(told.token).or_insert(0) += 1;
        rest = after;
    }
    assert!(rest.is_empty());
    assert!(tokens.len() >= 4, "{tokens:?}");
}

/// The lines below the heading that begins so.
fn list(heading: &str) -> String {
    let text = text("lists.txt");
    let below = text.lines().skip_while(|line| !line.starts_with(heading)).skip(1);
    below.take_while(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
}

#[test]
fn recorded_lists_are_read() {
    let tracepoints = listing::tracepoints(list("# TRACEPOINT_LIST").as_bytes());
    assert_eq!((tracepoints.len(), tracepoints[0].to_string()), (40, "irq_handler_entry".to_owned()));
    assert!(tracepoints.contains(&"lttng_logger".into()));
    let syscalls = listing::syscalls(list("# SYSCALL_LIST").as_bytes());
    let flags = |name: &str| syscalls.iter().find(|syscall| syscall.name == name).unwrap().flags();
    assert_eq!(["read", "write", "poll", "waitpid"].map(flags), [3, 3, 2, 1]);
    // 50 lines, of which read, write, open and close come twice.
    assert_eq!(syscalls.len(), 46);
}
