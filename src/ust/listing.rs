// SPDX-License-Identifier: GPL-2.0-only
//! Asking an application for its tracepoints, or for their fields.
//!
//! The entries come one by one, so they are asked for in bursts; asking beyond the end costs nothing.

use std::fmt;
use std::rc::Rc;

use lttng_protocol::ust::command::{Command, Reply, Tracepoint, TracepointField, code};

use crate::accounts::{Charge, Exhausted};

/// Entries asked for in the first burst, and in each later one.
const FIRST_BURST: usize = 8;
const BURST: usize = 16;
/// Most entries taken from one application.
const MAX_ENTRIES: usize = 100_000;

/// The application does not keep to the protocol, or is dying: it must be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonsense(pub &'static str);

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListingKind {
    /// Tracepoints.
    Tracepoints,
    /// The fields of all tracepoints.
    Fields,
}

impl ListingKind {
    /// The command that makes the list.
    pub fn create(self) -> Command {
        match self {
            ListingKind::Tracepoints => Command::TracepointList,
            ListingKind::Fields => Command::TracepointFieldList,
        }
    }

    /// The command for a step.
    pub fn command(self, step: Step) -> Command {
        match (step, self) {
            (Step::Create, _) => self.create(),
            (Step::Entry, ListingKind::Tracepoints) => Command::TracepointListGet,
            (Step::Entry, ListingKind::Fields) => Command::TracepointFieldListGet,
            (Step::Release, _) => Command::Release,
        }
    }
}

/// A step of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The list is made.
    Create,
    /// An entry.
    Entry,
    /// The list is given up.
    Release,
}

/// The listing of one application.
#[derive(Debug)]
pub struct Listing {
    /// What is listed.
    pub kind: ListingKind,
    /// All entries are there, or the application refused to give them.
    pub done: bool,
    /// Why not all of it is taken.
    cut: Option<Cut>,
    /// That was said.
    said: bool,
    entries: Entries,
    /// What the entries cost the application's user.
    charge: Charge,
    handle: u32,
    /// The application has made the list.
    begun: bool,
    outstanding: usize,
    ended: bool,
    released: bool,
    taken: bool,
}

/// Why the list of an application is not taken whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Its user has all the memory that there is for it.
    Memory(Exhausted),
    /// It does not end.
    TooLong,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Memory(exhausted) => exhausted.fmt(f),
            Cut::TooLong => write!(f, "it has {MAX_ENTRIES} entries or more"),
        }
    }
}

/// What an application listed, in its own order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// Tracepoints.
    pub tracepoints: Vec<Tracepoint>,
    /// Fields.
    pub fields: Vec<TracepointField>,
}

impl Entries {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.tracepoints.len().max(self.fields.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that they take.
    pub fn held(&self) -> u64 {
        let tracepoints = self.tracepoints.iter().map(tracepoint_held);
        tracepoints.chain(self.fields.iter().map(field_held)).fold(0, u64::saturating_add)
    }
}

/// What a text takes besides its bytes, as memory is given out.
const TEXT_COST: usize = 24;

fn tracepoint_held(entry: &Tracepoint) -> u64 {
    // A list that grows has room for as many again.
    let own = size_of::<Tracepoint>().saturating_mul(2);
    own.saturating_add(entry.name.len()).saturating_add(TEXT_COST) as u64
}

fn field_held(entry: &TracepointField) -> u64 {
    let own = size_of::<TracepointField>().saturating_mul(2);
    let texts = entry.event_name.len().saturating_add(entry.field_name.len());
    own.saturating_add(texts).saturating_add(2 * TEXT_COST) as u64
}

/// What an application has listed, and what that costs its user.
#[derive(Debug)]
pub struct Listed {
    /// The entries. Several applications may have the same.
    pub entries: Rc<Entries>,
    /// It had begun to list and has more than this.
    pub cut: bool,
    charge: Charge,
}

impl Listed {
    /// The same entries are there already: these are let go, and cost nothing more.
    pub fn share(&mut self, known: &Listed) {
        self.entries = Rc::clone(&known.entries);
        self.charge.shrink(u64::MAX);
    }
}

impl Listing {
    /// A listing whose first command was sent.
    pub fn new(kind: ListingKind, charge: Charge) -> Self {
        Listing {
            kind,
            done: false,
            cut: None,
            said: false,
            entries: Entries::default(),
            charge,
            handle: 0,
            begun: false,
            outstanding: 0,
            ended: false,
            released: false,
            taken: false,
        }
    }

    /// Takes the entries so far. What comes later is dropped.
    pub(super) fn take(&mut self) -> Listed {
        self.taken = true;
        let cut = self.cut.is_some() || self.begun && !self.done;
        Listed { entries: Rc::new(std::mem::take(&mut self.entries)), cut, charge: self.charge.take() }
    }

    /// Why not all of it is taken, if that was not said yet.
    pub fn unsaid_cut(&mut self) -> Option<Cut> {
        self.cut.filter(|_| !std::mem::replace(&mut self.said, true))
    }

    /// Nothing more will come of it, and nobody will ask for it.
    pub(super) fn is_over(&self) -> bool {
        self.taken && self.released
    }

    /// Takes an answer; returns the handles and steps to send next.
    pub(super) fn answered(
        &mut self,
        step: Step,
        reply: &Reply,
        field: Option<&TracepointField>,
    ) -> Result<Vec<(u32, Step)>, Nonsense> {
        let failed = reply.code != code::OK;
        match step {
            Step::Create if failed => (self.done, self.released) = (true, true),
            Step::Create => {
                (self.handle, self.begun) = (reply.value, true);
                return Ok(self.burst(FIRST_BURST));
            }
            Step::Entry => {
                self.outstanding = self.outstanding.saturating_sub(1);
                // Nobody wants to know more once what there is was taken.
                self.ended |= failed || self.taken;
                if !failed && !self.taken && self.entries.len() >= MAX_ENTRIES {
                    self.cut_short(Cut::TooLong);
                } else if !failed && !self.taken {
                    self.take_entry(reply, field)?;
                }
                if self.outstanding == 0 && self.ended {
                    self.done = true;
                    return Ok(vec![(self.handle, Step::Release)]);
                }
                if self.outstanding == 0 {
                    return Ok(self.burst(BURST));
                }
            }
            Step::Release => self.released = true,
        }
        Ok(Vec::new())
    }

    fn burst(&mut self, count: usize) -> Vec<(u32, Step)> {
        self.outstanding = count;
        vec![(self.handle, Step::Entry); count]
    }

    fn take_entry(&mut self, reply: &Reply, field: Option<&TracepointField>) -> Result<(), Nonsense> {
        let exhausted = match field {
            Some(field) => {
                let exhausted = self.charge.grow(field_held(field));
                if exhausted.is_ok() {
                    self.entries.fields.push(field.clone());
                }
                exhausted
            }
            None => {
                let entry = reply.tracepoint().map_err(|_| Nonsense("malformed tracepoint"))?;
                let exhausted = self.charge.grow(tracepoint_held(entry));
                if exhausted.is_ok() {
                    self.entries.tracepoints.push(entry.clone());
                }
                exhausted
            }
        };
        if let Err(exhausted) = exhausted {
            self.cut_short(Cut::Memory(exhausted));
        }
        Ok(())
    }

    fn cut_short(&mut self, why: Cut) {
        self.cut.get_or_insert(why);
        self.ended = true;
    }
}
