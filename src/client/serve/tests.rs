// SPDX-License-Identifier: GPL-2.0-only
//! What is checked before a command is served, and what commands about the kernel leave behind.

use std::time::Instant;

use lttng_protocol::client::{self, Body, Channel, ChannelOutput, Context, Event, Overwrite, TrackerValue};

use super::*;
use crate::client::desk::Served;
use crate::client::dialect::{Dialect, V2_13};
use crate::model::tracker::Policy;
use crate::model::{SessionKind, Transfer, Wanted};
use crate::operation::answer::Answer;
use crate::state::Settings;
use crate::turn::output::SharedFd;

struct World {
    state: State,
    triggers: Triggers,
    session: SessionId,
    descriptors: Vec<SharedFd>,
}

const KERNEL: u32 = 1;
const UST: u32 = 2;

impl World {
    /// A daemon of this user with a session `s`.
    fn new(uid: u32, no_kernel: bool, kind: SessionKind) -> Self {
        let settings = Settings { uid, no_kernel, ..Settings::for_tests() };
        let mut state = State::new(settings, Instant::now(), 0);
        state.create_session(Wanted { kind, ..Wanted::for_tests("s") });
        let session = state.sessions.find("s").unwrap().id;
        World { state, triggers: Triggers::new(1, 1), session, descriptors: Vec::new() }
    }

    /// What becomes of a request that a client of this user makes.
    fn ask(&mut self, uid: u32, body: &Body, session: &str, domain: u32) -> Serving {
        let (header, payload) = body.encode(session, domain, 0);
        let request = Request {
            dialect: &V2_13,
            credentials: Credentials { pid: 1, uid, gid: uid },
            header: Box::new(header),
            payload,
            descriptors: Vec::new(),
            lost_descriptors: false,
        };
        serve(&mut self.state, &mut self.triggers, ConnId(1), &request)
    }

    fn refused(&mut self, uid: u32, body: &Body, session: &str, domain: u32) -> ErrorCode {
        match self.ask(uid, body, session, domain) {
            Err(Unserved::Refused(code)) => code,
            other => panic!("{other:?}"),
        }
    }

    /// The same for a request about the kernel in the session, when all is there that it needs.
    fn serve(&mut self, body: &Body) -> Result<Option<Answer>, ErrorCode> {
        let (header, payload) = body.encode("s", KERNEL, 2);
        let World { state, triggers, session, descriptors } = self;
        let mut desk = Desk {
            state,
            triggers,
            requester: Requester::Client(ConnId(1)),
            credentials: Credentials { pid: 1, uid: 1000, gid: 1000 },
            domain: Some(Domain::Kernel),
            descriptors,
        };
        let action = V2_13.decode(body.command(), &header, &payload)?;
        match action.serve(&mut desk, Some(*session)) {
            Ok(Served::Answer(answer)) => Ok(Some(answer)),
            Ok(Served::Task(..)) => Ok(None),
            Err(Unserved::Refused(code)) => Err(code),
            Err(Unserved::Wait) => panic!("it has to wait"),
        }
    }

    fn kernel(&self) -> &KernelDomain {
        self.state.sessions.get(self.session).unwrap().wanted.kernel.as_ref().unwrap()
    }
}

fn enable(name: &str) -> Body {
    let channel = String::new();
    Body::EnableEvent { channel, event: Event { enabled: 0, ..Event::tracepoint(name) } }
}

fn channel(name: &str) -> Channel {
    Channel {
        name: name.into(),
        enabled: true,
        overwrite: Overwrite::SessionDefault,
        subbuf_size: 4096,
        num_subbuf: 2,
        switch_timer: 0,
        read_timer: 0,
        output: ChannelOutput::Splice,
        tracefile_size: 0,
        tracefile_count: 0,
        live_timer: u32::MAX,
        discarded_events: 0,
        lost_packets: 0,
        monitor_timer: 0,
        blocking_timeout: 0,
    }
}

fn done<T: std::fmt::Debug>(result: Result<Option<Answer>, T>) {
    // A task goes on that has the session to itself.
    assert!(matches!(result, Ok(None)), "{result:?}");
}

/// Codes: protocol/doc/kernel-tracer.md, section 3.5.
#[test]
fn without_the_kernel_clients_are_told_so_in_the_order_of_the_original() {
    let listing = [Body::ListTracepoints, Body::Other(Command::ListSyscalls), Body::ListTracepointFields];
    let about = [enable("e"), Body::ListChannels, Body::ListEvents { channel: String::new() }];
    let disable = Body::DisableChannel { channel: String::new() };
    for (uid, no_kernel, code, unknown, without_part) in [
        (0, true, ErrorCode::KernNa, ErrorCode::KernNa, ErrorCode::KernNa),
        (1000, false, ErrorCode::NeedRootSessiond, ErrorCode::SessNotFound, ErrorCode::NoChannel),
        (1000, true, ErrorCode::NeedRootSessiond, ErrorCode::NeedRootSessiond, ErrorCode::NeedRootSessiond),
    ] {
        let mut world = World::new(uid, no_kernel, SessionKind::Regular);
        for body in &listing {
            assert_eq!(world.refused(1000, body, "", KERNEL), code);
        }
        for body in &about {
            assert_eq!(world.refused(1000, body, "s", KERNEL), code);
            assert_eq!(world.refused(1000, body, "other", KERNEL), unknown);
        }
        assert_eq!(world.refused(1000, &disable, "s", KERNEL), without_part);
        let foreign = if no_kernel { code } else { ErrorCode::Eperm };
        assert_eq!(world.refused(1001, &enable("e"), "s", KERNEL), foreign);
        let session = world.state.sessions.get(world.session).unwrap();
        assert_eq!(session.wanted.kernel, None, "nothing is done for who is refused");
        // A domain that there is not is no reason to ask for the tracer.
        assert_eq!(world.refused(1000, &disable, "s", 9), ErrorCode::UnknownDomain);
        assert_eq!(world.refused(1000, &disable, "s", UST), ErrorCode::NoChannel);
    }
}

#[test]
fn what_clients_want_of_the_kernel_is_noted() {
    let mut world = World::new(0, false, SessionKind::Regular);
    done(world.serve(&Body::EnableChannel(channel("c"))));
    done(world.serve(&Body::EnableChannel(channel("d"))));
    assert_eq!(world.serve(&Body::EnableChannel(channel("c"))).unwrap_err(), ErrorCode::KernChanExist);
    assert_eq!(world.serve(&enable("e")).unwrap_err(), ErrorCode::NeedChannelName);
    let Body::EnableEvent { event, .. } = enable("e") else { panic!() };
    let named = |channel: &str| Body::EnableEvent { channel: channel.into(), event: event.clone() };
    done(world.serve(&named("d")));
    done(world.serve(&named("implicit")));
    done(world.serve(&Body::AddContext { channel: String::new(), context: Context::Plain(0) }));
    let refused = world.serve(&Body::AddContext { channel: String::new(), context: Context::Plain(12) });
    assert_eq!(refused.unwrap_err(), ErrorCode::KernContextFail);
    done(world.serve(&Body::DisableChannel { channel: "c".into() }));
    let unknown = world.serve(&Body::DisableChannel { channel: "x".into() });
    assert_eq!(unknown.unwrap_err(), ErrorCode::KernChanNotFound);
    let channels = &world.kernel().channels;
    let seen: Vec<_> = channels.iter().map(|c| (c.name.as_str(), c.enabled, c.listed_enabled)).collect();
    assert_eq!(seen, [("c", false, true), ("d", true, true), ("implicit", true, false)]);
    assert!(channels.iter().all(|channel| channel.contexts.len() == 1));
    assert!(channels.iter().enumerate().all(|(at, channel)| channel.id.0 == at as u64));
    assert_eq!(channels[1].rules.len(), 1);
    done(world.serve(&Body::ListChannels));
    done(world.serve(&Body::Other(Command::ListSyscalls)));
    done(world.serve(&Body::ListTracepoints));
    assert_eq!(world.serve(&Body::ListTracepointFields).unwrap_err(), ErrorCode::Und);
    match world.serve(&Body::ListEvents { channel: "d".into() }) {
        Ok(Some(Answer::KernelRules(rules))) => assert_eq!(rules.len(), 1),
        other => panic!("{other:?}"),
    }
    let unknown = world.serve(&Body::ListEvents { channel: String::new() });
    assert_eq!(unknown.unwrap_err(), ErrorCode::KernChanNotFound);
    match world.serve(&Body::ListDomains) {
        Ok(Some(Answer::Domains(domains))) => assert_eq!(domains, [(Domain::Kernel, None)]),
        other => panic!("{other:?}"),
    }
}

/// What a bad filter, or a bad rule in a new channel, leaves behind: nothing.
#[test]
fn what_is_refused_leaves_nothing_behind() {
    let mut world = World::new(0, false, SessionKind::Regular);
    done(world.serve(&Body::EnableChannel(channel(""))));
    let before = world.kernel().clone();
    let Body::EnableEvent { event, .. } = enable("e") else { panic!() };
    let bytecode = client::Bytecode { reloc_offset: 2, seqnum: 0, data: vec![0xff, 0xff] };
    let event = Event { filter: Some("a".into()), bytecode: Some(bytecode), ..event };
    let bad = Body::EnableEvent { channel: "new".into(), event };
    assert_eq!(world.serve(&bad).unwrap_err(), ErrorCode::FilterInval);
    assert_eq!(world.kernel(), &before);
}

#[test]
fn channels_of_a_session_for_snapshots_are_mapped() {
    let mut world = World::new(0, false, SessionKind::Snapshot);
    done(world.serve(&enable("e")));
    assert_eq!(world.kernel().channels[0].transfer, Transfer::Mmap);
    assert!(world.kernel().channels[0].attributes.overwrite);
    let mut world = World::new(0, false, SessionKind::Regular);
    done(world.serve(&enable("e")));
    assert_eq!(world.kernel().channels[0].transfer, Transfer::Splice);
    let output = client::SnapshotOutput {
        id: 0,
        max_size: None,
        name: String::new(),
        control_url: "/t".into(),
        data_url: String::new(),
    };
    let refused = world.serve(&Body::SnapshotAddOutput(Box::new(output)));
    assert_eq!(refused.unwrap_err(), ErrorCode::SnapshotUnsupported);
}

#[test]
fn all_attributes_of_processes_are_tracked_in_the_kernel() {
    let mut world = World::new(0, false, SessionKind::Regular);
    let add = |attribute, value| Body::TrackerAdd { attribute, value };
    assert_eq!(
        world.serve(&add(0, TrackerValue::Pid(1))).unwrap_err(),
        ErrorCode::ProcessAttrTrackerInvalidTrackingPolicy
    );
    for attribute in 0..6 {
        done(world.serve(&Body::TrackerSetPolicy { attribute, policy: 2 }));
        let value = match attribute {
            0 | 1 => TrackerValue::Pid(5),
            2 | 3 => TrackerValue::Uid(5),
            _ => TrackerValue::Gid(5),
        };
        done(world.serve(&add(attribute, value.clone())));
        assert_eq!(world.serve(&add(attribute, value)).unwrap_err(), ErrorCode::ProcessAttrExists);
    }
    let trackers = world.kernel().trackers.clone();
    for attribute in crate::model::ProcessAttribute::ALL {
        let tracker = trackers.of(attribute);
        assert_eq!((tracker.policy(), tracker.included().len()), (Policy::IncludeSet, 1));
    }
    let mut refused = |body: Body| world.serve(&body).unwrap_err();
    assert_eq!(refused(add(2, TrackerValue::Pid(7))), ErrorCode::Invalid);
    assert_eq!(refused(add(6, TrackerValue::Pid(7))), ErrorCode::InvalidProtocol);
    assert_eq!(refused(Body::TrackerPolicy { attribute: 6 }), ErrorCode::Invalid);
    assert_eq!(refused(Body::TrackerSetPolicy { attribute: 0, policy: 3 }), ErrorCode::Invalid);
    // Numbers that are negative to the tracer: -1 would be everybody.
    assert_eq!(refused(add(2, TrackerValue::Uid(u64::from(u32::MAX)))), ErrorCode::Invalid);
    assert_eq!(refused(add(0, TrackerValue::Pid(-1))), ErrorCode::Invalid);
    let nobody = TrackerValue::UserName("nobody at all".into());
    assert_eq!(refused(add(3, nobody)), ErrorCode::UserNotFound);
    let absent = Body::TrackerRemove { attribute: 4, value: TrackerValue::Gid(6) };
    assert_eq!(refused(absent), ErrorCode::ProcessAttrMissing);
    assert_eq!(world.kernel().trackers, trackers);
}

/// The program comes as a descriptor, which goes on with the task that looks for the place.
#[test]
fn the_program_of_a_probe_is_handed_on() {
    let mut world = World::new(0, false, SessionKind::Regular);
    let location =
        client::ProbeLocation::Function { function: "main".into(), binary: "/bin/true".into(), elf: true };
    let instrumentation = client::Instrumentation::UserspaceProbe(location);
    let event = Event { instrumentation, enabled: 0, ..Event::tracepoint("u") };
    let probe = Body::EnableEvent { channel: String::new(), event };
    assert_eq!(world.serve(&probe).unwrap_err(), ErrorCode::Fatal, "there is no descriptor");
    let session = world.state.sessions.get(world.session).unwrap();
    assert_eq!(session.wanted.kernel, None);
    let file: SharedFd = std::rc::Rc::new(std::fs::File::open("/dev/null").unwrap().into());
    world.descriptors.push(std::rc::Rc::clone(&file));
    let (header, payload) = probe.encode("s", KERNEL, 2);
    let World { state, triggers, session, descriptors } = &mut world;
    let mut desk = Desk {
        state,
        triggers,
        requester: Requester::Client(ConnId(1)),
        credentials: Credentials { pid: 1, uid: 1000, gid: 1000 },
        domain: Some(Domain::Kernel),
        descriptors,
    };
    let action = V2_13.decode(Command::EnableEvent, &header, &payload).unwrap();
    let served = action.serve(&mut desk, Some(*session)).unwrap();
    assert_eq!(std::rc::Rc::strong_count(&file), 3, "the task has it");
    drop(served);
    assert_eq!(world.kernel().channels.len(), 1);
}
