// SPDX-License-Identifier: GPL-2.0-only
//! The counters of notifications that found no room: one for each event notifier, in one array.
//!
//! Of what the tracer's counters can do, only this shape is said.

use serde::{Deserialize, Serialize};

use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::numbered::numbered;

numbered! {
    /// How large a counter can get.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    pub enum Bitness: u32 {
        /// 32 bits.
        Bits32 = 0,
        /// 64 bits.
        Bits64 = 1,
    }
    /// The bitness with this number.
    from_number;
}

impl Bitness {
    /// The one that fits this machine.
    pub const NATIVE: Bitness =
        if cfg!(target_pointer_width = "64") { Bitness::Bits64 } else { Bitness::Bits32 };
}

/// Most dimensions that the structures have room for.
const MAX_DIMENSIONS: usize = 4;
/// Size of an index: number of dimensions (u32), then that of the counter in each (u64).
const INDEX_LEN: usize = 4 + 8 * MAX_DIMENSIONS;
/// Size of the structure that asks for a value: index, value (i64 at 36), underflow, overflow (u8 each), padding that
/// must be 0.
pub(super) const AGGREGATE_LEN: usize = 78;
/// Size of the structure that clears a counter: index, padding that must be 0.
pub(super) const CLEAR_LEN: usize = INDEX_LEN + 32;

/// The array, 192 bytes: arithmetic (u32, 0: wraps around), bitness, number of dimensions (u32 each), step (i64), then
/// at 20 the size of the first dimension (u64); everything else is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CounterConfiguration {
    /// Number of counters.
    pub size: u64,
    /// How large each can get.
    pub bitness: Bitness,
}

impl CounterConfiguration {
    /// Size in bytes.
    pub const LEN: usize = 192;

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let must_be = |reader: &Reader<'_>, value: u32, expected: u32| {
            if value == expected { Ok(()) } else { Err(reader.error(ErrorKind::BadValue(value.into()))) }
        };
        let arithmetic = reader.u32()?;
        must_be(reader, arithmetic, 0)?;
        let bitness = reader.u32()?;
        let bitness =
            Bitness::from_number(bitness).ok_or_else(|| reader.error(ErrorKind::BadValue(bitness.into())))?;
        for expected in [1, 0, 0] {
            let value = reader.u32()?;
            must_be(reader, value, expected)?;
        }
        let size = reader.u64()?;
        reader.seek(Self::LEN)?;
        Ok(CounterConfiguration { size, bitness })
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.u32(0).u32(self.bitness.number()).u32(1).i64(0).u64(self.size).pad_to(Self::LEN);
    }
}

/// Reads an index, and the rest of a structure of `length` bytes, which must be zero.
pub(super) fn decode_index(reader: &mut Reader<'_>, length: usize) -> Result<u64> {
    let dimensions = reader.u32()?;
    if dimensions != 1 {
        return Err(reader.error(ErrorKind::BadValue(dimensions.into())));
    }
    let index = reader.u64()?;
    while reader.offset() < length {
        match reader.u8()? {
            0 => {}
            other => return Err(reader.error(ErrorKind::BadValue(other.into()))),
        }
    }
    Ok(index)
}

pub(super) fn encode_index(index: u64, length: usize, writer: &mut Writer) {
    writer.u32(1).u64(index).pad_to(length);
}

/// What a counter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CounterValue {
    /// The sum over all CPUs; never negative where nothing is wrong.
    pub value: i64,
    /// It fell below what it can hold.
    pub underflow: bool,
    /// It rose above what it can hold.
    pub overflow: bool,
}

impl CounterValue {
    /// Decodes the value in what the tracer wrote into the argument of
    /// [`Request::CounterAggregate`](super::Request::CounterAggregate).
    ///
    /// # Errors
    ///
    /// Another size than that of the argument.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("kernel counter value", bytes);
        reader.seek(INDEX_LEN)?;
        let value =
            CounterValue { value: reader.i64()?, underflow: reader.u8()? != 0, overflow: reader.u8()? != 0 };
        reader.seek(AGGREGATE_LEN)?;
        reader.finish()?;
        Ok(value)
    }

    /// What the tracer makes of the argument for the counter at `index`.
    pub fn encode(&self, index: u64) -> Vec<u8> {
        let mut writer = Writer::with_capacity(AGGREGATE_LEN);
        encode_index(index, INDEX_LEN, &mut writer);
        writer.i64(self.value).u8(self.underflow.into()).u8(self.overflow.into()).pad_to(AGGREGATE_LEN);
        writer.into_bytes()
    }
}
