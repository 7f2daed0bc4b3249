// SPDX-License-Identifier: GPL-2.0-only
//! Event rules: which instrumentation points of an application a channel records.

use crate::text::Text;
use crate::turn::ids::RuleId;
use serde::{Deserialize, Serialize};

/// Names of tracepoints that begin like this are those of loggers, about which there are rules of another kind
/// (lttng-tools 2.13: `src/bin/lttng-sessiond/cmd.c`).
const RESERVED: [&str; 3] = ["lttng_jul", "lttng_log4j", "lttng_python"];

/// Whether users can't have a rule about tracepoints with this name or pattern.
pub fn is_reserved(name: &Text) -> bool {
    RESERVED.iter().any(|prefix| name.as_bytes().starts_with(prefix.as_bytes()))
}

/// A filter as the client compiled it. The daemon stores both forms and understands neither.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// The expression as the user wrote it, for listings.
    pub expression: Text,
    /// Instructions followed by the relocation table.
    pub bytecode: Vec<u8>,
    /// Where in `bytecode` the relocation table starts.
    pub reloc_offset: u32,
    /// Sequence number from the client, passed on.
    pub seqnum: u64,
}

/// What kind of instrumentation a rule was called. In applications there are tracepoints only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuleKind {
    /// Tracepoints.
    Tracepoint,
    /// A kernel probe.
    Probe,
    /// Entry and return of a kernel function.
    Function,
    /// Entry of a kernel function.
    FunctionEntry,
}

/// Which log levels a rule is about. The lower a level, the more severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogLevels {
    /// All.
    All,
    /// This one and everything more severe.
    AtLeast(i32),
    /// This one only.
    Exactly(i32),
}

/// One event rule of a user space channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRule {
    /// Its number in the channel.
    pub id: RuleId,
    /// Name or star pattern, normalised.
    pub name: Text,
    /// What kind it was called; applications have tracepoints only.
    pub kind: RuleKind,
    /// Log level condition.
    pub levels: LogLevels,
    /// Filter, if the user gave one.
    pub filter: Option<Filter>,
    /// Patterns of names that are left out, normalised, in the order given.
    pub exclusions: Vec<Text>,
    /// Whether the user wants it on.
    pub enabled: bool,
}

impl EventRule {
    /// Whether it does the picking for a rule about loggers, and is shown to nobody.
    pub fn is_of_loggers(&self) -> bool {
        is_reserved(&self.name)
    }

    /// Whether `self` and `other` are the same rule to a user: name, log level condition, filter bytecode
    /// and the set of exclusions; the expression's text does not take part
    /// (lttng-tools 2.13: `src/bin/lttng-sessiond/trace-ust.c`).
    pub fn same_identity(&self, other: &EventRule) -> bool {
        let mut mine: Vec<_> = self.exclusions.iter().collect();
        let mut theirs: Vec<_> = other.exclusions.iter().collect();
        mine.sort_unstable();
        theirs.sort_unstable();
        self.name == other.name
            && self.levels == other.levels
            && self.filter.as_ref().map(|filter| &filter.bytecode)
                == other.filter.as_ref().map(|filter| &filter.bytecode)
            && mine == theirs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_exclusions_makes_no_difference() {
        let rule = |exclusions: &[&str]| EventRule {
            id: RuleId(0),
            name: "p:*".into(),
            kind: RuleKind::Tracepoint,
            levels: LogLevels::All,
            filter: None,
            exclusions: exclusions.iter().map(|&name| name.into()).collect(),
            enabled: true,
        };
        assert!(rule(&["a", "b"]).same_identity(&rule(&["b", "a"])));
        assert!(!rule(&["a"]).same_identity(&rule(&["b"])));
        assert!(!rule(&[]).same_identity(&EventRule { levels: LogLevels::AtLeast(3), ..rule(&[]) }));
    }
}
