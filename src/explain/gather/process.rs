// SPDX-License-Identifier: GPL-2.0-only
//! One process, as `/proc` shows it to whoever asks.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::super::evidence::{Ancestor, Environment, FileId, Ids, Maps, Namespaces, Process, Program, Seen};
use super::elf;
use crate::users;

/// Name of the socket of applications.
pub const APPS_SOCKET: &str = "lttng-ust-sock-8";
/// `PF_KTHREAD`, a flag in `/proc/PID/stat`.
const KERNEL_THREAD: u64 = 0x0020_0000;
/// `AT_SECURE`, in `/proc/PID/auxv`.
const SECURE: u64 = 23;
/// Files of one process that are looked into.
const MOST_FILES: usize = 4096;
/// Ancestors that are looked at.
const MOST_ANCESTORS: usize = 16;
/// Symbolic links that are followed.
const MOST_LINKS: usize = 40;

/// What is needed to tell times and names.
pub struct Context<'a> {
    /// Seconds since the Epoch when the system was started.
    pub boot: Option<i64>,
    /// Ticks of a second.
    pub ticks: i64,
    pub passwd: &'a str,
    pub system_rundir: &'a Path,
}

fn proc(pid: i32, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/{name}"))
}

fn text(pid: i32, name: &str) -> Option<String> {
    fs::read(proc(pid, name)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn seen<T>(result: io::Result<T>) -> Seen<T> {
    match result {
        Ok(value) => Seen::Known(value),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Seen::Denied,
        Err(_) => Seen::Unknown,
    }
}

/// A line of `/proc/PID/status`.
fn field<'a>(status: &'a str, key: &str) -> Option<&'a str> {
    status.lines().find_map(|line| Some(line.strip_prefix(key)?.strip_prefix(':')?.trim()))
}

fn ids(status: &str, key: &str) -> Ids {
    let mut numbers =
        field(status, key).unwrap_or_default().split_whitespace().map(|word| word.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    Ids { real: next(), effective: next(), saved: next() }
}

/// The process's name.
pub fn name(pid: i32) -> Option<String> {
    text(pid, "comm").map(|name| name.trim_end_matches('\n').to_owned())
}

/// The program's file, without what the kernel adds to one that was removed.
pub fn exe(pid: i32) -> Seen<PathBuf> {
    let strip = |path: PathBuf| match path.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(path) => PathBuf::from(std::ffi::OsStr::from_bytes(path)),
        None => path,
    };
    match seen(fs::read_link(proc(pid, "exe"))) {
        Seen::Known(path) => Seen::Known(strip(path)),
        other => other,
    }
}

/// The real user of a process.
pub fn user(pid: i32) -> Option<u32> {
    let status = text(pid, "status")?;
    Some(ids(&status, "Uid").real)
}

/// Numbers of the namespaces, as far as they may be seen.
pub fn namespaces(pid: i32) -> Namespaces {
    let number = |name: &str| {
        let link = fs::read_link(proc(pid, &format!("ns/{name}"))).ok()?;
        link.to_str()?.split_once('[')?.1.strip_suffix(']')?.parse().ok()
    };
    Namespaces { pid: number("pid"), mount: number("mnt"), user: number("user") }
}

/// The pids of a process in PID namespaces from this one's down to its own.
pub fn pids(pid: i32) -> Vec<i32> {
    let status = text(pid, "status").unwrap_or_default();
    let inner = field(&status, "NSpid").unwrap_or_default();
    inner.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// A file as a process sees it. `None`: it is not there.
pub fn file_of(pid: i32, path: &Path) -> Seen<Option<FileId>> {
    match resolve(&proc(pid, "root"), path).and_then(fs::symlink_metadata) {
        Ok(data) => Seen::Known(Some(FileId { device: data.dev(), inode: data.ino() })),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Seen::Known(None)
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Seen::Denied,
        Err(_) => Seen::Unknown,
    }
}

/// The place of an absolute path below another root: links in it lead to places below that root, too.
fn resolve(root: &Path, path: &Path) -> io::Result<PathBuf> {
    // It must be visible at all, also for a path that ends at once.
    fs::metadata(root)?;
    let mut left: Vec<PathBuf> = parts(path);
    left.reverse();
    let mut done: Vec<PathBuf> = Vec::new();
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == Path::new("..") {
            done.pop();
            continue;
        }
        let place = done.iter().fold(root.to_path_buf(), |place, part| place.join(part)).join(&part);
        match fs::read_link(&place) {
            Ok(target) => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(ErrorKind::NotFound.into());
                }
                if target.is_absolute() {
                    done.clear();
                }
                left.extend(parts(&target).into_iter().rev());
            }
            Err(error) if error.kind() == ErrorKind::InvalidInput => done.push(part),
            Err(error) => return Err(error),
        }
    }
    Ok(done.iter().fold(root.to_path_buf(), |place, part| place.join(part)))
}

fn parts(path: &Path) -> Vec<PathBuf> {
    let part = |component: Component<'_>| match component {
        Component::Normal(name) => Some(PathBuf::from(name)),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(part).collect()
}

/// Everything about it. None: there is no such process (any more).
pub fn examine(pid: i32, context: &Context<'_>) -> Option<Process> {
    let status = text(pid, "status")?;
    let stat = text(pid, "stat")?;
    // The name is in parentheses, and may be anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |at: usize| fields.get(at).and_then(|word| word.parse::<u64>().ok());
    let ticks = context.ticks.max(1);
    let since_boot = number(19).and_then(|ticks| i64::try_from(ticks).ok());
    let (uids, gids) = (ids(&status, "Uid"), ids(&status, "Gid"));
    let capabilities = u64::from_str_radix(field(&status, "CapPrm").unwrap_or_default(), 16).unwrap_or(0);
    let program = program(pid);
    let bits = program.known().map_or(64, |program| program.bits);
    let environment = environment(pid);
    let passwd_home = users::home_of(context.passwd, uids.real);
    let own = environment
        .known()
        .and_then(Environment::rundir)
        .or_else(|| Some(passwd_home.as_ref()?.join(".lttng")));
    let own_socket = own.map_or(Seen::Unknown, |rundir| file_of(pid, &rundir.join(APPS_SOCKET)));
    Some(Process {
        pid,
        name: name(pid)?,
        exe: exe(pid),
        kernel_thread: number(6).is_some_and(|flags| flags & KERNEL_THREAD != 0),
        state: fields.first().and_then(|state| state.chars().next()).unwrap_or('X'),
        debugger: field(&status, "TracerPid").and_then(|pid| pid.parse().ok()).filter(|pid| *pid != 0),
        uids,
        gids,
        capable: uids.effective != 0 && capabilities != 0,
        secure: secure(pid, bits),
        started: context.boot.zip(since_boot).map(|(boot, since)| boot + since / ticks),
        ancestors: ancestors(pid, number(1)),
        pids: pids(pid),
        environment,
        namespaces: namespaces(pid),
        root: seen(fs::read_link(proc(pid, "root"))),
        maps: maps(pid),
        program,
        listeners: listeners(pid),
        descriptors: seen(fs::read_dir(proc(pid, "fd")).map(|entries| entries.count() as u64)),
        descriptors_limit: descriptors_limit(pid),
        label: text(pid, "attr/current").filter(|label| !label.trim().is_empty()),
        system_socket: file_of(pid, &context.system_rundir.join(APPS_SOCKET)),
        own_socket,
        passwd_home,
    })
}

fn program(pid: i32) -> Seen<Program> {
    let file = match File::open(proc(pid, "exe")) {
        Ok(file) => file,
        Err(error) => return seen(Err(error)),
    };
    let Some(program) = elf::examine(&file) else { return Seen::Unknown };
    // Set-group-id counts only where the group may execute it.
    let set_id = file.metadata().is_ok_and(|data| {
        let mode = data.mode();
        mode & 0o4000 != 0 || mode & 0o2010 == 0o2010
    });
    Seen::Known(Program { set_id, ..program })
}

fn secure(pid: i32, bits: u32) -> Seen<bool> {
    let bytes = match fs::read(proc(pid, "auxv")) {
        Ok(bytes) => bytes,
        Err(error) => return seen(Err(error)),
    };
    let size = if bits == 32 { 4 } else { 8 };
    let number = |bytes: &[u8]| elf::number(bytes, cfg!(target_endian = "big"));
    let entries = bytes.chunks_exact(size * 2).map(|entry| entry.split_at(size));
    let mut found = entries.filter(|(key, _)| number(key) == SECURE).map(|(_, value)| number(value) != 0);
    found.next().map_or(Seen::Unknown, Seen::Known)
}

/// Variables that matter.
pub fn environment(pid: i32) -> Seen<Environment> {
    let bytes = match fs::read(proc(pid, "environ")) {
        Ok(bytes) => bytes,
        Err(error) => return seen(Err(error)),
    };
    let mut environment = Environment::default();
    for variable in bytes.split(|byte| *byte == 0) {
        let mut halves = variable.splitn(2, |byte| *byte == b'=');
        let (Some(key), Some(value)) = (halves.next(), halves.next()) else { continue };
        let path = || Some(PathBuf::from(std::ffi::OsStr::from_bytes(value))).filter(|_| !value.is_empty());
        let value_text = String::from_utf8_lossy(value).into_owned();
        match String::from_utf8_lossy(key).as_ref() {
            "HOME" => environment.home = path(),
            "LTTNG_HOME" => environment.lttng_home = path(),
            "LD_PRELOAD" => environment.preload = Some(value_text).filter(|text| !text.is_empty()),
            key if key.starts_with("LTTNG_") => environment.lttng.push((key.to_owned(), value_text)),
            _ => {}
        }
    }
    Seen::Known(environment)
}

fn ancestors(pid: i32, parent: Option<u64>) -> Vec<Ancestor> {
    let own = (exe(pid), name(pid));
    let mut found = Vec::new();
    let mut next = parent.and_then(|parent| i32::try_from(parent).ok()).unwrap_or(0);
    while next > 0 && found.len() < MOST_ANCESTORS {
        let (file, Some(name)) = (exe(next), name(next)) else { break };
        let same_program = match (&own.0, &file) {
            (Seen::Known(own), Seen::Known(file)) => own == file,
            _ => own.1.as_ref() == Some(&name),
        };
        found.push(Ancestor { pid: next, name, same_program });
        let status = text(next, "status").unwrap_or_default();
        next = field(&status, "PPid").and_then(|pid| pid.parse().ok()).unwrap_or(0);
    }
    found
}

/// Threads of LTTng-UST are called after the process, with `-ust` behind it.
fn listeners(pid: i32) -> usize {
    let Ok(threads) = fs::read_dir(proc(pid, "task")) else { return 0 };
    let is_listener = |thread: &fs::DirEntry| {
        fs::read(thread.path().join("comm")).is_ok_and(|name| name.trim_ascii_end().ends_with(b"-ust"))
    };
    threads.flatten().filter(is_listener).count()
}

fn descriptors_limit(pid: i32) -> Option<u64> {
    let limits = text(pid, "limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A line of `/proc/PID/maps` about a file: its path, and which it is.
fn mapped(line: &str) -> Option<(&str, FileId)> {
    let mut words = line.splitn(6, ' ');
    let (device, inode) = (words.nth(3)?, words.next()?);
    let path = words.next()?.trim_start();
    let path = path.strip_suffix(" (deleted)").unwrap_or(path);
    let (major, minor) = device.split_once(':')?;
    let part = |text| u64::from_str_radix(text, 16).ok();
    let device = nix::libc::makedev(u32::try_from(part(major)?).ok()?, u32::try_from(part(minor)?).ok()?);
    path.starts_with('/').then_some((path, FileId { device, inode: inode.parse().ok()? }))
}

fn maps(pid: i32) -> Seen<Maps> {
    let lines = match fs::read(proc(pid, "maps")) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return seen(Err(error)),
    };
    let mut maps = Maps::default();
    let mut files = BTreeSet::new();
    for (path, id) in lines.lines().filter_map(mapped) {
        let file = path.rsplit('/').next().unwrap_or_default();
        match file.strip_prefix("lttng-ust-wait-8") {
            Some("") => maps.global_wait = Some(id),
            Some(_) => maps.local_wait = Some(id),
            None => {
                files.insert(path);
            }
        }
    }
    for path in files.into_iter().take(MOST_FILES) {
        add_file(pid, path, &mut maps);
    }
    maps.ust.sort_unstable();
    maps.ust.dedup();
    maps.tracepoints.sort_unstable();
    maps.tracepoints.dedup();
    Seen::Known(maps)
}

/// Whether LTTng-UST is mapped.
pub fn has_library(pid: i32) -> Seen<bool> {
    let maps = seen(fs::read(proc(pid, "maps")));
    maps.known().map_or_else(
        || if maps.is_denied() { Seen::Denied } else { Seen::Unknown },
        |bytes| {
            let lines = String::from_utf8_lossy(bytes);
            Seen::Known(lines.lines().filter_map(mapped).any(|(path, _)| path.contains("/liblttng-ust.so.")))
        },
    )
}

fn add_file(pid: i32, path: &str, maps: &mut Maps) {
    let file = path.rsplit('/').next().unwrap_or_default();
    if let Some(version) = file.strip_prefix("liblttng-ust.so.") {
        maps.ust.extend(version.split('.').next().and_then(|number| number.parse::<u32>().ok()));
    }
    if file.starts_with("liblttng-ust") {
        maps.tracepoint |= file.starts_with("liblttng-ust-tracepoint.");
        maps.fork |= file.starts_with("liblttng-ust-fork.");
        maps.agent |= file.contains("-jni.") || file.starts_with("liblttng-ust-python-agent.");
        return;
    }
    // Shared memory and devices are none.
    if path.starts_with("/dev/")
        || path.starts_with("/memfd:")
        || path.starts_with("/SYSV")
        || path.starts_with("/anon_")
    {
        return;
    }
    let opened = resolve(&proc(pid, "root"), Path::new(path)).and_then(|place| {
        // A pipe in its place would not open.
        if fs::metadata(&place)?.is_file() { File::open(&place) } else { Err(ErrorKind::InvalidInput.into()) }
    });
    match opened {
        Ok(opened) => {
            let Some(program) = elf::examine(&opened) else { return };
            if program.provides {
                maps.providers.push(path.into());
            }
            maps.tracepoints.extend(program.tracepoints);
        }
        Err(_) if file.contains(".so") => maps.unread += 1,
        Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_maps() {
        let line = "7f00-7f01 r--s 00000000 00:1a 42                         /dev/shm/lttng-ust-wait-8";
        let (path, id) = mapped(line).unwrap();
        assert_eq!(path, "/dev/shm/lttng-ust-wait-8");
        assert_eq!(id, FileId { device: 0x1a, inode: 42 });
        let removed = "7f00-7f01 r--p 00000000 fe:01 42                         /a b/c.so (deleted)";
        assert_eq!(mapped(removed).unwrap().0, "/a b/c.so");
        assert_eq!(mapped("7f00-7f01 rw-p 00000000 00:00 0 "), None);
        assert_eq!(mapped("7f00-7f01 rw-p 00000000 00:00 0                          [heap]"), None);
        assert_eq!(mapped(""), None);
    }

    #[test]
    fn links_stay_below_the_root() {
        let root = std::env::temp_dir().join(format!("explain-root-{}", std::process::id()));
        fs::create_dir_all(root.join("run/lttng")).unwrap();
        fs::create_dir_all(root.join("var")).unwrap();
        std::os::unix::fs::symlink("/run", root.join("var/run")).unwrap();
        std::os::unix::fs::symlink("../../loop", root.join("loop")).unwrap();
        let place = resolve(&root, Path::new("/var/run/lttng"));
        assert_eq!(place.unwrap(), root.join("run/lttng"));
        assert!(resolve(&root, Path::new("/loop/x")).is_err());
        assert_eq!(resolve(&root, Path::new("/run/none")).unwrap_err().kind(), ErrorKind::NotFound);
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn this_process_is_examined() {
        let context =
            Context { boot: Some(0), ticks: 100, passwd: "", system_rundir: Path::new("/var/run/lttng") };
        let pid = std::process::id().cast_signed();
        let process = examine(pid, &context).unwrap();
        assert_eq!(process.uids.real, nix::unistd::getuid().as_raw());
        assert_eq!(process.secure, Seen::Known(false));
        assert!(process.maps.known().unwrap().ust.is_empty());
        assert_eq!(process.program.known().unwrap().bits, usize::BITS);
        assert!(!process.kernel_thread);
        assert!(process.namespaces.pid.is_some());
        assert!(process.descriptors.known().is_some_and(|open| *open > 2));
        assert!(examine(i32::MAX, &context).is_none());
    }
}
