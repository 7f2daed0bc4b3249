// SPDX-License-Identifier: GPL-2.0-only
//! Compiles the C programs of `tests/apps`, and the Java one, once for all tests, into a cache beside the test binaries.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nix::fcntl::{Flock, FlockArg};

/// What can be built: name, sources, libraries.
const PROGRAMS: &[(&str, &[&str], &[&str])] = &[
    ("activator", &["activator.c"], &[]),
    ("asker", &["asker.c"], &["-D_GNU_SOURCE"]),
    ("emitter", &["emitter.c", "providers.c"], &["-llttng-ust", "-ldl"]),
    ("burdened", &["burdened.c"], &[]),
    ("burst", &["burst.c", "providers.c"], &["-llttng-ust", "-ldl"]),
    ("clash-number", &["clash.c"], &["-llttng-ust", "-ldl"]),
    ("clash-text", &["clash.c"], &["-DCLASH_TEXT", "-llttng-ust", "-ldl"]),
    ("clock-khz.so", &["clock.c"], &["-DFREQUENCY=1000", "-shared", "-fPIC", "-llttng-ust"]),
    ("clock-mhz.so", &["clock.c"], &["-DFREQUENCY=1000000", "-shared", "-fPIC", "-llttng-ust"]),
    (
        "clock-partly.so",
        &["clock.c"],
        &["-DFREQUENCY=1000000", "-DPARTLY", "-shared", "-fPIC", "-llttng-ust"],
    ),
    ("clock-unnamed.so", &["clock.c"], &["-DFREQUENCY=1000", "-DUNNAMED", "-shared", "-fPIC", "-llttng-ust"]),
    ("clients", &["clients.c"], &["-llttng-ctl"]),
    ("contexts", &["contexts.c", "providers.c"], &["-llttng-ust", "-ldl", "-pthread"]),
    ("control", &["control.c"], &["-D_GNU_SOURCE", "-Wno-deprecated-declarations", "-llttng-ctl"]),
    ("crowd", &["crowd.c"], &[]),
    ("domains", &["domains.c"], &["-llttng-ctl"]),
    ("floor", &["../bench/floor/floor.c"], &["-O2", "-D_GNU_SOURCE"]),
    ("forker", &["forker.c", "providers.c"], &["-llttng-ust", "-ldl"]),
    ("format", &["format.c"], &["-llttng-ust", "-ldl"]),
    ("health", &["health.c"], &["-llttng-ctl"]),
    ("idle", &["idle.c"], &[]),
    ("idle-static", &["idle.c"], &["-static"]),
    ("kin", &["kin.c", "providers.c"], &["-llttng-ust", "-ldl"]),
    ("library.so", &["library.c"], &["-shared", "-fPIC", "-llttng-ust", "-ldl"]),
    ("lttng-sessiond-clock", &["../../programs/lttng-sessiond-clock.c"], &["-rdynamic", "-ldl"]),
    ("loader", &["loader.c"], &["-ldl"]),
    ("mute", &["mute.c"], &[]),
    ("node", &["node.c"], &["-llttng-ust", "-ldl"]),
    ("notified", &["notified.c"], &["-llttng-ctl"]),
    ("peer", &["peer.c"], &[]),
    ("probeless", &["probeless.c"], &["-ldl"]),
    ("provider", &["provider.c", "providers.c"], &["-llttng-ust", "-ldl"]),
    ("reckless", &["reckless.c", "providers.c"], &["-llttng-ust", "-ldl"]),
    ("rotator", &["rotator.c"], &["-llttng-ctl"]),
    ("seclude", &["seclude.c"], &["-D_GNU_SOURCE"]),
    ("set-url", &["set-url.c"], &["-llttng-ctl"]),
    ("simulated", &["simulated.c"], &["-D_GNU_SOURCE"]),
    ("subscriber", &["subscriber.c"], &["-Wno-deprecated-declarations", "-llttng-ctl"]),
    ("supervise", &["supervise.c"], &[]),
    ("values", &["values.c"], &["-llttng-ust", "-ldl"]),
];

/// The compiled program `name`. Compiles all of them when a source is newer than the cache.
pub fn program(name: &str) -> PathBuf {
    compiled("", PROGRAMS, &[]).join(name)
}

/// The program `name`, compiled for foreign libraries with these further options of the compiler: `NAME-KIND`.
pub fn foreign_program(kind: &str, name: &str, options: &[String]) -> PathBuf {
    let wanted: Vec<_> = PROGRAMS.iter().copied().filter(|(program, _, _)| *program == name).collect();
    assert!(!wanted.is_empty(), "no program {name}");
    // Programs of all kinds are beside each other in a sandbox, so that the name says the kind.
    compiled(&format!("-{kind}"), &wanted, options).join(format!("{name}-{kind}"))
}

/// An example of the crate `lttng-protocol`, which is compiled as this test was. With `LTTNG_TEST_EXAMPLES=built` it was
/// already: where the tests run there need be no cargo.
pub fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    // `PROFILE/lttng-sessiond`, beside which cargo puts `PROFILE/examples`.
    let profile = Path::new(env!("CARGO_BIN_EXE_lttng-sessiond")).parent().unwrap();
    BUILT.get_or_init(|| {
        if std::env::var_os("LTTNG_TEST_EXAMPLES").is_some_and(|how| how == "built") {
            return;
        }
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--workspace", "--examples", "--locked", "--offline"]);
        cargo.current_dir(env!("CARGO_MANIFEST_DIR")).arg("--target-dir").arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        run(&mut cargo);
    });
    profile.join("examples").join(name)
}

/// The Java program of `tests/apps` as an archive, compiled with these others.
pub fn java_archive(libraries: &[&Path]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/Loggers.java");
    let mut hasher = DefaultHasher::new();
    fs::read(&source).unwrap().hash(&mut hasher);
    let folder = format!("java-{:016x}", hasher.finish());
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join(folder);
    let path = std::env::join_paths(libraries).unwrap();
    let archive = cache.join("loggers.jar");
    once(&cache, || {
        let classes = cache.join("classes");
        run(Command::new("javac").arg("-cp").arg(path).arg("-d").arg(&classes).arg(&source));
        run(Command::new("jar").arg("cf").arg(&archive).arg("-C").arg(&classes).arg("."));
    });
    archive
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Has the cache filled, once for all tests. They run in several processes and threads: one does, the others wait for it.
pub fn once(cache: &Path, fill: impl FnOnce()) {
    fs::create_dir_all(cache).unwrap();
    let lock = Flock::lock(File::create(cache.join("lock")).unwrap(), FlockArg::LockExclusive)
        .map_err(|(_, error)| error)
        .unwrap();
    let done = cache.join("done");
    if !done.exists() {
        fill();
        File::create(&done).unwrap();
    }
    drop(lock);
}

/// The folder with these programs, compiled with these options.
///
/// `suffix` is that of their names.
fn compiled(suffix: &str, programs: &[(&str, &[&str], &[&str])], options: &[String]) -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps");
    let fingerprint = fingerprint(
        &[sources.clone(), sources.join("../../programs"), sources.join("../bench/floor")],
        options,
    );
    let only = if let [(name, _, _)] = programs { format!("-{name}") } else { String::new() };
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("apps-{fingerprint:016x}{only}{suffix}"));
    once(&cache, || {
        for (program, files, libraries) in programs {
            run(Command::new("gcc")
                .args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-I."])
                .args(options)
                .args(["-o".as_ref(), cache.join(format!("{program}{suffix}")).as_os_str()])
                .args(*files)
                .args(*libraries)
                .current_dir(&sources));
        }
    });
    cache
}

fn fingerprint(sources: &[PathBuf], options: &[String]) -> u64 {
    let mut names = Vec::new();
    let mut folders = sources.to_vec();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() { folders.push(path) } else { names.push(path) }
        }
    }
    names.sort();
    let mut hasher = DefaultHasher::new();
    options.hash(&mut hasher);
    for name in names {
        name.hash(&mut hasher);
        fs::read(&name).unwrap().hash(&mut hasher);
    }
    hasher.finish()
}
