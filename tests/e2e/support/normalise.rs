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

/// Shown, with one dot for every look at the daemon, only when the daemon is not done at once.
const WAITING: [&str; 4] = [
    "Destroying session",
    "Waiting for data availability",
    "Waiting for rotation to complete",
    "Waiting for clear of session",
];

/// When a session is destroyed, this follows the dots in the same line.
const ARCHIVE: &str = "Trace chunk archive";

fn normalise(text: &str, dir: &Path) -> String {
    let text = text.replace(&*dir.to_string_lossy(), "DIR");
    let mut lines: Vec<String> = Vec::new();
    let mut late_end = false;
    for line in text.lines() {
        let waiting = WAITING.iter().any(|waiting| line.starts_with(waiting));
        let ends_late = std::mem::replace(&mut late_end, waiting && line.contains(ARCHIVE));
        let line = match line.find(ARCHIVE) {
            Some(at) if waiting => &line[at..],
            None if waiting => continue,
            // The end of the line that began with the dots.
            None if line.is_empty() && ends_late => continue,
            _ => line,
        };
        let mut line = dates(line);
        if let Some(rest) = line.strip_prefix("PID: ") {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            line = format!("PID: N{rest}");
        }
        // What the client of 2.13.15 says of a channel that is too large.
        if let Some((needed, _)) =
            line.split_once("MiB required, ").filter(|_| line.ends_with("MiB available"))
        {
            line = format!("{needed}MiB required, NMiB available");
        }
        lines.push(line);
    }
    lines.join("\n") + "\n"
}

/// What a domain's part of a session's text begins with.
const DOMAIN: &str = "=== Domain: ";

/// What stands for a digit, and what for a sign, in the dates of names.
const DATES: [(&str, &str); 2] = [("00000000-000000", "DATE"), ("00000000T000000+0000", "TIME")];

/// Replaces every `YYYYmmdd-HHMMSS`, and every `YYYYmmddTHHMMSS+hhmm` of trace chunks.
pub fn dates(line: &str) -> String {
    let is_like = |bytes: &[u8], pattern: &str| {
        bytes.len() >= pattern.len()
            && bytes.iter().zip(pattern.bytes()).all(|(byte, like)| match like {
                b'0' => byte.is_ascii_digit(),
                b'+' => matches!(byte, b'+' | b'-'),
                other => *byte == other,
            })
    };
    let (mut text, mut copied, mut at) = (String::new(), 0, 0);
    while at < line.len() {
        match DATES.iter().find(|(pattern, _)| is_like(&line.as_bytes()[at..], pattern)) {
            Some((pattern, name)) => {
                text.push_str(&line[copied..at]);
                text.push_str(name);
                at += pattern.len();
                copied = at;
            }
            None => at += 1,
        }
    }
    text + &line[copied..]
}

/// Sorts runs of list items. An item is its line and all lines below it that are indented deeper.
fn sort_items(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let mut out = Vec::new();
    sort_level(&lines, &mut out);
    sort_domains(&mut out);
    out.join("\n") + "\n"
}

/// Sorts the domains of a session. They are the last in its text, but for what the client had to complain about.
fn sort_domains(lines: &mut Vec<String>) {
    let is_end = |line: &String| line == "--- stderr";
    let is_head = |line: &String| line.starts_with(DOMAIN);
    let Some(from) = lines.iter().position(is_head) else { return };
    let end = lines.iter().rposition(is_end).filter(|end| *end > from).unwrap_or(lines.len());
    let rest = lines.split_off(end);
    let mut domains: Vec<Vec<String>> = Vec::new();
    for line in lines.drain(from..) {
        match domains.last_mut() {
            Some(domain) if !is_head(&line) => domain.push(line),
            _ => domains.push(vec![line]),
        }
    }
    domains.sort();
    lines.extend(domains.into_iter().flatten().chain(rest));
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
        let text = "to /tmp/x/auto-20250101-101010\nPID: 17 - Name: a\nDestroying session s...\nplain.\n\
                    Waiting for rotation to complete...\nDestroying session s..Trace chunk archive a\n\nb\n\n20250101T101010+0000-20250101T101012-0130-7\n";
        let want = "to DIR/auto-DATE\nPID: N - Name: a\nplain.\nTrace chunk archive a\nb\n\nTIME-TIME-7\n";
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
    fn domains_are_sorted_up_to_the_end_of_the_text() {
        let text = "status 0\nSession\n=== Domain: b\nz\n=== Domain: a\ny\n--- stderr\nx\n";
        let want = "status 0\nSession\n=== Domain: a\ny\n=== Domain: b\nz\n--- stderr\nx\n";
        assert_eq!(sort_items(text), want);
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
