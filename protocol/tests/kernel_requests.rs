// SPDX-License-Identifier: GPL-2.0-only
//! Requests to the kernel tracer: numbers and layouts as the reference has them, any contents round trip, and no bytes
//! whatever make the decoder panic.

// Helpers and strategies stand outside the test functions that the lints spare.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use lttng_protocol::Text;
use lttng_protocol::client::ChannelOutput;
use lttng_protocol::codec::ErrorKind;
use lttng_protocol::kernel::*;
use lttng_protocol::trigger::EmissionSite;
use proptest::collection::vec;
use proptest::prelude::*;

/// One request of each kind.
fn every_request() -> Vec<Request> {
    let channel = Channel::metadata(4096);
    let attribute = ProcessAttribute::Vpid;
    let event = Event { name: "e".into(), instrumentation: Instrumentation::Tracepoint, token: 0 };
    let bytecode = Bytecode { reloc_offset: 2, seqnum: 1, data: vec![7, 8, 9] };
    vec![
        Request::Session,
        Request::TracerVersion,
        Request::TracepointList,
        Request::WaitQuiescent,
        Request::SyscallList,
        Request::AbiVersion,
        Request::EventNotifierGroup,
        Request::Metadata(channel),
        Request::Channel(channel),
        Request::Start,
        Request::Stop,
        Request::Track { attribute: ProcessAttribute::Pid, id: Request::ALL },
        Request::Untrack { attribute: ProcessAttribute::Pid, id: 42 },
        Request::MetadataRegenerate,
        Request::Statedump,
        Request::SetName("s".into()),
        Request::SetCreationTime("20261122T194002+0000".into()),
        Request::Stream,
        Request::Event(event.clone()),
        Request::Context(Context::Plain(PlainContext::Vtid)),
        Request::Enable,
        Request::Disable,
        Request::Counter(CounterConfiguration { size: 4096, bitness: Bitness::Bits64 }),
        Request::Filter(bytecode.clone()),
        Request::AddCallsite { offset: 0x1126 },
        Request::Track { attribute, id: 1 },
        Request::Untrack { attribute, id: 1 },
        Request::EventNotifier(EventNotifier { event, error_counter_index: 3 }),
        Request::Notifications,
        Request::Capture(bytecode),
        Request::CounterAggregate { index: 3 },
        Request::CounterClear { index: 3 },
        Request::Flush,
    ]
}

#[test]
fn numbers_are_those_of_the_tracer() {
    let expected = [
        (0x0000_F645, "SESSION"),
        (0x800C_F646, "TRACER_VERSION"),
        (0x0000_F647, "TRACEPOINT_LIST"),
        (0x0000_F648, "WAIT_QUIESCENT"),
        (0x0000_F64A, "SYSCALL_LIST"),
        (0x8008_F64B, "TRACER_ABI_VERSION"),
        (0x0000_F64C, "EVENT_NOTIFIER_GROUP_CREATE"),
        (0x4140_F654, "METADATA"),
        (0x4140_F655, "CHANNEL"),
        (0x0000_F656, "SESSION_START"),
        (0x0000_F657, "SESSION_STOP"),
        (0x4004_F658, "SESSION_TRACK_PID"),
        (0x4004_F659, "SESSION_UNTRACK_PID"),
        (0x0000_F659, "SESSION_METADATA_REGEN"),
        (0x0000_F65C, "SESSION_STATEDUMP"),
        (0x4100_F65D, "SESSION_SET_NAME"),
        (0x401A_F65E, "SESSION_SET_CREATION_TIME"),
        (0x0000_F662, "STREAM"),
        (0x4234_F663, "EVENT"),
        (0x4134_F671, "CONTEXT"),
        (0x0000_F682, "ENABLE"),
        (0x0000_F683, "DISABLE"),
        (0x40C0_F684, "COUNTER"),
        (0x0000_F690, "FILTER"),
        (0x0000_F691, "ADD_CALLSITE"),
        (0x4008_F6A1, "SESSION_TRACK_ID"),
        (0x4008_F6A2, "SESSION_UNTRACK_ID"),
        (0x425C_F6B0, "EVENT_NOTIFIER_CREATE"),
        (0x0000_F6B1, "EVENT_NOTIFIER_GROUP_NOTIFICATION_FD"),
        (0x0000_F6B8, "CAPTURE"),
        (0xC04E_F6C1, "COUNTER_AGGREGATE"),
        (0x4044_F6C2, "COUNTER_CLEAR"),
        (0x0000_F60C, "FLUSH"),
    ];
    let told: Vec<(u32, &str)> =
        every_request().iter().map(|request| (request.number(), request.name())).collect();
    assert_eq!(told, expected);
}

#[test]
fn older_tracers_know_the_wrong_direction() {
    let aliases: Vec<(u32, u32)> = every_request()
        .iter()
        .filter_map(|request| request.alias().map(|alias| (request.number() & 0xFF, alias)))
        .collect();
    assert_eq!(
        aliases,
        [
            (0x58, 0x8004_F658),
            (0x59, 0x8004_F659),
            (0x5D, 0x8100_F65D),
            (0x5E, 0x801A_F65E),
            (0xA1, 0x8008_F6A1),
            (0xA2, 0x8008_F6A2),
        ]
    );
}

fn bytes(argument: &Argument) -> Vec<u8> {
    match argument {
        Argument::None => Vec::new(),
        Argument::Value(value) => value.to_ne_bytes().to_vec(),
        Argument::Buffer(bytes) => bytes.clone(),
    }
}

#[test]
fn the_number_says_how_large_the_argument_is() {
    for request in every_request() {
        let (argument, said) = (request.argument(), request.number() >> 16 & 0x3FFF);
        let size = bytes(&argument).len();
        match request {
            Request::Filter(_) | Request::Capture(_) | Request::AddCallsite { .. } => assert_eq!(said, 0),
            _ => assert_eq!(said as usize, size, "{}", request.name()),
        }
        let reads = request.number() >> 31 == 1;
        assert_eq!(reads, request.answer() == Answer::Bytes, "{}", request.name());
        assert!(!request.objects().is_empty());
    }
}

#[test]
fn every_kind_of_request_goes_round_by_all_its_numbers() {
    for request in every_request() {
        let argument = bytes(&request.argument());
        for number in [Some(request.number()), request.alias()].into_iter().flatten() {
            assert_eq!(Request::decode(number, &argument).as_ref(), Ok(&request));
        }
    }
}

/// Bytes in which only `pieces` are not zero.
fn layout(size: usize, pieces: &[(usize, &[u8])]) -> Argument {
    let mut bytes = vec![0; size];
    for (offset, piece) in pieces {
        bytes[*offset..offset + piece.len()].copy_from_slice(piece);
    }
    Argument::Buffer(bytes)
}

#[test]
fn sessions_are_told_their_name_and_begin() {
    assert_eq!(Request::SetName("auto".into()).argument(), layout(256, &[(0, b"auto")]));
    let begin = "20261122T194002+0000";
    assert_eq!(Request::SetCreationTime(begin.into()).argument(), layout(26, &[(0, begin.as_bytes())]));
    let unterminated = |number, size: usize| Request::decode(number, &vec![b'x'; size]).unwrap_err().kind;
    assert_eq!(unterminated(0x4100_F65D, 256), ErrorKind::BadString);
    assert_eq!(unterminated(0x401A_F65E, 26), ErrorKind::BadString);
}

#[test]
fn channels_have_their_layout() {
    let channel = Channel {
        subbuf_size: 1_048_576,
        num_subbuf: 4,
        switch_timer: 5,
        read_timer: 200_000,
        output: ChannelOutput::Mmap,
        overwrite: true,
    };
    let expected: &[(usize, &[u8])] = &[
        (0, &1_048_576_u64.to_ne_bytes()),
        (8, &4_u64.to_ne_bytes()),
        (16, &5_u32.to_ne_bytes()),
        (20, &200_000_u32.to_ne_bytes()),
        (24, &1_u32.to_ne_bytes()),
        (28, &1_u32.to_ne_bytes()),
    ];
    assert_eq!(Request::Channel(channel).argument(), layout(320, expected));
    let metadata: &[(usize, &[u8])] =
        &[(0, &4096_u64.to_ne_bytes()), (8, &2_u64.to_ne_bytes()), (24, &1_u32.to_ne_bytes())];
    assert_eq!(Request::Metadata(Channel::metadata(1024)).argument(), layout(320, metadata));
    assert_eq!(Channel::metadata(65536).subbuf_size, 65536);
}

#[test]
fn events_have_their_layout() {
    let argument =
        |instrumentation| Request::Event(Event { name: "e*".into(), instrumentation, token: 0 }).argument();
    let expected = |number: u32, attributes: &[(usize, &[u8])]| {
        let number = number.to_ne_bytes();
        let mut pieces: Vec<(usize, &[u8])> = vec![(0, b"e*"), (256, &number)];
        pieces.extend(attributes);
        layout(564, &pieces)
    };
    assert_eq!(argument(Instrumentation::Tracepoint), expected(0, &[]));
    let probe = Probe { address: 0x1122, offset: 3, symbol: "do_exit".into() };
    let attributes: &[(usize, &[u8])] =
        &[(276, &0x1122_u64.to_ne_bytes()), (284, &3_u64.to_ne_bytes()), (292, b"do_exit")];
    assert_eq!(argument(Instrumentation::Kprobe(probe.clone())), expected(1, attributes));
    assert_eq!(argument(Instrumentation::Kretprobe(probe)), expected(3, attributes));
    assert_eq!(argument(Instrumentation::Function("f".into())), expected(2, &[(276, b"f")]));
    for (site, number) in [(EmissionSite::EntryExit, 0), (EmissionSite::Entry, 1), (EmissionSite::Exit, 2)] {
        assert_eq!(argument(Instrumentation::Syscall(site)), expected(5, &[(276, &[number])]));
    }
    let uprobe = Instrumentation::Uprobe { descriptor: 12 };
    assert_eq!(argument(uprobe), expected(6, &[(276, &12_i32.to_ne_bytes())]));
}

#[test]
fn event_notifiers_have_token_and_index() {
    let event = Event { name: "open".into(), instrumentation: Instrumentation::Tracepoint, token: 0x0102 };
    let notifier = EventNotifier { event, error_counter_index: 7 };
    let expected: &[(usize, &[u8])] =
        &[(0, b"open"), (260, &0x0102_u64.to_ne_bytes()), (564, &7_u64.to_ne_bytes())];
    assert_eq!(Request::EventNotifier(notifier).argument(), layout(604, expected));
}

#[test]
fn bytecode_and_places_have_their_layout() {
    let bytecode = Bytecode { reloc_offset: 2, seqnum: 9, data: vec![1, 2, 3] };
    let expected: &[(usize, &[u8])] =
        &[(0, &3_u32.to_ne_bytes()), (4, &2_u32.to_ne_bytes()), (8, &9_u64.to_ne_bytes()), (16, &[1, 2, 3])];
    assert_eq!(Request::Filter(bytecode.clone()).argument(), layout(19, expected));
    assert_eq!(Request::Capture(bytecode).argument(), layout(19, expected));
    let offset = 0x1126;
    assert_eq!(Request::AddCallsite { offset }.argument(), layout(8, &[(0, &0x1126_u64.to_ne_bytes())]));
}

#[test]
fn contexts_have_their_layout() {
    assert_eq!(
        Request::Context(Context::Plain(PlainContext::Hostname)).argument(),
        layout(308, &[(0, &10_u32.to_ne_bytes())])
    );
    let perf = Context::Perf { kind: 1, config: 0x0203, name: "perf_cpu_cycles".into() };
    let expected: &[(usize, &[u8])] = &[
        (0, &1_u32.to_ne_bytes()),
        (20, &1_u32.to_ne_bytes()),
        (24, &0x0203_u64.to_ne_bytes()),
        (32, b"perf_cpu_cycles"),
    ];
    assert_eq!(Request::Context(perf).argument(), layout(308, expected));
}

#[test]
fn processes_are_followed_by_value_others_by_structure() {
    let argument = |attribute, id| {
        let track = Request::Track { attribute, id }.argument();
        assert_eq!(Request::Untrack { attribute, id }.argument(), track);
        track
    };
    assert_eq!(argument(ProcessAttribute::Pid, -1), Argument::Value(-1));
    for (attribute, number) in ProcessAttribute::ALL.iter().zip(0_u32..).skip(1) {
        let expected: &[(usize, &[u8])] = &[(0, &number.to_ne_bytes()), (4, &42_i32.to_ne_bytes())];
        assert_eq!(argument(*attribute, 42), layout(8, expected));
    }
    assert_eq!(Request::decode(0x4008_F6A1, &[0; 8]).unwrap_err().kind, ErrorKind::BadValue(0));
}

#[test]
fn counters_have_their_layout() {
    for (bitness, number) in [(Bitness::Bits32, 0_u32), (Bitness::Bits64, 1)] {
        let expected: &[(usize, &[u8])] =
            &[(4, &number.to_ne_bytes()), (8, &1_u32.to_ne_bytes()), (20, &4096_u64.to_ne_bytes())];
        let request = Request::Counter(CounterConfiguration { size: 4096, bitness });
        assert_eq!(request.argument(), layout(192, expected));
    }
    let index: &[(usize, &[u8])] = &[(0, &1_u32.to_ne_bytes()), (4, &7_u64.to_ne_bytes())];
    assert_eq!(Request::CounterAggregate { index: 7 }.argument(), layout(78, index));
    assert_eq!(Request::CounterClear { index: 7 }.argument(), layout(68, index));
}

#[test]
fn answers_read_as_they_are_written() {
    let version = TracerVersion { major: 2, minor: 13, patchlevel: 9 };
    assert_eq!(version.encode(), [2_u32, 13, 9].map(u32::to_ne_bytes).concat());
    assert_eq!(TracerVersion::decode(&version.encode()), Ok(version));
    let abi = AbiVersion { major: 2, minor: 6 };
    assert_eq!(abi.encode(), [2_u32, 6].map(u32::to_ne_bytes).concat());
    assert_eq!(AbiVersion::decode(&abi.encode()), Ok(abi));
    let value = CounterValue { value: -5, underflow: false, overflow: true };
    let expected: &[(usize, &[u8])] =
        &[(0, &1_u32.to_ne_bytes()), (4, &3_u64.to_ne_bytes()), (36, &(-5_i64).to_ne_bytes()), (45, &[1])];
    assert_eq!(Argument::Buffer(value.encode(3)), layout(78, expected));
    assert_eq!(CounterValue::decode(&value.encode(3)), Ok(value));
    assert!(TracerVersion::decode(&[0; 11]).is_err() && AbiVersion::decode(&[0; 9]).is_err());
    assert!(CounterValue::decode(&[0; 77]).is_err() && CounterValue::decode(&[0; 79]).is_err());
}

/// What a tracer refuses, or a later one would take for something else.
#[test]
fn a_simulated_tracer_is_strict() {
    let damaged = |request: &Request, offset: usize| {
        let mut bytes = bytes(&request.argument());
        bytes[offset] = 9;
        Request::decode(request.number(), &bytes).unwrap_err().kind
    };
    // The least significant byte of a number of so many bytes.
    let lowest = |offset, bytes| if cfg!(target_endian = "big") { offset + bytes - 1 } else { offset };
    let channel = Request::Channel(Channel::metadata(4096));
    assert_eq!(damaged(&channel, lowest(24, 4)), ErrorKind::BadValue(9));
    assert_eq!(damaged(&channel, lowest(28, 4)), ErrorKind::BadValue(9));
    let event = |instrumentation| Request::Event(Event { name: "e".into(), instrumentation, token: 0 });
    assert_eq!(damaged(&event(Instrumentation::Tracepoint), lowest(256, 4)), ErrorKind::BadValue(9));
    assert_eq!(damaged(&event(Instrumentation::Tracepoint), lowest(268, 8)), ErrorKind::BadValue(9));
    let probe = Probe { address: 1, offset: 0, symbol: Text::default() };
    assert_eq!(damaged(&event(Instrumentation::Kretprobe(probe)), 548), ErrorKind::BadValue(9));
    for offset in 276..279 {
        let syscall = event(Instrumentation::Syscall(EmissionSite::Entry));
        assert_eq!(damaged(&syscall, offset), ErrorKind::BadValue(9));
    }
    let configuration = CounterConfiguration { size: 1, bitness: Bitness::NATIVE };
    for offset in [0, 4, 8, 12, 16] {
        let damaged = damaged(&Request::Counter(configuration), lowest(offset, 4));
        assert_eq!(damaged, ErrorKind::BadValue(9));
    }
    for offset in [lowest(0, 4), 12, 36, 46] {
        assert_eq!(damaged(&Request::CounterAggregate { index: 1 }, offset), ErrorKind::BadValue(9));
    }
    assert_eq!(damaged(&Request::CounterClear { index: 1 }, 36), ErrorKind::BadValue(9));
    let filter = Request::Filter(Bytecode { reloc_offset: 0, seqnum: 0, data: vec![1] });
    assert_eq!(damaged(&filter, lowest(0, 4)), ErrorKind::Truncated);
    let third = if cfg!(target_endian = "big") { 1 } else { 2 };
    assert_eq!(damaged(&filter, third), ErrorKind::TooLong(0x0009_0001));
    assert_eq!(damaged(&filter, lowest(4, 4)), ErrorKind::BadValue(9));
    let context = Request::Context(Context::Plain(PlainContext::Pid));
    let second = if cfg!(target_endian = "big") { 2 } else { 1 };
    assert_eq!(damaged(&context, second), ErrorKind::BadValue(0x900));
    let kind = |number, bytes: &[u8]| Request::decode(number, bytes).unwrap_err().kind;
    assert_eq!(kind(0xF645, &[0]), ErrorKind::TrailingBytes);
    assert_eq!(kind(0x4140_F655, &[0; 319]), ErrorKind::Truncated);
    assert_eq!(kind(0xC004_F649, &[0; 4]), ErrorKind::BadValue(0xC004_F649));
}

/// Notifications of the kernel are those of applications, one after another however the reads cut them.
#[test]
fn notifications_are_told_apart_in_a_stream() {
    let mut stream = EventNotification { token: 1, captures: b"\x91\x2a" }.encode();
    // The tracer leaves what was on its stack in the padding.
    stream[20..42].fill(0xAA);
    stream.extend(EventNotification { token: 2, captures: b"" }.encode());
    let (mut buffered, mut told) = (Vec::new(), Vec::new());
    for byte in stream {
        buffered.push(byte);
        while let Some(length) = EventNotification::length(&buffered).unwrap() {
            if buffered.len() < length {
                break;
            }
            let rest = buffered.split_off(length);
            let notification = EventNotification::decode(&buffered).unwrap();
            told.push((notification.token, notification.captures.to_vec()));
            buffered = rest;
        }
    }
    assert_eq!(told, [(1, b"\x91\x2a".to_vec()), (2, Vec::new())]);
    assert!(buffered.is_empty());
}

fn text(longest: usize) -> impl Strategy<Value = Text> {
    vec(1..=u8::MAX, 0..=longest).prop_map(Text::from)
}

fn channel() -> impl Strategy<Value = Channel> {
    (any::<(u64, u64, u32, u32)>(), any::<(bool, bool)>()).prop_map(
        |((subbuf_size, num_subbuf, switch_timer, read_timer), (mmap, overwrite))| Channel {
            subbuf_size,
            num_subbuf,
            switch_timer,
            read_timer,
            output: if mmap { ChannelOutput::Mmap } else { ChannelOutput::Splice },
            overwrite,
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    let probe = || {
        (any::<u64>(), any::<u64>(), text(255)).prop_map(|(address, offset, symbol)| Probe {
            address,
            offset,
            symbol,
        })
    };
    let sites = vec![EmissionSite::EntryExit, EmissionSite::Entry, EmissionSite::Exit];
    let instrumentation = prop_oneof![
        Just(Instrumentation::Tracepoint),
        probe().prop_map(Instrumentation::Kprobe),
        probe().prop_map(Instrumentation::Kretprobe),
        text(255).prop_map(Instrumentation::Function),
        prop::sample::select(sites).prop_map(Instrumentation::Syscall),
        any::<i32>().prop_map(|descriptor| Instrumentation::Uprobe { descriptor }),
    ];
    (text(255), instrumentation, any::<u64>()).prop_map(|(name, instrumentation, token)| Event {
        name,
        instrumentation,
        token,
    })
}

fn context() -> impl Strategy<Value = Context> {
    prop_oneof![
        prop::sample::select(PlainContext::ALL).prop_map(Context::Plain),
        (any::<u32>(), any::<u64>(), text(255)).prop_map(|(kind, config, name)| Context::Perf {
            kind,
            config,
            name
        }),
    ]
}

fn request() -> impl Strategy<Value = Request> {
    let bytecode = || {
        (vec(any::<u8>(), 0..300), any::<prop::sample::Index>(), any::<u64>()).prop_map(
            |(data, reloc, seqnum)| {
                let reloc_offset = u32::try_from(reloc.index(data.len() + 1)).unwrap();
                Bytecode { reloc_offset, seqnum, data }
            },
        )
    };
    let tracked = || (prop::sample::select(ProcessAttribute::ALL), any::<i32>());
    prop_oneof![
        prop::sample::select(every_request()),
        text(255).prop_map(Request::SetName),
        text(25).prop_map(Request::SetCreationTime),
        channel().prop_map(Request::Channel),
        channel().prop_map(Request::Metadata),
        tracked().prop_map(|(attribute, id)| Request::Track { attribute, id }),
        tracked().prop_map(|(attribute, id)| Request::Untrack { attribute, id }),
        event().prop_map(Request::Event),
        context().prop_map(Request::Context),
        bytecode().prop_map(Request::Filter),
        bytecode().prop_map(Request::Capture),
        any::<u64>().prop_map(|offset| Request::AddCallsite { offset }),
        (event(), any::<u64>()).prop_map(|(event, error_counter_index)| Request::EventNotifier(
            EventNotifier { event, error_counter_index }
        )),
        any::<u64>().prop_map(|index| Request::CounterAggregate { index }),
        any::<u64>().prop_map(|index| Request::CounterClear { index }),
    ]
}

proptest! {
    #[test]
    fn requests_go_round(request in request()) {
        prop_assert_eq!(Request::decode(request.number(), &bytes(&request.argument())), Ok(request));
    }

    /// Whatever decodes encodes to bytes that decode to the same.
    #[test]
    fn damaged_requests_are_total(
        request in request(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        length in any::<prop::sample::Index>(),
    ) {
        let mut bytes = bytes(&request.argument());
        if !bytes.is_empty() {
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = Request::decode(request.number(), &bytes[..length.index(bytes.len())]);
        }
        if let Ok(request) = Request::decode(request.number(), &bytes) {
            let argument = self::bytes(&request.argument());
            prop_assert_eq!(Request::decode(request.number(), &argument), Ok(request));
        }
    }

    #[test]
    fn lists_are_total(bytes in vec(any::<u8>(), 0..200), text in "(event \\{ name = [a-z]{0,3};? \\};\n){0,4}") {
        let _ = (listing::tracepoints(&bytes), listing::syscalls(&bytes));
        prop_assert!(listing::tracepoints(text.as_bytes()).len() <= 4);
    }
}
