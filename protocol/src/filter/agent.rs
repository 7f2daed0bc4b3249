// SPDX-License-Identifier: GPL-2.0-only
//! Filters of agents' domains: `java.util.logging`, log4j and Python's `logging`.
//!
//! All records of such a domain are one tracepoint. Which logger and which levels a rule wants is said to the
//! tracer as part of the filter.

use super::{Bytecode, CompileError, compile};
use crate::Text;

/// The levels that a rule matches, by the numbers of the domain's logging library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// This level and more severe ones.
    AtLeast(i32),
    /// This level only.
    Exactly(i32),
}

/// A filter that was made for an agent's domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentFilter {
    /// The whole expression, which listings show.
    pub text: Text,
    /// What it compiles to.
    pub bytecode: Bytecode,
}

/// The whole expression for a rule with this logger name or pattern, these levels (all without) and this
/// filter of the user. `None` for a rule that matches everything.
///
/// The name becomes part of the text as it is, as the stock library has it: one with a quote makes an
/// expression that means something else or, nearly always, does not compile.
pub fn text(logger: &[u8], level: Option<Level>, filter: Option<&[u8]>) -> Option<Text> {
    let mut text = filter.map(<[u8]>::to_vec);
    let mut require = |condition: Vec<u8>| {
        text = Some(match &text {
            Some(text) => [b"(", &text[..], b") && (", &condition, b")"].concat(),
            None => condition,
        });
    };
    if logger != b"*" {
        require([b"logger_name == \"", logger, b"\""].concat());
    }
    match level {
        Some(Level::AtLeast(level)) => require(format!("int_loglevel >= {level}").into_bytes()),
        Some(Level::Exactly(level)) => require(format!("int_loglevel == {level}").into_bytes()),
        None => {}
    }
    text.map(Text::from)
}

/// Makes the whole expression of [`text`], and compiles it. `None` for a rule that matches everything.
///
/// # Errors
///
/// As [`compile`]; positions are those in the whole expression.
pub fn compile_rule(
    logger: &[u8],
    level: Option<Level>,
    filter: Option<&[u8]>,
) -> Result<Option<AgentFilter>, CompileError> {
    let Some(text) = text(logger, level, filter) else { return Ok(None) };
    let bytecode = compile(&text)?;
    Ok(Some(AgentFilter { text, bytecode }))
}

#[cfg(test)]
mod tests {
    use super::super::CompileErrorKind;
    use super::*;

    #[test]
    fn logger_and_levels_become_part_of_the_filter() {
        for (logger, level, filter, expected) in [
            ("*", None, None, None),
            ("*", None, Some("msg == \"x\""), Some("msg == \"x\"")),
            ("my.logger", None, None, Some("logger_name == \"my.logger\"")),
            ("*", Some(Level::AtLeast(800)), None, Some("int_loglevel >= 800")),
            ("*", Some(Level::Exactly(i32::MIN)), None, Some("int_loglevel == -2147483648")),
            (
                "my.logger",
                Some(Level::AtLeast(-5)),
                None,
                Some("(logger_name == \"my.logger\") && (int_loglevel >= -5)"),
            ),
            (
                "my.logger",
                Some(Level::Exactly(900)),
                Some("msg == \"x\""),
                Some("((msg == \"x\") && (logger_name == \"my.logger\")) && (int_loglevel == 900)"),
            ),
        ] {
            let (logger, filter) = (logger.as_bytes(), filter.map(str::as_bytes));
            let expected = expected.map(Text::from);
            assert_eq!(text(logger, level, filter), expected);
            let compiled = compile_rule(logger, level, filter).unwrap();
            assert_eq!(compiled.map(|filter| filter.text), expected);
        }
    }

    #[test]
    fn a_name_with_a_quote_does_not_compile() {
        let error = compile_rule(b"a\"b", None, None).unwrap_err();
        // logger_name == "a"b"
        assert_eq!((error.position, error.kind), (18, CompileErrorKind::ExpectedOperator));
        assert!(compile_rule(b"a", None, Some(b"b =")).is_err());
    }
}
