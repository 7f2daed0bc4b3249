// SPDX-License-Identifier: GPL-2.0-only
//! What is told: findings, each with how it was seen and what to do about it.

/// What a finding is about. The manual page has a line for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "what each is about is said in the manual page")]
pub enum About {
    NoDaemon,
    DaemonSilent,
    StockDaemon,
    NoGroup,
    NotInGroup,
    GroupNotYet,
    Ended,
    Static,
    NotInstrumented,
    LibraryMissing,
    NoProvider,
    TwoLibraries,
    OtherLibrary,
    Forked,
    Stopped,
    OtherUser,
    OtherDaemon,
    SecureExecution,
    OtherHome,
    HomeUnset,
    OtherRunDirectory,
    Container,
    PidNamespace,
    WaitFile,
    Refused,
    Limit,
    DaemonDescriptors,
    Descriptors,
    SharedMemory,
    SecurityModule,
    Consumer,
    Lagging,
    Behind,
    RuleRefused,
    NoSession,
    NotStarted,
    Tracker,
    NoRule,
    NoMatch,
    LogLevel,
    Exclusion,
    RuleDisabled,
    ChannelDisabled,
    Filter,
    Early,
    RegisterTimeout,
    Lost,
    Snapshot,
    KernelThread,
    KernelOfUser,
    KernelOff,
    KernelModules,
    KernelSigned,
    KernelUnfit,
    KernelRule,
    Unseen,
    Unexplained,
}

impl About {
    /// All of them, with the words by which the manual page lists them.
    pub const ALL: &'static [(About, &'static str)] = &[
        (About::NoDaemon, "No session daemon"),
        (About::DaemonSilent, "Daemon does not answer"),
        (About::StockDaemon, "Another session daemon"),
        (About::NoGroup, "No tracing group"),
        (About::NotInGroup, "Not in the tracing group"),
        (About::GroupNotYet, "Not logged in again"),
        (About::Ended, "Ended"),
        (About::Static, "Statically linked"),
        (About::NotInstrumented, "Not instrumented"),
        (About::LibraryMissing, "Tracepoints without LTTng-UST"),
        (About::NoProvider, "No tracepoint provider"),
        (About::TwoLibraries, "Two versions of LTTng-UST"),
        (About::OtherLibrary, "Unknown version of LTTng-UST"),
        (About::Forked, "Child of a fork"),
        (About::Stopped, "Stopped"),
        (About::OtherUser, "Other user"),
        (About::OtherDaemon, "Other daemon"),
        (About::SecureExecution, "Secure execution"),
        (About::OtherHome, "Other home directory"),
        (About::HomeUnset, "No home directory"),
        (About::OtherRunDirectory, "Other run directory"),
        (About::Container, "Container"),
        (About::PidNamespace, "Invisible process"),
        (About::WaitFile, "Wait file"),
        (About::Refused, "Refused"),
        (About::Limit, "Limit of a user"),
        (About::DaemonDescriptors, "Descriptors of the daemon"),
        (About::Descriptors, "Descriptors of the application"),
        (About::SharedMemory, "Shared memory"),
        (About::SecurityModule, "Security module"),
        (About::Consumer, "Consumer daemon"),
        (About::Lagging, "Lagging"),
        (About::Behind, "Behind"),
        (About::RuleRefused, "Refused by the application"),
        (About::NoSession, "No session"),
        (About::NotStarted, "Session not active"),
        (About::Tracker, "Tracker"),
        (About::NoRule, "No event rule"),
        (About::NoMatch, "No match"),
        (About::LogLevel, "Log level"),
        (About::Exclusion, "Exclusion"),
        (About::RuleDisabled, "Event rule disabled"),
        (About::ChannelDisabled, "Channel disabled"),
        (About::Filter, "Filter"),
        (About::Early, "Older than the session"),
        (About::RegisterTimeout, "No wait at the start"),
        (About::Lost, "Events lost"),
        (About::Snapshot, "Snapshot mode"),
        (About::KernelThread, "Kernel thread"),
        (About::KernelOfUser, "Kernel tracing by a user"),
        (About::KernelOff, "Kernel tracing switched off"),
        (About::KernelModules, "Kernel modules"),
        (About::KernelSigned, "Signed modules"),
        (About::KernelUnfit, "Kernel modules of another version"),
        (About::KernelRule, "No kernel event rule"),
        (About::Unseen, "Not seen"),
        (About::Unexplained, "Unexplained"),
    ];
}

/// How much a finding explains, the most decisive first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// As long as it is so, nothing is traced.
    Decisive,
    /// It is a reason why nothing may be traced.
    Likely,
    /// Something is traced, and something is not.
    Partial,
    /// Worth knowing; nothing is wrong.
    Note,
}

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub about: About,
    pub weight: Weight,
    /// What is so.
    pub what: String,
    /// How that was seen, or why it matters. Empty: it goes without saying.
    pub seen: String,
    /// What to do about it.
    pub todo: String,
    /// Commands that do it.
    pub commands: Vec<String>,
}

impl Finding {
    pub fn new(about: About, weight: Weight, what: impl Into<String>) -> Finding {
        let (seen, todo) = (String::new(), String::new());
        Finding { about, weight, what: what.into(), seen, todo, commands: Vec::new() }
    }

    #[must_use]
    pub fn seen(self, seen: impl Into<String>) -> Finding {
        Finding { seen: seen.into(), ..self }
    }

    #[must_use]
    pub fn todo(self, todo: impl Into<String>) -> Finding {
        Finding { todo: todo.into(), ..self }
    }

    /// Adds a command to be run.
    #[must_use]
    pub fn run(mut self, command: impl Into<String>) -> Finding {
        self.commands.push(command.into());
        self
    }

    /// With a lesser weight, if it is not as light already.
    #[must_use]
    pub fn at_most(self, weight: Weight) -> Finding {
        Finding { weight: self.weight.max(weight), ..self }
    }
}

/// What was found about one process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Sessions that record something of it.
    pub recorded_by: Vec<String>,
    /// It has registered with a daemon.
    pub registered: bool,
    /// The most decisive first.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// Whether anything is wrong.
    pub fn is_wrong(&self) -> bool {
        self.recorded_by.is_empty() || self.findings.iter().any(|finding| finding.weight < Weight::Note)
    }
}

/// Some of several names for a sentence: `a, b, c and 4 more`.
pub fn some_of<T: AsRef<str>>(names: &[T], most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(AsRef::as_ref).collect();
    let more = names.len().saturating_sub(shown.len());
    match (shown.as_slice(), more) {
        ([], _) => "none".to_owned(),
        (all, 0) => and(all),
        (all, more) => format!("{} and {more} more", all.join(", ")),
    }
}

/// `a`, `a and b`, `a, b and c`.
fn and(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// A word of a command, in quotes if the shell would see more in it.
pub fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./:,=+@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A number of things, in words.
pub fn count(number: usize, one: &str, several: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {several}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_sentence() {
        assert_eq!(some_of(&["a"; 0], 3), "none");
        assert_eq!(some_of(&["a"], 3), "a");
        assert_eq!(some_of(&["a", "b"], 3), "a and b");
        assert_eq!(some_of(&["a", "b", "c"], 3), "a, b and c");
        assert_eq!(some_of(&["a", "b", "c", "d"], 2), "a, b and 2 more");
    }

    #[test]
    fn words_for_the_shell() {
        assert_eq!(quoted("app:tick"), "app:tick");
        assert_eq!(quoted("app:*"), "'app:*'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
