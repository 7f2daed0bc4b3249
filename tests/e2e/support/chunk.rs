// SPDX-License-Identifier: GPL-2.0-only
//! Trace chunks on disk: where they are, what is in them.

use std::fs;
use std::path::{Path, PathBuf};

use super::normalise::{Order, dates};
use super::sandbox::Sandbox;
use super::trace::{Event, events};

/// A trace chunk on disk.
pub struct Chunk {
    /// Its number, if its folder has a name of its own.
    pub number: Option<u64>,
    /// Where it is.
    pub path: PathBuf,
}

/// Archived chunks in the order of their numbers.
pub fn archived(trace: &str) -> Vec<Chunk> {
    below(&Path::new(trace).join("archives"))
}

/// The chunk that is being recorded, or was when the session was stopped. None if it was archived.
pub fn current(trace: &str) -> Option<Chunk> {
    let trace = Path::new(trace);
    if trace.join("ust").exists() {
        return Some(Chunk { number: None, path: trace.to_owned() });
    }
    let mut own = below(trace);
    assert!(own.len() < 2, "one chunk is recorded at a time");
    own.pop()
}

/// Folders whose name ends like a chunk's.
fn below(folder: &Path) -> Vec<Chunk> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut chunks: Vec<Chunk> = paths
        .filter_map(|path| {
            let name = dates(path.file_name()?.to_str()?);
            let number = name.strip_prefix("TIME-")?.trim_start_matches("TIME-").parse().ok()?;
            Some(Chunk { number: Some(number), path })
        })
        .collect();
    chunks.sort_by_key(|chunk| chunk.number);
    chunks
}

impl Chunk {
    /// Its events. It must be readable by itself; a chunk that no application wrote to has no trace.
    pub fn events(&self, s: &Sandbox) -> Vec<Event> {
        if !has_metadata(&self.path.join("ust")) {
            return Vec::new();
        }
        events(s, &self.path.join("ust").to_string_lossy())
    }
}

fn has_metadata(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let mut paths = entries.map(|entry| entry.unwrap().path());
    paths.any(|path| path.ends_with("metadata") || (path.is_dir() && has_metadata(&path)))
}

/// The numbers that the events of each chunk carry, chunk by chunk; the current one is the last.
pub fn numbers(s: &Sandbox, trace: &str) -> String {
    let mut lines = Vec::new();
    for chunk in archived(trace).into_iter().chain(current(trace)) {
        let mut numbers: Vec<i64> = chunk.events(s).iter().map(Event::n).collect();
        numbers.sort_unstable();
        lines.push(format!("{:?}: {numbers:?}", chunk.number));
    }
    lines.join("\n")
}

/// All numbers of all chunks, in their order.
pub fn all_numbers(s: &Sandbox, trace: &str) -> Vec<i64> {
    let chunks = archived(trace).into_iter().chain(current(trace));
    let mut numbers: Vec<i64> = chunks.flat_map(|chunk| chunk.events(s)).map(|event| event.n()).collect();
    numbers.sort_unstable();
    numbers
}

/// Everything below a folder with owners and modes, without process ids, times and the files of other CPUs than the
/// first.
pub fn tree(s: &Sandbox, folder: &str) -> String {
    let mut lines: Vec<String> = s
        .files(&[folder])
        .iter()
        .map(|line| dates(line.strip_prefix(folder).unwrap()))
        .filter(|line| !is_other_cpu(line))
        .map(|line| without_pid(&line))
        .collect();
    lines.sort();
    lines.dedup();
    lines.join("\n")
}

/// Records the tree and the events of each chunk for the comparison.
pub fn note(s: &Sandbox, when: &str, trace: &str) {
    s.note(&format!("files {when}"), &tree(s, trace), Order::Fixed);
    s.note(&format!("events {when}"), &numbers(s, trace), Order::Fixed);
}

/// Channels of these tests have names of one letter: `c_1`, `c_1_0`, `c_1.idx`.
fn is_other_cpu(line: &str) -> bool {
    let path = line.split(' ').next().unwrap();
    let name = path.rsplit('/').next().unwrap().trim_end_matches(".idx");
    let cpu = name.split('_').nth(1).and_then(|cpu| cpu.parse().ok());
    name.as_bytes().get(1) == Some(&b'_') && cpu.is_some_and(|cpu: u32| cpu > 0)
}

/// `pid/emitter-17-DATE` names a process.
fn without_pid(line: &str) -> String {
    match line.split_once("pid/emitter-") {
        Some((before, after)) => {
            format!("{before}pid/emitter-N{}", after.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        None => line.to_owned(),
    }
}
