// SPDX-License-Identifier: GPL-2.0-only
//! A world in which the kernel can be traced.

use super::*;
use crate::tracer::Trouble as TracerTrouble;

impl World {
    /// A daemon of root, with a kernel tracer that nobody has looked for, and consumer daemons for both.
    pub fn with_kernel() -> Self {
        World::for_kernel(|_| ())
    }

    /// The same with other settings.
    pub fn for_kernel(change: impl FnOnce(&mut Settings)) -> Self {
        let limits = Limits::for_applications(10_000, 10_000);
        let mut settings = World::settings(&[ConsumerKind::Ust64, ConsumerKind::Kernel], limits);
        settings.uid = 0;
        change(&mut settings);
        World::of(settings)
    }

    /// A session that is to record `sched_*` in a channel `c` of the kernel.
    #[track_caller]
    pub fn create_kernel_session(&mut self, name: &str) {
        self.must(&client::create(name));
        self.must(&client::kernel::enable_channel(name, "c"));
        self.must(&client::kernel::enable_event(name, "c", client::rule("sched_*")));
    }

    pub fn kernel_consumer(&mut self) -> &mut Consumer {
        self.consumers.get_mut(&ConsumerKind::Kernel).unwrap()
    }

    pub(super) fn start_tracer(&mut self) {
        self.tracer.starts += 1;
        if self.tracer.trouble == Some(TracerTrouble::NoFork) {
            return self.daemon.adopted(Errand::Tracer, Err(io::Error::from_raw_os_error(libc::ENOMEM)));
        }
        let conn = self.link(Peer::Tracer);
        self.tracer.begin(conn);
        self.daemon.spawned(Errand::Tracer, Ok(self.tracer.pid()));
        self.daemon.adopted(Errand::Tracer, Ok(conn));
    }

    /// The tracer's helper is killed.
    pub fn kill_tracer(&mut self) {
        self.tracer.die();
        self.hang_up(self.tracer.conn);
        self.daemon.child_ended(self.tracer.pid());
    }

    /// The tracer's helper goes on after a hang.
    pub fn resume_tracer(&mut self) {
        let mut effects = Effects::default();
        self.tracer.resume(&mut effects);
        self.apply(effects);
        self.finalise();
    }

    pub(super) fn poll(&mut self, errand: Errand, descriptor: SharedFd) {
        let conn = self.link(Peer::Polled);
        self.polled.insert(conn, (errand, descriptor));
        self.daemon.adopted(errand, Ok(conn));
    }

    /// Whether this is what event notifiers tell of, which stays until the daemon ends.
    pub(super) fn polls_events(&self, conn: ConnId) -> bool {
        matches!(self.polled.get(&conn), Some((Errand::KernelEvents, _)))
    }

    /// How many channels are polled for new CPUs.
    pub fn polled_channels(&self) -> usize {
        self.polled.values().filter(|(errand, _)| matches!(errand, Errand::NewCpus(..))).count()
    }

    /// So many CPUs come up: channels that are polled tell of it.
    pub fn plug_in(&mut self, cpus: u32) {
        self.tracer.objects.cpus += cpus;
        let told = self.polled.iter().filter(|(_, (errand, _))| matches!(errand, Errand::NewCpus(..)));
        for conn in told.map(|(&conn, _)| conn).collect::<Vec<_>>() {
            self.daemon.ready(conn);
        }
    }

    /// The kernel's consumer daemon sees the end of ring buffers.
    pub(super) fn finalise(&mut self) {
        if let Some(consumer) =
            self.consumers.get_mut(&ConsumerKind::Kernel).filter(|it| !it.kernel.is_empty())
        {
            consumer.finalise(&self.tracer.objects.finalised());
        }
    }

    /// With all sessions destroyed, nothing of them is open, and the helper was who closed the last of it.
    pub(super) fn check_tracer(&self) {
        let objects = &self.tracer.objects;
        let left = objects.left();
        assert!(left.is_empty(), "left of the tracer: {left:?}");
        assert!(objects.closed_by_daemon.is_empty(), "closed by the daemon: {:?}", objects.closed_by_daemon);
    }
}
