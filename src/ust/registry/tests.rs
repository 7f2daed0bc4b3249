// SPDX-License-Identifier: GPL-2.0-only
//! What two applications registered with the daemon of lttng-tools 2.13.9 is registered again: ids and text
//! must be the recorded ones. Those are in the byte order of x86-64.
#![cfg(target_endian = "little")]

use std::fs;

use lttng_protocol::Text;
use lttng_protocol::ust::field::{Encoding, FieldKind, Integer};
use lttng_protocol::ust::notify::{EnumValue, HeaderType, RawEvent, Reply, Request};

use super::super::tsdl::Scheme;
use super::super::tsdl::tests::{header_of, per_pid_header, recorded, vector};
use super::*;
use crate::accounts::{Accounts, Limit, Limits, Resource};

/// Enough for everything.
fn charge() -> Charge {
    Accounts::new(Limits::for_applications(1, 1)).charge(0, Resource::Memory, 0).unwrap()
}

fn request(name: &str) -> Request {
    Request::decode(&vector(&format!("notify/{name}.req.bin"))).unwrap()
}

fn event(name: &str) -> RegisterEvent {
    let Request::Event(event) = request(name) else { panic!("{name}") };
    event
}

fn contexts(name: &str) -> Vec<Field> {
    let Request::Channel(channel) = request(name) else { panic!("{name}") };
    channel.fields
}

const DYNAMIC: &str = "a00-enum-dynamic_type_enum";
const MY_ENUM: &str = "a08-enum-vec_prov_my_enum";
const UENUM: &str = "a09-enum-vec_prov_uenum";
/// The order in which the ids are those that the recorded events refer to.
const IN_ORDER: [&str; 3] = [DYNAMIC, MY_ENUM, UENUM];

fn register_enums(registry: &mut Registry, names: [&str; 3]) {
    for (id, name) in (0..).zip(names) {
        let Request::Enum(registered) = request(name) else { panic!("{name}") };
        assert_eq!(registry.register_enum(&registered), Ok(id));
    }
}

/// The blocks of a text in alphabetical order.
fn sorted_blocks(text: &str) -> Vec<&str> {
    let mut blocks: Vec<&str> = text.split("};\n\n").collect();
    blocks.sort_unstable();
    blocks
}

fn answer(registry: &mut Registry, request: &Request, chan_id: impl Fn(u32) -> u32) -> Reply {
    match request {
        Request::Event(event) => {
            let id = registry.register_event(chan_id(event.channel), event).unwrap();
            Reply::Event { code: 0, id }
        }
        Request::Channel(channel) => {
            let id = chan_id(channel.channel);
            registry.register_channel(id, &channel.fields).unwrap();
            Reply::Channel { code: 0, id, header: HeaderType::Large }
        }
        Request::Enum(registered) => {
            let id = registry.register_enum(registered).unwrap();
            Reply::Enum { code: 0, id }
        }
    }
}

/// Two applications of one user, the second with another layout of two events; two channels.
#[test]
fn two_applications_share_a_registry() {
    let expected = recorded("metadata-uid.txt");
    let mut registry =
        Registry::new(&header_of(&expected, "my\"s\\ession", Scheme::PerUid { uid: 0 }), charge());
    assert_eq!([registry.add_channel(), registry.add_channel()], [0, 1]);
    let chan_id = |handle| match handle {
        4 => 0,
        6 => 1,
        other => panic!("channel {other}"),
    };
    let folder = format!("{}/protocol/tests/vectors/ust/notify", env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            entry.unwrap().file_name().to_str().unwrap().strip_suffix(".req.bin").map(str::to_owned)
        })
        .filter(|name| name.starts_with(['a', 'b']))
        .collect();
    names.sort();
    assert_eq!(names.len(), 32);
    for name in names {
        if name.starts_with("b00") {
            assert_eq!(registry.text().len(), 9393, "the first of the two recorded pushes");
        }
        let reply = answer(&mut registry, &request(&name), chan_id);
        assert_eq!(reply.encode(), vector(&format!("notify/{name}.reply.bin")), "{name}");
    }
    assert_eq!(registry.text(), expected);
}

#[test]
fn one_application_has_its_own_registry() {
    let mut registry = Registry::new(&per_pid_header(), charge());
    let chan_id = registry.add_channel();
    register_enums(&mut registry, IN_ORDER);
    assert_eq!(registry.register_channel(chan_id, &[]), Ok(()));
    assert_eq!(registry.register_event(chan_id, &event("a10-event-vec_prov_enums")), Ok(0));
    assert_eq!(registry.text(), recorded("metadata-pid.txt"));
}

#[test]
fn regeneration_puts_channels_before_their_events() {
    let (before, after) = (recorded("metadata-regen-v0.txt"), recorded("metadata-regen-v1.txt"));
    let header = |text: &str| header_of(text, "s2", Scheme::PerUid { uid: 0 });
    let mut registry = Registry::new(&header(&before), charge());
    let chan_id = registry.add_channel();
    let (first, second) = (event("a12-event-vec_prov_inst1"), event("a05-event-vec_prov_floats"));
    assert_eq!(registry.register_event(chan_id, &first), Ok(0));
    assert_eq!(registry.register_channel(chan_id, &[]), Ok(()));
    assert_eq!(registry.register_event(chan_id, &second), Ok(1));
    assert_eq!(registry.text(), before);

    registry.regenerate(&header(&after));
    // The reference writes the events in the order of a hash table, here it is that of their ids.
    let stream_and_before = after.find("event {").unwrap();
    assert_eq!(registry.text().get(..stream_and_before), after.get(..stream_and_before));
    assert_eq!(sorted_blocks(registry.text()), sorted_blocks(&after));
    assert!(registry.text().find("inst1") < registry.text().find("floats"));

    let regenerated = registry.text().to_owned();
    registry.regenerate(&header(&after));
    assert_eq!(registry.text(), regenerated);
    assert_eq!(registry.register_event(chan_id, &second), Ok(1));
    assert_eq!(registry.text(), regenerated, "what is registered still is");
}

#[test]
fn regeneration_keeps_events_of_channels_without_block() {
    let header = per_pid_header();
    let mut registry = Registry::new(&header, charge());
    let chan_id = registry.add_channel();
    assert_eq!(registry.register_event(chan_id, &event("a12-event-vec_prov_inst1")), Ok(0));
    let text = registry.text().to_owned();
    registry.regenerate(&header);
    assert_eq!(registry.text(), text);
    assert_eq!(registry.register_channel(chan_id, &[]), Ok(()));
    assert!(registry.text().starts_with(&text) && registry.text().len() > text.len());
}

/// The recorded text holds the events in the order of a hash table: each block is looked up. In that session
/// the enumeration of application contexts had another id than in the one that the events are from.
#[test]
fn all_kinds_of_contexts() {
    let expected = recorded("metadata-uid-all-contexts.txt");
    let header = header_of(&expected, "s1", Scheme::PerUid { uid: 0 });
    let mut registry = Registry::new(&header, charge());
    let chan_id = registry.add_channel();
    register_enums(&mut registry, [MY_ENUM, UENUM, DYNAMIC]);
    assert_eq!(registry.register_channel(chan_id, &contexts("s-channel-all-contexts")), Ok(()));
    assert!(expected.starts_with(registry.text()), "{}", registry.text());
    let mut registry = Registry::new(&header, charge());
    register_enums(&mut registry, IN_ORDER);
    let events = [
        (0, "a04-event-vec_prov_ints"),
        (1, "a05-event-vec_prov_floats"),
        (2, "a06-event-vec_prov_strings"),
        (3, "a07-event-vec_prov_arrays"),
        (4, "a10-event-vec_prov_enums"),
        (5, "a11-event-vec_prov_empty"),
        (6, "a13-event-vec_prov_inst2"),
        (9, "s-event-lttng_ust_statedump_build_id"),
    ];
    for (id, name) in events {
        let block = tsdl::event(registry.types(), chan_id, id, &event(name)).unwrap();
        assert!(expected.contains(&block), "{block}");
    }
}

#[test]
fn identity_of_events() {
    let mut registry = Registry::new(&per_pid_header(), charge());
    let (chan_id, other) = (registry.add_channel(), registry.add_channel());
    let known = event("a04-event-vec_prov_ints");
    assert_eq!(registry.register_event(chan_id, &known), Ok(0));
    let same = RegisterEvent { signature: "other".into(), session: 77, channel: 78, ..known.clone() };
    assert_eq!(registry.register_event(chan_id, &same), Ok(0));
    let mut field = known.clone();
    field.fields[3].name = "x".into();
    let mut order = known.clone();
    order.fields.swap(0, 1);
    let different = [
        RegisterEvent { name: "vec_prov:int".into(), ..known.clone() },
        RegisterEvent { loglevel: 5, ..known.clone() },
        RegisterEvent { model_emf_uri: None, ..known.clone() },
        RegisterEvent { model_emf_uri: Some(Text::default()), ..known.clone() },
        field,
        order,
    ];
    for (id, event) in (1..).zip(&different) {
        assert_eq!(registry.register_event(chan_id, event), Ok(id), "{event:?}");
    }
    for (id, event) in (1..).zip(&different) {
        assert_eq!(registry.register_event(chan_id, event), Ok(id), "{event:?}");
    }
    assert_eq!(registry.register_event(other, &known), Ok(0), "ids are counted in each channel");
}

#[test]
fn identity_of_enumerations() {
    let Request::Enum(known) = request("a08-enum-vec_prov_my_enum") else { panic!() };
    let mut registry = Registry::new(&per_pid_header(), charge());
    assert_eq!(registry.register_enum(&known), Ok(0));
    let mut same = RegisterEnum { session: 99, ..known.clone() };
    same.entries[4].auto = false;
    assert_eq!(registry.register_enum(&same), Ok(0));
    let changed = |change: fn(&mut Vec<EnumEntry>)| {
        let mut changed = known.clone();
        change(&mut changed.entries);
        changed
    };
    let different = [
        RegisterEnum { name: "vec_prov_my_enu".into(), ..known.clone() },
        changed(|entries| entries.swap(0, 1)),
        changed(|entries| drop(entries.pop())),
        changed(|entries| entries[1].label = "x".into()),
        changed(|entries| entries[1].end.value = 1),
        changed(|entries| entries[1].start.signed = false),
    ];
    for (id, registered) in (1..).zip(&different) {
        assert_eq!(registry.register_enum(registered), Ok(id));
        assert_eq!(registry.register_enum(registered), Ok(id));
    }
}

#[test]
fn later_applications_must_have_the_same_contexts() {
    let mut registry = Registry::new(&per_pid_header(), charge());
    let chan_id = registry.add_channel();
    register_enums(&mut registry, IN_ORDER);
    let fields = contexts("a01-channel-cobjd6");
    assert_eq!(registry.register_channel(chan_id, &fields), Ok(()));
    let text = registry.text().to_owned();
    assert_eq!(registry.register_channel(chan_id, &fields), Ok(()));
    let modern = modernize_contexts(&fields).unwrap();
    assert_ne!(modern, fields);
    assert_eq!(registry.register_channel(chan_id, &modern), Ok(()), "an older or newer application");
    assert_eq!(registry.register_channel(chan_id, &[]), Err(-22));
    assert_eq!(registry.register_channel(chan_id, &fields[1..]), Err(-22));
    assert_eq!(registry.text(), text);
}

#[test]
fn failures_leave_no_trace() {
    let mut registry = Registry::new(&per_pid_header(), charge());
    let chan_id = registry.add_channel();
    let text = registry.text().to_owned();
    let bad = event("a10-event-vec_prov_enums");
    assert_eq!(registry.register_event(chan_id, &bad), Err(-2), "its enumerations are not registered");
    let mut incomplete = event("a06-event-vec_prov_strings");
    incomplete.fields.pop();
    assert_eq!(registry.register_event(chan_id, &incomplete), Err(-75));
    let array = Field { name: "a".into(), kind: FieldKind::Array { length: 1, alignment: 0 } };
    let string = Field { name: Text::default(), kind: FieldKind::String(Encoding::UTF8) };
    assert_eq!(registry.register_channel(chan_id, &[array, string]), Err(-22));
    let good = event("a12-event-vec_prov_inst1");
    assert_eq!(registry.register_event(chan_id + 1, &good), Err(-22));
    assert_eq!(registry.register_channel(chan_id + 1, &[]), Err(-22));
    assert_eq!(registry.text(), text);
    assert_eq!(registry.register_event(chan_id, &good), Ok(0), "no id was used up");
    register_enums(&mut registry, IN_ORDER);
    assert_eq!(registry.register_event(chan_id, &bad), Ok(1), "tried again with the enumerations");
}

#[test]
fn enumerations_are_limited() {
    let mut registry = Registry::new(&per_pid_header(), charge());
    let value = EnumValue { value: 0, signed: false };
    let entry = EnumEntry { start: value, end: value, label: "x".into(), auto: false };
    let registered = |index: usize, entries: usize| RegisterEnum {
        session: 0,
        name: format!("e{index}").into(),
        entries: vec![entry.clone(); entries],
    };
    let each = MAX_ENUM_ENTRIES / 8;
    for index in 0..7 {
        assert_eq!(registry.register_enum(&registered(index, each)), Ok(index as u64));
    }
    assert_eq!(registry.register_enum(&registered(7, each)), Err(-75));
    assert_eq!(registry.register_enum(&registered(6, each)), Ok(6), "what is known still is");
    assert_eq!(registry.register_enum(&registered(7, 10)), Ok(7));
}

#[test]
fn the_text_is_limited() {
    let mut registry = Registry::new(&per_pid_header(), charge());
    let chan_id = registry.add_channel();
    let good = event("a12-event-vec_prov_inst1");
    assert_eq!(registry.register_event(chan_id, &good), Ok(0));
    let block = registry.channels[0].events[0].len();
    registry.text = String::from_utf8(vec![0; MAX_TEXT_SIZE - block]).unwrap();
    let longer = RegisterEvent { name: format!("{}x", good.name).into(), ..good.clone() };
    assert_eq!(registry.register_event(chan_id, &longer), Err(-22));
    let other = RegisterEvent { name: good.name.to_string().replace('1', "2").into(), ..good.clone() };
    assert_eq!(registry.register_event(chan_id, &other), Ok(1), "exactly what fits");
    assert_eq!(registry.register_event(chan_id, &good), Ok(0), "what is known still is");
    assert_eq!(registry.register_channel(chan_id, &[]), Err(-22));
}

/// Not a limit of the format, but of what a session with very many events may cost.
#[test]
fn an_event_costs_little_besides_its_text() {
    let integer = Integer {
        size: 32,
        signed: true,
        reverse_byte_order: false,
        base: 10,
        encoding: Encoding::NONE,
        alignment: 8,
    };
    let mut event = event("a12-event-vec_prov_inst1");
    event.fields = (0..10)
        .map(|number| Field { name: format!("field_{number}").into(), kind: FieldKind::Integer(integer) })
        .collect();
    let mut registry = Registry::new(&per_pid_header(), charge());
    let chan_id = registry.add_channel();
    let header = registry.text().len();
    assert_eq!(registry.register_event(chan_id, &event), Ok(0));
    let text = registry.text().len() - header;
    assert!(Identity::of_event(&event).len() < text / 2);
}

/// Readers give up on events and packets of a channel without a block.
#[test]
fn channels_that_nobody_registers_are_described() {
    let mut registry = Registry::new(&per_pid_header(), charge());
    let (chan_id, other) = (registry.add_channel(), registry.add_channel());
    assert_eq!(registry.register_event(chan_id, &event("a12-event-vec_prov_inst1")), Ok(0));
    assert_eq!(registry.register_channel(other, &[]), Ok(()));
    let text = registry.text().to_owned();
    registry.complete();
    let assumed = "stream {\n\tid = 0;\n\tevent.header := struct event_header_large;\n\
                   \tpacket.context := struct packet_context;\n};\n\n";
    assert_eq!(registry.text(), text.clone() + assumed);
    registry.complete();
    assert_eq!(registry.text(), text.clone() + assumed, "once is enough");

    // What was assumed is not what the application has: the text starts over.
    let integer = |name: &str| Field {
        name: name.into(),
        kind: FieldKind::Integer(Integer {
            size: 32,
            signed: false,
            reverse_byte_order: false,
            base: 10,
            encoding: Encoding::NONE,
            alignment: 8,
        }),
    };
    let twice = [integer("x"), integer("x")];
    assert_eq!(registry.register_channel(chan_id, &twice), Err(-22));
    assert_eq!((registry.restarts(), registry.text()), (0, &*(text.clone() + assumed)));
    assert_eq!(registry.register_channel(chan_id, &[integer("x")]), Ok(()));
    assert_eq!(registry.restarts(), 1);
    assert!(!registry.text().contains(assumed) && registry.text().contains("_x;\n"), "{}", registry.text());
    assert_eq!(sorted_blocks(registry.text()).len(), sorted_blocks(&text).len() + 1);
    assert_eq!(registry.register_channel(chan_id, &[]), Err(-22));

    // What was assumed is right.
    let mut registry = Registry::new(&per_pid_header(), charge());
    let chan_id = registry.add_channel();
    registry.complete();
    assert_eq!(registry.register_channel(chan_id, &[]), Ok(()));
    assert_eq!(registry.register_channel(chan_id, &[integer("x")]), Err(-22));
    assert_eq!(registry.restarts(), 0);
}

/// Contexts of an application that has none of the events.
#[test]
fn contexts_that_refer_to_others_get_an_event() {
    let mut registry = Registry::new(&per_pid_header(), charge());
    let chan_id = registry.add_channel();
    register_enums(&mut registry, IN_ORDER);
    assert_eq!(registry.register_channel(chan_id, &contexts("a01-channel-cobjd6")), Ok(()));
    let text = registry.text().to_owned();
    for _ in 0..2 {
        registry.complete();
        assert_eq!(registry.text(), text.clone() + &tsdl::placeholder(chan_id));
    }
    assert_eq!(registry.register_event(chan_id, &event("a12-event-vec_prov_inst1")), Ok(0));
    registry.regenerate(&per_pid_header());
    registry.complete();
    assert!(!registry.text().contains("lttng_sessiond:none"), "it has an event");
}

/// What a request says of its event, byte for byte.
fn description(name: &str) -> Vec<u8> {
    let bytes = vector(&format!("notify/{name}.req.bin"));
    RawEvent::of(&bytes).unwrap().description.to_vec()
}

#[test]
fn what_was_described_twice_is_known_by_its_bytes() {
    let mut registry = Registry::new(&per_pid_header(), charge());
    let channels = [registry.add_channel(), registry.add_channel()];
    let names = ["a12-event-vec_prov_inst1", "a05-event-vec_prov_floats"];
    let mut lookups = Vec::new();
    for _ in 0..3 {
        for (id, name) in (0..).zip(names) {
            let known = registry.described_event(channels[0], &description(name));
            lookups.push(known);
            if known.is_none() {
                assert_eq!(registry.register_described(channels[0], &event(name)), Ok(id));
            }
        }
    }
    // An application that is alone of its kind is not worth the memory.
    assert_eq!(lookups, [None, None, None, None, Some(0), Some(1)]);
    assert_eq!(registry.described_event(channels[1], &description(names[0])), None, "another channel");
    let mut other = description(names[0]);
    *other.last_mut().unwrap() ^= 1;
    assert_eq!(registry.described_event(channels[0], &other), None, "another description");
}

#[test]
fn descriptions_are_forgotten_before_there_are_too_many() {
    let mut registry = Registry::new(&per_pid_header(), charge());
    let channel = registry.add_channel();
    let name = "a12-event-vec_prov_inst1";
    assert_eq!(registry.register_event(channel, &event(name)), Ok(0));
    let before = registry.charge.amount();
    for variant in 0..5_000_u32 {
        // The signature does not make it another event.
        let mut bytes = description(name);
        bytes.extend_from_slice(&[1; 100]);
        bytes.extend_from_slice(&variant.to_ne_bytes());
        assert_eq!(registry.described_event(channel, &bytes), None);
        assert_eq!(registry.register_described(channel, &event(name)), Ok(0));
        assert_eq!(registry.described_event(channel, &bytes), Some(0));
        assert!(registry.remembered <= MAX_REMEMBERED);
        let costs = registry.channels[0].described.keys().map(|key| key.len() + ENTRY_COST);
        assert_eq!(registry.remembered, costs.sum::<usize>());
    }
    assert!(registry.channels[0].described.len() < 5_000);
    assert_eq!(registry.charge.amount(), before + registry.remembered as u64);
}

/// What is kept is charged, what is refused is not, and nothing is left when the registry goes.
#[test]
fn registrations_are_charged() {
    let mut accounts = Accounts::new(Limits::for_applications(1, 1));
    let charged = |accounts: &Accounts| accounts.usage(1000).of(Resource::Memory);
    let charge = accounts.charge(1000, Resource::Memory, 0).unwrap();
    let mut registry = Registry::new(&per_pid_header(), charge);
    let chan_id = registry.add_channel();
    assert_eq!(charged(&accounts), 0);
    register_enums(&mut registry, IN_ORDER);
    let of_enums = charged(&accounts);
    assert!(of_enums > 0);
    registry.register_channel(chan_id, &[]).unwrap();
    let before = (registry.text().len(), charged(&accounts));
    let ints = event("a04-event-vec_prov_ints");
    assert_eq!(registry.register_event(chan_id, &ints), Ok(0));
    let grown = (registry.text().len() - before.0) as u64;
    assert!((grown..grown * 3).contains(&(charged(&accounts) - before.1)));
    // What is there already costs nothing more, nor does what is refused.
    let full = charged(&accounts);
    assert_eq!(registry.register_event(chan_id, &ints), Ok(0));
    assert!(registry.register_event(77, &ints).is_err());
    let twice = [ints.fields.clone(), ints.fields.clone()].concat();
    assert_eq!(registry.register_event(chan_id, &RegisterEvent { fields: twice, ..ints.clone() }), Err(-22));
    registry.complete();
    registry.regenerate(&per_pid_header());
    assert_eq!(charged(&accounts), full);
    drop(registry);
    assert_eq!(charged(&accounts), 0);
}

/// Who has too much keeps what it has, with its ids, and gets nothing more.
#[test]
fn too_much_is_refused() {
    let limit = Limit { user: 20_000, all: 20_000 };
    let mut accounts = Accounts::new(Limits::for_applications(1, 1).with(Resource::Memory, limit));
    let charge = accounts.charge(1000, Resource::Memory, 0).unwrap();
    let mut registry = Registry::new(&per_pid_header(), charge);
    let chan_id = registry.add_channel();
    registry.register_channel(chan_id, &[]).unwrap();
    let ints = event("a04-event-vec_prov_ints");
    let number = |number: u32| RegisterEvent { name: format!("p:{number}").into(), ..ints.clone() };
    let refused = (0..100).find(|&at| registry.register_event(chan_id, &number(at)) != Ok(at)).unwrap();
    assert!((2..40).contains(&refused), "{refused}");
    let text = registry.text().to_owned();
    assert_eq!(registry.register_event(chan_id, &number(refused)), Err(-libc::ENOMEM));
    let entry = |at: u64| EnumEntry {
        start: EnumValue { value: at, signed: false },
        end: EnumValue { value: at, signed: false },
        label: "x".repeat(200).into(),
        auto: false,
    };
    let large = RegisterEnum { session: 0, name: "e".into(), entries: (0..100).map(entry).collect() };
    assert_eq!(registry.register_enum(&large), Err(-libc::ENOMEM));
    // It is no reason to forget the others.
    assert_eq!(registry.register_event(chan_id, &number(0)), Ok(0));
    assert_eq!(registry.text(), text);
    // Descriptions are only remembered if there is room.
    for at in [0, 1, 0, 1] {
        assert_eq!(registry.described_event(chan_id, &[1; 20_000]), None);
        assert_eq!(registry.register_described(chan_id, &number(at)), Ok(at));
    }
    assert!(accounts.usage(1000).of(Resource::Memory) <= 20_000);
}
