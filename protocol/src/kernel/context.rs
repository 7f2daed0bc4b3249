// SPDX-License-Identifier: GPL-2.0-only
//! The contexts that a channel of the kernel can have.
//!
//! The numbers are those of the tracer; a client's are other ones. Whether this kernel has what a context tells is for
//! the tracer to say.

use serde::{Deserialize, Serialize};

use super::NAME_SIZE;
use crate::client;
use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::numbered::numbered;
use crate::text::Text;

numbered! {
    /// A context without parameters.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    pub enum PlainContext: u32 {
        /// Process id.
        Pid = 0,
        /// Name of the thread.
        Procname = 2,
        /// Priority.
        Prio = 3,
        /// Nice value.
        Nice = 4,
        /// Process id in its namespace.
        Vpid = 5,
        /// Thread id.
        Tid = 6,
        /// Thread id in its namespace.
        Vtid = 7,
        /// Parent's process id.
        Ppid = 8,
        /// Parent's process id in its namespace.
        Vppid = 9,
        /// Name of the host.
        Hostname = 10,
        /// Number of the CPU. For expressions; no client asks for it.
        CpuId = 11,
        /// Whether it can be interrupted. Since ABI 2.1, like the next three.
        Interruptible = 12,
        /// Whether it can be preempted.
        Preemptible = 13,
        /// Whether another process is to run.
        NeedReschedule = 14,
        /// Whether it can move to another CPU.
        Migratable = 15,
        /// Call stack in the kernel. Since ABI 2.4, like the next.
        CallstackKernel = 16,
        /// Call stack in user space.
        CallstackUser = 17,
        /// Cgroup namespace. Since ABI 2.5, like the next ones up to the saved group id.
        CgroupNs = 18,
        /// IPC namespace.
        IpcNs = 19,
        /// Mount namespace.
        MntNs = 20,
        /// Network namespace.
        NetNs = 21,
        /// Process id namespace.
        PidNs = 22,
        /// User namespace.
        UserNs = 23,
        /// UTS namespace.
        UtsNs = 24,
        /// Real user id.
        Uid = 25,
        /// Effective user id.
        Euid = 26,
        /// Saved user id.
        Suid = 27,
        /// Real group id.
        Gid = 28,
        /// Effective group id.
        Egid = 29,
        /// Saved group id.
        Sgid = 30,
        /// Real user id in its namespace.
        Vuid = 31,
        /// Effective user id in its namespace.
        Veuid = 32,
        /// Saved user id in its namespace.
        Vsuid = 33,
        /// Real group id in its namespace.
        Vgid = 34,
        /// Effective group id in its namespace.
        Vegid = 35,
        /// Saved group id in its namespace.
        Vsgid = 36,
        /// Time namespace. Since ABI 2.6.
        TimeNs = 37,
    }
    /// The context with this number; 1 is a perf counter.
    from_number;
    /// All of them.
    ALL;
}

/// Number of a perf counter.
const PERF: u32 = 1;
/// Padding between number and parameters.
const PADDING: usize = 16;

/// A context, 308 bytes: number (u32), 16 bytes of padding, then at 20 for perf: type (u32), config (u64), name (256
/// bytes).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Context {
    /// Without parameters.
    Plain(PlainContext),
    /// 1: a perf counter of each CPU.
    Perf {
        /// `type` of the kernel's `perf_event_attr`.
        kind: u32,
        /// `config` of the kernel's `perf_event_attr`.
        config: u64,
        /// Name of the field. At most 255 bytes.
        name: Text,
    },
}

impl Context {
    /// Size in bytes.
    pub const LEN: usize = 308;

    /// The context that a client asks for; `None` if the kernel has none like it.
    pub fn for_client(context: &client::Context) -> Option<Self> {
        match context {
            client::Context::Perf {
                context_type: client::Context::PERF_COUNTER | client::Context::PERF_CPU_COUNTER,
                perf_type,
                config,
                name,
            } => Some(Context::Perf { kind: *perf_type, config: *config, name: name.clone() }),
            client::Context::Perf { .. } | client::Context::Application { .. } => None,
            client::Context::Plain(number) => {
                let number = match *number {
                    number @ (0 | 2..=9) => number,
                    // A client has the pthread id at 10 and the address of the tracepoint at 12.
                    11 => 10,
                    // From 12 to 15 there are those two kinds of perf counters and the application's contexts.
                    number @ 16..=41 => number.checked_sub(4)?,
                    _ => return None,
                };
                PlainContext::from_number(number).map(Context::Plain)
            }
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        let number = reader.u32()?;
        reader.skip(PADDING)?;
        let context = if number == PERF {
            Context::Perf { kind: reader.u32()?, config: reader.u64()?, name: reader.fixed_text(NAME_SIZE)? }
        } else {
            let plain = PlainContext::from_number(number);
            Context::Plain(plain.ok_or_else(|| reader.error(ErrorKind::BadValue(number.into())))?)
        };
        reader.seek(Self::LEN)?;
        Ok(context)
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        match self {
            Context::Plain(context) => {
                writer.u32(context.number());
            }
            Context::Perf { kind, config, name } => {
                writer.u32(PERF).zeros(PADDING).u32(*kind).u64(*config).fixed_string(name, NAME_SIZE);
            }
        }
        writer.pad_to(Self::LEN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_counts_otherwise() {
        let told = |number| match Context::for_client(&client::Context::Plain(number)) {
            Some(Context::Plain(context)) => Some(context.number()),
            _ => None,
        };
        // Section 7 of the reference, row by row; 10, 12 and 15 are an application's.
        let pairs = [(0, 0), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7), (8, 8), (9, 9), (11, 10)];
        for (client, tracer) in pairs {
            assert_eq!(told(client), Some(tracer), "{client}");
        }
        for (number, context) in [
            (16, PlainContext::Interruptible),
            (19, PlainContext::Migratable),
            (20, PlainContext::CallstackKernel),
            (22, PlainContext::CgroupNs),
            (28, PlainContext::UtsNs),
            (29, PlainContext::Uid),
            (34, PlainContext::Sgid),
            (35, PlainContext::Vuid),
            (40, PlainContext::Vsgid),
            (41, PlainContext::TimeNs),
        ] {
            assert_eq!(told(number), Some(context.number()), "{number}");
        }
        for number in [1, 10, 12, 13, 14, 15, 42, u32::MAX] {
            assert_eq!(told(number), None, "{number}");
        }
    }

    #[test]
    fn perf_counters_are_those_of_a_cpu() {
        let told = |context_type| {
            let name = Text::from("perf_cpu_cycles");
            Context::for_client(&client::Context::Perf { context_type, perf_type: 1, config: 2, name })
        };
        let perf = Some(Context::Perf { kind: 1, config: 2, name: "perf_cpu_cycles".into() });
        assert_eq!([told(1), told(13), told(14)], [perf.clone(), perf, None]);
        let (provider, name) = ("p".into(), "c".into());
        assert_eq!(Context::for_client(&client::Context::Application { provider, name }), None);
    }
}
