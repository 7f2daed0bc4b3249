// SPDX-License-Identifier: GPL-2.0-only
//! What the tracer's helper process is asked, and what it answers: one message each way, with descriptors.
//!
//! The helper understands no request: numbers and bytes are made and read by the daemon (`lttng_protocol::kernel`).
//! Messages are postcard's, after the request's number: eight bytes, of this machine's order. Both ends are the same
//! program, so there is no version.

use std::os::fd::OwnedFd;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::helper::Malformed;
use crate::helper::link::{Protocol, Reply};
use crate::sys::socket;

/// Bytes of the longest message, either way. A filter has 64 KiB at most.
pub const MAX_MESSAGE: usize = socket::MAX_MESSAGE;
/// Descriptors in one message, either way: what the kernel lets travel together, less a few.
pub const MAX_DESCRIPTORS: usize = 240;

/// What the helper is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Job {
    /// Load modules with those that they depend on: all of the first, or it fails with ENOENT; of the second as many as
    /// there are. What is loaded already, or part of the kernel, is loaded.
    Load { required: Vec<String>, optional: Vec<String> },
    /// Unload modules, in this order, as far as nothing uses them. It can't fail.
    Unload(Vec<String>),
    /// Open the tracer. Brings a descriptor.
    Open,
    /// Take steps, in order, on the descriptors that come with the job.
    Run(Vec<Step>),
    /// Make this request, which takes nothing and makes a descriptor, of the one that comes with the job; read that to its
    /// end. Brings memory that holds the text, as a descriptor.
    List(u32),
    /// Close the descriptors that come with the job, which may be the last that there are of something. It can't fail.
    Close,
}

/// One step of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is asked.
    pub on: On,
    /// A step before it that must have succeeded; else this one is skipped. One that was to make a descriptor and made none
    /// has not.
    pub needs: Option<u16>,
    pub call: Call,
}

/// A descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum On {
    /// One that came with the job, by its place.
    Attached(u16),
    /// The one that a step before has made, or the first of several. If it has made none, this one is skipped.
    Made(u16),
}

/// What is asked of a descriptor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// A request by its number.
    Request {
        number: u32,
        /// Another number for the same, for tracers that don't know the first one: ENOTTY or ENOSYS says so.
        alias: Option<u32>,
        argument: Argument,
        /// It makes a descriptor, which comes back.
        makes: bool,
    },
    /// A request that takes nothing and makes a descriptor, again and again until it fails, or has made so many. They come
    /// back.
    Each { number: u32, most: u16 },
}

/// What a request takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Argument {
    Nothing,
    /// A number, instead of an address.
    Value(i32),
    /// Bytes, which the tracer may change.
    Bytes(Vec<u8>),
    /// Bytes in which, at this place, the number of a descriptor is put that came with the job (a C int).
    WithDescriptor {
        bytes: Vec<u8>,
        at: u32,
        attached: u16,
    },
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is done; the bytes of the argument as they are now, if the request's number says that the tracer writes to them.
    Done(Vec<u8>),
    /// It made so many descriptors, the next of those that come with the answer; whether it ended by a failure, which is
    /// how [`Call::Each`] ends when there are no more.
    Made { count: u16, ended: bool },
    /// It failed with this errno value.
    Failed(i32),
    /// What it needed was not there.
    Skipped,
}

/// What came of a job that did not fail as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Done {
    /// Nothing more is to be said.
    Well,
    /// What came of each step.
    Steps(Vec<Outcome>),
}

/// A job, numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub id: u64,
    pub job: Job,
}

/// The answer to a job: what came of it, or an errno value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub id: u64,
    pub result: Result<Done, i32>,
}

impl Request {
    /// The message. It may be longer than [`MAX_MESSAGE`].
    pub fn encode(&self) -> Vec<u8> {
        encode(self.id, &self.job)
    }

    /// The request in a message.
    ///
    /// # Errors
    /// It is not one.
    pub fn decode(message: &[u8]) -> Result<Request, Malformed> {
        decode(message).map(|(id, job)| Request { id, job })
    }
}

impl Response {
    /// The message. What came of steps is no longer than the steps.
    pub fn encode(&self) -> Vec<u8> {
        encode(self.id, &self.result)
    }

    /// The response in a message.
    ///
    /// # Errors
    /// It is not one.
    pub fn decode(message: &[u8]) -> Result<Response, Malformed> {
        decode(message).map(|(id, result)| Response { id, result })
    }
}

/// The number that begins a message, of which the end may be missing.
pub fn decode_id(message: &[u8]) -> Option<u64> {
    message.first_chunk().copied().map(u64::from_ne_bytes)
}

fn encode(id: u64, record: &impl Serialize) -> Vec<u8> {
    // Postcard can fail only on types whose size is not known beforehand; there are none here.
    postcard::to_extend(record, id.to_ne_bytes().to_vec()).unwrap_or_default()
}

/// A number and a record with nothing behind it.
fn decode<T: DeserializeOwned>(message: &[u8]) -> Result<(u64, T), Malformed> {
    let (id, record) = message.split_first_chunk().ok_or(Malformed)?;
    match postcard::take_from_bytes(record) {
        Ok((record, [])) => Ok((u64::from_ne_bytes(*id), record)),
        _ => Err(Malformed),
    }
}

/// The helper that makes requests to the kernel's tracer.
#[derive(Debug)]
pub struct Tracer;

impl Protocol for Tracer {
    type Job = Job;
    /// What came of it, and the descriptors that were made, in the order in which they were.
    type Success = (Done, Vec<OwnedFd>);
    const MAX_MESSAGE: usize = MAX_MESSAGE;
    const MAX_DESCRIPTORS: usize = MAX_DESCRIPTORS;

    fn encode(id: u64, job: Job) -> Vec<u8> {
        Request { id, job }.encode()
    }

    /// The steps of a job must not be taken twice: a rule would be there twice.
    fn may_be_repeated(job: &Job) -> bool {
        !matches!(job, Job::Run(_))
    }

    fn brings(job: &Job) -> usize {
        let of_step = |step: &Step| match step.call {
            Call::Request { makes, .. } => usize::from(makes),
            Call::Each { most, .. } => most.into(),
        };
        match job {
            Job::Load { .. } | Job::Unload(_) | Job::Close => 0,
            Job::Open | Job::List(_) => 1,
            Job::Run(steps) => steps.iter().map(of_step).sum::<usize>().min(MAX_DESCRIPTORS),
        }
    }

    /// What is to be closed is not kept open here.
    fn gives_away(job: &Job) -> bool {
        *job == Job::Close
    }

    fn decode_id(message: &[u8]) -> Option<u64> {
        decode_id(message)
    }

    fn decode(message: &[u8], descriptors: Vec<OwnedFd>) -> Result<Reply<Self::Success>, Malformed> {
        let Response { id, result } = Response::decode(message)?;
        Ok((id, result.map(|done| (done, descriptors))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn argument() -> impl Strategy<Value = Argument> {
        let bytes = || vec(any::<u8>(), 0..700);
        prop_oneof![
            Just(Argument::Nothing),
            any::<i32>().prop_map(Argument::Value),
            bytes().prop_map(Argument::Bytes),
            (bytes(), any::<u32>(), any::<u16>())
                .prop_map(|(bytes, at, attached)| Argument::WithDescriptor { bytes, at, attached }),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        let on = prop_oneof![any::<u16>().prop_map(On::Attached), any::<u16>().prop_map(On::Made)];
        let request = (any::<u32>(), any::<Option<u32>>(), argument(), any::<bool>())
            .prop_map(|(number, alias, argument, makes)| Call::Request { number, alias, argument, makes });
        let each = (any::<u32>(), any::<u16>()).prop_map(|(number, most)| Call::Each { number, most });
        (on, any::<Option<u16>>(), prop_oneof![request, each]).prop_map(|(on, needs, call)| Step {
            on,
            needs,
            call,
        })
    }

    fn job() -> impl Strategy<Value = Job> {
        let names = || vec(".{0,20}", 0..20);
        prop_oneof![
            (names(), names()).prop_map(|(required, optional)| Job::Load { required, optional }),
            names().prop_map(Job::Unload),
            Just(Job::Open),
            vec(step(), 0..30).prop_map(Job::Run),
            any::<u32>().prop_map(Job::List),
            Just(Job::Close),
        ]
    }

    fn result() -> impl Strategy<Value = Result<Done, i32>> {
        let outcome = prop_oneof![
            vec(any::<u8>(), 0..700).prop_map(Outcome::Done),
            (any::<u16>(), any::<bool>()).prop_map(|(count, ended)| Outcome::Made { count, ended }),
            any::<i32>().prop_map(Outcome::Failed),
            Just(Outcome::Skipped),
        ];
        prop_oneof![
            any::<i32>().prop_map(Err),
            Just(Ok(Done::Well)),
            vec(outcome, 0..30).prop_map(|outcomes| Ok(Done::Steps(outcomes))),
        ]
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_and_no_part_of_it_does(id: u64, job in job(), result in result()) {
            let request = Request { id, job };
            let message = request.encode();
            prop_assert_eq!(decode_id(&message), Some(id));
            prop_assert_eq!(Request::decode(message.get(..message.len() - 1).unwrap()), Err(Malformed));
            prop_assert_eq!(Request::decode(&[&message[..], &[0]].concat()), Err(Malformed));
            prop_assert_eq!(Request::decode(&message), Ok(request));
            let response = Response { id, result };
            let message = response.encode();
            prop_assert_eq!(Response::decode(&[&message[..], &[0]].concat()), Err(Malformed));
            prop_assert_eq!(Response::decode(&message), Ok(response));
        }

        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes in vec(any::<u8>(), 0..200), tag in 0..7_u8) {
            let _ = Request::decode(&bytes);
            let _ = Response::decode(&bytes);
            let near = [&[0; 8][..], &[tag], &bytes].concat();
            let _ = Request::decode(&near);
            let _ = Response::decode(&near);
        }

        #[test]
        fn an_answer_is_no_longer_than_its_request(steps in vec(step(), 1..30), failed: bool, count: u16) {
            // The longest that can come of each step.
            let outcome = |step: &Step| match &step.call {
                Call::Request { argument: Argument::Bytes(bytes), .. } if !failed => Outcome::Done(bytes.clone()),
                Call::Request { argument: Argument::WithDescriptor { bytes, .. }, .. } if !failed => {
                    Outcome::Done(bytes.clone())
                }
                Call::Each { most, .. } if !failed => Outcome::Made { count: count.min(*most), ended: true },
                // Every errno value that there is.
                _ => Outcome::Failed(4095),
            };
            let result = Ok(Done::Steps(steps.iter().map(outcome).collect()));
            let answer = Response { id: 7, result }.encode().len();
            let request = Request { id: 7, job: Job::Run(steps) }.encode().len();
            prop_assert!(answer <= request, "{answer} > {request}");
        }
    }

    #[test]
    fn a_job_with_the_longest_filter_fits_a_message() {
        let step = |bytes: usize| Step {
            on: On::Attached(u16::MAX),
            needs: Some(u16::MAX),
            call: Call::Request {
                number: u32::MAX,
                alias: Some(u32::MAX),
                argument: Argument::Bytes(vec![0xff; bytes]),
                makes: true,
            },
        };
        // The rule, its filter, 240 places in a program, and its switch.
        let places = std::iter::repeat_n(8, 240);
        let steps = [564, 16 + (64 << 10)].into_iter().chain(places).chain([0]).map(step).collect();
        let message = Request { id: u64::MAX, job: Job::Run(steps) }.encode();
        assert!(message.len() < MAX_MESSAGE / 2, "{}", message.len());
    }

    #[test]
    fn a_length_that_lies_is_refused() {
        // Steps, modules, and bytes by the billion.
        for lie in [&[3_u8, 0xff, 0xff, 0xff, 0xff, 0xff, 1][..], &[1, 0xff, 0xff, 0xff, 0xff, 0xff, 1]] {
            assert_eq!(Request::decode(&[&[0; 8][..], lie].concat()), Err(Malformed));
        }
        let lie = [0, 1, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(Response::decode(&[&[0; 8][..], &lie].concat()), Err(Malformed));
        assert_eq!((Request::decode(&[0; 7]), decode_id(&[0; 7])), (Err(Malformed), None));
    }

    #[test]
    fn only_what_changes_nothing_the_second_time_is_repeated() {
        assert!(Tracer::may_be_repeated(&Job::Open) && Tracer::may_be_repeated(&Job::Close));
        assert!(!Tracer::may_be_repeated(&Job::Run(Vec::new())));
        assert!(Tracer::gives_away(&Job::Close) && !Tracer::gives_away(&Job::List(0)));
    }
}
