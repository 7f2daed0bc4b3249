// SPDX-License-Identifier: GPL-2.0-only
//! What the files of the original are made into.

use std::fs::File;
use std::path::PathBuf;
use std::rc::Rc;

use super::*;
use crate::config::read::read;
use crate::model::ProcessAttribute;
use crate::model::tracker::Value;

const PAGE: u64 = 4096;

fn planned(text: &[u8]) -> Result<Plan, Unmakeable> {
    let session = read(text).unwrap().sessions.remove(0);
    let dummy: SharedFd = Rc::new(File::open("/dev/null").unwrap().into());
    let paths = session.domains.iter().flat_map(|domain| domain.channels.iter().flatten());
    let paths = paths.flat_map(|channel| &channel.events).filter_map(|event| event.program.as_ref());
    let programs = paths.map(|probe| (probe.binary().to_owned(), dummy.clone())).collect();
    plan(session, &programs, PAGE)
}

fn of_file(name: &str) -> Plan {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("protocol/tests/vectors/session-config");
    planned(&std::fs::read(folder.join(format!("{name}.lttng"))).unwrap()).unwrap()
}

/// A session with a channel of a domain that has this in it.
fn with_channel(domain: &str, buffers: &str, inside: &str) -> String {
    format!(
        "<sessions><session><name>s</name><domains><domain><type>{domain}</type>\
         <buffer_type>{buffers}</buffer_type><channels><channel><name>c</name>\
         <read_timer_interval>0</read_timer_interval><output_type>MMAP</output_type>{inside}</channel></channels>\
         </domain></domains><started>0</started></session></sessions>"
    )
}

fn with_session(inside: &str) -> String {
    format!("<sessions><session><name>s</name>{inside}</session></sessions>")
}

/// The commands as words, one each.
fn words(plan: &Plan) -> Vec<String> {
    let word = |step: &Step| match &step.command {
        Command::Connect(_) => "connect".to_owned(),
        Command::SwitchOff(event) => format!("no event {}", event.name),
        Command::Serve(action) => match action {
            Action::EnableChannel(channel) => format!("channel {}", channel.name),
            Action::DisableChannel(ChannelName(name)) => format!("no channel {name}"),
            Action::EnableEvent(event) => format!("event {}", event.name),
            Action::DisableEvent(event) => format!("no events in {}", event.channel),
            other => format!("{:?}", other.command()),
        },
    };
    plan.steps.iter().map(word).collect()
}

fn events(plan: &Plan) -> Vec<&EnableEvent> {
    let of = |step: &'_ Step| match &step.command {
        Command::Serve(Action::EnableEvent(_)) => true,
        Command::Serve(_) | Command::Connect(_) | Command::SwitchOff(_) => false,
    };
    let steps = plan.steps.iter().filter(|step| of(step));
    steps
        .filter_map(|step| match &step.command {
            Command::Serve(Action::EnableEvent(event)) => Some(event),
            _ => None,
        })
        .collect()
}

#[test]
fn the_frame_of_a_session() {
    assert_eq!(words(&of_file("empty")), ["DestroySession", "CreateSessionExt"]);
    assert_eq!(words(&of_file("noout")).get(1).unwrap(), "CreateSessionExt");
    let create = |plan: &Plan| match &plan.steps[1].command {
        Command::Serve(Action::CreateSessionExt(create)) => create.clone(),
        other => panic!("{other:?}"),
    };
    let empty = create(&of_file("empty"));
    assert_eq!(empty.output, RequestedOutput::Local(Some("/tmp/tr/empty".into())));
    assert_eq!(create(&of_file("noout")).output, RequestedOutput::None);
    assert_eq!(create(&of_file("live1")).kind, SessionKind::Live { timer: 500_000 });
    assert_eq!(words(&of_file("net3")), ["DestroySession", "CreateSessionExt", "connect"]);
    let snap = of_file("snap-net-output");
    assert_eq!(words(&snap)[..3], ["DestroySession", "CreateSessionExt", "SnapshotAddOutput"]);
    let Command::Serve(Action::SnapshotAddOutput(output)) = &snap.steps[2].command else { panic!() };
    assert!(output.control_url.starts_with("tcp4://") && output.data_url.starts_with("tcp4://"));
    let rotating = words(&of_file("rot"));
    assert_eq!(rotating[rotating.len() - 2..], ["RotationSetSchedule", "RotationSetSchedule"]);
    assert_eq!(words(&of_file("ust-channels"))[2], "SetShmPath");
    let named = planned(b"<sessions><session><name>s</name></session></sessions>").unwrap();
    assert_eq!(
        words(&named),
        ["DestroySession", "CreateSessionExt", "StartTrace"],
        "started unless it is said"
    );
}

#[test]
fn channels_as_they_are() {
    let plan = of_file("ust-channels");
    let channels = ["channel c2", "channel c3", "no channel c3", "channel c1", "event tp:x"];
    assert_eq!(words(&plan)[3..], channels);
    let Command::Serve(Action::EnableChannel(c2)) = &plan.steps[3].command else { panic!() };
    assert_eq!((c2.scheme, c2.attributes.blocking_timeout), (Some(BufferingScheme::PerProcess), -1));
    let wanted = |text: &str| match &planned(text.as_bytes()).unwrap().steps[2].command {
        Command::Serve(Action::EnableChannel(wanted)) => wanted.clone(),
        other => panic!("{other:?}"),
    };
    let usual = wanted(&with_channel("UST", "PER_UID", ""));
    let expected = Attributes::default_for(BufferingScheme::PerUser, false, PAGE);
    assert_eq!((usual.attributes, usual.overwrite), (expected, None));
    let usual = wanted(&with_channel("KERNEL", "GLOBAL", ""));
    let expected = Attributes { read_timer: 0, ..Attributes::default_of_kernel(false, PAGE) };
    assert_eq!((usual.attributes, usual.scheme), (expected, None));
    // A channel of the kernel that a rule brought about is written as if it were disabled.
    let kernel = planned(with_channel("KERNEL", "GLOBAL", "<enabled>false</enabled>").as_bytes()).unwrap();
    assert_eq!(words(&kernel).last().unwrap(), "channel c");
}

#[test]
fn rules_are_there_in_their_order_and_those_enabled_that_are_to_be() {
    let plan = of_file("ust-events");
    let words = words(&plan);
    let names: Vec<&str> = words.iter().filter_map(|word| word.strip_prefix("event ")).collect();
    let all = ["tp:range*", "tp:*", "tp:plain", "tp:off", "tp:filter", "tp:single", "tp:é&<x>"];
    let enabled: Vec<&str> = all.into_iter().filter(|name| *name != "tp:off").collect();
    assert_eq!(names, [&all[..], &enabled].concat());
    assert_eq!(words[10], "no events in channel0");
    let events = events(&plan);
    assert_eq!(events[0].levels, Some(LogLevels::AtLeast(4)));
    assert_eq!(events[5].levels, Some(LogLevels::Exactly(14)));
    let filter = events[4].filter.as_ref().unwrap();
    assert_eq!(filter::compile(&filter.expression).unwrap().data, filter.bytecode);
    assert_eq!(words.iter().filter(|word| *word == "AddContext").count(), 7);
    // What is not said of a rule.
    let bare = planned(with_channel("UST", "PER_UID", "<events><event/></events>").as_bytes()).unwrap();
    assert_eq!(super::tests::words(&bare)[2..], ["channel c", "event *", "no events in c"]);
}

#[test]
fn filters_about_loggers_are_composed_once() {
    let composed = |name: &str, levels, filter: Option<&str>| {
        of_loggers(&name.into(), levels, filter.map(Text::from)).unwrap().map(|filter| filter.expression)
    };
    for name in ["*", "a.b", "x*"] {
        for levels in [LogLevels::All, LogLevels::AtLeast(800), LogLevels::Exactly(-5)] {
            for filter in
                [None, Some("msg == \"x\""), Some("a == 1) && (b == 2"), Some("logger_name == \"a.b\"")]
            {
                if filter.is_some_and(|text| filter::compile(text).is_err()) {
                    continue;
                }
                let once = composed(name, levels, filter);
                let again =
                    once.as_ref().map(|text| std::str::from_utf8(text.as_bytes()).unwrap().to_owned());
                assert_eq!(composed(name, levels, again.as_deref()), once, "{name} {levels:?} {filter:?}");
            }
        }
    }
    // Only what says exactly that counts.
    let other = composed("a", LogLevels::All, Some("logger_name == \"b\"")).unwrap();
    assert_eq!(other, *"(logger_name == \"b\") && (logger_name == \"a\")");
    let nearly =
        composed("a", LogLevels::All, Some("(x == 1) || (y == 2) && (logger_name == \"a\")")).unwrap();
    assert!(nearly.as_bytes().starts_with(b"((x == 1) || "));
    let plan = of_file("jul-log4j");
    let composed = |event: &&EnableEvent| event.filter.is_some();
    assert!(events(&plan).into_iter().filter(composed).all(|event| {
        let text = &event.filter.as_ref().unwrap().expression;
        !text
            .as_bytes()
            .windows(11)
            .collect::<Vec<_>>()
            .iter()
            .filter(|w| **w == b"logger_name")
            .count()
            .gt(&1)
    }));
}

#[test]
fn contexts_of_python_are_added_in_user_space() {
    let plan = of_file("agents");
    let contexts =
        plan.steps.iter().filter(|step| matches!(&step.command, Command::Serve(Action::AddContext(_))));
    let domains: Vec<Option<Domain>> = contexts.map(|step| step.domain).collect();
    assert!(domains.contains(&Some(Domain::Jul)) && !domains.contains(&Some(Domain::Python)));
    let python =
        with_channel("PYTHON", "PER_UID", "<contexts><context><type>VPID</type></context></contexts>");
    let step = planned(python.as_bytes()).unwrap().steps.pop_back().unwrap();
    assert_eq!(step.domain, Some(Domain::UserSpace));
}

#[test]
fn trackers() {
    let plan = of_file("ust-trackers");
    let mut seen = Vec::new();
    for step in &plan.steps {
        match &step.command {
            Command::Serve(Action::TrackerSetPolicy(set)) => {
                seen.push((set.attribute.unwrap(), Err(set.policy.unwrap())));
            }
            Command::Serve(Action::TrackerAddValue(add)) => {
                seen.push((add.attribute.unwrap(), Ok(add.value.clone())));
            }
            _ => {}
        }
    }
    use ProcessAttribute::{Vgid, Vpid, Vuid};
    let expected = [
        (Vpid, Err(Policy::IncludeSet)),
        (Vpid, Ok(Value::Pid(42))),
        (Vpid, Ok(Value::Pid(1))),
        (Vuid, Err(Policy::IncludeSet)),
        (Vuid, Ok(Value::Uid(0))),
        (Vuid, Ok(Value::UserName("nobody".into()))),
        (Vgid, Err(Policy::ExcludeAll)),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn probes_of_the_kernel() {
    let plan = of_file("k-events");
    let kinds: Vec<&EventKind> = events(&plan).into_iter().map(|event| &event.kind).collect();
    assert!(kinds.iter().any(|kind| matches!(kind, EventKind::Probe(place) if !place.symbol.is_empty())));
    assert!(kinds.iter().any(|kind| matches!(kind, EventKind::Function(_))));
    assert!(kinds.contains(&&EventKind::Syscall));
    for step in &plan.steps {
        let is_probe = matches!(&step.command, Command::Serve(Action::EnableEvent(event))
            if matches!(event.kind, EventKind::UserspaceProbe { findable: true, .. }));
        assert_eq!(step.program.is_some(), is_probe, "{step:?}");
    }
    let text = include_bytes!("../../../../protocol/tests/vectors/session-config/k-events.lttng");
    let session = read(text).unwrap().sessions.remove(0);
    let refused = plan_without_programs(session);
    assert_eq!(refused.code, ErrorCode::LoadInvalidConfig);
    assert!(matches!(refused.part, Part::Event(_)));
}

fn plan_without_programs(session: SessionConfiguration) -> Unmakeable {
    plan(session, &Programs::new(), PAGE).unwrap_err()
}

#[test]
fn what_can_not_be_made_anywhere() {
    let event = |inside: &str| {
        with_channel("UST", "PER_UID", &format!("<events><event><name>a:b</name>{inside}</event></events>"))
    };
    let domain = "<domain><type>UST</type><buffer_type>PER_UID</buffer_type></domain>";
    let output = |inside: &str| {
        format!(
            "<output><consumer_output><enabled>1</enabled><destination>{inside}</destination></consumer_output></output>"
        )
    };
    let snapshot = "<attributes><snapshot_mode>1</snapshot_mode></attributes>";
    let live = "<attributes><live_timer_interval>9</live_timer_interval></attributes>";
    let network = "<net_output><control_uri>foo://x</control_uri><data_uri>tcp://x</data_uri></net_output>";
    let of_event = Part::Event("a:b".into());
    for (text, code, part) in [
        (
            with_session(&format!("<domains>{domain}{domain}</domains>")),
            ErrorCode::LoadInvalidConfig,
            Part::Frame,
        ),
        (with_channel("UST", "GLOBAL", ""), ErrorCode::LoadInvalidConfig, Part::Content),
        (with_channel("KERNEL", "PER_UID", ""), ErrorCode::LoadInvalidConfig, Part::Content),
        (event("<filter>a =</filter>"), ErrorCode::LoadInvalidConfig, of_event.clone()),
        (event("<type>KPROBE</type>"), ErrorCode::LoadInvalidConfig, Part::Content),
        (event("<type>USERSPACE_PROBE</type>"), ErrorCode::LoadInvalidConfig, of_event),
        (with_session(live), ErrorCode::LoadInvalidConfig, Part::Frame),
        (with_session(&(output("<path>/x</path>") + live)), ErrorCode::LoadInvalidConfig, Part::Frame),
        (with_session(&(output("<path>/x</path>") + snapshot)), ErrorCode::Invalid, Part::Frame),
        (with_session(&output("<path>x</path>")), ErrorCode::Invalid, Part::Frame),
        (with_session(&output(network)), ErrorCode::Invalid, Part::Frame),
        (
            with_session("<attributes><rotation_schedules><periodic/></rotation_schedules></attributes>"),
            ErrorCode::LoadInvalidConfig,
            Part::Frame,
        ),
        ("<sessions><session><name/></session></sessions>".to_owned(), ErrorCode::Invalid, Part::Frame),
    ] {
        let refused = planned(text.as_bytes()).unwrap_err();
        assert_eq!((refused.code, refused.part), (code, part), "{text}");
    }
}
