// SPDX-License-Identifier: GPL-2.0-only
//! Splits the text of a filter into tokens; white space and comments fall away.
//!
//! The longest token wins. What the stock lexer knows but its grammar does not use (braces, assignments, the
//! question mark and the like) is an error here.

use super::ast::{Binary, Text};
use super::error::{CompileError, CompileErrorKind};
use super::number::{self, Number};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Token<'a> {
    /// Offset of its first byte in the text.
    pub position: usize,
    pub kind: TokenKind<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum TokenKind<'a> {
    /// A name; that of a root has a `$` in front.
    Name(&'a [u8]),
    Number(Number),
    Text(Text<'a>),
    OpenParenthesis,
    CloseParenthesis,
    OpenBracket,
    CloseBracket,
    /// `.` or `->`, which mean the same.
    Member,
    Not,
    BitNot,
    /// An operator between operands. Plus and minus also stand before one.
    Binary(Binary),
    End,
}

/// Tokens that are always the same bytes. One that starts with another one is before it.
const FIXED: [(&[u8], TokenKind<'static>); 26] = [
    (b"->", TokenKind::Member),
    (b"<<", TokenKind::Binary(Binary::ShiftLeft)),
    (b">>", TokenKind::Binary(Binary::ShiftRight)),
    (b"<=", TokenKind::Binary(Binary::LessEqual)),
    (b">=", TokenKind::Binary(Binary::GreaterEqual)),
    (b"==", TokenKind::Binary(Binary::Equal)),
    (b"!=", TokenKind::Binary(Binary::NotEqual)),
    (b"&&", TokenKind::Binary(Binary::And)),
    (b"||", TokenKind::Binary(Binary::Or)),
    (b"<", TokenKind::Binary(Binary::Less)),
    (b">", TokenKind::Binary(Binary::Greater)),
    (b"&", TokenKind::Binary(Binary::BitAnd)),
    (b"|", TokenKind::Binary(Binary::BitOr)),
    (b"^", TokenKind::Binary(Binary::BitXor)),
    (b"+", TokenKind::Binary(Binary::Add)),
    (b"-", TokenKind::Binary(Binary::Subtract)),
    (b"*", TokenKind::Binary(Binary::Multiply)),
    (b"/", TokenKind::Binary(Binary::Divide)),
    (b"%", TokenKind::Binary(Binary::Remainder)),
    (b"!", TokenKind::Not),
    (b"~", TokenKind::BitNot),
    (b".", TokenKind::Member),
    (b"(", TokenKind::OpenParenthesis),
    (b")", TokenKind::CloseParenthesis),
    (b"[", TokenKind::OpenBracket),
    (b"]", TokenKind::CloseBracket),
];

pub(super) struct Lexer<'a> {
    text: &'a [u8],
    /// Where the next token is looked for.
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Lexer { text, at: 0 }
    }

    /// The next token; [`TokenKind::End`] again and again at the end.
    pub(super) fn next(&mut self) -> Result<Token<'a>, CompileError> {
        self.skip_blanks();
        let position = self.at;
        let rest = self.rest();
        let (kind, length) = scan(rest).map_err(|kind| CompileError { position, kind })?;
        let kind = match kind {
            TokenKind::Text(text) => TokenKind::Text(Text { position: position + text.position, ..text }),
            kind => kind,
        };
        self.at += length;
        Ok(Token { position, kind })
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        loop {
            self.at += match self.rest() {
                [b' ' | b'\t' | b'\n', ..] => 1,
                [b'/', b'*', comment @ ..] => 2 + end_of(comment, b"*/"),
                [b'/', b'/', comment @ ..] => 2 + end_of(comment, b"\n"),
                _ => return,
            };
        }
    }
}

/// Where `end` is over, or all of the text: a comment need not be closed.
fn end_of(text: &[u8], end: &[u8]) -> usize {
    let start = text.windows(end.len()).position(|window| window == end);
    start.map_or(text.len(), |start| start + end.len())
}

/// The longest token at the start of `text`, with its length in bytes.
fn scan(text: &[u8]) -> Result<(TokenKind<'_>, usize), CompileErrorKind> {
    let Some(&first) = text.first() else { return Ok((TokenKind::End, 0)) };
    if let [b'"' | b'\'', ..] | [b'L', b'"' | b'\'', ..] = text {
        return quoted(text);
    }
    let root = usize::from(first == b'$');
    let name = name_len(text.get(root..).unwrap_or_default());
    let length = root + name;
    // A colon alone is a token of its own, and of no use.
    if name > 0 && text.get(..length) != Some(b":") {
        return Ok((TokenKind::Name(text.get(..length).unwrap_or_default()), length));
    }
    if let Some((number, length)) = number::scan(text) {
        return Ok((TokenKind::Number(number?), length));
    }
    let fixed = FIXED.iter().find(|(token, _)| text.starts_with(token));
    fixed.map(|&(token, kind)| (kind, token.len())).ok_or(CompileErrorKind::UnexpectedByte(first))
}

/// Length of the name at the start of `text`: letters, `_`, `:`, the number of a character after `\u` or `\U`,
/// and, not at the start, digits.
fn name_len(text: &[u8]) -> usize {
    let mut length = 0;
    loop {
        let is_hexadecimal = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
        length += match text.get(length..).unwrap_or_default() {
            [b'A'..=b'Z' | b'a'..=b'z' | b'_' | b':', ..] => 1,
            [b'0'..=b'9', ..] if length > 0 => 1,
            [b'\\', b'u', digits @ ..] if digits.get(..4).is_some_and(is_hexadecimal) => 6,
            [b'\\', b'U', digits @ ..] if digits.get(..8).is_some_and(is_hexadecimal) => 10,
            _ => return length,
        };
    }
}

/// Reads a text. A backslash does not keep the quote after it from closing the text.
fn quoted(text: &[u8]) -> Result<(TokenKind<'_>, usize), CompileErrorKind> {
    let position = if text.starts_with(b"L") { 2 } else { 1 };
    let (opening, rest) = text.split_at_checked(position).unwrap_or_default();
    let quote = opening.last().copied().unwrap_or_default();
    let length =
        rest.iter().position(|&byte| byte == quote || byte == 0).ok_or(CompileErrorKind::UnterminatedText)?;
    let (raw, closing) = rest.split_at_checked(length).unwrap_or_default();
    if closing.first() == Some(&0) {
        return Err(CompileErrorKind::UnexpectedByte(0));
    }
    let text = Text { position, raw };
    if raw.windows(6).any(|word| word == b"ESCSEQ") {
        return Err(CompileErrorKind::ReservedText);
    }
    if quote == b'\'' && text.is_empty() {
        return Err(CompileErrorKind::EmptyQuotes);
    }
    Ok((TokenKind::Text(text), position + length + 1))
}
