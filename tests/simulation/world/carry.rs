// SPDX-License-Identifier: GPL-2.0-only
//! What the reactor would do: the daemon's wishes are carried out, and bytes are carried between it and its peers.

use lttng_sessiond::turn::ids::{AppId, ConsumerId};

use super::*;

impl World {
    pub(super) fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send { to, bytes, descriptors } => {
                assert!(!bytes.is_empty());
                let Some(link) = self.links.get_mut(&to) else { return };
                assert!(!link.closing, "something is sent after the end");
                if let Peer::Client(client) = link.peer {
                    self.replied.push(ClientId(client));
                }
                if let Peer::Subscriber(id) = link.peer {
                    self.flushed.insert(id);
                }
                link.down.push_back(Segment { bytes, descriptors });
                self.busy.insert(to);
            }
            Output::Supply { to, mut supply } => {
                while let Some(bytes) = supply.next_piece() {
                    self.carry_out(Output::Send { to, bytes, descriptors: Vec::new() });
                }
            }
            Output::Close(conn) => {
                self.polled.remove(&conn);
                self.cut(conn);
            }
            Output::CloseWhenSent(conn) => {
                if let Some(link) = self.links.get_mut(&conn) {
                    link.closing = true;
                    self.busy.insert(conn);
                }
            }
            Output::ReadFirst { conn, first } => {
                if let Some(link) = self.links.get_mut(&conn) {
                    link.after = Some(first);
                }
            }
            Output::ReadWhenSent(conn) => {
                if let Some(link) = self.links.get_mut(&conn) {
                    link.held_back = true;
                }
            }
            Output::GiveMemoryBack => {}
            Output::Spawn { errand, program } => self.spawn(errand, &program),
            Output::Fork { errand, .. } => {
                if errand == Errand::Tracer {
                    self.start_tracer();
                } else {
                    assert_eq!(errand, Errand::Helper);
                    self.start_helper();
                }
            }
            Output::Connect { errand, to } => match (errand, to) {
                (Errand::Relay(end), Address::Tcp(address)) => self.connect_relay(end, address),
                (Errand::ConsumerCommand(id), Address::Unix(path)) => {
                    assert_eq!(path, PathBuf::from(COMMAND_SOCKET));
                    self.connect_consumer(errand, id.kind, Talk::Command);
                }
                (Errand::ConsumerMetadata(id), Address::Unix(path)) => {
                    assert_eq!(path, PathBuf::from(COMMAND_SOCKET));
                    self.connect_consumer(errand, id.kind, Talk::Metadata);
                }
                (errand, to) => panic!("nobody listens at {to:?} for {errand:?}"),
            },
            Output::Pipe { errand } => self.make_pipe(errand),
            Output::Poll { errand, descriptor } => self.poll(errand, descriptor),
            Output::HandOut { errand, conns, .. } => {
                let links: Vec<_> =
                    conns.iter().map(|conn| self.links.remove(conn).filter(|link| !link.left)).collect();
                self.busy.retain(|conn| !conns.contains(conn));
                let result = if links.iter().all(Option::is_some) {
                    assert!(links.iter().flatten().all(|link| link.down.is_empty()), "not all was sent");
                    Ok(links.iter().map(|_| File::open("/dev/null").unwrap().into()).collect())
                } else {
                    Err(io::ErrorKind::NotConnected.into())
                };
                self.daemon.handed_out(errand, result);
            }
            Output::Kill(pid) => {
                self.killed.push(pid);
                let mut effects = Effects::default();
                if let Some(consumer) = self.consumers.values_mut().find(|consumer| consumer.pid == pid) {
                    consumer.die(&mut effects);
                    effects.ended = Some(pid);
                }
                self.apply(effects);
            }
            Output::Inspect { conn, pid } => {
                self.inspections.push((self.age(), pid));
                if let Some(agent) = self.agents.iter().find(|agent| agent.conn == conn) {
                    assert_eq!(agent.pid, pid);
                    return self.daemon.inspected(conn, agent.state);
                }
                let app = self
                    .apps
                    .iter()
                    .find(|app| (app.command == conn || app.notify == conn) && app.pid == pid)
                    .unwrap();
                let state = if app.alive { app.state } else { ProcessState::Gone };
                self.daemon.inspected(conn, state);
            }
            Output::StopListening(listener) => self.stopped.push(listener),
            Output::Ready => self.ready = true,
            Output::Failed => self.failed = true,
            Output::Alive => self.signs_of_life.push(self.age()),
            Output::Standing(standing) => self.standings.push((self.age(), standing)),
            Output::Exit => self.exited = true,
        }
    }

    fn spawn(&mut self, errand: Errand, program: &Program) {
        let Errand::ConsumerProcess(ConsumerId { kind, .. }) = errand else {
            panic!("no program for {errand:?}")
        };
        for socket in [COMMAND_SOCKET, ERROR_SOCKET] {
            assert!(program.args.iter().any(|argument| argument == socket), "{program:?}");
        }
        let consumer = self.consumers.get_mut(&kind).unwrap();
        consumer.begin();
        let (pid, trouble) = (consumer.pid, consumer.trouble);
        if trouble == Some(Trouble::NoProgram) {
            return self.daemon.spawned(errand, Err(io::ErrorKind::NotFound.into()));
        }
        consumer.running = true;
        self.daemon.spawned(errand, Ok(pid));
        let mut effects = Effects::default();
        match trouble {
            Some(Trouble::Silent) => {}
            Some(Trouble::Exit) => {
                self.consumers.get_mut(&kind).unwrap().running = false;
                effects.ended = Some(pid);
            }
            _ => {
                let error = self.link(Peer::Consumer(kind, Talk::Error));
                let caller = Caller::Process(Credentials { pid, uid: self.uid, gid: self.uid });
                self.daemon.accepted(Listener::ConsumerError(kind), error, caller);
                self.consumers.get_mut(&kind).unwrap().started(error, &mut effects);
            }
        }
        self.apply(effects);
    }

    /// A consumer daemon takes its first connection for the one and its second for the other.
    fn connect_consumer(&mut self, errand: Errand, kind: ConsumerKind, talk: Talk) {
        let refused = match talk {
            Talk::Command => Trouble::Unreachable,
            _ => Trouble::HalfReachable,
        };
        if self.consumers[&kind].trouble == Some(refused) {
            return self.daemon.connecting(errand, Err(io::ErrorKind::ConnectionRefused.into()));
        }
        let conn = self.link(Peer::Consumer(kind, talk));
        let consumer = self.consumers.get_mut(&kind).unwrap();
        match talk {
            Talk::Command => consumer.command = Some(conn),
            _ => {
                assert!(consumer.command.is_some(), "the second connection comes first");
                consumer.metadata = Some(conn);
            }
        }
        self.daemon.connecting(errand, Ok(conn));
        self.daemon.connected(conn, Ok(()));
    }

    fn make_pipe(&mut self, errand: Errand) {
        let kind = match errand {
            Errand::ConsumerSamples(ConsumerId { kind, .. }) => kind,
            Errand::Notifications(AppId(command)) => return self.make_events_pipe(errand, command),
            errand => panic!("no pipe for {errand:?}"),
        };
        if self.consumers[&kind].trouble == Some(Trouble::NoPipe) {
            return self.daemon.pipe_made(errand, Err(io::Error::from_raw_os_error(libc::EMFILE)));
        }
        let conn = self.link(Peer::Consumer(kind, Talk::Samples));
        self.consumers.get_mut(&kind).unwrap().samples = Some(conn);
        let samples: SharedFd = Rc::new(File::open("/dev/null").unwrap().into());
        self.daemon.pipe_made(errand, Ok((conn, samples)));
    }

    fn make_events_pipe(&mut self, errand: Errand, command: ConnId) {
        if self.no_pipes {
            return self.daemon.pipe_made(errand, Err(io::Error::from_raw_os_error(libc::EMFILE)));
        }
        let index = self.apps.iter().position(|app| app.command == command).unwrap();
        let conn = self.link(Peer::Events(index));
        let writing: SharedFd = Rc::new(File::open("/dev/null").unwrap().into());
        self.apps[index].pipes.push(conn);
        self.daemon.pipe_made(errand, Ok((conn, writing)));
        if !self.apps[index].alive {
            self.hang_up(conn);
        }
    }

    fn connect_relay(&mut self, end: RelayEnd, address: SocketAddr) {
        let errand = Errand::Relay(end);
        let index = self.relay.next();
        let outcome = self.relay.connect(address);
        if outcome == Connecting::Impossible {
            return self.daemon.connecting(errand, Err(io::ErrorKind::NetworkUnreachable.into()));
        }
        let conn = self.link(Peer::Relay(index));
        self.relay.conns.push(conn);
        self.daemon.connecting(errand, Ok(conn));
        match outcome {
            Connecting::Done => self.daemon.connected(conn, Ok(())),
            Connecting::Refused => {
                self.links.get_mut(&conn).unwrap().refused = true;
                self.hang_up(conn);
            }
            Connecting::Never | Connecting::Impossible => {}
        }
    }

    /// The daemon closes a connection: the peer sees it.
    fn cut(&mut self, conn: ConnId) {
        self.busy.remove(&conn);
        let Some(link) = self.links.remove(&conn) else { return };
        if link.left {
            return;
        }
        let mut effects = Effects::default();
        match link.peer {
            Peer::Client(client) => self.clients[client].ended = true,
            Peer::Subscriber(id) => {
                self.subscribers[id.0].ended = true;
                link.down.into_iter().for_each(|segment| self.subscribers[id.0].take(segment));
            }
            Peer::Command(app) if self.apps[app].alive => self.apps[app].die(&mut effects),
            Peer::Agent(agent) => self.agents[agent].alive = false,
            Peer::Events(app) => {
                assert!(!self.apps[app].alive || self.exited, "an application writes where nobody reads");
            }
            Peer::Tracer => self.tracer.die(),
            Peer::Command(_) | Peer::Notify(_) | Peer::Helper | Peer::Relay(_) | Peer::Polled => {}
            Peer::Consumer(kind, talk) => {
                let consumer = self.consumers.get_mut(&kind).unwrap();
                consumer.disconnected(talk, &mut effects);
            }
        }
        self.apply(effects);
    }

    /// Carries what is under way. Returns whether there was anything.
    pub(super) fn carry(&mut self) -> bool {
        let Some(mut chance) = self.chance.take() else { return self.carry_everything() };
        let busy: Vec<ConnId> = self.busy.iter().copied().collect();
        if !busy.is_empty() {
            for _ in 0..=chance.below(4) {
                let conn = busy[chance.below(busy.len())];
                if chance.below(2) == 0 {
                    self.carry_down(conn, Some(&mut chance));
                } else {
                    self.carry_up(conn, Some(&mut chance));
                }
                self.note_end(conn);
            }
        }
        self.chance = Some(chance);
        !busy.is_empty()
    }

    fn carry_everything(&mut self) -> bool {
        let busy: Vec<ConnId> = self.busy.iter().copied().collect();
        for &conn in &busy {
            if let Some(Peer::Command(app)) =
                self.links.get(&conn).filter(|link| !link.down.is_empty()).map(|link| link.peer)
            {
                self.apps[app].bursts += 1;
            }
            while self.carry_down(conn, None) {}
        }
        for &conn in &busy {
            while self.carry_up(conn, None) {}
            self.note_end(conn);
        }
        !busy.is_empty()
    }

    /// Carries one message, or a piece of it, to the peer.
    fn carry_down(&mut self, conn: ConnId, chance: Option<&mut Chance>) -> bool {
        let Some(link) = self.links.get_mut(&conn) else { return false };
        if matches!(link.peer, Peer::Subscriber(id) if !self.subscribers[id.0].reads) {
            return false;
        }
        let Some(mut segment) = link.down.pop_front() else { return false };
        if link.left {
            return true;
        }
        let whole = link.peer.keeps_messages() || matches!(link.peer, Peer::Agent(_));
        if let Some(chance) = chance.filter(|_| !whole)
            && chance.below(2) == 0
        {
            let rest = segment.bytes.split_off(1 + chance.below(segment.bytes.len()));
            if !rest.is_empty() {
                link.down.push_front(Segment { bytes: rest, descriptors: Vec::new() });
            }
        }
        let mut effects = Effects::default();
        match link.peer {
            Peer::Client(client) => self.clients[client].received(segment),
            Peer::Subscriber(id) => self.subscribers[id.0].take(segment),
            Peer::Command(app) => self.apps[app].received(segment, &mut effects),
            Peer::Notify(app) => self.apps[app].notified(segment, &mut effects),
            Peer::Agent(agent) => self.agents[agent].received(segment, &mut effects),
            Peer::Events(_) => panic!("a pipe is written to at the wrong end"),
            Peer::Consumer(kind, talk) => {
                self.consumers.get_mut(&kind).unwrap().received(talk, segment, &mut effects);
            }
            Peer::Helper => self.helper.received(segment, &mut effects),
            Peer::Tracer => self.tracer.received(segment, &mut effects),
            Peer::Polled => panic!("nothing is said to what is polled"),
            Peer::Relay(index) => self.relay.received(index, segment, &mut effects),
        }
        self.apply(effects);
        self.finalise();
        true
    }

    /// Carries one message, or a piece of it, to the daemon; what has to be read before it goes first.
    fn carry_up(&mut self, conn: ConnId, chance: Option<&mut Chance>) -> bool {
        let Some(link) = self.links.get(&conn).filter(|link| !link.up.is_empty()) else { return false };
        if self.is_held_back(link) {
            return false;
        }
        if let Some(first) = link.after
            && self.daemon.awaits(first)
        {
            while self.carry_up(first, None) {}
        }
        let Some(link) = self.links.get_mut(&conn) else { return false };
        let Some((mut bytes, mut descriptors)) = link.up.pop_front() else { return false };
        if let Some(chance) = chance.filter(|_| !link.peer.keeps_messages()) {
            let rest = bytes.split_off(1 + chance.below(bytes.len()));
            if !rest.is_empty() {
                link.up.push_front((rest, Vec::new()));
            }
        }
        // What the reactor does: see `Reactor::read_connection`.
        let expected = self.daemon.expected(conn);
        assert!(expected.bytes > 0, "nothing is ever expected on {conn:?}");
        let rest = bytes.split_off(bytes.len().min(expected.bytes));
        if !rest.is_empty() {
            link.up.push_front((rest, Vec::new()));
        }
        let room = if (self.is_full)(&link.peer, self.deliveries) { 0 } else { expected.descriptors };
        self.deliveries += usize::from(!descriptors.is_empty());
        let lost = descriptors.len() > room && expected.descriptors > 0;
        descriptors.truncate(room);
        self.daemon.received(conn, &bytes, Attached { descriptors, lost });
        true
    }

    /// What the reactor does for a peer that does not take its answers: see `Connection::is_held_back`.
    fn is_held_back(&self, link: &Link) -> bool {
        let waits = matches!(link.peer, Peer::Subscriber(id) if !self.subscribers[id.0].reads);
        let unsent: usize = link.down.iter().map(|segment| segment.bytes.len()).sum();
        link.held_back && waits && !link.left && unsent > 64 << 10
    }

    /// Closes what is to be closed, once everything is said.
    fn note_end(&mut self, conn: ConnId) {
        let Some(link) = self.links.get(&conn) else { return };
        if link.closing && (link.down.is_empty() || link.left) {
            self.cut(conn);
        } else if link.left && link.up.is_empty() {
            let (refused, peer) = (link.refused, link.peer);
            self.links.remove(&conn);
            if peer == Peer::Tracer {
                self.tracer.die();
            }
            self.busy.remove(&conn);
            if refused {
                self.daemon.connected(conn, Err(io::ErrorKind::ConnectionRefused.into()));
            } else {
                self.daemon.closed(conn);
            }
        } else if self.is_held_back(link) {
            self.busy.remove(&conn);
        } else if matches!(link.peer, Peer::Subscriber(id) if !self.subscribers[id.0].reads) {
            if link.up.is_empty() {
                self.busy.remove(&conn);
            }
        } else if link.up.is_empty() && link.down.is_empty() && !link.left && !link.closing {
            self.busy.remove(&conn);
        }
    }

    pub(super) fn apply(&mut self, effects: Effects) {
        for (conn, bytes, descriptors) in effects.sends {
            if let Some((pace, due)) = self.slow.get_mut(&conn) {
                *due = self.now.max(*due) + *pace;
                let number = self.late.keys().map(|(_, number)| number + 1).max().unwrap_or(0);
                self.late.insert((*due, number), (conn, bytes, descriptors));
            } else if effects.delay.is_zero() {
                self.deliver_later(conn, bytes, descriptors);
            } else {
                let number =
                    self.late.len() as u64 + self.late.last_key_value().map_or(0, |((_, last), _)| *last);
                self.late.insert((self.now + effects.delay, number), (conn, bytes, descriptors));
            }
        }
        for conn in effects.closes {
            self.hang_up(conn);
        }
        if let Some(pid) = effects.ended {
            self.daemon.child_ended(pid);
        }
    }

    pub(super) fn deliver_later(&mut self, conn: ConnId, bytes: Vec<u8>, descriptors: Vec<OwnedFd>) {
        if let Some(link) = self.links.get_mut(&conn) {
            link.up.push_back((bytes, descriptors));
            self.busy.insert(conn);
        }
    }
}
