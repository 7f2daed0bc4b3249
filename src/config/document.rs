// SPDX-License-Identifier: GPL-2.0-only
//! XML: from bytes to elements that can be asked for what they have.
//!
//! A file may be half-written, or made to be hostile. So it is looked through before the parser has it: no document type,
//! hence no entities but the predefined ones; no attributes but on the root, hence no namespaces to be kept; no depth that
//! the format does not have. What is left costs the parser time and memory in proportion to its length.

use std::collections::BTreeMap;
use std::fmt;

use roxmltree::{Document, Node, ParsingOptions};

/// Bytes of the longest file.
pub const MAX_FILE: usize = 16 << 20;
/// Depth of the deepest element; the format has 12.
const MAX_DEPTH: usize = 32;
/// Bytes of the root's start tag.
const MAX_ROOT: usize = 4096;
/// Elements and texts of the largest file: about 60 000 event rules.
const MAX_NODES: u32 = 1_000_000;
/// Attributes of this namespace say where a schema is.
const SCHEMA_INSTANCE: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// What kind of fault a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// It is not well-formed XML.
    Malformed,
    /// It is no configuration.
    Invalid,
}

/// Why a file can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong, for people.
    pub text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.text.escape_debug())
    }
}

impl std::error::Error for Fault {}

fn fault(kind: FaultKind, line: u32, text: impl Into<String>) -> Fault {
    Fault { kind, line, text: text.into() }
}

/// Parses a file, and hands its root to `use_root`.
///
/// # Errors
/// It is too long, not UTF-8, not well-formed, or has what no configuration has; or what `use_root` says.
pub fn with_root<T>(
    bytes: &[u8],
    use_root: impl FnOnce(Element<'_>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    if bytes.len() > MAX_FILE {
        return Err(fault(FaultKind::Invalid, 1, "the file is too long"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        fault(FaultKind::Malformed, line_of(before), "not UTF-8")
    })?;
    look_through(text)?;
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| {
        let kind = match error {
            roxmltree::Error::NodesLimitReached => FaultKind::Invalid,
            _ => FaultKind::Malformed,
        };
        fault(kind, error.pos().row, error.to_string())
    })?;
    use_root(Element(document.root_element()))
}

fn line_of(before: &[u8]) -> u32 {
    let lines = before.iter().filter(|&&byte| byte == b'\n').count();
    u32::try_from(lines).unwrap_or(u32::MAX).saturating_add(1)
}

/// What is not an element, by how it begins and ends.
const SPECIAL: [(&str, &str); 3] = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")];

/// Refuses what the parser had better not see. What is not well-formed is left to the parser to find.
fn look_through(text: &str) -> Result<(), Fault> {
    let mut depth = 0_usize;
    let mut rest = text;
    let line = |rest: &str| {
        let before = text.len().saturating_sub(rest.len());
        line_of(text.as_bytes().get(..before).unwrap_or_default())
    };
    while let Some(begin) = rest.find('<') {
        rest = rest.get(begin..).unwrap_or_default();
        if let Some((opening, closing)) = SPECIAL.iter().find(|(opening, _)| rest.starts_with(opening)) {
            // What opens it may look like what closes it: `<!-->` is the beginning of a comment.
            let inside = rest.get(opening.len()..).unwrap_or_default();
            let Some((inside, after)) = inside.split_once(closing) else { return Ok(()) };
            let declaration = inside.strip_prefix("xml").filter(|_| *opening == "<?");
            if let Some(declaration) = declaration.filter(|after| after.starts_with(char::is_whitespace)) {
                check_encoding(declaration)?;
            }
            rest = after;
            continue;
        }
        if rest.starts_with("<!") {
            return Err(fault(FaultKind::Invalid, line(rest), "a document type is not allowed"));
        }
        let Some((tag, after)) = tag(rest) else { return Ok(()) };
        if tag.starts_with("</") {
            depth = depth.saturating_sub(1);
        } else if depth >= MAX_DEPTH {
            return Err(fault(FaultKind::Invalid, line(rest), "too many elements inside one another"));
        } else if tag.len() > MAX_ROOT || (depth > 0 && tag.contains('=')) {
            return Err(fault(FaultKind::Invalid, line(rest), "attributes are not allowed"));
        } else if !tag.ends_with('/') {
            depth = depth.saturating_add(1);
        }
        rest = after;
    }
    Ok(())
}

/// The tag at the beginning, without the `>` that ends it, and what comes after. A value of an attribute may have that in
/// it.
fn tag(text: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    let end = text.bytes().position(|byte| match (quote, byte) {
        (None, b'>') => true,
        (None, b'"' | b'\'') => {
            quote = Some(byte);
            false
        }
        (Some(open), byte) if open == byte => {
            quote = None;
            false
        }
        _ => false,
    })?;
    text.split_at_checked(end).map(|(tag, after)| (tag, after.get(1..).unwrap_or_default()))
}

/// There is one encoding. ASCII is the same.
fn check_encoding(declaration: &str) -> Result<(), Fault> {
    let Some((_, after)) = declaration.split_once("encoding") else { return Ok(()) };
    let mut parts = after.split(['"', '\'']);
    let name = parts.nth(1).unwrap_or_default();
    let known = ["UTF-8", "UTF8", "US-ASCII", "ASCII"];
    if known.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        return Ok(());
    }
    Err(fault(FaultKind::Malformed, 1, format!("the encoding {name} is not known: only UTF-8 is")))
}

/// An element.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a>(Node<'a, 'a>);

impl<'a> Element<'a> {
    /// Its name.
    pub fn name(self) -> &'a str {
        self.0.tag_name().name()
    }

    /// A fault of this element.
    pub fn fault(self, text: impl fmt::Display) -> Fault {
        let line = self.0.document().text_pos_at(self.0.range().start).row;
        fault(FaultKind::Invalid, line, format!("{}: {text}", self.name()))
    }

    /// It must have this name, and neither a namespace nor attributes but those that say where a schema is.
    fn check(self) -> Result<Self, Fault> {
        let known = |attribute: roxmltree::Attribute<'_, '_>| attribute.namespace() == Some(SCHEMA_INSTANCE);
        if self.0.tag_name().namespace().is_some() || !self.0.attributes().all(known) {
            return Err(self.fault("neither namespaces nor attributes are allowed"));
        }
        Ok(self)
    }

    /// Its elements, between which there is nothing but white space and comments.
    pub fn elements(self) -> Result<Vec<Element<'a>>, Fault> {
        self.check()?;
        let mut elements = Vec::new();
        for child in self.0.children() {
            if child.is_element() {
                elements.push(Element(child).check()?);
            } else if child.text().filter(|_| child.is_text()).is_some_and(|text| !text.trim().is_empty()) {
                return Err(self.fault("text is not allowed here"));
            }
        }
        Ok(elements)
    }

    /// Its elements, all of which have this name.
    pub fn list(self, name: &str) -> Result<Vec<Element<'a>>, Fault> {
        let elements = self.elements()?;
        match elements.iter().find(|element| element.name() != name) {
            Some(other) => Err(other.fault("not expected here")),
            None => Ok(elements),
        }
    }

    /// Its elements by their names, each of which is there once at most.
    pub fn fields(self) -> Result<Fields<'a>, Fault> {
        let mut fields = BTreeMap::new();
        for element in self.elements()? {
            if fields.insert(element.name(), element).is_some() {
                return Err(element.fault("more than once"));
            }
        }
        Ok(Fields { of: self, fields })
    }

    /// Its only element.
    pub fn only(self) -> Result<Element<'a>, Fault> {
        match self.elements()?.as_slice() {
            [element] => Ok(*element),
            _ => Err(self.fault("exactly one element is expected")),
        }
    }

    /// Its text, of at most so many bytes.
    pub fn text(self, most: usize) -> Result<String, Fault> {
        self.check()?;
        let mut text = String::new();
        for child in self.0.children() {
            if child.is_element() {
                return Err(self.fault("elements are not allowed here"));
            }
            text.push_str(child.text().filter(|_| child.is_text()).unwrap_or_default());
        }
        if text.len() > most { Err(self.fault("too long")) } else { Ok(text) }
    }

    /// A word of a set.
    pub fn word<T: Copy>(self, words: &[(&str, T)]) -> Result<T, Fault> {
        let text = self.text(MAX_FILE)?;
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value).ok_or_else(|| self.fault("a value that is not known"))
    }

    /// `true`, `false`, `1` or `0`.
    pub fn boolean(self) -> Result<bool, Fault> {
        let text = self.text(MAX_FILE)?;
        match text.trim_ascii() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(self.fault("neither true nor false")),
        }
    }

    /// A decimal number of this type.
    pub fn number<T: std::str::FromStr>(self) -> Result<T, Fault> {
        let text = self.text(MAX_FILE)?;
        text.trim_ascii().parse().map_err(|_| self.fault("not a number, or one that is too large"))
    }
}

/// The elements of an element, to be taken by their names.
#[derive(Debug)]
pub struct Fields<'a> {
    of: Element<'a>,
    fields: BTreeMap<&'a str, Element<'a>>,
}

impl<'a> Fields<'a> {
    /// Takes one that need not be there, and reads it.
    pub fn take<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Element<'a>) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        self.fields.remove(name).map(read).transpose()
    }

    /// Takes one that must be there, and reads it.
    pub fn need<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Element<'a>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        match self.take(name, read)? {
            Some(value) => Ok(value),
            None => Err(self.of.fault(format_args!("{name} is missing"))),
        }
    }

    /// Nothing must be left.
    pub fn end(self) -> Result<(), Fault> {
        match self.fields.into_values().next() {
            Some(element) => Err(element.fault("not expected here")),
            None => Ok(()),
        }
    }
}
