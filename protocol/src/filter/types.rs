// SPDX-License-Identifier: GPL-2.0-only
//! What operators may be applied to, as far as that is known without the event.

use super::ast::{Binary, Text};
use super::error::{CompileError, CompileErrorKind};

/// What is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    /// A literal text.
    Text(Class),
    Integer,
    Float,
    /// Of a field or a context: the tracer finds out.
    Unknown,
}

/// What asterisks in a text mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Plain,
    /// The start of a text: an asterisk at the end and none before it.
    Prefix,
    Pattern,
}

type Result<T> = std::result::Result<T, CompileErrorKind>;

/// Tells a pattern from other texts, by the first asterisk without a backslash.
///
/// # Errors
///
/// A backslash that is followed by something other than a backslash or an asterisk, at its place.
pub(super) fn class_of(text: Text<'_>) -> std::result::Result<Class, CompileError> {
    let mut bytes = text.raw.iter().copied().enumerate().filter(|&(_, byte)| byte != b'\n').peekable();
    let mut class = None;
    while let Some((at, byte)) = bytes.next() {
        if byte == b'\\' && !matches!(bytes.next(), Some((_, b'\\' | b'*'))) {
            return Err(CompileError { position: text.position + at, kind: CompileErrorKind::Escape });
        }
        if byte == b'*' && class.is_none() {
            class = Some(if bytes.peek().is_some() { Class::Pattern } else { Class::Prefix });
        }
    }
    Ok(class.unwrap_or(Class::Plain))
}

/// The type of what a unary operator makes.
pub(super) fn unary(operand: Type) -> Result<Type> {
    match operand {
        Type::Text(_) => Err(CompileErrorKind::TextOperand),
        known => Ok(known),
    }
}

/// Checks the operands of an operator; what it makes is an integer. Logical operators take any type but texts.
pub(super) fn binary(operator: Binary, left: Type, right: Type) -> Result<()> {
    match operator {
        Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Remainder => {
            Err(CompileErrorKind::Arithmetic)
        }
        Binary::BitOr | Binary::BitXor | Binary::BitAnd | Binary::ShiftLeft | Binary::ShiftRight => {
            bitwise(left).and(bitwise(right))
        }
        Binary::Equal | Binary::NotEqual => comparison(left, right, true),
        Binary::Less | Binary::Greater | Binary::LessEqual | Binary::GreaterEqual => {
            comparison(left, right, false)
        }
        Binary::And | Binary::Or => unary(left).and(unary(right)).map(|_| ()),
    }
}

fn bitwise(operand: Type) -> Result<()> {
    match operand {
        Type::Text(_) => Err(CompileErrorKind::TextOperand),
        Type::Float => Err(CompileErrorKind::FloatOperand),
        Type::Integer | Type::Unknown => Ok(()),
    }
}

fn comparison(left: Type, right: Type, for_equality: bool) -> Result<()> {
    match (left, right) {
        (Type::Text(_), Type::Integer | Type::Float) | (Type::Integer | Type::Float, Type::Text(_)) => {
            Err(CompileErrorKind::TextAndNumber)
        }
        (Type::Text(Class::Pattern), Type::Text(Class::Pattern | Class::Prefix))
        | (Type::Text(Class::Prefix), Type::Text(Class::Pattern)) => Err(CompileErrorKind::TwoPatterns),
        (Type::Text(Class::Pattern), _) | (_, Type::Text(Class::Pattern)) if !for_equality => {
            Err(CompileErrorKind::PatternOperator)
        }
        _ => Ok(()),
    }
}

/// Checks the result of a whole expression.
pub(super) fn result(result: Type) -> Result<()> {
    match result {
        Type::Text(_) => Err(CompileErrorKind::TextResult),
        Type::Float => Err(CompileErrorKind::FloatResult),
        Type::Integer | Type::Unknown => Ok(()),
    }
}
