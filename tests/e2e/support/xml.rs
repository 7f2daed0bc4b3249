// SPDX-License-Identifier: GPL-2.0-only
//! Just enough XML to compare two `lttng --mi xml` documents: elements and texts, attributes left as they are.

/// An element.
#[derive(Debug, Default)]
pub struct Element {
    /// Name and attributes as written.
    pub tag: String,
    /// Text directly inside.
    pub text: String,
    /// Elements inside.
    pub children: Vec<Element>,
}

/// Elements whose children come in no defined order.
const UNORDERED: &[&str] = &["channels", "domains", "events", "pids", "process_attr_values", "triggers"];

/// Elements whose text differs from run to run.
const VARYING: &[&str] = &["creation_time", "id", "pid"];

/// Reads a document. `None` when it is not well-formed.
pub fn parse(document: &str) -> Option<Element> {
    let mut open = vec![Element::default()];
    let mut rest = document;
    while let Some(start) = rest.find('<') {
        open.last_mut()?.text.push_str(rest[..start].trim());
        let end = rest[start..].find('>')? + start;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let done = open.pop()?;
            if done.name() != name {
                return None;
            }
            open.last_mut()?.children.push(done);
        } else if tag.starts_with('?') || tag.starts_with('!') {
            continue;
        } else if let Some(name) = tag.strip_suffix('/') {
            open.last_mut()?.children.push(Element { tag: name.trim().to_owned(), ..Element::default() });
        } else {
            open.push(Element { tag: tag.to_owned(), ..Element::default() });
        }
    }
    (open.len() == 1).then(|| open.pop()).flatten()
}

impl Element {
    /// The tag without attributes.
    pub fn name(&self) -> &str {
        self.tag.split_whitespace().next().unwrap_or("")
    }

    /// The texts of all elements with this name, in document order.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let own = (self.name() == name).then_some(self.text.as_str());
        own.into_iter().chain(self.children.iter().flat_map(|child| child.texts(name))).collect()
    }

    /// All texts inside the elements with this name, in document order.
    pub fn texts_below(&self, name: &str) -> Vec<&str> {
        let found = self.name() == name;
        let own = (found && !self.text.is_empty()).then_some(self.text.as_str());
        let below = self
            .children
            .iter()
            .flat_map(|child| if found { child.all_texts() } else { child.texts_below(name) });
        own.into_iter().chain(below).collect()
    }

    fn all_texts(&self) -> Vec<&str> {
        let own = (!self.text.is_empty()).then_some(self.text.as_str());
        own.into_iter().chain(self.children.iter().flat_map(Element::all_texts)).collect()
    }

    /// The tree as indented lines, in a form that is the same from run to run.
    pub fn canonical(&self) -> String {
        let mut lines = format!("<{}>", self.tag);
        let varies = VARYING.contains(&self.name()) && !self.text.is_empty();
        lines.push_str(if varies { " N" } else { &self.text });
        let mut children: Vec<String> = self.children.iter().map(Element::canonical).collect();
        if UNORDERED.contains(&self.name()) {
            children.sort();
        }
        for line in children.iter().flat_map(|child| child.lines()) {
            lines.push_str("\n  ");
            lines.push_str(line);
        }
        lines
    }
}
