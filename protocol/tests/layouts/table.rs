// SPDX-License-Identifier: GPL-2.0-only
//! The structures of `protocol/doc/layouts.md`: what stands where.
//!
//! Knows nothing of the crate: it is what the crate is compared with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

/// A structure or union.
#[derive(Debug)]
pub struct Structure {
    pub is_union: bool,
    pub is_packed: bool,
    pub size: usize,
    pub members: Vec<Member>,
}

/// A member. Of an array, `kind` is the type of an element.
#[derive(Debug)]
pub struct Member {
    pub offset: usize,
    pub kind: String,
    pub count: Option<usize>,
    pub name: String,
}

/// All structures.
pub struct Table {
    pub structures: BTreeMap<String, Structure>,
    /// Their names, each after those of the structures that are its members.
    pub order: Vec<String>,
}

impl Table {
    /// The page, read once.
    pub fn shared() -> &'static Self {
        static TABLE: LazyLock<Table> = LazyLock::new(Table::read);
        &TABLE
    }

    /// Reads the page.
    pub fn read() -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("doc/layouts.md");
        let page =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut table = Table { structures: BTreeMap::new(), order: Vec::new() };
        let mut is_inside = false;
        for line in page.lines() {
            if line.starts_with("```") {
                is_inside = line == "```layout";
            } else if is_inside && !line.is_empty() {
                table.line(line);
            }
        }
        table
    }

    fn line(&mut self, line: &str) {
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{line}"));
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            [kind @ ("struct" | "union"), name, layout @ ("packed" | "natural"), size] => {
                let structure = Structure {
                    is_union: kind == "union",
                    is_packed: layout == "packed",
                    size: number(size),
                    members: Vec::new(),
                };
                assert!(self.structures.insert(name.to_owned(), structure).is_none(), "{name} comes twice");
                self.order.push(name.to_owned());
            }
            [offset, kind, name] => {
                let (kind, count) = match kind.strip_suffix(']').and_then(|kind| kind.split_once('[')) {
                    Some((kind, count)) => (kind, Some(number(count))),
                    None => (kind, None),
                };
                let structure = self.order.last().and_then(|name| self.structures.get_mut(name)).unwrap();
                structure.members.push(Member {
                    offset: number(offset),
                    kind: kind.to_owned(),
                    count,
                    name: name.to_owned(),
                });
            }
            _ => panic!("{line}"),
        }
    }

    pub fn structure(&self, name: &str) -> &Structure {
        self.structures.get(name).unwrap_or_else(|| panic!("no structure {name}"))
    }

    /// Bytes of a number of this type; `None` for text and structures.
    pub fn width(kind: &str) -> Option<usize> {
        match kind {
            "u8" | "i8" => Some(1),
            "u16" => Some(2),
            "u32" | "i32" | "enum" => Some(4),
            "u64" | "i64" | "f64" => Some(8),
            _ => None,
        }
    }

    /// Bytes of one element of this type, on a machine with pointers of 64 bits.
    pub fn element(&self, kind: &str) -> usize {
        match kind {
            "char" | "pad" => 1,
            "pointer" => 8,
            _ => Self::width(kind).unwrap_or_else(|| self.structure(kind).size),
        }
    }
}
