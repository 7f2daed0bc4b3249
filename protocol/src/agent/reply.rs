// SPDX-License-Identifier: GPL-2.0-only
//! What an agent answers.

use crate::codec::{ErrorKind, Reader, Result, Writer};

/// How a request went, 4 bytes (`enum lttcomm_agent_ret_code`). The answer to every request but those for lists, whose
/// answers begin with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(pub u32);

impl Code {
    /// It was done.
    pub const SUCCESS: Code = Code(1);
    /// The request makes no sense to the agent.
    pub const INVALID: Code = Code(2);
    /// There is no logger of this name; no such context.
    pub const UNKNOWN_NAME: Code = Code(3);
    /// Size on the wire.
    pub const LEN: usize = 4;

    /// Decodes exactly [`Code::LEN`] bytes.
    pub fn decode(bytes: &[u8]) -> Result<Code> {
        let mut reader = Reader::new("agent reply", bytes);
        let code = reader.u32_be()?;
        reader.finish()?;
        Ok(Code(code))
    }

    /// The bytes on the wire.
    pub fn encode(self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }
}

/// The first 8 bytes of a list: the code, and the number of bytes of the names (u32 each).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListHead {
    /// With another one than [`Code::SUCCESS`], nothing follows.
    pub code: Code,
    /// Bytes of the names, their NULs included, at most [`ListHead::MAX_SIZE`].
    pub size: u32,
}

impl ListHead {
    /// Size on the wire.
    pub const LEN: usize = 8;
    /// The longest list that is taken. Programs have hundreds of loggers, rarely thousands.
    pub const MAX_SIZE: u32 = 1 << 20;

    /// Decodes exactly [`ListHead::LEN`] bytes. A list over the limit is an error.
    pub fn decode(bytes: &[u8]) -> Result<ListHead> {
        let mut reader = Reader::new("agent list", bytes);
        let code = Code(reader.u32_be()?);
        let size = reader.u32_be()?;
        if code == Code::SUCCESS && size > ListHead::MAX_SIZE {
            return Err(reader.error(ErrorKind::TooLong(size.into())));
        }
        reader.finish()?;
        Ok(ListHead { code, size })
    }

    /// The bytes that follow: the size says nothing of the number of names, which goes before them.
    pub fn following(&self) -> usize {
        if self.code != Code::SUCCESS {
            return 0;
        }
        usize::try_from(self.size).unwrap_or(usize::MAX).saturating_add(Names::COUNT_LEN)
    }
}

/// The names of loggers: their number (u32), then each with its NUL. They are kept as they came, since there may be many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Names, each with its NUL.
    bytes: Box<[u8]>,
}

impl Names {
    /// Most names that are taken.
    pub const MAX_COUNT: u32 = 65_536;
    /// Bytes of their number.
    const COUNT_LEN: usize = 4;

    /// Decodes what follows a [`ListHead`], all of it and nothing else. Numbers and sizes that do not fit are errors.
    pub fn decode(bytes: &[u8]) -> Result<Names> {
        let mut reader = Reader::new("agent list", bytes);
        let count = reader.u32_be()?;
        if count > Names::MAX_COUNT {
            return Err(reader.error(ErrorKind::TooLong(count.into())));
        }
        let names = reader.bytes(reader.remaining())?;
        if names.last().is_some_and(|&last| last != 0) {
            return Err(reader.error(ErrorKind::BadString));
        }
        if names.iter().filter(|&&byte| byte == 0).count() as u64 != u64::from(count) {
            return Err(reader.error(ErrorKind::BadValue(count.into())));
        }
        Ok(Names { bytes: names.into() })
    }

    /// The names, in the agent's order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes
            .split_inclusive(|&byte| byte == 0)
            .filter_map(|name| name.split_last())
            .map(|(_, name)| name)
    }

    /// The name that begins at this place, and where the next one begins. The first one begins at 0.
    pub fn at(&self, place: usize) -> Option<(&[u8], usize)> {
        let rest = self.bytes.get(place..)?;
        let length = rest.iter().position(|&byte| byte == 0)?;
        Some((rest.get(..length)?, place.saturating_add(length).saturating_add(1)))
    }

    /// Leaves out names of this many bytes or more. Returns how many.
    pub fn leave_out_longer(&mut self, bytes: usize) -> usize {
        let is_short = |name: &&[u8]| name.len() <= bytes;
        let names = self.bytes.split_inclusive(|&byte| byte == 0);
        let long = names.clone().filter(|name| !is_short(name)).count();
        if long > 0 {
            self.bytes = names.filter(is_short).collect::<Vec<_>>().concat().into();
        }
        long
    }

    /// Bytes of memory that they take.
    pub fn held(&self) -> usize {
        self.bytes.len()
    }

    /// A whole answer with these names, none of which may have a NUL.
    pub fn answer(names: &[&[u8]]) -> Vec<u8> {
        let size = names.iter().fold(0_usize, |sum, name| sum.saturating_add(name.len()).saturating_add(1));
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let mut writer = Writer::default();
        writer.u32_be(Code::SUCCESS.0).u32_be(number(size)).u32_be(number(names.len()));
        for name in names {
            writer.c_string(name);
        }
        writer.into_bytes()
    }
}
