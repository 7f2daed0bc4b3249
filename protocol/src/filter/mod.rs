// SPDX-License-Identifier: GPL-2.0-only
//! Filters and captures: from what users and clients write to the bytecode that tracers run, and a check of
//! bytecode that someone else made.
//!
//! [`compile`] makes what the stock library makes of a filter, byte for byte; [`capture::compile`] does so
//! for what a trigger captures, and [`agent::compile_rule`] for an event rule of an agent's domain, whose logger
//! and levels become part of the filter. [`validate`] checks the bytecode that comes from a client.
//!
//! | Step | Module | In | Out |
//! |---|---|---|---|
//! | words | `lexer`, `number` | text | tokens |
//! | syntax | `parser`, `ast` | tokens | operands and operators in the order of evaluation |
//! | types | `types` | operators with the types of their operands | type of the result, casts |
//! | code | `generate` | operands and operators | code and relocation table |
//!
//! Nothing here calls itself, so no text can exhaust the stack; time and memory are in proportion to the
//! length of the text. Nothing compiles that [`validate`] would refuse: where the stock library makes
//! bytecode that ends the traced application (a stack too deep, a name too long), there is an error instead.
//!
//! Reference: `protocol/doc/filter-bytecode.md`.

pub mod agent;
mod ast;
pub mod capture;
mod error;
mod generate;
mod lexer;
mod names;
mod number;
mod parser;
mod types;
mod validate;

pub use error::{CompileError, CompileErrorKind};
pub use names::names;
pub use validate::{Error, Fault, MAX_CODE, MAX_DATA, MAX_NAME, MAX_STACK, validate};

/// Bytes of a filter's text: `LTTNG_FILTER_MAX_LEN` counts a NUL.
pub const MAX_TEXT: usize = 65535;

/// Bytes of code and relocation table of what is compiled. With the 48 bytes of header that a client sends
/// before them, they are no more than `LTTNG_FILTER_MAX_LEN`.
pub const MAX_COMPILED: usize = MAX_DATA - 48;

/// What a filter or a capture compiles to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bytecode {
    /// Code, then relocation table. At most [`MAX_COMPILED`] bytes.
    pub data: Vec<u8>,
    /// Where in `data` the relocation table starts, which is the size of the code.
    pub reloc_offset: u32,
}

/// Compiles a filter. Any bytes are text; what stands in quotes need not be UTF-8.
///
/// # Errors
///
/// The first mistake in the syntax; when there is none, the first one in what the expression means.
pub fn compile(text: impl AsRef<[u8]>) -> Result<Bytecode, CompileError> {
    let text = text.as_ref();
    if text.len() > MAX_TEXT {
        let kind = CompileErrorKind::TextTooLong(text.len());
        return Err(CompileError { position: MAX_TEXT, kind });
    }
    generate::generate(&parser::parse(text)?)
}

#[cfg(test)]
mod tests {
    use super::CompileErrorKind as Kind;
    use super::*;

    fn error(text: impl AsRef<[u8]>) -> Option<(usize, Kind)> {
        compile(text).err().map(|error| (error.position, error.kind))
    }

    #[test]
    fn errors_have_the_place_of_the_mistake() {
        for (text, position, kind) in [
            // Words.
            ("a == #", 5, Kind::UnexpectedByte(b'#')),
            ("a = 1", 2, Kind::UnexpectedByte(b'=')),
            ("a == 1\r", 6, Kind::UnexpectedByte(b'\r')),
            ("a\0 == 1", 1, Kind::UnexpectedByte(0)),
            ("a == \"x\0\"", 5, Kind::UnexpectedByte(0)),
            ("a == :", 5, Kind::UnexpectedByte(b':')),
            ("$1", 0, Kind::UnexpectedByte(b'$')),
            ("\\u004 == 1", 0, Kind::UnexpectedByte(b'\\')),
            ("a == \"x", 5, Kind::UnterminatedText),
            ("a == 'x\"", 5, Kind::UnterminatedText),
            ("a == ''", 5, Kind::EmptyQuotes),
            ("a == '\n'", 5, Kind::EmptyQuotes),
            ("a == \"xESCSEQ\"", 5, Kind::ReservedText),
            ("a == 0X1f", 5, Kind::HexadecimalPrefix),
            ("a == 0u", 5, Kind::SuffixOfZero),
            // Syntax.
            ("", 0, Kind::ExpectedOperand),
            (" /* only */", 11, Kind::ExpectedOperand),
            ("a ==", 4, Kind::ExpectedOperand),
            ("a == )", 5, Kind::ExpectedOperand),
            ("a & & b", 4, Kind::ExpectedOperand),
            ("()", 1, Kind::ExpectedOperand),
            ("a[]", 2, Kind::ExpectedOperand),
            ("a b", 2, Kind::ExpectedOperator),
            ("a == 08", 6, Kind::ExpectedOperator),
            ("a ! b", 2, Kind::ExpectedOperator),
            ("(a).b", 3, Kind::ExpectedOperator),
            ("a == 1[0]", 6, Kind::ExpectedOperator),
            ("a.", 2, Kind::ExpectedName),
            ("a->(b)", 3, Kind::ExpectedName),
            ("a[1", 3, Kind::ExpectedBracket),
            ("a[1 + 1]", 4, Kind::ExpectedBracket),
            ("a[1)", 3, Kind::ExpectedBracket),
            ("a && (b", 5, Kind::UnclosedParenthesis),
            ("a[(1]", 4, Kind::Unopened(b']')),
            ("a]", 1, Kind::Unopened(b']')),
            ("(a))", 3, Kind::Unopened(b')')),
            // Paths.
            ("a == $ctx", 5, Kind::ContextWithoutName),
            ("$app[1] == 2", 0, Kind::ContextWithoutName),
            ("a && $foo.bar", 5, Kind::UnknownRoot),
            ("a[b]", 1, Kind::IndexNotConstant),
            ("a[(1)]", 1, Kind::IndexNotConstant),
            ("a[-1][2]", 1, Kind::IndexNotConstant),
            ("a.b[1.5]", 3, Kind::IndexNotConstant),
            // Types.
            ("a && \"x\"", 2, Kind::TextOperand),
            ("\"x\" || a", 4, Kind::TextOperand),
            ("a == -\"x\"", 5, Kind::TextOperand),
            ("a | \"x\"", 2, Kind::TextOperand),
            ("a | 1.5", 2, Kind::FloatOperand),
            ("1.5 << 1", 4, Kind::FloatOperand),
            ("a == \"x\" == \"y\"", 9, Kind::TextAndNumber),
            ("\"x\" != 1.5", 4, Kind::TextAndNumber),
            ("a + 1 == 2", 2, Kind::Arithmetic),
            ("a == 3 % b", 7, Kind::Arithmetic),
            ("\"a*b\" == \"c*d\"", 6, Kind::TwoPatterns),
            ("\"a*b\" < \"c*\"", 6, Kind::TwoPatterns),
            ("\"c*\" == \"a*b\"", 5, Kind::TwoPatterns),
            ("a >= \"a*c\"", 2, Kind::PatternOperator),
            ("a == \"x\\n\"", 7, Kind::Escape),
            ("a == L\"\n\\\\\\\"", 10, Kind::Escape),
            ("\"abc\"", 0, Kind::TextResult),
            (" -1.5", 1, Kind::FloatResult),
        ] {
            assert_eq!(error(text), Some((position, kind)), "{text}");
        }
    }

    #[test]
    fn errors_are_sentences_and_have_one_number() {
        let error = compile("a == 'x' & 3").unwrap_err();
        assert_eq!(
            error.to_string(),
            "The filter is wrong at byte 9: the operator cannot be applied to a text."
        );
        assert_eq!(error.code(), crate::client::ErrorCode::FilterInval);
        let error = compile("a == \x0b").unwrap_err();
        assert_eq!(error.to_string(), "The filter is wrong at byte 5: `\\x0b` has no meaning here.");
    }

    /// The limits are those that the stock library was seen to have.
    #[test]
    fn nesting_is_limited_as_in_the_stock_library() {
        let unary: fn(usize) -> String = |n| "!".repeat(n) + "a";
        let parentheses: fn(usize) -> String = |n| "(".repeat(n) + "a" + &")".repeat(n);
        let around_text: fn(usize) -> String = |n| format!("a=={}\"x\"{}", "(".repeat(n), ")".repeat(n));
        let logical: fn(usize) -> String = |n| "a&&(".repeat(n) + "a" + &")".repeat(n);
        let indexes: fn(usize) -> String = |n| "a".to_owned() + &"[1]".repeat(n);
        let indexes_in_indexes: fn(usize) -> String = |n| format!("a[1]{}{}", "[b".repeat(n), "]".repeat(n));
        let paths_in_indexes: fn(usize) -> String = |n| format!("a[1]{}{}", "[b.c".repeat(n), "]".repeat(n));
        let around_index: fn(usize) -> String = |n| "!".repeat(n) + "a.b[1]";
        let around_levels: fn(usize) -> String = |n| "(".repeat(n) + "a||b&&c==d<e|f^g&h<<i" + &")".repeat(n);
        for (nested, limit) in [
            (unary, 9997),
            (parentheses, 9996),
            (around_text, 9993),
            (logical, 3332),
            (indexes, 3332),
            (indexes_in_indexes, 4996),
            (paths_in_indexes, 2498),
            (around_index, 9992),
            (around_levels, 9981),
        ] {
            let sample = nested(2);
            assert_eq!(error(nested(limit)), None, "{sample}");
            let refused = error(nested(limit + 1)).map(|(_, kind)| kind);
            assert_eq!(refused, Some(Kind::NestedTooDeep), "{sample}");
        }
        assert_eq!(error("(".repeat(MAX_TEXT)), Some((9998, Kind::NestedTooDeep)));
    }

    /// The stock library compiles these; the tracer would end the application, or read past the name.
    #[test]
    fn what_no_tracer_can_run_does_not_compile() {
        let nested = |depth: usize| "1&(".repeat(depth - 1) + "1" + &")".repeat(depth - 1);
        assert_eq!(error(nested(MAX_STACK)), None);
        assert_eq!(error(nested(MAX_STACK + 1)), Some((3 * MAX_STACK, Kind::StackFull)));
        let named = |length: usize| "1 == ".to_owned() + &"a".repeat(length);
        assert_eq!(error(named(MAX_NAME)), None);
        assert_eq!(error(named(MAX_NAME + 1)), Some((5, Kind::NameTooLong(MAX_NAME + 1))));
        // A path without an index is one name, its root included.
        let context = |length: usize| "$ctx.".to_owned() + &"a".repeat(length);
        assert_eq!(error(context(MAX_NAME - 5)), None);
        assert_eq!(error(context(MAX_NAME - 4)), Some((0, Kind::NameTooLong(MAX_NAME + 1))));
        let with_index = |length: usize| format!("$ctx.{}.b[1]", "a".repeat(length));
        assert_eq!(error(with_index(MAX_NAME)), None);
        assert_eq!(error(with_index(MAX_NAME + 1)), Some((5, Kind::NameTooLong(MAX_NAME + 1))));
    }

    #[test]
    fn sizes_are_limited() {
        let padded = |length: usize| "a".to_owned() + &" ".repeat(length - 1);
        assert_eq!(error(padded(MAX_TEXT)), None);
        assert_eq!(error(padded(MAX_TEXT + 1)), Some((MAX_TEXT, Kind::TextTooLong(MAX_TEXT + 1))));
        // Besides the text: a field, the text's opcode and NUL, comparison, return, and four for the name.
        let long = |size: usize| format!("a==\"{}\"", "x".repeat(size - 11));
        assert_eq!(compile(long(MAX_COMPILED)).unwrap().data.len(), MAX_COMPILED);
        assert_eq!(error(long(MAX_COMPILED + 1)).map(|(_, kind)| kind), Some(Kind::BytecodeTooLong));
        // Far beyond what an offset can say, in one path and in many operands.
        let steps = "a[1].".repeat(13_000) + "b";
        assert_eq!(error(&steps).map(|(_, kind)| kind), Some(Kind::BytecodeTooLong));
        let operands = "1&".repeat(30_000) + "1";
        assert_eq!(error(&operands).map(|(_, kind)| kind), Some(Kind::BytecodeTooLong));
    }
}
