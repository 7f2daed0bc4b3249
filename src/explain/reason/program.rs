// SPDX-License-Identifier: GPL-2.0-only
//! What kind of program it is: whether it could be traced at all.

use super::super::evidence::{Maps, Process, Seen};
use super::super::finding::{About, Finding, Weight, count, some_of};

/// Versions of `liblttng-ust.so` whose protocol is served: 0 is LTTng-UST 2.10 to 2.12, 1 is 2.13 and later.
const SERVED: [u32; 2] = [0, 1];

/// It is none that runs a program: there is nothing to look at.
pub fn no_program(process: &Process) -> Option<Finding> {
    if process.kernel_thread {
        let what = "This is a thread of the kernel: it runs no program, and has no user space tracepoints.";
        return Some(
            Finding::new(About::KernelThread, Weight::Decisive, what)
                .todo("Trace the kernel instead, as root. Why that may not work is said by --explain kernel.")
                .run(format!(
                    "lttng enable-event --kernel sched_switch --filter '$ctx.tid == {}'",
                    process.pid
                ))
                .run("lttng-sessiond --explain kernel"),
        );
    }
    if matches!(process.state, 'Z' | 'X') {
        let what = "The process has ended; only its parent has not noticed yet.";
        return Some(
            Finding::new(About::Ended, Weight::Decisive, what)
                .todo("Start the program again while a session is active."),
        );
    }
    None
}

/// What is wrong with its libraries.
pub fn library(process: &Process) -> Vec<Finding> {
    let Seen::Known(maps) = &process.maps else { return without_maps(process) };
    if maps.ust.is_empty() {
        return vec![no_library(process, maps)];
    }
    let mut found = Vec::new();
    let unknown: Vec<&u32> = maps.ust.iter().filter(|version| !SERVED.contains(version)).collect();
    if let Some(version) = unknown.first() {
        let what = format!(
            "The program uses a version of LTTng-UST that this daemon does not know: liblttng-ust.so.{version}."
        );
        found.push(
            Finding::new(About::OtherLibrary, Weight::Decisive, what)
                .seen("Served are liblttng-ust.so.0 (LTTng-UST 2.10 to 2.12) and liblttng-ust.so.1 (2.13 and later).")
                .todo("Build the program for LTTng-UST 2.13, or use a session daemon of the other version."),
        );
    }
    if maps.ust.len() > 1 {
        let names: Vec<String> =
            maps.ust.iter().map(|version| format!("liblttng-ust.so.{version}")).collect();
        let what = format!("Two versions of LTTng-UST are in one process: {}.", some_of(&names, 3));
        found.push(
            Finding::new(About::TwoLibraries, Weight::Likely, what)
                .seen("They get into each other's way: the program may end, or one of them never registers.")
                .todo("Build the program and all libraries that it loads for the same version. These files bring one along:")
                .run(format!("ldd {}", process.exe.known().map_or("PROGRAM".into(), |exe| exe.display().to_string()))),
        );
    }
    if maps.providers.is_empty() && maps.unread == 0 {
        found.push(no_provider(maps));
    }
    found
}

/// All that is known is the program's file, if that.
fn without_maps(process: &Process) -> Vec<Finding> {
    match process.program.known() {
        Some(program) if program.is_static => vec![is_static()],
        _ => Vec::new(),
    }
}

fn is_static() -> Finding {
    Finding::new(About::Static, Weight::Decisive, "The program is statically linked: LTTng-UST can't be in it.")
        .seen("Its file names no dynamic linker. LTTng-UST is a shared library, which only dynamically linked programs can load.")
        .todo("Link it dynamically; for Go and Rust programs, build the tracepoint provider as a shared library and the program against the C library.")
}

/// LTTng-UST is not in the process.
fn no_library(process: &Process, maps: &Maps) -> Finding {
    let program = process.program.known();
    if program.is_some_and(|program| program.is_static) {
        return is_static();
    }
    if !maps.tracepoints.is_empty() {
        let what =
            "The program has tracepoints, but no tracepoint provider is loaded, and so LTTng-UST is not.";
        return Finding::new(About::LibraryMissing, Weight::Decisive, what)
            .seen(format!(
                "It calls {}. It was built to take the provider from a shared library (TRACEPOINT_PROBE_DYNAMIC_LINKAGE), \
                 which nobody has loaded.",
                some_of(&maps.tracepoints, 3)
            ))
            .todo("Start it with the library of its tracepoint provider preloaded, or have it loaded with dlopen(3). (What the file is called is a guess here.)")
            .run(format!("LD_PRELOAD=./lib{}-tp.so {}", provider_of(&maps.tracepoints), process.title()));
    }
    let preload = process
        .environment
        .known()
        .and_then(|environment| environment.preload.as_ref())
        .filter(|preload| preload.contains("lttng") || preload.contains("-tp"));
    if let Some(preload) = preload {
        let secure = process.is_secure();
        let why = if secure {
            "The program runs with more rights than its caller (set-user-id, set-group-id or capabilities), so that libraries with a path are not preloaded."
        } else {
            "The dynamic linker says on standard error what it could not preload: a wrong path, or a file for another word size."
        };
        return Finding::new(
            About::LibraryMissing,
            Weight::Decisive,
            "A library was to be preloaded, and LTTng-UST is not loaded.",
        )
        .seen(format!("LD_PRELOAD is {preload}. {why}"))
        .todo("Check the path, and start the program again.");
    }
    let what = "The program is not instrumented: LTTng-UST is not in it.";
    let interpreted = ["java", "python"].iter().any(|name| process.name.starts_with(name));
    let finding = Finding::new(About::NotInstrumented, Weight::Decisive, what);
    if interpreted {
        return finding
            .seen("liblttng-ust is not mapped.")
            .todo(
                "For loggers of Java and Python, the program has to load the LTTng agent (liblttng-ust-agent-java, or the \
                 Python module lttngust); rules about them are made with --jul, --log4j or --python.",
            );
    }
    finding
        .seen("liblttng-ust is not mapped, and neither the program nor its libraries have tracepoints.")
        .todo(
            "Add tracepoints to it (lttng-ust(3)); or record what it asks of the kernel (as root), or calls of a library \
             for which LTTng-UST has a wrapper, as memory allocation.",
        )
        .run(format!("LD_PRELOAD=liblttng-ust-libc-wrapper.so {}", process.title()))
}

fn provider_of(tracepoints: &[String]) -> &str {
    tracepoints.first().and_then(|name| name.split_once(':')).map_or("PROVIDER", |(provider, _)| provider)
}

/// LTTng-UST is there, and no provider.
fn no_provider(maps: &Maps) -> Finding {
    let what = "LTTng-UST is loaded, but no tracepoint provider is: the program offers no events of its own.";
    if maps.tracepoints.is_empty() {
        return Finding::new(About::NoProvider, Weight::Decisive, what)
            .seen("No file that is mapped registers one. tracef() and tracelog() need none: their events are called lttng_ust_tracef:* and lttng_ust_tracelog:*.")
            .todo("If the provider is a library of its own, have it loaded: link it, preload it, or load it with dlopen(3) before it is needed.");
    }
    Finding::new(About::NoProvider, Weight::Decisive, what)
        .seen(format!(
            "It calls {}, {}, which mean nothing without the library that describes them.",
            count(maps.tracepoints.len(), "tracepoint", "tracepoints"),
            some_of(&maps.tracepoints, 3)
        ))
        .todo("Start it with the library of the provider preloaded, or have it loaded with dlopen(3).")
        .run(format!("LD_PRELOAD=./lib{}-tp.so PROGRAM", provider_of(&maps.tracepoints)))
}
