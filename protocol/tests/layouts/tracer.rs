// SPDX-License-Identifier: GPL-2.0-only
//! What goes along with requests to the kernel's tracer.

use lttng_protocol::client::ChannelOutput;
use lttng_protocol::kernel::*;
use lttng_protocol::trigger::EmissionSite;

use crate::maker::{Maker, made};
use crate::{WIDE, WORD};

/// A request by which `bytes` go along. Its number says how many, unless it is one of the few that don't say it.
fn request(request: Request, bytes: &[u8]) {
    let Argument::Buffer(encoded) = request.argument() else { panic!("{request:?}") };
    assert!(encoded == bytes, "{request:?}: {encoded:02x?}");
    let said = request.number() >> 16 & 0x3fff;
    assert!(said == 0 || said as usize == bytes.len(), "{request:?}");
    assert_eq!(Request::decode(request.number(), bytes), Ok(request));
}

pub fn check(maker: &mut Maker) {
    sessions(maker);
    events(maker);
    counters(maker);
}

fn sessions(maker: &mut Maker) {
    let version = TracerVersion { major: WORD, minor: WORD + 1, patchlevel: WORD + 2 };
    let bytes = made!(maker, "lttng_kernel_abi_tracer_version", {
        "major": WORD, "minor": WORD + 1, "patchlevel": WORD + 2,
    });
    assert_eq!((version.encode(), TracerVersion::decode(&bytes)), (bytes, Ok(version)));
    let version = AbiVersion { major: WORD, minor: WORD + 1 };
    let bytes = made!(maker, "lttng_kernel_abi_tracer_abi_version", { "major": WORD, "minor": WORD + 1 });
    assert_eq!((version.encode(), AbiVersion::decode(&bytes)), (bytes, Ok(version)));
    let bytes = made!(maker, "lttng_kernel_abi_session_name", { "name": "n" });
    request(Request::SetName("n".into()), &bytes);
    let bytes = made!(maker, "lttng_kernel_abi_session_creation_time", { "iso8601": "t" });
    request(Request::SetCreationTime("t".into()), &bytes);
    let bytes = made!(maker, "lttng_kernel_abi_tracker_args", { "type": 5, "id": -2 });
    request(Request::Track { attribute: ProcessAttribute::Vgid, id: -2 }, &bytes);
    let channel = Channel {
        subbuf_size: WIDE,
        num_subbuf: WIDE + 1,
        switch_timer: WORD,
        read_timer: WORD + 1,
        output: ChannelOutput::Mmap,
        overwrite: true,
    };
    let bytes = made!(maker, "lttng_kernel_abi_channel", {
        "subbuf_size": WIDE, "num_subbuf": WIDE + 1, "switch_timer_interval": WORD, "read_timer_interval": WORD + 1,
        "output": 1, "overwrite": 1,
    });
    request(Request::Channel(channel), &bytes);
    let perf = Context::Perf { kind: WORD, config: WIDE, name: "p".into() };
    let bytes = made!(maker, "lttng_kernel_abi_context", {
        "ctx": 1, "u.perf_counter.type": WORD, "u.perf_counter.config": WIDE, "u.perf_counter.name": "p",
    });
    request(Request::Context(perf), &bytes);
}

fn events(maker: &mut Maker) {
    let event = |instrumentation| Event { name: "e".into(), instrumentation, token: WIDE };
    let probe = || Probe { address: WIDE + 1, offset: WIDE + 2, symbol: "s".into() };
    let bytes = made!(maker, "lttng_kernel_abi_event", {
        "name": "e", "instrumentation": 1, "token": WIDE, "u.kprobe.addr": WIDE + 1, "u.kprobe.offset": WIDE + 2,
        "u.kprobe.symbol_name": "s",
    });
    request(Request::Event(event(Instrumentation::Kprobe(probe()))), &bytes);
    let bytes = made!(maker, "lttng_kernel_abi_event", {
        "name": "e", "instrumentation": 3, "token": WIDE, "u.kretprobe.addr": WIDE + 1,
        "u.kretprobe.offset": WIDE + 2, "u.kretprobe.symbol_name": "s", "u.kretprobe.entryexit": 0,
    });
    request(Request::Event(event(Instrumentation::Kretprobe(probe()))), &bytes);
    let bytes = made!(maker, "lttng_kernel_abi_event", {
        "name": "e", "instrumentation": 2, "token": WIDE, "u.ftrace.symbol_name": "s",
    });
    request(Request::Event(event(Instrumentation::Function("s".into()))), &bytes);
    let bytes = made!(maker, "lttng_kernel_abi_event", {
        "name": "e", "instrumentation": 5, "token": WIDE, "u.syscall.entryexit": 2, "u.syscall.abi": 0,
        "u.syscall.match": 0, "u.syscall.nr": 0,
    });
    request(Request::Event(event(Instrumentation::Syscall(EmissionSite::Exit))), &bytes);
    let bytes = made!(maker, "lttng_kernel_abi_event_notifier", {
        "event.name": "e", "event.instrumentation": 6, "event.token": WIDE, "event.u.uprobe.fd": WORD,
        "error_counter_index": WIDE + 1,
    });
    let uprobe = event(Instrumentation::Uprobe { descriptor: WORD as i32 });
    let notifier = EventNotifier { event: uprobe, error_counter_index: WIDE + 1 };
    request(Request::EventNotifier(notifier), &bytes);
    let bytes = made!(maker, "lttng_kernel_abi_event_callsite", { "u.uprobe.offset": WIDE });
    request(Request::AddCallsite { offset: WIDE }, &bytes);
    let bytecode = Bytecode { reloc_offset: 2, seqnum: WIDE, data: vec![1, 2, 3] };
    let head =
        made!(maker, "lttng_kernel_abi_filter_bytecode", { "len": 3, "reloc_offset": 2, "seqnum": WIDE });
    request(Request::Filter(bytecode), &[&head[..], &[1, 2, 3]].concat());
    let notification = EventNotification { token: WIDE, captures: &[7; 0x102] };
    let head = made!(maker, "lttng_kernel_abi_event_notifier_notification", {
        "token": WIDE, "capture_buf_size": 0x102,
    });
    assert_eq!(notification.encode(), [&head[..], &[7; 0x102]].concat());
}

fn counters(maker: &mut Maker) {
    let configuration = CounterConfiguration { size: WIDE, bitness: Bitness::Bits64 };
    let bytes = made!(maker, "lttng_kernel_abi_counter_conf", {
        "arithmetic": 0, "bitness": 1, "number_dimensions": 1, "global_sum_step": 0, "dimensions[0].size": WIDE,
    });
    request(Request::Counter(configuration), &bytes);
    let bytes = made!(maker, "lttng_kernel_abi_counter_clear", {
        "index.number_dimensions": 1, "index.dimension_indexes[0]": WIDE,
    });
    request(Request::CounterClear { index: WIDE }, &bytes);
    let value = CounterValue { value: -2, underflow: true, overflow: true };
    let bytes = made!(maker, "lttng_kernel_abi_counter_aggregate", {
        "index.number_dimensions": 1, "index.dimension_indexes[0]": WIDE, "value.value": -2_i64,
        "value.underflow": 1, "value.overflow": 1,
    });
    assert_eq!((value.encode(WIDE), CounterValue::decode(&bytes)), (bytes, Ok(value)));
}
