// SPDX-License-Identifier: GPL-2.0-only
//! Probes of the kernel in programs, whose files clients hand over.

use std::fs::File;
use std::io::{PipeReader, pipe};
use std::os::fd::{AsFd, OwnedFd};

use lttng_protocol::client::{ErrorCode, Event};
use lttng_protocol::kernel::Request;

use super::life::SESSION;
use crate::client::{self, kernel};
use crate::helper::Trouble;
use crate::tracer::inode;
use crate::world::World;

/// A program, and what tells whether anybody has it open.
fn program() -> (PipeReader, OwnedFd) {
    let (reader, writer) = pipe().unwrap();
    (reader, writer.into())
}

fn is_closed(reader: &PipeReader) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut fds = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).unwrap();
    fds[0].revents().unwrap().contains(PollFlags::POLLHUP)
}

fn ask_with(world: &mut World, request: &client::Request, program: OwnedFd) -> ErrorCode {
    let id = world.send(request);
    world.hand_in(world.clients[id.0].conn, vec![program]);
    world.wait_for(id).code
}

fn prepared() -> World {
    let mut world = World::with_kernel();
    world.helper.offsets = vec![0x40, 0x80];
    world.create_kernel_session(SESSION);
    world
}

#[test]
fn a_probe_sits_in_the_program_that_came_with_it() {
    let mut world = prepared();
    let (reader, file) = program();
    let of = inode(file.as_fd());
    let request = kernel::enable_event(SESSION, "c", kernel::uprobe("u"));
    let since = world.tracer.requests.len();
    assert_eq!(ask_with(&mut world, &request, file), ErrorCode::Ok);
    assert_eq!(world.tracer.transcript(since), ["C.EVENT", "E.ADD_CALLSITE", "E.ADD_CALLSITE", "E.ENABLE"]);
    let events = world.tracer.objects.events();
    let event = events.last().unwrap();
    assert_eq!(
        (event.program, event.callsites.as_slice(), event.enabled),
        (Some(of), &[0x40, 0x80][..], true)
    );
    // It goes back with listings.
    let id = world.send(&kernel::list_rules(SESSION, "c"));
    let reply = world.wait_for(id);
    assert_eq!((reply.fd_count, reply.elements(Event::decode).unwrap().len()), (1, 2));
    let listed = std::mem::take(&mut world.clients[id.0].descriptors);
    assert_eq!(listed.iter().map(|file| inode(file.as_fd())).collect::<Vec<_>>(), [of]);
    drop(listed);
    assert!(!is_closed(&reader));
    world.must(&client::destroy(SESSION));
    assert!(is_closed(&reader), "the program is let go with the session");
    world.end_of_everything();
}

/// What was refused leaves nothing behind, not even an open file.
#[test]
fn a_refused_probe_lets_the_program_go() {
    let refusals: [fn(&Request) -> bool; 3] = [
        |request| matches!(request, Request::Event(_)),
        |request| matches!(request, Request::AddCallsite { .. }),
        |request| *request == Request::Enable,
    ];
    for of in refusals {
        let mut world = prepared();
        let before = super::life::seen(&mut world);
        let (reader, file) = program();
        world.tracer.refuse = Some((of, libc::EPERM, 1));
        let request = kernel::enable_event(SESSION, "c", kernel::uprobe("u"));
        assert_eq!(ask_with(&mut world, &request, file), ErrorCode::KernEnableFail);
        assert!(is_closed(&reader), "it is kept open for nothing");
        assert_eq!(super::life::seen(&mut world), before);
        let again = kernel::enable_event(SESSION, "c", kernel::uprobe("v"));
        assert_eq!(ask_with(&mut world, &again, File::open("/dev/null").unwrap().into()), ErrorCode::Ok);
        world.must(&client::destroy(SESSION));
        world.end_of_everything();
    }
}

#[test]
fn a_place_that_is_not_found_was_never_wanted() {
    let mut world = prepared();
    let before = super::life::seen(&mut world);
    let since = world.tracer.requests.len();
    for trouble in [Some(Trouble::Refuse(world.helper.requests.len() + 1, libc::ENOENT)), None] {
        world.helper.trouble = trouble;
        if trouble.is_none() {
            world.helper.offsets.clear();
        }
        let (reader, file) = program();
        let request = kernel::enable_event(SESSION, "new", kernel::uprobe("u"));
        assert_eq!(ask_with(&mut world, &request, file), ErrorCode::ProbeLocationInval);
        assert!(is_closed(&reader));
        assert_eq!(super::life::seen(&mut world), before);
    }
    assert_eq!(world.tracer.transcript(since), [""; 0]);
    world.must(&client::destroy(SESSION));
    world.end_of_everything();
}
