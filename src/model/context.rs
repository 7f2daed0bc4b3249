// SPDX-License-Identifier: GPL-2.0-only
//! Contexts: fields that every event of a channel carries besides its own.

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// A context that applications know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Context {
    /// Name of the thread.
    Procname,
    /// Process id in its namespace.
    Vpid,
    /// Thread id in its namespace.
    Vtid,
    /// Thread id of the pthread library.
    PthreadId,
    /// Address of the tracepoint.
    Ip,
    /// Control group namespace.
    CgroupNs,
    /// IPC namespace.
    IpcNs,
    /// Mount namespace.
    MntNs,
    /// Network namespace.
    NetNs,
    /// Process id namespace.
    PidNs,
    /// Time namespace.
    TimeNs,
    /// User namespace.
    UserNs,
    /// UTS namespace.
    UtsNs,
    /// Real user id in its namespace.
    Vuid,
    /// Effective user id in its namespace.
    Veuid,
    /// Saved user id in its namespace.
    Vsuid,
    /// Real group id in its namespace.
    Vgid,
    /// Effective group id in its namespace.
    Vegid,
    /// Saved group id in its namespace.
    Vsgid,
    /// A perf counter of the thread.
    Perf {
        /// `type` of the kernel's `perf_event_attr`.
        kind: u32,
        /// `config` of the kernel's `perf_event_attr`.
        config: u64,
        /// Name of the field.
        name: Text,
    },
    /// One that the application itself provides.
    App {
        /// Name of the provider.
        provider: Text,
        /// Name of the context.
        name: Text,
    },
}
