// SPDX-License-Identifier: GPL-2.0-only
//! What is said, byte by byte. Whole agents are in `tests/simulation/agents.rs`.

use lttng_protocol::agent::Version;

use std::time::Duration;

use super::*;
use crate::accounts::{Accounts, Limit, Limits, Resource};
use crate::model::{LogLevels, LoggerRule};

fn accounts() -> Accounts {
    Accounts::new(Limits::for_applications(10, 10).with(Resource::Memory, Limit { user: 1000, all: 1000 }))
}

fn agent(accounts: &mut Accounts, release_by: Instant) -> Agent {
    let mut charge = |resource| accounts.charge(1, resource, 0).unwrap();
    let charges = (charge(Resource::Agents), charge(Resource::Memory));
    Agent::new(Some(LoggerDomain::Jul), 7, 1, release_by, charges)
}

fn desired(names: &[&str]) -> Desired {
    let mut desired = Desired::default();
    for &name in names {
        let (name, levels, contexts) = (name.into(), LogLevels::All, Vec::new());
        desired.add_rule(&LoggerRule { name, levels, level: 0, filter: None, contexts, enabled: true });
    }
    desired
}

#[test]
fn it_introduces_itself_in_as_many_pieces_as_it_likes() {
    let mut accounts = accounts();
    let registration = Registration { domain: 5, pid: -3, version: Version::OURS };
    let bytes = registration.encode();
    for at in 0..=bytes.len() {
        let mut newcomer = Newcomer::new(1, accounts.charge(1, Resource::Agents, 1).unwrap());
        let first = newcomer.received(&bytes[..at]).unwrap();
        let second = if at < bytes.len() { newcomer.received(&bytes[at..]).unwrap() } else { None };
        assert_eq!(first.or(second), Some(registration));
    }
    let mut newcomer = Newcomer::new(1, accounts.charge(1, Resource::Agents, 1).unwrap());
    assert!(newcomer.received(&[0; 17]).is_err());
}

#[test]
fn one_request_at_a_time_and_lists_after_everything_else() {
    let mut accounts = accounts();
    let now = Instant::now();
    let mut agent = agent(&mut accounts, now + Duration::from_secs(1));
    let (listing, wanted) = (ListingId(1), desired(&["a", "b"]));
    agent.list(listing);
    let ok = Code::SUCCESS.encode();
    for _ in 0..2 {
        assert!(matches!(agent.next_request(&wanted, 1, now), Some(Request::Enable(_))));
        assert!(!agent.has(1) && agent.owes_answer());
        assert_eq!(agent.next_request(&wanted, 1, now), None, "it owes an answer");
        for byte in &ok[..3] {
            agent.received(&[*byte], now);
            assert!(matches!(agent.next_answer(), Ok(None)));
        }
        agent.received(&ok[3..], now);
        assert!(matches!(agent.next_answer(), Ok(Some(Answer::Changed(_, Code::SUCCESS)))));
    }
    assert!(agent.has(1) && !agent.has(2));
    assert_eq!(agent.next_request(&wanted, 1, now), Some(Request::RegistrationDone));
    assert_eq!(agent.next_request(&wanted, 1, now), Some(Request::List));
    assert!(agent.has(1), "a list is nothing that is wanted to stay so");
    let answer = Names::answer(&[b"x", b"yz"]);
    for byte in &answer[..answer.len() - 1] {
        agent.received(&[*byte], now);
        assert!(matches!(agent.next_answer(), Ok(None)));
    }
    agent.received(&answer[answer.len() - 1..], now);
    let Ok(Some(Answer::Listed(id, names))) = agent.next_answer() else { panic!("not listed") };
    assert_eq!((id, names.iter().count()), (listing, 2));
    assert!(!agent.owes_answer() && agent.charge().is_ok());
    agent.received(&[0], now);
    assert!(agent.next_answer().is_err(), "nothing was asked");
}

#[test]
fn its_program_is_let_run_in_time_whatever_is_left() {
    let mut accounts = accounts();
    let now = Instant::now();
    let release_by = now + Duration::from_secs(1);
    let mut agent = agent(&mut accounts, release_by);
    let wanted = desired(&["a", "b", "c"]);
    assert!(agent.next_request(&wanted, 1, now).is_some());
    assert_eq!(agent.next_request(&wanted, 1, release_by), None, "never before it has answered");
    agent.received(&Code::SUCCESS.encode(), release_by);
    agent.next_answer().unwrap();
    assert_eq!(agent.next_request(&wanted, 1, release_by), Some(Request::RegistrationDone));
    assert!(matches!(agent.next_request(&wanted, 1, release_by), Some(Request::Enable(_))));
}

#[test]
fn what_it_announces_is_charged_before_it_comes() {
    let mut accounts = accounts();
    let now = Instant::now();
    let mut agent = agent(&mut accounts, now);
    agent.list(ListingId(1));
    assert_eq!(agent.next_request(&Desired::default(), 1, now), Some(Request::RegistrationDone));
    assert_eq!(agent.next_request(&Desired::default(), 1, now), Some(Request::List));
    agent.received(&[1_u32.to_be_bytes(), 2000_u32.to_be_bytes()].concat(), now);
    assert!(matches!(agent.next_answer(), Ok(None)));
    assert!(agent.charge().is_err());
}

#[test]
fn somebody_who_gave_it_up_waits_again_when_it_has_answered() {
    let mut accounts = accounts();
    let now = Instant::now();
    let mut agent = agent(&mut accounts, now);
    let wanted = desired(&["a"]);
    agent.give_up_waiting();
    assert!(!agent.is_behind(), "it owes nothing");
    while agent.next_request(&wanted, 1, now).is_some() {}
    agent.give_up_waiting();
    assert!(agent.is_behind());
    agent.received(&Code::SUCCESS.encode(), now);
    agent.next_answer().unwrap();
    assert!(!agent.is_behind());
}
