// SPDX-License-Identifier: GPL-2.0-only
//! What was recorded on the two daemons, in a form that can be compared.

use std::fmt;
use std::path::Path;

use super::xml;

/// How much of the order in a recorded text means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Everything.
    Fixed,
    /// Items of a list (channels, event rules, applications) may come in any order; empty lines are ignored.
    AnyText,
    /// The same for an XML document.
    AnyXml,
}

/// One recorded step.
#[derive(Debug)]
pub struct Step {
    title: String,
    text: String,
}

impl Step {
    /// Normalises and keeps a text. `dir` is the sandbox's own directory.
    pub fn new(title: &str, text: &str, order: Order, dir: &Path) -> Self {
        let text = normalise(text, dir);
        let text = match order {
            Order::Fixed => text,
            Order::AnyText => sort_items(&text),
            Order::AnyXml => sort_xml(&text),
        };
        Step { title: normalise(title, dir), text }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "$ {}\n{}", self.title, self.text)
    }
}

/// Fails with every step that differs.
pub fn compare(stock: &[Step], ours: &[Step]) {
    let mut report = String::new();
    for (number, (stock, ours)) in stock.iter().zip(ours).enumerate() {
        if stock.title != ours.title {
            report.push_str(&format!("step {number}: `{}` and `{}`\n", stock.title, ours.title));
            break;
        }
        if stock.text != ours.text {
            report.push_str(&format!(
                "step {number}: {}\n{}",
                stock.title,
                difference(&stock.text, &ours.text)
            ));
        }
    }
    assert!(report.is_empty(), "ours (+) differs from stock (-):\n{report}");
    assert_eq!(stock.len(), ours.len(), "number of steps");
}

/// The lines of both texts without their common beginning and end.
fn difference(stock: &str, ours: &str) -> String {
    let (stock, ours): (Vec<&str>, Vec<&str>) = (stock.lines().collect(), ours.lines().collect());
    let same = stock.iter().zip(&ours).take_while(|(a, b)| a == b).count();
    let most = stock.len().min(ours.len()) - same;
    let tail = stock.iter().rev().zip(ours.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let mut text = format!("  ({same} equal lines)\n");
    for (mark, lines) in [('-', &stock), ('+', &ours)] {
        for line in &lines[same..lines.len() - tail] {
            text.push_str(&format!("{mark} {line}\n"));
        }
    }
    text + &format!("  ({tail} equal lines)\n")
}

fn normalise(text: &str, dir: &Path) -> String {
    let text = text.replace(&*dir.to_string_lossy(), "DIR");
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        // Shown, with one dot for every look at the daemon, only when the daemon is not done at once.
        if line.starts_with("Destroying session") || line.starts_with("Waiting for data availability") {
            continue;
        }
        let mut line = dates(line);
        if let Some(rest) = line.strip_prefix("PID: ") {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            line = format!("PID: N{rest}");
        }
        lines.push(line);
    }
    lines.join("\n") + "\n"
}

/// Replaces every `YYYYmmdd-HHMMSS`.
pub fn dates(line: &str) -> String {
    const LENGTH: usize = 15;
    let is_date =
        |bytes: &[u8]| bytes.iter().enumerate().all(|(i, b)| (i == 8 && *b == b'-') || b.is_ascii_digit());
    let bytes = line.as_bytes();
    let (mut text, mut copied, mut at) = (String::new(), 0, 0);
    while at + LENGTH <= bytes.len() {
        if is_date(&bytes[at..at + LENGTH]) {
            text.push_str(&line[copied..at]);
            text.push_str("DATE");
            at += LENGTH;
            copied = at;
        } else {
            at += 1;
        }
    }
    text + &line[copied..]
}

/// Sorts runs of list items. An item is its line and all lines below it that are indented deeper.
fn sort_items(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let mut out = Vec::new();
    sort_level(&lines, &mut out);
    out.join("\n") + "\n"
}

fn sort_level(lines: &[&str], out: &mut Vec<String>) {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut blocks: Vec<Vec<String>> = Vec::new();
    let mut start = 0;
    while start < lines.len() {
        let level = depth(lines[start]);
        let below = lines[start + 1..].iter().take_while(|line| depth(line) > level).count();
        let mut block = vec![lines[start].to_owned()];
        sort_level(&lines[start + 1..start + 1 + below], &mut block);
        blocks.push(block);
        start += below + 1;
    }
    let is_item = |block: &Vec<String>| {
        let head = block[0].trim_start();
        let marks = ["(type: ", "(loglevel", "[enabled]", "[disabled]"];
        head.starts_with("- ") || head.starts_with("PID: ") || marks.iter().any(|mark| head.contains(mark))
    };
    let mut from = 0;
    while from < blocks.len() {
        let run = blocks[from..].iter().take_while(|block| is_item(block)).count();
        blocks[from..from + run].sort();
        from += run.max(1);
    }
    out.extend(blocks.into_iter().flatten());
}

/// Lays an XML document out as lines with unordered lists sorted. Lines outside the document stay as they are.
fn sort_xml(text: &str) -> String {
    let Some(start) = text.find("<?xml") else { return text.to_owned() };
    let end = text.rfind('>').map_or(text.len(), |at| at + 1);
    match xml::parse(&text[start..end]) {
        Some(document) => format!("{}{}{}", &text[..start], document.canonical(), &text[end..]),
        None => format!("not well-formed: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_paths_pids_and_waiting_vanish() {
        let text = "to /tmp/x/auto-20250101-101010\nPID: 17 - Name: a\nDestroying session s...\nplain.\n";
        let want = "to DIR/auto-DATE\nPID: N - Name: a\nplain.\n";
        assert_eq!(normalise(text, Path::new("/tmp/x")), want);
    }

    #[test]
    fn only_items_are_sorted() {
        let text = "b\na\n- y: [enabled]\n\n    z\n    w (type: t)\n    v (type: t)\n- x: [enabled]\n";
        assert_eq!(
            sort_items(text),
            "b\na\n- x: [enabled]\n- y: [enabled]\n    z\n    v (type: t)\n    w (type: t)\n"
        );
    }

    #[test]
    fn documents_are_equal_whatever_the_order_of_channels() {
        let wrap = |inner: &str| {
            sort_xml(&format!("status 0\n<?xml version=\"1.0\"?><channels>{inner}</channels>\n"))
        };
        let (a, b) = ("<channel><name>a</name></channel>", "<channel><name>b</name><id>7</id></channel>");
        assert_eq!(wrap(&format!("{a}{b}")), wrap(&format!("{b}{a}")));
        assert_ne!(wrap(a), wrap(b));
    }
}
