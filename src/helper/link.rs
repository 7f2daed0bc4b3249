// SPDX-License-Identifier: GPL-2.0-only
//! The daemon's side of a helper process: requests under way, and who asked for what.
//!
//! It is the same for every helper, whatever it is asked for ([`Protocol`]). A request is answered exactly once, also
//! when it can't be sent and when the helper dies: then the next one is asked, but not a third one, since it may be the
//! request that helpers die of. What a helper answers wrongly or too late concerns that request alone. Descriptors go with
//! a request, and again when it is repeated. Nothing here waits, starts a helper, or knows what the requests are about.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::os::fd::OwnedFd;
use std::time::Instant;

use super::request::{MAX_DESCRIPTORS, MAX_MESSAGE, Malformed, Request, Response};
use crate::turn::ids::ConnId;
use crate::turn::machine::Attached;
use crate::turn::output::{Output, Outputs, SharedFd};

/// What a helper is asked, and what it answers.
pub trait Protocol {
    /// What it is to do.
    type Job: Debug;
    /// What comes of it when it succeeds.
    type Success: Debug;
    /// Bytes of the longest message that it takes.
    const MAX_MESSAGE: usize;
    /// Descriptors that it takes with one.
    const MAX_DESCRIPTORS: usize;

    /// The message that asks for a job.
    fn encode(id: u64, job: Self::Job) -> Vec<u8>;

    /// Whether a job may be done twice, when it is not known whether it was done.
    fn may_be_repeated(job: &Self::Job) -> bool;

    /// Whether the descriptors of a job are given away with it: none are kept here once it is sent, and none go with it
    /// when it is repeated.
    fn gives_away(_: &Self::Job) -> bool {
        false
    }

    /// Descriptors that the answer to a job may bring, at most.
    fn brings(job: &Self::Job) -> usize;

    /// The number that begins a message, if there is one.
    fn decode_id(message: &[u8]) -> Option<u64>;

    /// What a message and its descriptors answer.
    ///
    /// # Errors
    /// [`Malformed`] for a message that is none.
    fn decode(message: &[u8], descriptors: Vec<OwnedFd>) -> Result<Reply<Self::Success>, Malformed>;
}

/// An answer: the number of the request, and what came of it, or an errno value.
pub type Reply<S> = (u64, Result<S, i32>);

/// The connection to a helper process. `T` is what the asking part wants back with each answer.
#[derive(Debug)]
pub struct Link<P, T> {
    conn: Option<ConnId>,
    next: u64,
    under_way: BTreeMap<u64, UnderWay<T>>,
    /// Requests that are not sent and will not be, and why.
    unsent: Vec<(u64, i32)>,
    /// Requests that wait for a helper.
    held: Vec<u64>,
    protocol: std::marker::PhantomData<P>,
}

/// A request without an answer.
#[derive(Debug)]
struct UnderWay<T> {
    tag: T,
    /// When it was asked.
    asked: Instant,
    message: Vec<u8>,
    descriptors: Vec<SharedFd>,
    /// The descriptors are not kept.
    gives_away: bool,
    /// Descriptors that its answer may bring.
    brings: usize,
    /// It may be asked of another helper, if this one dies.
    again: bool,
}

impl<P, T> Default for Link<P, T> {
    fn default() -> Self {
        Link {
            conn: None,
            next: 0,
            under_way: BTreeMap::new(),
            unsent: Vec::new(),
            held: Vec::new(),
            protocol: std::marker::PhantomData,
        }
    }
}

impl<P: Protocol, T> Link<P, T> {
    /// A helper is there: it is asked what waits.
    pub fn connect(&mut self, conn: ConnId, outputs: &mut Outputs) {
        self.conn = Some(conn);
        for id in std::mem::take(&mut self.held) {
            self.send(id, outputs);
        }
    }

    /// Descriptors that the next answer may bring, at most.
    pub fn expected_descriptors(&self) -> usize {
        self.under_way.values().map(|request| request.brings).max().unwrap_or(0)
    }

    /// Whether requests wait for a helper.
    pub fn needs_helper(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether no answer is owed.
    pub fn is_idle(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Since when the oldest answer is owed, also by those that have died meanwhile.
    pub fn owes_since(&self) -> Option<Instant> {
        self.under_way.values().map(|request| request.asked).min()
    }

    /// Asks, or has it wait for a helper; descriptors go along. The answer comes later, in any case; what can't be sent is
    /// answered by [`Link::take_unsent`].
    pub fn ask(
        &mut self,
        job: P::Job,
        descriptors: Vec<SharedFd>,
        tag: T,
        now: Instant,
        outputs: &mut Outputs,
    ) {
        self.next = self.next.saturating_add(1);
        let id = self.next;
        let (again, gives_away) = (P::may_be_repeated(&job), P::gives_away(&job));
        let brings = P::brings(&job);
        let message = P::encode(id, job);
        let (length, attached) = (message.len(), descriptors.len());
        let request = UnderWay { tag, asked: now, message, descriptors, gives_away, brings, again };
        self.under_way.insert(id, request);
        if length > P::MAX_MESSAGE {
            self.unsent.push((id, libc::ENAMETOOLONG));
        } else if attached > P::MAX_DESCRIPTORS {
            self.unsent.push((id, libc::E2BIG));
        } else if self.conn.is_some() {
            self.send(id, outputs);
        } else {
            self.held.push(id);
        }
    }

    fn send(&mut self, id: u64, outputs: &mut Outputs) {
        if let (Some(to), Some(request)) = (self.conn, self.under_way.get_mut(&id)) {
            let descriptors = if request.gives_away {
                std::mem::take(&mut request.descriptors)
            } else {
                request.descriptors.clone()
            };
            // One message each: the connection keeps them apart.
            outputs.push(Output::Send { to, bytes: request.message.clone(), descriptors });
        }
    }

    /// The requests that could not be sent, and why. Not answered on the spot, where who asks is not ready yet.
    pub fn take_unsent(&mut self) -> Vec<(T, i32)> {
        let unsent = std::mem::take(&mut self.unsent);
        unsent.into_iter().filter_map(|(id, errno)| Some((self.under_way.remove(&id)?.tag, errno))).collect()
    }

    /// Input: a message. Who asked, and what came of it; `None` if nobody waits for that.
    pub fn received(&mut self, message: &[u8], attached: Attached) -> Option<(T, Result<P::Success, i32>)> {
        let Attached { descriptors, lost } = attached;
        let (id, result) = match P::decode(message, descriptors) {
            // What was opened did not get here.
            Ok((id, Ok(_))) if lost => (id, Err(libc::EMFILE)),
            Ok(reply) => reply,
            Err(Malformed) => {
                log::error!("Malformed answer from a helper process");
                (P::decode_id(message)?, Err(libc::EIO))
            }
        };
        self.under_way.remove(&id).map(|request| (request.tag, result))
    }

    /// The helper is gone. What it has not answered waits for the next one, once; what must not be done twice, or has
    /// outlived two helpers, is left unanswered by it for good.
    pub fn lost(&mut self) {
        self.conn = None;
        let sent: Vec<u64> = self.under_way.keys().copied().filter(|id| !self.is_unsent(*id)).collect();
        for id in sent {
            let Some(request) = self.under_way.get_mut(&id) else { continue };
            if std::mem::replace(&mut request.again, false) {
                self.held.push(id);
            } else {
                self.unsent.push((id, libc::EIO));
            }
        }
    }

    /// No helper will come for those that wait for one.
    pub fn give_up(&mut self, errno: i32) {
        self.unsent.extend(self.held.drain(..).map(|id| (id, errno)));
    }

    fn is_unsent(&self, id: u64) -> bool {
        self.held.contains(&id) || self.unsent.iter().any(|&(unsent, _)| unsent == id)
    }
}

/// The helper that works on paths.
#[derive(Debug)]
pub struct Paths;

/// What came of work on a path.
#[derive(Debug)]
pub struct Found {
    /// The folder that was opened.
    pub folder: Option<OwnedFd>,
    /// The address that was looked up.
    pub address: Option<String>,
    /// The places of a probe in a program, in bytes from the file's beginning.
    pub offsets: Vec<u64>,
}

impl Protocol for Paths {
    type Job = Request;
    type Success = Found;
    const MAX_MESSAGE: usize = MAX_MESSAGE;
    const MAX_DESCRIPTORS: usize = MAX_DESCRIPTORS;

    fn encode(id: u64, job: Request) -> Vec<u8> {
        Request { id, ..job }.encode()
    }

    fn may_be_repeated(request: &Request) -> bool {
        request.job.may_be_repeated()
    }

    fn brings(_: &Request) -> usize {
        MAX_DESCRIPTORS
    }

    fn decode_id(message: &[u8]) -> Option<u64> {
        Request::decode_id(message).ok()
    }

    fn decode(message: &[u8], descriptors: Vec<OwnedFd>) -> Result<Reply<Found>, Malformed> {
        let Response { id, error, address, offsets } = Response::decode(message)?;
        let found = Found { folder: descriptors.into_iter().next(), address, offsets };
        Ok((id, error.map_or(Ok(found), Err)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A helper that is asked for a number and answers with another one: eight bytes of the request's number, and
    /// perhaps one more byte.
    #[derive(Debug)]
    struct Numbers;

    impl Protocol for Numbers {
        type Job = u8;
        type Success = u8;
        const MAX_MESSAGE: usize = 9;
        const MAX_DESCRIPTORS: usize = 2;

        fn encode(id: u64, job: u8) -> Vec<u8> {
            [&id.to_ne_bytes()[..], &vec![job; usize::from(job > 0) + usize::from(job > 99)]].concat()
        }

        /// The number 0 may be asked for once only.
        fn may_be_repeated(job: &u8) -> bool {
            *job != 0
        }

        fn brings(job: &u8) -> usize {
            usize::from(*job)
        }

        /// What comes with the number 7 is given away.
        fn gives_away(job: &u8) -> bool {
            *job == 7
        }

        fn decode_id(message: &[u8]) -> Option<u64> {
            message.first_chunk().copied().map(u64::from_ne_bytes)
        }

        fn decode(message: &[u8], _: Vec<OwnedFd>) -> Result<Reply<u8>, Malformed> {
            let id = Self::decode_id(message).ok_or(Malformed)?;
            match message[8..] {
                [answer] => Ok((id, Ok(answer))),
                _ => Err(Malformed),
            }
        }
    }

    fn asked(link: &mut Link<Numbers, char>, job: u8, tag: char) -> usize {
        let mut outputs = Outputs::default();
        link.ask(job, Vec::new(), tag, Instant::now(), &mut outputs);
        outputs.take().len()
    }

    fn answer(id: u64, rest: &[u8]) -> Vec<u8> {
        [&id.to_ne_bytes()[..], rest].concat()
    }

    fn connect(link: &mut Link<Numbers, char>) -> usize {
        let mut outputs = Outputs::default();
        link.connect(ConnId(5), &mut outputs);
        outputs.take().len()
    }

    #[test]
    fn each_request_is_answered_once_and_by_its_own_answer() {
        let mut link = Link::<Numbers, char>::default();
        assert_eq!(connect(&mut link), 0);
        assert_eq!((asked(&mut link, 1, 'a'), asked(&mut link, 1, 'b'), asked(&mut link, 1, 'c')), (1, 1, 1));
        assert_eq!(link.expected_descriptors(), 1);
        assert_eq!(link.received(&answer(2, &[9]), Attached::default()), Some(('b', Ok(9))));
        // Late, unknown, and too short to say whose it is: nobody's business.
        for late in [&answer(2, &[9])[..], &answer(77, &[9]), &[1, 2, 3]] {
            assert_eq!(link.received(late, Attached::default()), None);
        }
        // A wrong answer fails the request that it answers.
        assert_eq!(link.received(&answer(1, &[9, 9]), Attached::default()), Some(('a', Err(libc::EIO))));
        // What could not be taken for want of descriptors, too; a failure stays what it was.
        asked(&mut link, 1, 'd');
        let lost = Attached { descriptors: Vec::new(), lost: true };
        assert_eq!(link.received(&answer(4, &[9]), lost), Some(('d', Err(libc::EMFILE))));
        assert_eq!((link.take_unsent(), link.needs_helper()), (Vec::new(), false));
    }

    #[test]
    fn what_a_dead_helper_owed_is_asked_of_the_next_one_and_of_no_third() {
        let mut link = Link::<Numbers, char>::default();
        connect(&mut link);
        assert_eq!((asked(&mut link, 1, 'a'), asked(&mut link, 0, 'b'), asked(&mut link, 1, 'c')), (1, 1, 1));
        assert_eq!(link.received(&answer(1, &[9]), Attached::default()), Some(('a', Ok(9))));
        link.lost();
        // What must not be done twice is not.
        assert_eq!((link.take_unsent(), link.needs_helper()), (vec![('b', libc::EIO)], true));
        assert_eq!(asked(&mut link, 1, 'd'), 0);
        assert_eq!(connect(&mut link), 2);
        assert_eq!(link.received(&answer(2, &[9]), Attached::default()), None);
        link.lost();
        assert_eq!(link.take_unsent(), [('c', libc::EIO)]);
        assert_eq!(connect(&mut link), 1);
        assert_eq!(link.received(&answer(4, &[3]), Attached::default()), Some(('d', Ok(3))));
        link.lost();
        assert_eq!((link.take_unsent(), link.needs_helper()), (Vec::new(), false));
    }

    #[test]
    fn descriptors_go_with_a_request_and_its_repetition_unless_they_are_given_away() {
        let file = || SharedFd::new(std::fs::File::open("/dev/null").unwrap().into());
        let sent = |outputs: &mut Outputs| -> Vec<usize> {
            let count = |output: Output| match output {
                Output::Send { descriptors, .. } => descriptors.len(),
                other => panic!("{other:?}"),
            };
            outputs.take().into_iter().map(count).collect()
        };
        let (kept, given, mut outputs) = (file(), file(), Outputs::default());
        let watched = [SharedFd::downgrade(&kept), SharedFd::downgrade(&given)];
        let open = || watched.each_ref().map(|descriptor| descriptor.strong_count() > 0);
        let mut link = Link::<Numbers, char>::default();
        link.ask(1, vec![kept], 'a', Instant::now(), &mut outputs);
        link.ask(7, vec![given], 'b', Instant::now(), &mut outputs);
        link.ask(1, vec![file(), file(), file()], 'c', Instant::now(), &mut outputs);
        // Nothing is closed before there is a helper that takes it.
        assert_eq!((sent(&mut outputs), open()), (vec![], [true, true]));
        assert_eq!(link.take_unsent(), [('c', libc::E2BIG)]);
        link.connect(ConnId(5), &mut outputs);
        assert_eq!((sent(&mut outputs), open()), (vec![1, 1], [true, false]));
        link.lost();
        link.connect(ConnId(6), &mut outputs);
        assert_eq!(sent(&mut outputs), [1, 0]);
        assert_eq!(link.received(&answer(1, &[9]), Attached::default()), Some(('a', Ok(9))));
        assert_eq!(open(), [false, false]);
    }

    #[test]
    fn what_can_not_be_sent_is_answered_all_the_same() {
        let mut link = Link::<Numbers, char>::default();
        assert_eq!((asked(&mut link, 1, 'a'), link.needs_helper()), (0, true));
        link.give_up(libc::ENOMEM);
        assert_eq!((connect(&mut link), asked(&mut link, 200, 'b')), (0, 0));
        link.lost();
        assert_eq!(link.take_unsent(), [('a', libc::ENOMEM), ('b', libc::ENAMETOOLONG)]);
        assert_eq!((link.take_unsent(), link.needs_helper()), (Vec::new(), false));
    }
}
