// SPDX-License-Identifier: GPL-2.0-only
//! Where in a program something is that can be traced.
//!
//! The file was opened by a client, which shares its offset: it is read at given places only. It may change while it is
//! read.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

use lttng_protocol::elf::{self, Source};

use super::request::ProbeLookup;

/// The offsets of a place in a program's file, in the order in which it has them.
///
/// # Errors
/// EINVAL if it is not a regular file, ENOEXEC if it is not a sound ELF file, ENOENT if there is no such place or none
/// that can be traced, EBUSY if the place is guarded by a semaphore, E2BIG if there are too many, else what reading says.
pub fn find(program: OwnedFd, place: &ProbeLookup) -> io::Result<Vec<u64>> {
    let file = File::from(program);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    let program = Program { file, size: metadata.len() };
    let found = match place {
        ProbeLookup::Function(name) => {
            elf::function_offset(program, name.as_bytes()).map(|offset| vec![offset])
        }
        ProbeLookup::Tracepoint { provider, probe } => {
            elf::probe_offsets(program, provider.as_bytes(), probe.as_bytes())
        }
    };
    found.map_err(|error| {
        log::debug!("{place:?}: {error}");
        match error {
            elf::Error::Read(error) => error,
            error => io::Error::from_raw_os_error(errno(&error)),
        }
    })
}

fn errno<E>(error: &elf::Error<E>) -> i32 {
    match error {
        elf::Error::Read(_) => libc::EIO,
        elf::Error::Malformed(_) => libc::ENOEXEC,
        elf::Error::NotFound | elf::Error::OutsideText => libc::ENOENT,
        elf::Error::Semaphore => libc::EBUSY,
        elf::Error::TooMany => libc::E2BIG,
    }
}

/// A program's file.
struct Program {
    file: File,
    size: u64,
}

impl Source for Program {
    type Error = io::Error;

    fn size(&self) -> u64 {
        self.size
    }

    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }
}
