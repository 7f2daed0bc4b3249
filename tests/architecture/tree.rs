// SPDX-License-Identifier: GPL-2.0-only
//! All sources together: which file a path leads to, and which files import one another in a circle.
//!
//! Nothing here knows which imports are wanted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

use super::source::{Mention, Source};

/// More re-exports than this on the way to a name are a circle of their own.
const MAX_HOPS: usize = 8;

/// Where a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A file of this crate.
    File(usize),
    /// Another crate, with the path in it.
    Crate(Vec<String>),
}

/// An import, or a path that does without one.
#[derive(Debug)]
pub struct Reference {
    /// The file that imports.
    pub from: usize,
    /// What.
    pub to: Target,
    /// Line in the file that imports.
    pub line: usize,
    /// It only passes a name on: the file itself has no use for it.
    pub passed_on: bool,
}

/// The sources of the crate.
#[derive(Debug)]
pub struct Tree {
    /// In the order of their paths.
    pub sources: Vec<Source>,
    modules: BTreeMap<Vec<String>, usize>,
}

impl Tree {
    /// Made of paths below `src/` and contents. Files of tests are left out.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let is_test =
            |file: &str| file == "tests.rs" || file.ends_with("/tests.rs") || file.contains("tests/");
        let kept = files.into_iter().filter(|(file, _)| !is_test(file));
        let sources: Vec<Source> = kept.map(|(file, content)| Source::new(file, content)).collect();
        let modules = sources.iter().enumerate().map(|(at, source)| (source.module.clone(), at)).collect();
        Tree { sources, modules }
    }

    /// Everything below a folder.
    pub fn read(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        read_into(&mut files, folder, "");
        Tree::new(files.iter().map(|(file, content)| (file.as_str(), content.as_str())))
    }

    /// Everything that any file refers to, but itself.
    pub fn references(&self) -> Vec<Reference> {
        let mut found = Vec::new();
        for (from, source) in self.sources.iter().enumerate() {
            for import in &source.imports {
                let passed_on = import.public && !source.words.contains_key(&import.name);
                let to = self.resolve(from, &import.path, MAX_HOPS);
                found.push(Reference { from, to, line: import.path.line, passed_on });
            }
            for mention in &source.mentions {
                let to = self.resolve(from, mention, MAX_HOPS);
                found.push(Reference { from, to, line: mention.line, passed_on: false });
            }
        }
        found.retain(|reference| reference.to != Target::File(reference.from));
        found
    }

    fn resolve(&self, from: usize, mention: &Mention, hops: usize) -> Target {
        let source = &self.sources[from];
        let mut rest = mention.segments.as_slice();
        let mut base = Vec::new();
        match rest.first().map(String::as_str) {
            // The binary sees the library from outside.
            Some("crate") if source.file != "main.rs" => rest = &rest[1..],
            Some("lttng_sessiond") => rest = &rest[1..],
            Some("self" | "super") => {
                base = mention.at.clone();
                while let Some("self" | "super") = rest.first().map(String::as_str) {
                    if rest[0] == "super" {
                        base.pop();
                    }
                    rest = &rest[1..];
                }
            }
            Some(first) => {
                let child = [mention.at.as_slice(), &rest[..1]].concat();
                let import = source.imports.iter().find(|import| import.name == first);
                match import {
                    _ if self.modules.contains_key(&child) => base = mention.at.clone(),
                    Some(import) if hops > 0 && import.path.segments != mention.segments => {
                        return self.resolve(from, &behind(&import.path, &rest[1..]), hops - 1);
                    }
                    // A type, a module inside the file, or another crate.
                    _ => return Target::Crate(mention.segments.clone()),
                }
            }
            None => {}
        }
        base.extend_from_slice(rest);
        self.find(&base, hops)
    }

    /// The file in which the name at this path is defined.
    fn find(&self, path: &[String], hops: usize) -> Target {
        for length in (0..=path.len()).rev() {
            let Some(&file) = self.modules.get(&path[..length]) else { continue };
            let Some(name) = path.get(length).filter(|_| hops > 0) else { return Target::File(file) };
            let passed_on = self.sources[file].imports.iter().find(|import| import.name == *name);
            let origin = passed_on
                .map(|import| self.resolve(file, &behind(&import.path, &path[length + 1..]), hops - 1));
            return match origin {
                Some(Target::File(origin)) => Target::File(origin),
                _ => Target::File(file),
            };
        }
        Target::Crate(path.to_vec())
    }

    /// Each group of files of which three or more import one another in a circle, in words.
    pub fn circles(&self) -> Vec<String> {
        let mut edges: BTreeMap<usize, BTreeMap<usize, usize>> = BTreeMap::new();
        for reference in self.references() {
            if let Target::File(to) = reference.to
                && !reference.passed_on
            {
                edges.entry(reference.from).or_default().entry(to).or_insert(reference.line);
            }
        }
        let reached: Vec<BTreeSet<usize>> =
            (0..self.sources.len()).map(|file| reachable(&edges, file)).collect();
        let mut told = BTreeSet::new();
        let mut found = Vec::new();
        for file in 0..self.sources.len() {
            let group: Vec<usize> =
                reached[file].iter().copied().filter(|&other| reached[other].contains(&file)).collect();
            if told.contains(&file) || group.len() < 3 {
                continue;
            }
            told.extend(group.iter().copied());
            if let Some(circle) = shortest_circle(&edges, &group) {
                found.push(self.tell(&edges, &group, &circle));
            }
        }
        found
    }

    fn tell(
        &self,
        edges: &BTreeMap<usize, BTreeMap<usize, usize>>,
        group: &[usize],
        circle: &[usize],
    ) -> String {
        let name = |file: usize| self.sources[file].file.as_str();
        let next = circle.iter().cycle().skip(1);
        let steps = circle.iter().zip(next).map(|(from, to)| {
            format!("\n    src/{}:{} imports src/{}", name(*from), edges[from][to], name(*to))
        });
        let all: Vec<&str> = group.iter().map(|&file| name(file)).collect();
        format!("imports in a circle:{}\n    (of {})", steps.collect::<String>(), all.join(", "))
    }
}

fn read_into(files: &mut BTreeMap<String, String>, folder: &Path, prefix: &str) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            read_into(files, &path, &format!("{name}/"));
        } else if name.ends_with(".rs") {
            files.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}

fn behind(path: &Mention, rest: &[String]) -> Mention {
    let segments = [path.segments.as_slice(), rest].concat();
    Mention { segments, ..path.clone() }
}

type Edges = BTreeMap<usize, BTreeMap<usize, usize>>;

fn reachable(edges: &Edges, start: usize) -> BTreeSet<usize> {
    let mut seen = BTreeSet::from([start]);
    let mut open = vec![start];
    while let Some(file) = open.pop() {
        let next = edges.get(&file).into_iter().flat_map(BTreeMap::keys);
        open.extend(next.filter(|&&next| seen.insert(next)));
    }
    seen
}

/// The shortest way around through three files or more: one edge, and a way back that is not its opposite.
fn shortest_circle(edges: &Edges, group: &[usize]) -> Option<Vec<usize>> {
    let pairs =
        group.iter().flat_map(|from| edges.get(from).into_iter().flatten().map(move |to| (*from, *to.0)));
    let ways = pairs.filter_map(|(from, to)| way_back(edges, to, from));
    ways.min_by_key(Vec::len)
}

fn way_back(edges: &Edges, start: usize, goal: usize) -> Option<Vec<usize>> {
    let mut came_from = BTreeMap::from([(start, start)]);
    let mut open = VecDeque::from([start]);
    while let Some(file) = open.pop_front() {
        for &next in edges.get(&file).into_iter().flat_map(BTreeMap::keys) {
            if (file, next) == (start, goal) || came_from.contains_key(&next) {
                continue;
            }
            came_from.insert(next, file);
            if next == goal {
                let mut way = vec![goal];
                while let Some(last) = way.last().copied().filter(|&last| last != start) {
                    way.push(came_from[&last]);
                }
                way.reverse();
                return Some(way);
            }
            open.push_back(next);
        }
    }
    None
}
