// SPDX-License-Identifier: GPL-2.0-only
//! What the reactor drives: the other side of the seam that [`super::output`] is one side of.
//!
//! The reactor knows whoever it works for by this trait only, so that it can be tested without the daemon. Nothing
//! here may say what a peer, a program or a descriptor is for.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Instant;

use log::Level;

use super::errand::{Errand, Listener};
use super::ids::ConnId;
use super::output::{Output, ProcessState, SharedFd};
use crate::sys::socket::Credentials;

/// Who connected to a listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// A process of this host, which the kernel vouches for.
    Process(Credentials),
    /// Whoever is at this address, and whose process that is, if the kernel knows.
    Address(SocketAddr, Option<u32>),
}

/// What a peer may send next on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Bytes for which this holds; for what comes after them it is asked again. 0: whatever comes means nothing, and there
    /// is no hurry to read it.
    pub bytes: usize,
    /// Descriptors in one message. What is more is dropped by the kernel and never held here.
    pub descriptors: usize,
    /// The connection can't be made a second time: its descriptors are taken although there is hardly room for any.
    pub irreplaceable: bool,
}

impl Expected {
    /// Bytes and nothing else, to the end.
    pub const BYTES: Expected = Expected { bytes: usize::MAX, descriptors: 0, irreplaceable: false };
    /// Nothing.
    pub const NOTHING: Expected = Expected { bytes: 0, ..Expected::BYTES };
}

/// What came with bytes.
#[derive(Debug, Default)]
pub struct Attached {
    /// Descriptors, at most as many as were expected.
    pub descriptors: Vec<OwnedFd>,
    /// There were more, for which there was no room. That is this process' fault as well as the peer's.
    pub lost: bool,
}

impl From<Vec<OwnedFd>> for Attached {
    fn from(descriptors: Vec<OwnedFd>) -> Self {
        Attached { descriptors, lost: false }
    }
}

/// Takes inputs, acts on them in [`Machine::settle`], and leaves outputs. It never waits.
pub trait Machine {
    /// Time goes on. Called before the inputs of a turn.
    fn time(&mut self, now: Instant, wall: i64);

    /// A piece of the turn's work is done: whatever the machine was told since the last one, or since time went on, has
    /// taken until now.
    fn worked(&mut self, until: Instant);

    /// Connections can't be taken or kept, which is said on the reactor's behalf.
    fn complain(&mut self, level: Level, text: fmt::Arguments<'_>);

    /// Nobody can be taken from a listening socket although somebody may wait there; or everybody who waited was.
    fn hears(&mut self, listener: Listener, able: bool);

    /// A peer connected to a listening socket.
    fn accepted(&mut self, listener: Listener, conn: ConnId, caller: Caller);

    /// Whether those who connect to a listening socket have only that one connection. Otherwise what one says is not
    /// read before what was said earlier on another.
    fn stands_alone(&self, listener: Listener) -> bool;

    /// What may come on a connection now. Asked before each time that something is read.
    fn expected(&self, conn: ConnId) -> Expected;

    /// Bytes and descriptors from a peer.
    fn received(&mut self, conn: ConnId, bytes: &[u8], attached: Attached);

    /// There are hardly any descriptors left: gives up the connection that can best be missed. False if none can.
    fn make_room(&mut self) -> bool;

    /// So many bytes wait here until a peer takes them. Told when it has changed, and after everything that was queued,
    /// also when it was taken at once.
    fn unsent(&mut self, conn: ConnId, bytes: usize);

    /// Whether something is to come on this connection that what comes on another one may refer to, by
    /// [`Output::ReadFirst`]. Otherwise the order of the two is of no interest.
    fn awaits(&self, conn: ConnId) -> bool;

    /// A peer will send nothing more, but may still take what it is sent. Says whether something is to come for it; if
    /// not, the connection is closed, and told of as such.
    fn ended(&mut self, conn: ConnId) -> bool;

    /// A peer is gone, or can't be talked to. The connection is closed.
    fn closed(&mut self, conn: ConnId);

    /// A program was started as this process, or could not be; or a companion was forked, whose connection is
    /// [adopted](Machine::adopted) next.
    fn spawned(&mut self, errand: Errand, result: io::Result<i32>);

    /// A child process has ended.
    fn child_ended(&mut self, pid: i32);

    /// A connection is being made, or can't be. Whether it comes to be there is told by [`Machine::connected`].
    fn connecting(&mut self, errand: Errand, result: io::Result<ConnId>);

    /// A connection that was being made is there, or could not be made and is closed.
    fn connected(&mut self, conn: ConnId, result: io::Result<()>);

    /// A pipe was made, or could not be: its reading end is looked after, its writing end is for somebody else.
    fn pipe_made(&mut self, errand: Errand, result: io::Result<(ConnId, SharedFd)>);

    /// A descriptor is looked after from now on, or can't be.
    fn adopted(&mut self, errand: Errand, result: io::Result<ConnId>);

    /// There is something to be read from a descriptor that is only polled, or it is at its end. Whoever reads it has
    /// to read all that is there: what was there already is not told again.
    fn ready(&mut self, conn: ConnId);

    /// Connections were handed out in the order in which they were asked for, or one of them was lost and all are
    /// closed.
    fn handed_out(&mut self, errand: Errand, result: io::Result<Vec<OwnedFd>>);

    /// What was found of a process.
    fn inspected(&mut self, conn: ConnId, state: ProcessState);

    /// The daemon is asked to end. A second time, it ends at once.
    fn end(&mut self);

    /// When [`Machine::settle`] must be called again even if nothing happens.
    fn next_deadline(&self) -> Option<Instant>;

    /// Lets everything act that has something to do, until nothing has, or until there is much to be sent: then it
    /// must be called again once the outputs were taken, as always after outputs.
    fn settle(&mut self);

    /// Takes what is to be done.
    fn take_outputs(&mut self) -> Vec<Output>;
}
