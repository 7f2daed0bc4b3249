// SPDX-License-Identifier: GPL-2.0-only
//! The copy of the metadata beside buffers that outlive a crash: what the file holds, and what comes next. Without it the
//! trace goes on all the same.

use super::{Buffers, Copy, Directory};
use crate::helper::FileStart;

impl Buffers {
    /// Buffers and metadata are to be kept in another folder too, which is being made.
    pub fn keep_copy(&mut self) {
        if let Directory::Asked(count) = self.directory {
            self.directory = Directory::Asked(count.saturating_add(1));
        }
        let none = Copy {
            length: 0,
            version: self.version,
            under_way: None,
            exists: false,
            failed: false,
            tried: false,
        };
        self.copy.get_or_insert(none);
    }

    /// What is to be appended to the copy now, at most `limit` bytes, and how it begins.
    pub fn next_copy(&mut self, limit: usize) -> Option<(FileStart, Vec<u8>)> {
        let copy = self.copy.as_mut().filter(|copy| copy.under_way.is_none() && !copy.failed)?;
        if self.directory != Directory::Made {
            return None;
        }
        let restart = copy.version != self.version;
        if restart {
            (copy.length, copy.version) = (0, self.version);
        }
        let text = self.registry.text().as_bytes().get(copy.length..).filter(|text| !text.is_empty())?;
        let piece = text.get(..limit).unwrap_or(text).to_vec();
        copy.under_way = Some(piece.len());
        let start = match (copy.exists, restart) {
            (false, _) => FileStart::Create,
            (true, true) => FileStart::Truncate,
            (true, false) => FileStart::Continue,
        };
        Some((start, piece))
    }

    /// The copy was continued, or could not be, with the system's error. After EIO, which is also what is said of a
    /// helper that died over it, it is begun anew, once. Returns whether it ends with that.
    pub fn copied(&mut self, result: Result<(), i32>) -> bool {
        let Some(copy) = &mut self.copy else { return false };
        copy.length = copy.length.saturating_add(copy.under_way.take().unwrap_or(0));
        let left_behind = result == Err(libc::EEXIST) && copy.tried;
        copy.exists |= result.is_ok() || left_behind;
        if result.is_err() {
            // It may have got a part of the last piece.
            copy.version = u64::MAX;
            copy.failed = !left_behind && (copy.tried || result != Err(libc::EIO));
            copy.tried = true;
        }
        copy.failed
    }
}
