// SPDX-License-Identifier: GPL-2.0-only
//! The grammar of filters.
//!
//! ```text
//! expression := unary { operator unary }
//! unary      := { '+' | '-' | '!' | '~' } ( path | number | text | '(' expression ')' )
//! path       := step { ( '.' | '->' ) step }
//! step       := name { '[' unary ']' }
//! ```
//!
//! What is begun and not ended waits on a list of its own, not on the stack. The stock parser holds at most
//! [`MAX_SYMBOLS`] symbols; the same count is kept here, so that the same texts are too deep.

use super::ast::{Binary, Index, Item, Node, Path, Step, Unary};
use super::error::{CompileError, CompileErrorKind};
use super::lexer::{Lexer, Token, TokenKind};
use super::number::Number;

/// Symbols that the stock parser holds at one time: its `YYMAXDEPTH` of 10000, less what it keeps free.
const MAX_SYMBOLS: usize = 9998;

/// The operands and operators of a filter, in the order in which they are evaluated.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Item<'_>>, CompileError> {
    let mut lexer = Lexer::new(text);
    let token = lexer.next()?;
    let mut parser = Parser { lexer, token, items: Vec::new(), pending: Vec::new(), symbols: 0 };
    loop {
        parser.operand()?;
        if parser.after_operand()? {
            return Ok(parser.items);
        }
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The token to come.
    token: Token<'a>,
    items: Vec<Item<'a>>,
    /// The innermost is last.
    pending: Vec<Pending<'a>>,
    /// What the stock parser would hold for `pending`.
    symbols: usize,
}

/// Something that waits for an operand.
struct Pending<'a> {
    position: usize,
    /// What the stock parser would hold for it.
    symbols: usize,
    kind: PendingKind<'a>,
}

enum PendingKind<'a> {
    Unary(Unary),
    /// The first operand is complete.
    Binary(Binary),
    Parenthesis,
    Index(OpenIndex<'a>),
}

struct OpenIndex<'a> {
    /// Ends with the step that the index belongs to.
    path: Path<'a>,
    /// How many indexes that step has already.
    row: usize,
    /// How many items there are without those of the index.
    items: usize,
    /// The integer literal that is all of the index.
    constant: Option<u64>,
}

impl<'a> Parser<'a> {
    /// Takes the token to come.
    fn advance(&mut self) -> Result<Token<'a>, CompileError> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn error<T>(&self, kind: CompileErrorKind) -> Result<T, CompileError> {
        Err(CompileError { position: self.token.position, kind })
    }

    /// Checks that the stock parser could hold this many symbols besides the pending ones.
    fn check_depth(&self, symbols: usize) -> Result<(), CompileError> {
        if self.symbols + symbols > MAX_SYMBOLS {
            return self.error(CompileErrorKind::NestedTooDeep);
        }
        Ok(())
    }

    fn push(&mut self, position: usize, symbols: usize, kind: PendingKind<'a>) -> Result<(), CompileError> {
        self.check_depth(symbols)?;
        self.symbols += symbols;
        self.pending.push(Pending { position, symbols, kind });
        Ok(())
    }

    fn pop(&mut self) -> Option<Pending<'a>> {
        let pending = self.pending.pop()?;
        self.symbols -= pending.symbols;
        Some(pending)
    }

    fn emit(&mut self, position: usize, node: Node<'a>) {
        self.items.push(Item { position, node });
    }

    /// Reads up to the end of an operand, not counting operators and parentheses around it.
    fn operand(&mut self) -> Result<(), CompileError> {
        loop {
            let Token { position, kind } = self.token;
            let pending = match kind {
                TokenKind::Binary(Binary::Add) => PendingKind::Unary(Unary::Plus),
                TokenKind::Binary(Binary::Subtract) => PendingKind::Unary(Unary::Minus),
                TokenKind::Not => PendingKind::Unary(Unary::Not),
                TokenKind::BitNot => PendingKind::Unary(Unary::BitNot),
                TokenKind::OpenParenthesis => PendingKind::Parenthesis,
                TokenKind::Name(name) => {
                    self.check_depth(1)?;
                    self.advance()?;
                    let path = Path { steps: vec![Step { position, name, index: None }] };
                    if self.path(path, 0)? {
                        return Ok(());
                    }
                    continue;
                }
                TokenKind::Number(number) => return self.number(position, number),
                TokenKind::Text(text) => {
                    // Start, characters so far, the next one or the end.
                    self.check_depth(if text.is_empty() { 2 } else { 3 })?;
                    self.advance()?;
                    self.emit(position, Node::Text(text));
                    return Ok(());
                }
                _ => return self.error(CompileErrorKind::ExpectedOperand),
            };
            self.push(position, 1, pending)?;
            self.advance()?;
        }
    }

    fn number(&mut self, position: usize, number: Number) -> Result<(), CompileError> {
        self.check_depth(1)?;
        self.advance()?;
        match number {
            Number::Integer(value) => {
                if let Some(Pending { kind: PendingKind::Index(index), .. }) = self.pending.last_mut() {
                    index.constant = Some(value);
                }
                self.emit(position, Node::Integer(value));
            }
            Number::Float(value) => self.emit(position, Node::Float(value)),
        }
        Ok(())
    }

    /// Goes on after a step of a path that has `row` indexes so far. True when the path is complete, false
    /// when an index of it is to come.
    fn path(&mut self, mut path: Path<'a>, mut row: usize) -> Result<bool, CompileError> {
        loop {
            // The path before the step with its point, the step's name and indexes.
            let symbols = if path.steps.len() > 1 { 2 } else { 0 } + 1 + 3 * row;
            match self.token.kind {
                TokenKind::OpenBracket => {
                    let position = self.token.position;
                    let index = OpenIndex { path, row, items: self.items.len(), constant: None };
                    self.push(position, symbols + 1, PendingKind::Index(index))?;
                    self.advance()?;
                    return Ok(false);
                }
                TokenKind::Member => {
                    self.advance()?;
                    let TokenKind::Name(name) = self.token.kind else {
                        return self.error(CompileErrorKind::ExpectedName);
                    };
                    self.check_depth(3)?;
                    let Token { position, .. } = self.advance()?;
                    path.steps.push(Step { position, name, index: None });
                    row = 0;
                }
                _ => {
                    let position = path.steps.first().map_or(0, |step| step.position);
                    self.emit(position, Node::Path(path));
                    return Ok(true);
                }
            }
        }
    }

    /// Goes on after a complete operand. True at the end of the text, false when another operand is to come.
    fn after_operand(&mut self) -> Result<bool, CompileError> {
        loop {
            self.end_unaries();
            let in_index = matches!(self.pending.last(), Some(Pending { kind: PendingKind::Index(_), .. }));
            let position = self.token.position;
            match self.token.kind {
                TokenKind::CloseBracket if in_index => {
                    if !self.end_index()? {
                        return Ok(false);
                    }
                }
                _ if in_index => return self.error(CompileErrorKind::ExpectedBracket),
                TokenKind::Binary(operator) => {
                    self.end_binaries(operator.precedence());
                    self.push(position, 2, PendingKind::Binary(operator))?;
                    if operator.is_logical() {
                        self.emit(position, Node::Logical(operator));
                    }
                    self.advance()?;
                    return Ok(false);
                }
                TokenKind::CloseParenthesis => self.end_parenthesis()?,
                TokenKind::CloseBracket => return self.error(CompileErrorKind::Unopened(b']')),
                TokenKind::End => {
                    self.end_binaries(0);
                    let Some(Pending { position, .. }) = self.pop() else { return Ok(true) };
                    return Err(CompileError { position, kind: CompileErrorKind::UnclosedParenthesis });
                }
                _ => return self.error(CompileErrorKind::ExpectedOperator),
            }
        }
    }

    fn end_unaries(&mut self) {
        while let Some(&Pending { position, kind: PendingKind::Unary(operator), .. }) = self.pending.last() {
            self.pop();
            self.emit(position, Node::Unary(operator));
        }
    }

    /// Ends operators of this and higher precedence.
    fn end_binaries(&mut self, precedence: u8) {
        while let Some(&Pending { position, kind: PendingKind::Binary(operator), .. }) = self.pending.last() {
            if operator.precedence() < precedence {
                return;
            }
            self.pop();
            let node = if operator.is_logical() { Node::LogicalEnd } else { Node::Binary(operator) };
            self.emit(position, node);
        }
    }

    fn end_parenthesis(&mut self) -> Result<(), CompileError> {
        self.end_binaries(0);
        // The operand, and the token.
        self.check_depth(2)?;
        if self.pop().is_none() {
            return self.error(CompileErrorKind::Unopened(b')'));
        }
        self.advance()?;
        Ok(())
    }

    /// Ends an index. True when its path is complete, false when another index is to come.
    fn end_index(&mut self) -> Result<bool, CompileError> {
        self.check_depth(2)?;
        self.advance()?;
        let Some(Pending { position, kind: PendingKind::Index(mut index), .. }) = self.pop() else {
            return self.error(CompileErrorKind::Unopened(b']'));
        };
        self.items.truncate(index.items);
        if let Some(step) = index.path.steps.last_mut().filter(|_| index.row == 0) {
            step.index = Some(index.constant.map_or(Index::Other { position }, Index::Constant));
        }
        self.path(index.path, index.row + 1)
    }
}
