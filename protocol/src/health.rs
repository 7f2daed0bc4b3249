// SPDX-License-Identifier: GPL-2.0-only
//! The health socket: who asks is told which components of the session daemon are in bad health.
//! (`protocol/doc/health-protocol.md`; lttng-tools 2.13: `src/bin/lttng-sessiond/health-sessiond.h`,
//! `include/lttng/health-internal.h`)

/// Bytes of a request. Their value is of no importance.
pub const REQUEST_LEN: usize = 4;

/// A component of the original, each a thread of its own; the number is that of its bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Component {
    /// Clients' commands.
    Command = 0,
    /// What applications are asked.
    AppManage = 1,
    /// Applications connect and say who they are.
    AppRegistration = 2,
    /// What the kernel's tracer tells.
    Kernel = 3,
    /// The consumer daemons.
    Consumer = 4,
    /// Destruction of hash tables.
    HtCleanup = 5,
    /// What applications tell.
    AppManageNotify = 6,
    /// Connections of applications are given to those who manage them.
    AppRegistrationDispatch = 7,
    /// Triggers' conditions, and those who are told of them. The client library has no name for it.
    Notification = 8,
    /// Rotations.
    Rotation = 9,
    /// Timers.
    Timer = 10,
    /// What triggers have done to sessions.
    ActionExecutor = 11,
}

impl Component {
    /// All of them, by their bits.
    pub const ALL: [Component; 12] = [
        Component::Command,
        Component::AppManage,
        Component::AppRegistration,
        Component::Kernel,
        Component::Consumer,
        Component::HtCleanup,
        Component::AppManageNotify,
        Component::AppRegistrationDispatch,
        Component::Notification,
        Component::Rotation,
        Component::Timer,
        Component::ActionExecutor,
    ];

    fn bit(self) -> u64 {
        1 << (self as u8)
    }
}

/// The reply: the components in bad health.
pub fn encode(bad: impl IntoIterator<Item = Component>) -> [u8; 8] {
    bad.into_iter().fold(0, |mask, component| mask | component.bit()).to_ne_bytes()
}

/// The components that a reply says are in bad health; `None` if it names one that there is not.
pub fn decode(reply: [u8; 8]) -> Option<Vec<Component>> {
    let mask = u64::from_ne_bytes(reply);
    let bad: Vec<Component> =
        Component::ALL.into_iter().filter(|component| mask & component.bit() != 0).collect();
    (encode(bad.iter().copied()) == reply).then_some(bad)
}
