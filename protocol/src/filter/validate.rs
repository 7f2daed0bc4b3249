// SPDX-License-Identifier: GPL-2.0-only
//! Checks the filter bytecode that clients send, before it is stored or passed to a tracer.
//!
//! A client's library compiles a filter; the daemon hands the result on unchanged. Tracers trust parts of it:
//! they follow offsets of the relocation table without a look at the code's length, read names past the end
//! of the data, and end the traced application when a stack runs over. So [`validate`] accepts what the
//! compiler of lttng-tools 2.13 can produce and nothing that would not be safe to run. It must never refuse a
//! filter of a stock client for any other reason; and it does not look at types, which tracers check by
//! themselves when they link a filter to an event.
//!
//! Data is code, then the relocation table:
//!
//! | Part | Contents |
//! |---|---|
//! | code | instructions without padding: an opcode byte, then its operand |
//! | table | for each instruction that names something, in order: `u16` offset of its opcode, name, NUL |
//!
//! Facts from lttng-tools 2.13 (`src/common/filter/filter-visitor-generate-bytecode.c`,
//! `src/common/bytecode/bytecode.h`) and lttng-ust 2.13 (`src/lib/lttng-ust/lttng-bytecode*.c`).

use crate::codec::Reader;
use std::fmt;

/// Bytes of code and relocation table: `LTTNG_FILTER_MAX_LEN`.
pub const MAX_DATA: usize = 65536;

/// Bytes of code: tracers hold its length in 16 bits.
pub const MAX_CODE: usize = u16::MAX as usize;

/// Values on the stack at one time. Tracers have 10 entries (`INTERPRETER_STACK_LEN`), of which two are
/// dummies. Their own check before a filter runs counts to 10, and the 9th value fails an assertion.
pub const MAX_STACK: usize = 8;

/// Bytes of a name, NUL not counted: `LTTNG_UST_ABI_SYM_NAME_LEN` is 256.
pub const MAX_NAME: usize = 255;

/// Why a bytecode is refused, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    /// Offset in the data of the instruction or table entry with the fault.
    pub offset: usize,
    /// The fault.
    pub fault: Fault,
}

/// The ways in which a bytecode can be unfit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There are no data, or more than [`MAX_DATA`] bytes.
    DataSize(usize),
    /// The relocation table starts at 0, after the end of the data or after [`MAX_CODE`].
    TableOffset(u32),
    /// The compiler emits no such opcode.
    Opcode(u8),
    /// The operand is cut off by the end of the code, a text included whose NUL is not in the code.
    Operand,
    /// A backslash in a text is not followed by `\` or `*`.
    Escape,
    /// A reference has an operand other than the `0xFFFF` that stands in until the tracer links it.
    Placeholder(u16),
    /// A logical operator skips to something that is not the start of an instruction after the next one.
    SkipTarget(u16),
    /// A logical operator skips to a place beyond the operand that it stands in.
    SkipCrosses(u16),
    /// An instruction is reached with different stacks.
    StackDiffers,
    /// An instruction finds too few values on the stack.
    StackEmpty,
    /// The stack holds more than [`MAX_STACK`] values.
    StackFull,
    /// An instruction finds a path on the stack where it needs a value, or a value where it needs a path.
    StackEntry,
    /// Values besides the result are on the stack at the end.
    ValuesLeft,
    /// The code does not end with a return.
    NoReturn,
    /// Code follows the return.
    CodeAfterReturn,
    /// An instruction that names something has no entry in the relocation table.
    NotRelocated,
    /// The entry of the relocation table is cut off, a name without NUL included.
    Entry,
    /// The entry is not that of the next instruction in the code that names something.
    EntryOffset(u16),
    /// A name is empty or has more than [`MAX_NAME`] bytes.
    NameLength(usize),
    /// A symbol's operand is not the place of its name in the relocation table.
    Symbol(u16),
    /// The relocation table goes on after the last entry that is needed.
    TrailingBytes,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "filter bytecode at byte {}: ", self.offset)?;
        match self.fault {
            Fault::DataSize(size) => write!(f, "size {size} not allowed"),
            Fault::TableOffset(offset) => write!(f, "relocation table at {offset} not allowed"),
            Fault::Opcode(opcode) => write!(f, "unknown opcode {opcode}"),
            Fault::Operand => write!(f, "incomplete operand"),
            Fault::Escape => write!(f, "bad escape in text"),
            Fault::Placeholder(value) => write!(f, "operand {value:#x} where 0xffff must be"),
            Fault::SkipTarget(target) => write!(f, "skips to {target}, not a later instruction"),
            Fault::SkipCrosses(target) => write!(f, "skips to {target}, beyond the enclosing operand"),
            Fault::StackDiffers => write!(f, "reached with different stacks"),
            Fault::StackEmpty => write!(f, "stack empty"),
            Fault::StackFull => write!(f, "stack full"),
            Fault::StackEntry => write!(f, "wrong kind of stack entry"),
            Fault::ValuesLeft => write!(f, "values left on the stack"),
            Fault::NoReturn => write!(f, "no return at the end"),
            Fault::CodeAfterReturn => write!(f, "code after the return"),
            Fault::NotRelocated => write!(f, "no relocation"),
            Fault::Entry => write!(f, "incomplete relocation"),
            Fault::EntryOffset(offset) => write!(f, "relocation of {offset} out of place"),
            Fault::NameLength(length) => write!(f, "name of {length} bytes not allowed"),
            Fault::Symbol(offset) => write!(f, "no name of this symbol at {offset} of the relocation table"),
            Fault::TrailingBytes => write!(f, "bytes left over"),
        }
    }
}

impl std::error::Error for Error {}

/// Checks a filter's bytecode: `data` without any header, of which the first `reloc_offset` bytes are code.
///
/// Takes time in proportion to the size of `data`, and memory for one entry per instruction.
///
/// # Errors
///
/// The first fault met: sizes, then the code from its start, then the relocation table.
pub fn validate(data: &[u8], reloc_offset: u32) -> Result<(), Error> {
    if data.is_empty() || data.len() > MAX_DATA {
        return Err(Error { offset: 0, fault: Fault::DataSize(data.len()) });
    }
    let bad_offset = Error { offset: 0, fault: Fault::TableOffset(reloc_offset) };
    let code_len = usize::try_from(reloc_offset).map_err(|_| bad_offset)?;
    if code_len == 0 || code_len > MAX_CODE {
        return Err(bad_offset);
    }
    let (code, table) = data.split_at_checked(code_len).ok_or(bad_offset)?;
    let references = check_code(code)?;
    check_table(table, code_len, &references)
}

/// What an instruction does to the stack, with the operands that need a look.
enum Instruction<'a> {
    Return,
    Unary,
    Binary,
    /// And, or: keeps the first operand and goes on at `skip`, or drops it and goes on.
    Logical {
        skip: u16,
    },
    Number,
    Text(&'a [u8]),
    /// Field or context, by its full name.
    Reference {
        placeholder: u16,
    },
    /// Start of a path: contexts, application contexts or the event's fields.
    Root,
    /// Path element, by the place of its name in the relocation table.
    Symbol {
        name: u16,
    },
    /// Path element, by its index.
    Index,
    /// Turns a path into a value.
    Load,
}

impl<'a> Instruction<'a> {
    fn read(reader: &mut Reader<'a>, code: &'a [u8]) -> Result<Self, Fault> {
        let opcode = reader.u8().map_err(|_| Fault::NoReturn)?;
        Ok(match opcode {
            1 => Instruction::Return,
            7..=17 => Instruction::Binary,
            // Minus, not, casts to integer, bit not.
            49 | 50 | 67 | 68 | 98 => Instruction::Unary,
            57 | 58 => Instruction::Logical { skip: operand(reader.u16())? },
            59 | 70 => Instruction::Reference { placeholder: operand(reader.u16())? },
            64 | 76 => Instruction::Text(text(reader, code).ok_or(Fault::Operand)?),
            65 | 66 => operand(reader.skip(8)).map(|()| Instruction::Number)?,
            79..=81 => Instruction::Root,
            82 => Instruction::Symbol { name: operand(reader.u16())? },
            85 => operand(reader.skip(8)).map(|()| Instruction::Index)?,
            86 => Instruction::Load,
            _ => return Err(Fault::Opcode(opcode)),
        })
    }
}

fn operand<T>(read: crate::codec::Result<T>) -> Result<T, Fault> {
    read.map_err(|_| Fault::Operand)
}

/// Reads up to a NUL, which is left out of the result.
fn text<'a>(reader: &mut Reader<'a>, bytes: &'a [u8]) -> Option<&'a [u8]> {
    let length = bytes.get(reader.offset()..)?.iter().position(|&byte| byte == 0)?;
    let text = reader.bytes(length).ok()?;
    reader.skip(1).ok()?;
    Some(text)
}

/// A tracer that compares texts takes the byte after a backslash unseen, even if it is the NUL.
fn escapes_are_complete(text: &[u8]) -> bool {
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        if *byte == b'\\' && !matches!(bytes.next(), Some(b'\\' | b'*')) {
            return false;
        }
    }
    true
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// Where a path starts; a name must follow.
    Root,
    /// A path with at least one name.
    Path,
    Value,
}

/// The stack of a tracer, without the values. Slots from `depth` on are `None`, so that stacks compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Stack {
    slots: [Option<Entry>; MAX_STACK],
    depth: usize,
}

impl Stack {
    fn push(&mut self, entry: Entry) -> Result<(), Fault> {
        let slot = self.slots.get_mut(self.depth).ok_or(Fault::StackFull)?;
        *slot = Some(entry);
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) -> Result<Entry, Fault> {
        let depth = self.depth.checked_sub(1).ok_or(Fault::StackEmpty)?;
        let slot = self.slots.get_mut(depth).ok_or(Fault::StackEmpty)?;
        self.depth = depth;
        slot.take().ok_or(Fault::StackEmpty)
    }

    fn pop_value(&mut self) -> Result<(), Fault> {
        if self.pop()? == Entry::Value { Ok(()) } else { Err(Fault::StackEntry) }
    }

    fn pop_path(&mut self) -> Result<(), Fault> {
        if self.pop()? == Entry::Path { Ok(()) } else { Err(Fault::StackEntry) }
    }
}

/// An instruction that the relocation table must give a name to.
struct Reference {
    /// Offset of its opcode.
    offset: u16,
    /// Where in the relocation table it says that its name is, if it says.
    symbol: Option<u16>,
}

/// A logical operator whose second operand is not complete yet.
struct Skip {
    /// Offset of the operator's opcode.
    offset: usize,
    target: u16,
    /// The stack that the target is reached with when the second operand is skipped.
    stack: Stack,
}

/// State between instructions.
#[derive(Default)]
struct Walk {
    stack: Stack,
    /// The innermost is last. Operands nest, so no target is beyond that of the skip before it.
    skips: Vec<Skip>,
    references: Vec<Reference>,
}

impl Walk {
    /// Ends the second operands that are complete when the instruction at `offset` is reached.
    fn arrive(&mut self, offset: usize) -> Result<(), Error> {
        while let Some(skip) = self.skips.pop_if(|skip| usize::from(skip.target) <= offset) {
            if usize::from(skip.target) != offset {
                return Err(Error { offset: skip.offset, fault: Fault::SkipTarget(skip.target) });
            }
            if skip.stack != self.stack {
                return Err(Error { offset, fault: Fault::StackDiffers });
            }
        }
        Ok(())
    }

    /// Applies the instruction whose opcode is at `offset`; the code goes on at `next`.
    fn step(&mut self, instruction: &Instruction<'_>, offset: usize, next: usize) -> Result<(), Fault> {
        match *instruction {
            Instruction::Return => {
                self.stack.pop_value()?;
                if self.stack.depth == 0 { Ok(()) } else { Err(Fault::ValuesLeft) }
            }
            Instruction::Unary => {
                self.stack.pop_value()?;
                self.stack.push(Entry::Value)
            }
            Instruction::Binary => {
                self.stack.pop_value()?;
                self.stack.pop_value()?;
                self.stack.push(Entry::Value)
            }
            Instruction::Logical { skip } => self.logical(skip, offset, next),
            Instruction::Number => self.stack.push(Entry::Value),
            Instruction::Text(text) if !escapes_are_complete(text) => Err(Fault::Escape),
            Instruction::Text(_) => self.stack.push(Entry::Value),
            Instruction::Reference { placeholder: u16::MAX } => {
                self.refer(offset, None)?;
                self.stack.push(Entry::Value)
            }
            Instruction::Reference { placeholder } => Err(Fault::Placeholder(placeholder)),
            Instruction::Root => self.stack.push(Entry::Root),
            Instruction::Symbol { name } => {
                if self.stack.pop()? == Entry::Value {
                    return Err(Fault::StackEntry);
                }
                self.refer(offset, Some(name))?;
                self.stack.push(Entry::Path)
            }
            Instruction::Index => {
                self.stack.pop_path()?;
                self.stack.push(Entry::Path)
            }
            Instruction::Load => {
                self.stack.pop_path()?;
                self.stack.push(Entry::Value)
            }
        }
    }

    fn logical(&mut self, target: u16, offset: usize, next: usize) -> Result<(), Fault> {
        if usize::from(target) <= next {
            return Err(Fault::SkipTarget(target));
        }
        if self.skips.last().is_some_and(|outer| outer.target < target) {
            return Err(Fault::SkipCrosses(target));
        }
        let stack = self.stack;
        self.stack.pop_value()?;
        self.skips.push(Skip { offset, target, stack });
        Ok(())
    }

    fn refer(&mut self, offset: usize, symbol: Option<u16>) -> Result<(), Fault> {
        // Not met: code is no longer than MAX_CODE.
        let offset = u16::try_from(offset).map_err(|_| Fault::NotRelocated)?;
        self.references.push(Reference { offset, symbol });
        Ok(())
    }
}

/// Checks the code; the result is what the relocation table must list.
fn check_code(code: &[u8]) -> Result<Vec<Reference>, Error> {
    let mut walk = Walk::default();
    let mut reader = Reader::new("filter code", code);
    loop {
        let offset = reader.offset();
        walk.arrive(offset)?;
        let at = |fault| Error { offset, fault };
        let instruction = Instruction::read(&mut reader, code).map_err(at)?;
        walk.step(&instruction, offset, reader.offset()).map_err(at)?;
        if !matches!(instruction, Instruction::Return) {
            continue;
        }
        if let Some(skip) = walk.skips.pop() {
            return Err(Error { offset: skip.offset, fault: Fault::SkipTarget(skip.target) });
        }
        if reader.remaining() > 0 {
            return Err(Error { offset: reader.offset(), fault: Fault::CodeAfterReturn });
        }
        return Ok(walk.references);
    }
}

/// Checks the relocation table, which starts at offset `base` of the data.
fn check_table(table: &[u8], base: usize, references: &[Reference]) -> Result<(), Error> {
    let mut reader = Reader::new("filter relocation table", table);
    for reference in references {
        let place = reader.offset();
        let at_code = |fault| Error { offset: reference.offset.into(), fault };
        let at_entry = |fault| Error { offset: base + place, fault };
        if reader.remaining() == 0 {
            return Err(at_code(Fault::NotRelocated));
        }
        let offset = reader.u16().map_err(|_| at_entry(Fault::Entry))?;
        if offset != reference.offset {
            return Err(at_entry(Fault::EntryOffset(offset)));
        }
        let name_place = reader.offset();
        let name = text(&mut reader, table).ok_or(at_entry(Fault::Entry))?;
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(at_entry(Fault::NameLength(name.len())));
        }
        if let Some(symbol) = reference.symbol
            && usize::from(symbol) != name_place
        {
            return Err(at_code(Fault::Symbol(symbol)));
        }
    }
    if reader.remaining() > 0 {
        return Err(Error { offset: base + reader.offset(), fault: Fault::TrailingBytes });
    }
    Ok(())
}
