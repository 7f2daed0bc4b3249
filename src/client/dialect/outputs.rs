// SPDX-License-Identifier: GPL-2.0-only
//! Outputs as clients were recorded to set them, and as the stock daemon answered.

use std::path::PathBuf;

use lttng_protocol::client::{
    Body, Destination, ErrorCode, Header, Reply, Session, SessionOutput, StreamType, Uri, decode_body,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::client::uri::target;
use crate::model::{NetworkOutput, Output, Target};

fn vector(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("protocol/tests/vectors/client");
    std::fs::read(folder.join(name)).unwrap()
}

fn body(name: &str) -> Body {
    let bytes = vector(name);
    let (head, payload) = bytes.split_at(Header::LEN);
    decode_body(&Header::decode(head).unwrap(), payload).unwrap_or_else(|code| panic!("{name}: {code:?}"))
}

fn reply(name: &str) -> Reply {
    Reply::decode(&vector(name)).unwrap()
}

fn targets(name: &str) -> Vec<Target> {
    match body(name) {
        Body::SetConsumerUri { uris } => uris.into_iter().map(target).collect(),
        other => panic!("{other:?}"),
    }
}

/// The output of a session that was asked for, if it is a network output.
fn created(name: &str) -> [Target; 2] {
    match body(name) {
        Body::CreateSession { descriptor, .. } => match descriptor.output {
            SessionOutput::Network(Some(network)) => [network.control, network.data].map(target),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn ipv4(stream: StreamType, port: u16, subdir: &str) -> Target {
    target(Uri { destination: Destination::Ipv4("127.0.0.1".into()), stream, port, subdir: subdir.into() })
}

fn set(output: &Output, targets: &[Target]) -> Result<Output, ErrorCode> {
    output.with(targets).map_err(ErrorCode::from)
}

#[test]
#[cfg_attr(target_endian = "big", ignore = "the byte order of x86-64")]
fn outputs_are_set_as_recorded() {
    let network = targets("set-consumer-uri-net.req.bin");
    assert_eq!(network, [ipv4(StreamType::Control, 7000, "x/y"), ipv4(StreamType::Data, 7001, "")]);
    let output = Output::None.with(&network).unwrap();
    assert_eq!(output.listed(), "tcp4://127.0.0.1:7000/x/y [data: 7001]");
    assert_eq!(output.network().unwrap().control.subdir, "x/y");
    let local = output.with(&targets("set-consumer-uri-path.req.bin")).unwrap();
    assert_eq!((&local, local.listed().as_str()), (&Output::Local("/tmp/demo/abc".into()), "/tmp/demo/abc"));
    let already = targets("set-consumer-uri-already.req.bin");
    assert_eq!(set(&output, &already), Err(reply("set-consumer-uri-already.rep.bin").code));
    assert!(local.with(&already).unwrap().network().is_some());
    assert_eq!(reply("set-consumer-uri-active.rep.bin").code, ErrorCode::TraceAlreadyStarted);
}

#[test]
fn outputs_refuse_what_the_original_refuses() {
    let control = |port, subdir: &str| ipv4(StreamType::Control, port, subdir);
    let data = |port| ipv4(StreamType::Data, port, "");
    let set_first = |targets: &[Target]| set(&Output::None, targets);
    assert_eq!(set_first(&[control(9, ""), data(9)]), Err(ErrorCode::Invalid));
    assert_eq!(set_first(&[control(5343, ""), data(0)]), Err(ErrorCode::Invalid));
    assert_eq!(set_first(&[control(0, "a/../b")]), Err(ErrorCode::Invalid));
    assert_eq!(set_first(&[control(0, "a..")]).unwrap().listed(), "tcp4://127.0.0.1:5342/a.. [data: 0]");
    for path in ["relative", "", "/a/../b"] {
        assert_eq!(set_first(&[Target::Path(path.into())]), Err(ErrorCode::Invalid), "{path}");
    }
    let half = set_first(&[control(0, "s")]).unwrap();
    assert_eq!((half.network(), set(&half, &[control(7, "s")])), (None, Err(ErrorCode::UrlExist)));
    let whole = half.with(&[data(0)]).unwrap();
    assert_eq!(whole.network().map(|output| output.data.port), Some(5343));
    assert_eq!((Output::None.listed().as_str(), Output::default()), ("", Output::None));
}

#[test]
#[cfg_attr(target_endian = "big", ignore = "the byte order of x86-64")]
fn sessions_are_created_with_outputs_as_recorded() {
    let code = set(&Output::None, &created("create-net-same-port.req.bin"));
    assert_eq!(code, Err(reply("create-net-same-port.rep.bin").code));
    let output = Output::None.with(&created("create-net6.req.bin")).unwrap();
    let listed = Session::decode_list(&reply("list-sessions-net6.rep.bin").payload).unwrap();
    assert_eq!(output.listed(), listed[0].path);
}

fn any_target() -> impl Strategy<Value = Target> {
    let destination = prop_oneof![
        "[0-9.]{1,15}".prop_map(Destination::Ipv4),
        "[0-9a-f:]{1,45}".prop_map(Destination::Ipv6),
        "/[^\0]{0,200}".prop_map(Destination::Path),
    ];
    let stream = prop_oneof![Just(StreamType::Control), Just(StreamType::Data)];
    (destination, stream, any::<u16>(), "[^\0]{0,200}")
        .prop_map(|(destination, stream, port, subdir)| target(Uri { destination, stream, port, subdir }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// A set output never has port 0, equal ports or a way up, and setting is all or nothing.
    #[test]
    fn outputs_stay_sound(all in vec(any_target(), 0..5)) {
        let mut output = Output::None;
        for target in &all {
            let Ok(next) = output.with(std::slice::from_ref(target)) else { continue };
            output = next;
        }
        // What is wanted can be written down and read again.
        let written = postcard::to_allocvec(&output).unwrap();
        prop_assert_eq!(&postcard::from_bytes::<Output>(&written).unwrap(), &output);
        if let Some(NetworkOutput { control, data }) = output.network() {
            prop_assert!(control.port != 0 && data.port != 0 && control.port != data.port);
            prop_assert!(!control.subdir.contains("../"));
        }
    }
}
