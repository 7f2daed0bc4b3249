// SPDX-License-Identifier: GPL-2.0-only
//! The simulated helper process: makes every folder, unless it is told not to.

use std::fs::File;

use lttng_sessiond::helper::{Request, Response};
use lttng_sessiond::output::ConnId;

use crate::wire::{Effects, Segment};

/// What goes wrong with the helper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// This request, counted from 1, fails with this errno.
    Refuse(usize, i32),
    /// It dies at this request.
    Die(usize),
    /// It never answers this request.
    Hang(usize),
}

#[derive(Debug)]
pub struct Helper {
    pub conn: ConnId,
    pub trouble: Option<Trouble>,
    /// All that it was asked for.
    pub requests: Vec<Request>,
}

impl Helper {
    pub fn new(conn: ConnId) -> Self {
        Helper { conn, trouble: None, requests: Vec::new() }
    }

    pub fn received(&mut self, segment: Segment, effects: &mut Effects) {
        assert!(segment.descriptors.is_empty());
        let request = Request::decode(&segment.bytes).expect("one request is one message");
        let Request { id, ref operation, .. } = request;
        assert!(operation.path().is_absolute());
        let opens = operation.opens();
        self.requests.push(request);
        let number = self.requests.len();
        let error = match self.trouble {
            Some(Trouble::Refuse(at, errno)) if at == number => Some(errno),
            Some(Trouble::Die(at)) if at <= number => return effects.closes.push(self.conn),
            Some(Trouble::Hang(at)) if at == number => return,
            _ => None,
        };
        let descriptors = match error {
            None if opens => vec![File::open("/dev/null").unwrap().into()],
            _ => Vec::new(),
        };
        effects.sends.push((self.conn, Response { id, error }.encode(), descriptors));
    }
}
