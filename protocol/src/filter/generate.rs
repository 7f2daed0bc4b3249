// SPDX-License-Identifier: GPL-2.0-only
//! Makes bytecode of a parsed filter.
//!
//! Each operand and operator appends its instruction; what names something adds an entry to the relocation
//! table. Types are followed on a list that has, at any time, the values that a tracer will have on its stack.

use super::ast::{Binary, Index, Item, Node, Path, Step, Text, Unary};
use super::error::{CompileError, CompileErrorKind};
use super::types::{self, Class, Type};
use super::{Bytecode, MAX_COMPILED, MAX_NAME, MAX_STACK};

/// Opcodes. `enum bytecode_op`.
pub(super) mod op {
    pub(in super::super) const RETURN: u8 = 1;
    pub(super) const BIT_RSHIFT: u8 = 7;
    pub(super) const BIT_LSHIFT: u8 = 8;
    pub(super) const BIT_AND: u8 = 9;
    pub(super) const BIT_OR: u8 = 10;
    pub(super) const BIT_XOR: u8 = 11;
    pub(super) const EQ: u8 = 12;
    pub(super) const NE: u8 = 13;
    pub(super) const GT: u8 = 14;
    pub(super) const LT: u8 = 15;
    pub(super) const GE: u8 = 16;
    pub(super) const LE: u8 = 17;
    pub(super) const UNARY_MINUS: u8 = 49;
    pub(super) const UNARY_NOT: u8 = 50;
    pub(super) const AND: u8 = 57;
    pub(super) const OR: u8 = 58;
    pub(super) const LOAD_FIELD_REF: u8 = 59;
    pub(super) const LOAD_STRING: u8 = 64;
    pub(super) const LOAD_S64: u8 = 65;
    pub(super) const LOAD_DOUBLE: u8 = 66;
    pub(super) const CAST_TO_S64: u8 = 67;
    pub(super) const CAST_DOUBLE_TO_S64: u8 = 68;
    pub(super) const GET_CONTEXT_REF: u8 = 70;
    pub(super) const LOAD_STAR_GLOB_STRING: u8 = 76;
    pub(super) const GET_CONTEXT_ROOT: u8 = 79;
    pub(super) const GET_APP_CONTEXT_ROOT: u8 = 80;
    pub(super) const GET_PAYLOAD_ROOT: u8 = 81;
    pub(super) const GET_SYMBOL: u8 = 82;
    pub(super) const GET_INDEX_U64: u8 = 85;
    pub(super) const LOAD_FIELD: u8 = 86;
    pub(super) const UNARY_BIT_NOT: u8 = 98;
}

type Result<T> = std::result::Result<T, CompileErrorKind>;

/// Makes the bytecode of a filter.
pub(super) fn generate(items: &[Item<'_>]) -> std::result::Result<Bytecode, CompileError> {
    let mut generator = Generator::default();
    for item in items {
        generator.item(item)?;
    }
    let position = items.last().map_or(0, |item| item.position);
    generator.finish().map_err(|kind| CompileError { position, kind })
}

/// Where a path starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Root {
    Payload,
    Context,
    AppContext,
}

/// Code and relocation table that grow.
#[derive(Default)]
pub(super) struct Assembler {
    code: Vec<u8>,
    table: Vec<u8>,
}

impl Assembler {
    pub(super) fn op(&mut self, opcode: u8) {
        self.code.push(opcode);
    }

    /// Appends an instruction with an operand.
    fn op_with(&mut self, opcode: u8, operand: &[u8]) {
        self.code.push(opcode);
        self.code.extend_from_slice(operand);
    }

    pub(super) fn root(&mut self, root: Root) {
        self.op(match root {
            Root::Payload => op::GET_PAYLOAD_ROOT,
            Root::Context => op::GET_CONTEXT_ROOT,
            Root::AppContext => op::GET_APP_CONTEXT_ROOT,
        });
    }

    /// Appends an element of a path. Its operand is the place of its name in the relocation table, after
    /// the two bytes that the entry starts with.
    pub(super) fn symbol(&mut self, name: &[u8]) -> Result<()> {
        let place = short(self.table.len() + 2)?;
        self.relocate(name)?;
        self.op_with(op::GET_SYMBOL, &place.to_ne_bytes());
        Ok(())
    }

    pub(super) fn index(&mut self, index: u64) {
        self.op_with(op::GET_INDEX_U64, &index.to_ne_bytes());
    }

    /// Enters a name for the instruction that comes next.
    fn relocate(&mut self, name: &[u8]) -> Result<()> {
        if name.len() > MAX_NAME {
            return Err(CompileErrorKind::NameTooLong(name.len()));
        }
        self.table.extend_from_slice(&short(self.code.len())?.to_ne_bytes());
        self.table.extend_from_slice(name);
        self.table.push(0);
        Ok(())
    }

    /// Appends a field or a context with an operand that the tracer replaces.
    fn reference(&mut self, opcode: u8, name: &[u8]) -> Result<()> {
        self.relocate(name)?;
        self.op_with(opcode, &u16::MAX.to_ne_bytes());
        Ok(())
    }

    /// Checks the size so far.
    fn check_size(&self) -> Result<()> {
        if self.code.len() + self.table.len() > MAX_COMPILED {
            return Err(CompileErrorKind::BytecodeTooLong);
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Bytecode> {
        self.op(op::RETURN);
        self.check_size()?;
        let reloc_offset = short(self.code.len())?.into();
        let mut data = self.code;
        data.append(&mut self.table);
        Ok(Bytecode { data, reloc_offset })
    }
}

/// An offset in code or table.
fn short(offset: usize) -> Result<u16> {
    u16::try_from(offset).map_err(|_| CompileErrorKind::BytecodeTooLong)
}

#[derive(Default)]
struct Generator {
    assembler: Assembler,
    /// The values on the stack. When a logical operator's second operand starts, the first one is off.
    types: Vec<Type>,
    /// Where the operands of logical operators are whose second operand is not complete.
    skips: Vec<usize>,
}

impl Generator {
    fn item(&mut self, item: &Item<'_>) -> std::result::Result<(), CompileError> {
        let at = |kind| CompileError { position: item.position, kind };
        match &item.node {
            Node::Text(text) => self.text(*text)?,
            Node::Path(path) => self.path(path)?,
            Node::Integer(value) => {
                self.assembler.op_with(op::LOAD_S64, &value.to_ne_bytes());
                self.types.push(Type::Integer);
            }
            Node::Float(value) => {
                self.assembler.op_with(op::LOAD_DOUBLE, &value.to_ne_bytes());
                self.types.push(Type::Float);
            }
            Node::Unary(operator) => self.unary(*operator).map_err(at)?,
            Node::Binary(operator) => self.binary(*operator).map_err(at)?,
            Node::Logical(operator) => self.logical(*operator).map_err(at)?,
            Node::LogicalEnd => self.logical_end().map_err(at)?,
        }
        if self.types.len() > MAX_STACK {
            return Err(at(CompileErrorKind::StackFull));
        }
        self.assembler.check_size().map_err(at)
    }

    /// Takes the value on top. The parser sees to it that there is one.
    fn pop(&mut self) -> Result<Type> {
        self.types.pop().ok_or(CompileErrorKind::ExpectedOperand)
    }

    fn text(&mut self, text: Text<'_>) -> std::result::Result<(), CompileError> {
        let class = types::class_of(text)?;
        // Tracers take the asterisk of a prefix from the plain text.
        let (opcode, bytes): (u8, Vec<u8>) = match class {
            Class::Plain | Class::Prefix => (op::LOAD_STRING, text.bytes().chain([0]).collect()),
            Class::Pattern => (op::LOAD_STAR_GLOB_STRING, without_repeated_stars(text).chain([0]).collect()),
        };
        self.assembler.op_with(opcode, &bytes);
        self.types.push(Type::Text(class));
        Ok(())
    }

    fn path(&mut self, path: &Path<'_>) -> std::result::Result<(), CompileError> {
        let start = path.steps.first().map_or(0, |step| step.position);
        let (root, steps) = split_root(path)?;
        if steps.iter().all(|step| step.index.is_none()) {
            let names: Vec<&[u8]> = path.steps.iter().map(|step| step.name).collect();
            let opcode = if root == Root::Payload { op::LOAD_FIELD_REF } else { op::GET_CONTEXT_REF };
            let named = self.assembler.reference(opcode, &names.join(&b'.'));
            named.map_err(|kind| CompileError { position: start, kind })?;
        } else {
            self.assembler.root(root);
            for &Step { position, name, index } in steps {
                self.assembler.symbol(name).map_err(|kind| CompileError { position, kind })?;
                match index {
                    None => {}
                    Some(Index::Constant(index)) => self.assembler.index(index),
                    Some(Index::Other { position }) => {
                        return Err(CompileError { position, kind: CompileErrorKind::IndexNotConstant });
                    }
                }
            }
            self.assembler.op(op::LOAD_FIELD);
        }
        self.types.push(Type::Unknown);
        Ok(())
    }

    fn unary(&mut self, operator: Unary) -> Result<()> {
        let operand = self.pop()?;
        self.types.push(types::unary(operand)?);
        match operator {
            Unary::Plus => {}
            Unary::Minus => self.assembler.op(op::UNARY_MINUS),
            Unary::Not => self.assembler.op(op::UNARY_NOT),
            Unary::BitNot => self.assembler.op(op::UNARY_BIT_NOT),
        }
        Ok(())
    }

    fn binary(&mut self, operator: Binary) -> Result<()> {
        let (right, left) = (self.pop()?, self.pop()?);
        types::binary(operator, left, right)?;
        self.types.push(Type::Integer);
        self.assembler.op(opcode_of(operator).ok_or(CompileErrorKind::Arithmetic)?);
        Ok(())
    }

    /// Between the operands: where the second one ends is not known yet.
    fn logical(&mut self, operator: Binary) -> Result<()> {
        self.truth_value()?;
        let opcode = opcode_of(operator).ok_or(CompileErrorKind::Arithmetic)?;
        self.assembler.op(opcode);
        self.skips.push(self.assembler.code.len());
        self.assembler.code.extend_from_slice(&[0; 2]);
        Ok(())
    }

    fn logical_end(&mut self) -> Result<()> {
        self.truth_value()?;
        self.types.push(Type::Integer);
        let end = short(self.assembler.code.len())?.to_ne_bytes();
        let place = self.skips.pop().and_then(|at| self.assembler.code.get_mut(at..)?.first_chunk_mut());
        *place.ok_or(CompileErrorKind::ExpectedOperand)? = end;
        Ok(())
    }

    /// Takes an operand of a logical operator off, made an integer.
    fn truth_value(&mut self) -> Result<()> {
        match self.pop()? {
            Type::Text(_) => return Err(CompileErrorKind::TextOperand),
            Type::Integer => {}
            Type::Float => self.assembler.op(op::CAST_DOUBLE_TO_S64),
            Type::Unknown => self.assembler.op(op::CAST_TO_S64),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Bytecode> {
        types::result(self.pop()?)?;
        self.assembler.finish()
    }
}

/// None for what no tracer computes.
fn opcode_of(operator: Binary) -> Option<u8> {
    Some(match operator {
        Binary::Or => op::OR,
        Binary::And => op::AND,
        Binary::Equal => op::EQ,
        Binary::NotEqual => op::NE,
        Binary::Less => op::LT,
        Binary::Greater => op::GT,
        Binary::LessEqual => op::LE,
        Binary::GreaterEqual => op::GE,
        Binary::BitOr => op::BIT_OR,
        Binary::BitXor => op::BIT_XOR,
        Binary::BitAnd => op::BIT_AND,
        Binary::ShiftLeft => op::BIT_LSHIFT,
        Binary::ShiftRight => op::BIT_RSHIFT,
        Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Remainder => {
            return None;
        }
    })
}

/// Where a path starts, and its steps from there.
fn split_root<'p, 'a>(path: &'p Path<'a>) -> std::result::Result<(Root, &'p [Step<'a>]), CompileError> {
    let Some((first, rest)) = path.steps.split_first() else { return Ok((Root::Payload, &[])) };
    let root = match first.name {
        b"$ctx" => Root::Context,
        b"$app" => Root::AppContext,
        [b'$', ..] => {
            return Err(CompileError { position: first.position, kind: CompileErrorKind::UnknownRoot });
        }
        _ => return Ok((Root::Payload, &path.steps)),
    };
    // An index of the root itself means nothing, as to the stock library.
    if rest.is_empty() {
        return Err(CompileError { position: first.position, kind: CompileErrorKind::ContextWithoutName });
    }
    Ok((root, rest))
}

/// The bytes of a pattern, with one asterisk for each run of them.
fn without_repeated_stars(text: Text<'_>) -> impl Iterator<Item = u8> {
    let (mut escaped, mut after_star) = (false, false);
    text.bytes().filter(move |&byte| {
        let is_star = byte == b'*' && !escaped;
        let repeated = is_star && after_star;
        escaped = byte == b'\\' && !escaped;
        after_star = is_star;
        !repeated
    })
}
