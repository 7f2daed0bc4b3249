// SPDX-License-Identifier: GPL-2.0-only
//! A filter as the parser understood it: operands and operators in the order in which they are evaluated.
//!
//! Operands come before their operator, so the syntax tree is a list that each later step walks once, without
//! calling itself. A logical operator stands twice: between its operands, where the second one may be
//! skipped, and after them.

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item<'a> {
    /// Offset in the text.
    pub position: usize,
    pub node: Node<'a>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node<'a> {
    Integer(u64),
    Float(f64),
    Text(Text<'a>),
    Path(Path<'a>),
    Unary(Unary),
    /// Any operator but the logical ones.
    Binary(Binary),
    /// After the first operand of [`Binary::And`] or [`Binary::Or`].
    Logical(Binary),
    /// After the second operand.
    LogicalEnd,
}

/// What stands between quotes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Text<'a> {
    /// Offset of the first byte after the opening quote.
    pub position: usize,
    /// As written, with line feeds, which are not part of the text.
    pub raw: &'a [u8],
}

impl<'a> Text<'a> {
    /// The bytes of the text.
    pub(super) fn bytes(self) -> impl Iterator<Item = u8> + 'a {
        self.raw.iter().copied().filter(|&byte| byte != b'\n')
    }

    pub(super) fn is_empty(self) -> bool {
        self.bytes().next().is_none()
    }
}

/// A field or a context: names, some of which have an index.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path<'a> {
    /// The first may be `$ctx` or `$app`. Never empty.
    pub steps: Vec<Step<'a>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step<'a> {
    pub position: usize,
    pub name: &'a [u8],
    /// The first index in a row; the others mean nothing.
    pub index: Option<Index>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Index {
    Constant(u64),
    /// Something that is no integer literal.
    Other {
        /// Offset of the bracket.
        position: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unary {
    Plus,
    Minus,
    Not,
    BitNot,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    Greater,
    LessEqual,
    GreaterEqual,
    BitOr,
    BitXor,
    BitAnd,
    ShiftLeft,
    ShiftRight,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Binary {
    /// Operators with a higher one are evaluated first, those with the same one from left to right. Unlike in
    /// C, the bitwise ones are above the comparisons.
    pub(super) fn precedence(self) -> u8 {
        match self {
            Binary::Or => 1,
            Binary::And => 2,
            Binary::Equal | Binary::NotEqual => 3,
            Binary::Less | Binary::Greater | Binary::LessEqual | Binary::GreaterEqual => 4,
            Binary::BitOr => 5,
            Binary::BitXor => 6,
            Binary::BitAnd => 7,
            Binary::ShiftLeft | Binary::ShiftRight => 8,
            Binary::Add | Binary::Subtract => 9,
            Binary::Multiply | Binary::Divide | Binary::Remainder => 10,
        }
    }

    pub(super) fn is_logical(self) -> bool {
        matches!(self, Binary::And | Binary::Or)
    }
}
