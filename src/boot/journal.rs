// SPDX-License-Identifier: GPL-2.0-only
//! Messages for systemd's journal: it takes what a service writes to standard error line by line, and how urgent a line is
//! from a mark at its beginning (`sd-daemon(3)`). Nobody else must see such marks.

use std::ffi::OsStr;
use std::os::fd::AsFd;

use log::Level;
use nix::sys::stat::fstat;

/// Whether standard error leads to the journal, as `stream` (the variable `JOURNAL_STREAM`) says: it names device and inode of
/// what the service was started with, which may have been led elsewhere since.
pub fn is_stderr(stream: Option<&OsStr>) -> bool {
    let Ok(status) = fstat(std::io::stderr().as_fd()) else { return false };
    stream.and_then(parse) == Some((status.st_dev, status.st_ino))
}

fn parse(stream: &OsStr) -> Option<(u64, u64)> {
    let (device, inode) = stream.to_str()?.split_once(':')?;
    Some((device.parse().ok()?, inode.parse().ok()?))
}

/// The text with a mark in front of each line, without a newline at the end.
pub fn marked(level: Level, text: &str) -> String {
    let priority = match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    };
    let lines: Vec<String> = text.lines().map(|line| format!("<{priority}>{line}")).collect();
    lines.join("\n")
}

/// How urgent a line is that begins in the words of the original.
pub fn level_of(line: &str) -> Level {
    match line {
        line if line.starts_with("Error: ") => Level::Error,
        line if line.starts_with("Warning: ") => Level::Warn,
        _ => Level::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_marked() {
        assert_eq!(marked(Level::Error, "Error: one\nError: two\n"), "<3>Error: one\n<3>Error: two");
        assert_eq!(marked(Level::Warn, "one"), "<4>one");
        assert_eq!(marked(Level::Info, "one"), "<6>one");
        assert_eq!((marked(Level::Debug, "a"), marked(Level::Trace, "b")), ("<7>a".into(), "<7>b".into()));
        let levels = ["Error: a", "Warning: a", "a"].map(level_of);
        assert_eq!(levels, [Level::Error, Level::Warn, Level::Info]);
    }

    #[test]
    fn only_the_stream_that_was_meant_is_the_journal() {
        let status = fstat(std::io::stderr().as_fd()).unwrap();
        let right = format!("{}:{}", status.st_dev, status.st_ino);
        let wrong = format!("{}:{}", status.st_dev, status.st_ino + 1);
        assert!(is_stderr(Some(right.as_ref())));
        for other in [wrong.as_str(), "", "8", "8:", "a:b"] {
            assert!(!is_stderr(Some(other.as_ref())), "{other}");
        }
        assert!(!is_stderr(None));
    }
}
