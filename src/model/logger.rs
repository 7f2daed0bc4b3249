// SPDX-License-Identifier: GPL-2.0-only
//! Loggers: what a session wants of the logging libraries of Java and Python.
//!
//! What such a library logs becomes an event of one tracepoint of its domain, recorded in the domain's channel. So each
//! rule about loggers has a rule about that tracepoint beside it, in the channel, with a filter that picks the logger; the
//! agent in the program is told to hand over what the logger says. Only the former is shown to users.

use serde::{Deserialize, Serialize};

use super::rule::{Filter, LogLevels};
use super::wanted::Domain;
use crate::text::Text;

/// A domain of loggers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LoggerDomain {
    /// `java.util.logging`.
    Jul,
    /// Apache log4j.
    Log4j,
    /// Python's `logging`.
    Python,
}

impl LoggerDomain {
    /// All of them, in the order of their numbers.
    pub const ALL: [LoggerDomain; 3] = [LoggerDomain::Jul, LoggerDomain::Log4j, LoggerDomain::Python];

    /// The same domain as one among all, if it is one of loggers.
    pub fn of(domain: Domain) -> Option<Self> {
        match domain {
            Domain::Kernel | Domain::UserSpace => None,
            Domain::Jul => Some(LoggerDomain::Jul),
            Domain::Log4j => Some(LoggerDomain::Log4j),
            Domain::Python => Some(LoggerDomain::Python),
        }
    }

    /// The domain with this number (lttng-tools 2.13: `include/lttng/domain.h`).
    pub fn of_number(number: u32) -> Option<Self> {
        match number {
            3 => Some(LoggerDomain::Jul),
            4 => Some(LoggerDomain::Log4j),
            5 => Some(LoggerDomain::Python),
            _ => None,
        }
    }

    /// It as one among all domains.
    pub fn domain(self) -> Domain {
        match self {
            LoggerDomain::Jul => Domain::Jul,
            LoggerDomain::Log4j => Domain::Log4j,
            LoggerDomain::Python => Domain::Python,
        }
    }

    /// Its only channel (lttng-tools 2.13: `src/common/defaults.h`).
    pub fn channel(self) -> &'static str {
        match self {
            LoggerDomain::Jul => "lttng_jul_channel",
            LoggerDomain::Log4j => "lttng_log4j_channel",
            LoggerDomain::Python => "lttng_python_channel",
        }
    }

    /// The domain whose channel has this name.
    pub fn of_channel(name: &str) -> Option<Self> {
        LoggerDomain::ALL.into_iter().find(|domain| domain.channel() == name)
    }

    /// The pattern of its tracepoint.
    pub fn tracepoints(self) -> &'static str {
        match self {
            LoggerDomain::Jul => "lttng_jul:*",
            LoggerDomain::Log4j => "lttng_log4j:*",
            LoggerDomain::Python => "lttng_python:*",
        }
    }

    /// Whether programs can have contexts of their own there.
    pub fn has_contexts(self) -> bool {
        self != LoggerDomain::Python
    }

    /// The log level that goes with a rule about all levels: the least severe one that stock clients say.
    pub fn every_level(self) -> i32 {
        match self {
            LoggerDomain::Jul | LoggerDomain::Log4j => i32::MIN,
            LoggerDomain::Python => 10,
        }
    }
}

/// The name of a rule about all loggers.
pub const ALL_LOGGERS: &str = "*";

/// A rule about loggers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggerRule {
    /// Name or pattern of loggers, as it was said.
    pub name: Text,
    /// The more severe a level, the higher, unlike those of tracepoints: see [`LogLevels`].
    pub levels: LogLevels,
    /// The log level as it was said, also if it limits nothing: agents are told it, and users shown it.
    pub level: i32,
    /// The user's filter with what picks the logger and the levels; none for a rule about everything.
    pub filter: Option<Filter>,
    /// The contexts of programs by which the filter decides.
    pub contexts: Vec<ProgramContext>,
    /// Whether the user wants it on.
    pub enabled: bool,
}

impl LoggerRule {
    /// Whether both are the same rule to a user: name, levels and the filter's text
    /// (lttng-tools 2.13: `src/bin/lttng-sessiond/agent.c`).
    pub fn same_identity(&self, other: &LoggerRule) -> bool {
        let text = |rule: &LoggerRule| rule.filter.as_ref().map(|filter| filter.expression.clone());
        self.name == other.name && self.levels == other.levels && text(self) == text(other)
    }
}

/// A context that a program provides, by its names without `$app.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProgramContext {
    pub provider: Text,
    pub name: Text,
}

/// What a session wants of one domain of loggers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loggers {
    /// Its rules in order of creation; rules are disabled but never removed.
    pub rules: Vec<LoggerRule>,
    /// The contexts that were added, each once.
    pub contexts: Vec<ProgramContext>,
}

impl Loggers {
    /// The contexts that programs are to provide, each once: those that were added, and those by which rules filter.
    pub fn provided(&self) -> Vec<ProgramContext> {
        let enabled = self.rules.iter().filter(|rule| rule.enabled);
        let filters = enabled.flat_map(|rule| &rule.contexts);
        let mut all: Vec<ProgramContext> = filters.chain(&self.contexts).cloned().collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}
