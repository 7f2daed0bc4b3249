// SPDX-License-Identifier: GPL-2.0-only

use std::path::PathBuf;

use proptest::prelude::*;

use super::read::read;
use super::*;
use crate::model::tracker::Value;
use crate::model::{Context, Domain, KernelContext, ProbePlace, ProcessAttribute, ProgramPlace};

fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("protocol/tests/vectors/session-config")
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(vectors().join(format!("{name}.lttng"))).unwrap()
}

fn only(name: &str) -> SessionConfiguration {
    let mut sessions = read(&file(name)).unwrap().sessions;
    assert_eq!(sessions.len(), 1, "{name}");
    sessions.remove(0)
}

fn channels(session: &SessionConfiguration, domain: Domain) -> &[ChannelConfiguration] {
    let of = session.domains.iter().find(|of| of.domain == domain).unwrap();
    of.channels.as_deref().unwrap()
}

fn kind(bytes: impl AsRef<[u8]>) -> FaultKind {
    read(bytes.as_ref()).unwrap_err().kind
}

/// A file with one session that has these elements.
fn session_with(inside: &str) -> String {
    format!("<sessions><session><name>s</name>{inside}</session></sessions>")
}

/// A file with a channel that has these elements.
fn channel_with(inside: &str) -> String {
    let channel = "<name>c</name><read_timer_interval>0</read_timer_interval><output_type>MMAP</output_type>";
    session_with(&format!(
        "<domains><domain><type>UST</type><buffer_type>PER_UID</buffer_type>\
         <channels><channel>{channel}{inside}</channel></channels></domain></domains>"
    ))
}

#[test]
fn every_file_of_the_original_is_read() {
    let mut read_files = 0;
    for entry in std::fs::read_dir(vectors()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "lttng") {
            read(&std::fs::read(&path).unwrap()).unwrap_or_else(|fault| panic!("{path:?}: {fault}"));
            read_files += 1;
        }
    }
    assert_eq!(read_files, 22);
}

#[test]
fn sessions_and_their_outputs() {
    let empty = only("empty");
    assert_eq!((empty.name.as_str(), empty.domains.len(), empty.started), ("empty", 0, Some(false)));
    let path = |path: &str| Some(OutputConfiguration::Continuous(Destination::Path(path.into())));
    assert_eq!(empty.output, path("/tmp/tr/empty"));
    assert_eq!(only("noout").output, path(""));
    let special = only("special-characters");
    assert_eq!((special.name.as_str(), special.output), ("sp <&>\"é", path("/tmp/tr/a b&c<d>")));
    assert_eq!(only("started").started, Some(true));
    assert_eq!(only("live1").live_timer, 500_000);
    let network = OutputConfiguration::Continuous(Destination::Network {
        control: "tcp6://[::1]:5342/".into(),
        data: "tcp6://[::1]:5343/".into(),
    });
    assert_eq!(only("net3").output, Some(network));
    let snap = only("snap");
    assert!(snap.snapshot_mode);
    let local = SnapshotConfiguration {
        name: "local".into(),
        max_size: 2_097_152,
        destination: Destination::Path("/tmp/tr/snap-a".into()),
    };
    assert_eq!(snap.output, Some(OutputConfiguration::Snapshots(vec![local])));
    let nowhere = only("snap-noout");
    assert!(nowhere.snapshot_mode && nowhere.output.is_none());
    assert!(matches!(
        only("rot").schedules.as_slice(),
        [Schedule::Periodic(Some(_)), Schedule::Size(Some(_))]
    ));
}

#[test]
fn channels_and_event_rules_of_user_space() {
    let session = only("ust-channels");
    assert_eq!(session.shm_path.as_deref(), Some("/dev/shm/mine/ust-channels-20261122-202314"));
    let [c2, c3, c1] = channels(&session, Domain::UserSpace) else { panic!() };
    assert_eq!((c2.name.as_str(), c2.enabled, c2.blocking_timeout), ("c2", Some(true), Some(-1)));
    assert_eq!((c3.name.as_str(), c3.enabled, c3.blocking_timeout), ("c3", Some(false), Some(100)));
    assert_eq!((c1.overwrite, c1.subbuf_size, c1.num_subbuf), (Some(true), Some(65_536), Some(8)));
    assert_eq!((c1.tracefile_size, c1.tracefile_count), (Some(1_048_576), Some(4)));

    let session = only("ust-events");
    let [channel] = channels(&session, Domain::UserSpace) else { panic!() };
    let event = |name: &str| channel.events.iter().find(|event| event.name == Some(name.into())).unwrap();
    assert_eq!((event("tp:range*").levels, event("tp:range*").level), (Some(LevelType::Range), Some(4)));
    assert_eq!(event("tp:*").exclusions, ["tp:a*", "tp:b"]);
    assert_eq!(event("tp:off").enabled, Some(false));
    assert_eq!(event("tp:filter").filter, Some("a < 3 && b == \"x\" && $ctx.vpid > 1".into()));
    assert_eq!(event("tp:é&<x>").kind, Some(EventType::Tracepoint));
    let perf = Context::Perf { kind: 0, config: 0, name: "perf_thread_cpu_cycles".into() };
    assert!(channel.contexts.iter().any(|context| context.of_user_space.as_ref() == Some(&perf)));

    // What the schema of the original refuses.
    let session = only("ust-contexts");
    let [channel] = channels(&session, Domain::UserSpace) else { panic!() };
    assert_eq!(channel.contexts.len(), 14);
    assert_eq!(channel.contexts[0].of_user_space, Some(Context::CgroupNs));
}

#[test]
fn the_kernels_domain() {
    let session = only("k-events");
    let [channel] = channels(&session, Domain::Kernel) else { panic!() };
    let places: Vec<&ProbePlace> = channel.events.iter().filter_map(|event| event.place.as_ref()).collect();
    assert!(places.iter().any(|place| !place.symbol.is_empty() && place.address == 0));
    let programs: Vec<&str> =
        channel.events.iter().filter_map(|event| event.program.as_ref()).map(ProgramProbe::binary).collect();
    assert!(!programs.is_empty() && programs.iter().all(|path| path.starts_with('/')));
    let is_function = |event: &EventConfiguration| {
        matches!(event.program, Some(ProgramProbe(ProgramPlace::Function { .. })))
    };
    assert!(channel.events.iter().any(is_function));
    let session = only("k-contexts");
    let [channel] = channels(&session, Domain::Kernel) else { panic!() };
    assert!(channel.contexts.iter().any(|context| context.of_kernel == Some(KernelContext::Uid)));
    let session = only("k-channels");
    let trackers = &session.domains[0].trackers;
    assert_eq!(trackers.iter().map(|tracker| tracker.attribute).collect::<Vec<_>>(), ProcessAttribute::ALL);
}

#[test]
fn trackers_of_both_generations() {
    let session = only("ust-trackers");
    let trackers = &session.domains[0].trackers;
    let of = |at: usize| (trackers[at].attribute, trackers[at].values.as_slice());
    assert_eq!(of(0), (ProcessAttribute::Vpid, [Value::Pid(42), Value::Pid(1)].as_slice()));
    let users = [Value::Uid(0), Value::UserName("nobody".into())];
    assert_eq!(of(1), (ProcessAttribute::Vuid, users.as_slice()));
    assert_eq!(of(2), (ProcessAttribute::Vgid, [].as_slice()));
    let legacy = |domain: &str, buffers: &str| {
        let targets = "<pid_target><pid>7</pid></pid_target>";
        let text = session_with(&format!(
            "<domains><domain><type>{domain}</type><buffer_type>{buffers}</buffer_type>\
             <trackers><pid_tracker><targets>{targets}</targets></pid_tracker></trackers></domain></domains>"
        ));
        read(text.as_bytes()).unwrap().sessions[0].domains[0].trackers.clone()
    };
    let tracker = |attribute| vec![TrackerConfiguration { attribute, values: vec![Value::Pid(7)] }];
    assert_eq!(legacy("UST", "PER_UID"), tracker(ProcessAttribute::Vpid));
    assert_eq!(legacy("KERNEL", "GLOBAL"), tracker(ProcessAttribute::Pid));
}

#[test]
fn agents_and_their_filters() {
    let session = only("jul-log4j");
    let [channel] = channels(&session, Domain::Jul) else { panic!() };
    assert_eq!(channel.name, "lttng_jul_channel");
    assert!(channel.events.iter().any(|event| event.filter.is_some()));
    assert!(matches!(channel.contexts[0].of_user_space, Some(Context::App { .. })));
}

#[test]
fn what_may_stand_in_a_file_besides_what_it_says() {
    let text = "\u{feff}<?xml version='1.0' encoding='utf-8'?><!-- a -->\n<sessions \
        xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:noNamespaceSchemaLocation='x.xsd'>\
        <!-- b --><session><started> 1 </started><name>a<!-- c -->b<![CDATA[<c>]]>&#65;&lt;</name><?p q?>\
        </session></sessions>";
    let session = &read(text.as_bytes()).unwrap().sessions[0];
    assert_eq!((session.name.as_str(), session.started), ("ab<c>A<", Some(true)));
    let two = "<sessions><session><name>a</name></session><session><name>b</name></session></sessions>";
    assert_eq!(read(two.as_bytes()).unwrap().sessions.len(), 2);
    let channel = &read(channel_with("").as_bytes()).unwrap().sessions[0].domains[0];
    assert!(channel.channels.as_ref().unwrap()[0].events.is_empty());
}

#[test]
fn what_is_no_xml_is_told_from_what_is_no_configuration() {
    let malformed: [&[u8]; 12] = [
        b"",
        b"hello",
        b"<sessions><session><name>x</name>",
        b"<sessions></session>",
        b"<sessions><session><name>&b;</name></session></sessions>",
        b"<sessions><session><name>&#0;</name></session></sessions>",
        b"<sessions><session><name>\xe9</name></session></sessions>",
        b"<sessions><session><name>\x01</name></session></sessions>",
        b"<sessions/><sessions/>",
        b"<sessions/>text",
        b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><sessions/>",
        b"<sessions><!-- ",
    ];
    for text in malformed {
        assert_eq!(kind(text), FaultKind::Malformed, "{}", String::from_utf8_lossy(text));
    }
    let invalid = [
        "<a/>".to_owned(),
        "<sessions/>".to_owned(),
        "<sessions a='b'><session><name>s</name></session></sessions>".to_owned(),
        "<sessions xmlns='http://x'><session><name>s</name></session></sessions>".to_owned(),
        "<sessions><session a='b'><name>s</name></session></sessions>".to_owned(),
        "<sessions>text<session><name>s</name></session></sessions>".to_owned(),
        "<sessions><session/></sessions>".to_owned(),
        "<sessions><other/></sessions>".to_owned(),
        "<!DOCTYPE sessions><sessions><session><name>s</name></session></sessions>".to_owned(),
        session_with("<bogus/>"),
        session_with("<name>again</name>"),
        session_with("<started>maybe</started>"),
        session_with("<started/>"),
        session_with("<started><a/></started>"),
        session_with("<output/>"),
        session_with("<output><consumer_output/></output>"),
        session_with("<attributes><rotation_schedules/></attributes>"),
        session_with("<attributes><live_timer_interval>-1</live_timer_interval></attributes>"),
        session_with("<attributes><live_timer_interval>4294967296</live_timer_interval></attributes>"),
        session_with("<domains><domain><type>UST</type></domain></domains>"),
        session_with(
            "<domains><domain><type>ust</type><buffer_type>PER_UID</buffer_type></domain></domains>",
        ),
        channel_with("<subbuffer_size>18446744073709551616</subbuffer_size>"),
        channel_with("<subbuffer_size>0x10</subbuffer_size>"),
        channel_with("<subbuffer_size>1e3</subbuffer_size>"),
        channel_with("<blocking_timeout>-2</blocking_timeout>"),
        channel_with("<blocking_timeout>2147483648001</blocking_timeout>"),
        channel_with("<events><event><loglevel>2147483648</loglevel></event></events>"),
        channel_with("<events><event><type>tracepoint</type></event></events>"),
        channel_with("<contexts><context/></contexts>"),
        channel_with("<contexts><context><type>APP</type></context></contexts>"),
        channel_with("<contexts><context><type>VPID</type><type>VTID</type></context></contexts>"),
        format!("<sessions><session><name>{}</name></session></sessions>", "n".repeat(255)),
    ];
    for text in invalid {
        assert_eq!(kind(&text), FaultKind::Invalid, "{text}");
    }
    let fault = read(b"<sessions>\n<session>\n<name>s</name>\n<bogus/></session></sessions>").unwrap_err();
    assert_eq!(fault.to_string(), "4: bogus: not expected here");
}

#[test]
fn hostile_files_cost_what_they_weigh() {
    let long = "x".repeat(10 << 20);
    assert_eq!(
        kind(format!("<sessions><session><name>{long}</name></session></sessions>")),
        FaultKind::Invalid
    );
    assert_eq!(kind(format!("<{long}/>")), FaultKind::Invalid);
    assert_eq!(kind("<a>".repeat(1_000_000)), FaultKind::Invalid);
    assert_eq!(kind("<a>".repeat(1_000_000) + &"</a>".repeat(1_000_000)), FaultKind::Invalid);
    assert_eq!(kind(format!("<sessions>{}</sessions>", "<a/>".repeat(3_000_000))), FaultKind::Invalid);
    let attributes: String = (0..1_000_000).map(|number| format!(" a{number}=''")).collect();
    assert_eq!(kind(format!("<sessions{attributes}/>")), FaultKind::Invalid);
    assert_eq!(kind(format!("<sessions><session{attributes}/></sessions>")), FaultKind::Invalid);
    assert_eq!(kind(vec![b'<'; 16 << 20]), FaultKind::Malformed);
    assert_eq!(kind(vec![b' '; (16 << 20) + 1]), FaultKind::Invalid);
    assert_eq!(kind(session_with(&"&#60;".repeat(1_000_000))), FaultKind::Invalid);
    let bomb = "<!DOCTYPE s [<!ENTITY a 'x'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]><sessions>&b;</sessions>";
    assert_eq!(kind(bomb), FaultKind::Invalid);
    assert_eq!(kind("<!DOCTYPE s SYSTEM 'file:///etc/passwd'><sessions/>"), FaultKind::Invalid);
}

/// The parser sees no more depth and no more attributes than were counted.
#[test]
fn what_is_counted_can_not_be_hidden() {
    let namespaces = "<x xmlns:n0='/>'>".repeat(64);
    let comment = format!("<!-->{}-->", "</x>".repeat(30));
    let part = "<x>".repeat(30) + &comment;
    for text in [
        format!("<sessions a='/>'>{namespaces}</sessions>"),
        format!("<sessions a=\"it's/>\">{namespaces}</sessions>"),
        format!("<sessions>{part}{part}"),
        "<sessions a='>'><session b='1'/></sessions>".to_owned(),
    ] {
        let fault = read(text.as_bytes()).unwrap_err();
        let counted = ["too many elements inside one another", "attributes are not allowed"];
        assert!(counted.contains(&fault.text.as_str()), "{fault}: {text}");
    }
    assert_eq!(kind("<?xml\tversion='1.0' encoding='UTF-16'?><sessions/>"), FaultKind::Malformed);
    // A comment may begin like this.
    let comment = session_with("").replace("<sessions>", "<sessions><!--> <y z='1'> -->");
    assert!(read(comment.as_bytes()).is_ok());
}

/// Every file, cut short anywhere, is refused.
#[test]
fn half_a_file_is_none() {
    for name in ["empty", "k-events", "jul-log4j", "snap-net-output"] {
        let bytes = file(name);
        let whole = bytes.len() - 1;
        for end in (0..whole).step_by(7) {
            assert!(read(&bytes[..end]).is_err(), "{name} cut at {end}");
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_a_reason_to_panic(at in 0_usize..3000, with in proptest::collection::vec(any::<u8>(), 0..9)) {
        for name in ["ust-events", "k-channels"] {
            let mut bytes = file(name);
            let at = at.min(bytes.len());
            let end = (at + with.len()).min(bytes.len());
            bytes.splice(at..end, with.iter().copied());
            let _ = read(&bytes);
        }
    }

    #[test]
    fn elements_in_any_order_are_taken_or_refused(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "<sessions>", "</sessions>", "<session>", "</session>", "<name>", "</name>", "x", "<domains>",
                "</domains>", "<output/>", "<started>", "</started>", "1", "<!--", "-->", "&lt;", "<![CDATA[", "]]>",
            ]),
            0..20,
        ),
    ) {
        let _ = read(words.concat().as_bytes());
    }
}
