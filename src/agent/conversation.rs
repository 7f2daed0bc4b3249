// SPDX-License-Identifier: GPL-2.0-only
//! One agent: who it says it is, what it is asked, and what it answers.
//!
//! It is asked for one thing at a time, and for the next one when it has answered. The Python agent takes what is there when
//! it looks for all there is; two requests at once might be torn apart on the way, and it would leave.

use std::collections::VecDeque;
use std::time::Instant;

use lttng_protocol::agent::{Code, ListHead, Names, Registration, Request};

use super::mirror::{Change, Mirror};
use super::planner::{Desired, plan};
use crate::accounts::{Charge, Exhausted};
use crate::model::LoggerDomain;
use crate::turn::ids::ListingId;
use crate::turn::inbox::Inbox;
use crate::turn::watch::{Watch, Watched};

/// The agent does not keep to the protocol: it must be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonsense(pub &'static str);

/// Somebody who has connected and not introduced himself.
#[derive(Debug)]
pub struct Newcomer {
    /// Whose process has connected.
    pub uid: u32,
    input: Inbox,
    /// What the connection costs the user.
    pub charge: Charge,
}

impl Newcomer {
    /// Somebody of this user.
    pub fn new(uid: u32, charge: Charge) -> Self {
        Newcomer { uid, input: Inbox::default(), charge }
    }

    /// Takes bytes. Returns who it says it is, when it has said so.
    ///
    /// # Errors
    /// It says more than it should.
    pub fn received(&mut self, bytes: &[u8]) -> Result<Option<Registration>, Nonsense> {
        if self.input.bytes().len().saturating_add(bytes.len()) > Registration::LEN {
            return Err(Nonsense("it says more than who it is"));
        }
        self.input.push(bytes);
        let registration = self.input.take(Registration::LEN, Registration::decode).transpose();
        registration.map_err(|_| Nonsense("malformed registration"))
    }
}

/// What an agent owes an answer to.
#[derive(Debug)]
enum Asked {
    Change(Change),
    List(ListingId),
    /// The names that follow.
    Names(ListingId),
}

/// An answer, understood.
#[derive(Debug)]
pub enum Answer {
    /// A change was made, or refused with this code.
    Changed(Change, Code),
    /// The loggers that there are.
    Listed(ListingId, Names),
    /// It would not list them.
    NotListed(ListingId, Code),
}

/// An agent that has introduced itself.
#[derive(Debug)]
pub struct Agent {
    /// Its domain; none if there is no such one. Then nothing is ever asked of it.
    pub domain: Option<LoggerDomain>,
    /// The process that it says it is in.
    pub pid: i32,
    /// Whose process has connected.
    pub uid: u32,
    /// It can't answer at the moment: nobody waits for it, nothing new is asked of it.
    pub lagging: bool,
    mirror: Mirror,
    /// The program was told that it may go on.
    released: bool,
    /// When it is told so, whatever is left to be done.
    release_by: Instant,
    /// What is left to be asked, planned from that edition of what is wanted.
    todo: VecDeque<Change>,
    edition: u64,
    /// Lists that it is to be asked for.
    lists: VecDeque<ListingId>,
    asked: Option<Asked>,
    watch: Option<Watch>,
    /// Somebody has waited long enough for what it owes.
    given_up: bool,
    input: Inbox,
    /// Bytes that wait to be sent to it.
    unsent: usize,
    memory: Charge,
    _connection: Charge,
}

impl Agent {
    /// An agent that has nothing yet.
    pub fn new(
        domain: Option<LoggerDomain>,
        pid: i32,
        uid: u32,
        release_by: Instant,
        (connection, memory): (Charge, Charge),
    ) -> Self {
        Agent {
            domain,
            pid,
            uid,
            lagging: false,
            mirror: Mirror::default(),
            released: false,
            release_by,
            todo: VecDeque::new(),
            edition: 0,
            lists: VecDeque::new(),
            asked: None,
            watch: None,
            given_up: false,
            input: Inbox::default(),
            unsent: 0,
            memory,
            _connection: connection,
        }
    }

    /// What it is to be asked now, if anything. It is planned anew when there is another edition of what is wanted, of which
    /// [`Agent::forget_unwanted`] was told.
    pub fn next_request(&mut self, desired: &Desired, edition: u64, now: Instant) -> Option<Request> {
        if self.asked.is_some() || self.lagging {
            return None;
        }
        if self.edition != edition {
            self.todo = plan(desired, &self.mirror);
            self.edition = edition;
        }
        if !self.released && (self.todo.is_empty() || now >= self.release_by) {
            self.released = true;
            return Some(Request::RegistrationDone);
        }
        let (asked, request) = if let Some(change) = self.todo.pop_front() {
            let request = change.request();
            (Asked::Change(change), request)
        } else {
            self.todo = VecDeque::new();
            (Asked::List(self.lists.pop_front()?), Request::List)
        };
        self.asked = Some(asked);
        self.watch = Some(Watch::new(now));
        Some(request)
    }

    /// Something else is wanted. What it has refused and is not wanted for a moment may be asked for again, also if the
    /// agent owes an answer for all that moment.
    pub fn forget_unwanted(&mut self, desired: &Desired) {
        self.mirror.forget_unwanted(desired);
    }

    /// Has it asked for a list, after all that comes before that.
    pub fn list(&mut self, listing: ListingId) {
        self.lists.push_back(listing);
    }

    /// A list is not wanted any more. If it was asked for, the answer is of no use.
    pub fn forget_list(&mut self, listing: ListingId) {
        self.lists.retain(|&other| other != listing);
    }

    /// Takes bytes; call [`Agent::next_answer`] afterwards.
    pub fn received(&mut self, bytes: &[u8], now: Instant) {
        self.input.push(bytes);
        if let Some(watch) = &mut self.watch {
            watch.shows_life(now);
        }
    }

    /// The answer, if it is whole.
    ///
    /// # Errors
    /// [`Nonsense`] when it is none, or when more was said than was asked.
    pub fn next_answer(&mut self) -> Result<Option<Answer>, Nonsense> {
        let answer = match self.asked.take() {
            None => None,
            Some(Asked::Change(change)) => match self.input.take(Code::LEN, Code::decode) {
                None => return self.go_on_waiting(Asked::Change(change)),
                Some(code) => {
                    let code = code.map_err(|_| Nonsense("malformed answer"))?;
                    self.mirror.answered(&change, code == Code::SUCCESS);
                    Some(Answer::Changed(change, code))
                }
            },
            Some(Asked::List(listing)) => {
                let Some(head) = self.input.bytes().get(..ListHead::LEN) else {
                    return self.go_on_waiting(Asked::List(listing));
                };
                let head = ListHead::decode(head).map_err(|_| Nonsense("its list is too long"))?;
                if head.code == Code::SUCCESS {
                    self.asked = Some(Asked::Names(listing));
                    return self.next_answer();
                }
                self.input.take(ListHead::LEN, |_| ());
                Some(Answer::NotListed(listing, head.code))
            }
            Some(Asked::Names(listing)) => {
                let head = self.input.bytes().get(..ListHead::LEN).unwrap_or_default();
                let head = ListHead::decode(head).map_err(|_| Nonsense("malformed list"))?;
                let length = ListHead::LEN.saturating_add(head.following());
                self.input.expect(length);
                let names = |bytes: &[u8]| Names::decode(bytes.get(ListHead::LEN..).unwrap_or_default());
                match self.input.take(length, names) {
                    None => return self.go_on_waiting(Asked::Names(listing)),
                    Some(names) => {
                        let names = names.map_err(|_| Nonsense("malformed list"))?;
                        Some(Answer::Listed(listing, names))
                    }
                }
            }
        };
        if !self.input.bytes().is_empty() {
            return Err(Nonsense("it says what it was not asked"));
        }
        if answer.is_some() {
            (self.watch, self.given_up) = (None, false);
        }
        Ok(answer)
    }

    fn go_on_waiting(&mut self, asked: Asked) -> Result<Option<Answer>, Nonsense> {
        self.asked = Some(asked);
        Ok(None)
    }

    /// So many bytes wait to be sent to it.
    pub fn unsent(&mut self, bytes: usize) {
        self.unsent = bytes;
    }

    /// Charges what is held for it.
    ///
    /// # Errors
    /// Its user has too much.
    pub fn charge(&mut self) -> Result<(), Exhausted> {
        self.memory.set(self.input.held().saturating_add(self.unsent) as u64)
    }

    /// Whether it has this edition of what is wanted, as far as it takes it.
    pub fn has(&self, edition: u64) -> bool {
        self.edition == edition && self.todo.is_empty() && !matches!(self.asked, Some(Asked::Change(_)))
    }

    /// Whether the program was told that it may go on.
    pub fn is_released(&self) -> bool {
        self.released
    }

    /// Whether it owes an answer.
    pub fn owes_answer(&self) -> bool {
        self.asked.is_some()
    }

    /// Somebody has waited long enough for what it owes now.
    pub fn give_up_waiting(&mut self) {
        self.given_up = self.owes_answer();
    }

    /// Whether it still owes what somebody has waited for long enough.
    pub fn is_behind(&self) -> bool {
        self.given_up
    }
}

impl Watched for Agent {
    fn watch(&self) -> (Option<&Watch>, bool) {
        (self.watch.as_ref(), self.lagging)
    }

    fn watch_mut(&mut self) -> (Option<&mut Watch>, &mut bool) {
        (self.watch.as_mut(), &mut self.lagging)
    }
}

#[cfg(test)]
mod tests;
