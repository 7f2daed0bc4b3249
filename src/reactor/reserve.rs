// SPDX-License-Identifier: GPL-2.0-only
//! Descriptors that are kept to be given back when something needs one that can't be done without. Nothing here may know
//! what that is.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

/// Descriptors kept. What is begun in the middle of a shortage must have enough: a program, the connections to it, and
/// a message with descriptors.
const SIZE: usize = 16;
/// Of these, some are not for newcomers.
const FOR_NEWCOMERS: usize = SIZE / 2;

/// The descriptors that are kept.
#[derive(Debug)]
pub struct Reserve {
    original: OwnedFd,
    spare: Vec<OwnedFd>,
}

impl Reserve {
    /// A reserve that is as full as can be.
    ///
    /// # Errors
    /// There is no room for a single one.
    pub fn new() -> io::Result<Self> {
        let original = File::open("/dev/null")?.into();
        let mut reserve = Reserve { original, spare: Vec::with_capacity(SIZE) };
        reserve.refill();
        Ok(reserve)
    }

    /// Keeps as many as there should be. False if there is no room for them.
    pub fn refill(&mut self) -> bool {
        while self.spare.len() < SIZE {
            match self.original.try_clone() {
                Ok(descriptor) => self.spare.push(descriptor),
                Err(_) => return false,
            }
        }
        true
    }

    /// Whether there are as many as there should be.
    pub fn is_full(&self) -> bool {
        self.spare.len() >= SIZE
    }

    /// Gives back as many as that, or all.
    pub fn lend(&mut self, count: usize) {
        self.spare.truncate(self.spare.len().saturating_sub(count));
    }

    /// Gives back one for a connection that somebody makes, if there are plenty.
    pub fn lend_to_newcomer(&mut self) -> bool {
        let plenty = self.spare.len() > FOR_NEWCOMERS;
        if plenty {
            self.lend(1);
        }
        plenty
    }

    /// Does something. If that fails for want of descriptors, all that are kept are given back and it is tried again.
    ///
    /// # Errors
    /// What it gives.
    pub fn insist<T>(&mut self, mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        match act() {
            Err(error) if crate::sys::socket::is_shortage(&error) => {
                self.lend(SIZE);
                let result = act();
                self.refill();
                result
            }
            result => result,
        }
    }
}
