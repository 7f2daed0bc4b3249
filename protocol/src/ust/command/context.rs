// SPDX-License-Identifier: GPL-2.0-only
//! The contexts that a channel of an application can have.
//!
//! The numbers are those of the application interface; a client's are other ones.

use super::super::NAME_SIZE;
use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::text::Text;

/// A context, 308 bytes: number (i32), 16 bytes of padding, then at 20 for perf: type (u32), config (u64),
/// name (256 bytes); for an application context: size of the provider's and of the context's name (u32
/// each, with NUL). `lttng-ust 2.13: include/lttng/ust-abi.h`
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Context {
    /// 0: thread id in its namespace.
    Vtid,
    /// 1: process id in its namespace.
    Vpid,
    /// 2: thread id of the pthread library.
    PthreadId,
    /// 3: name of the thread.
    Procname,
    /// 4: address of the tracepoint.
    Ip,
    /// 5: a perf counter of the thread.
    Perf {
        /// `type` of the kernel's `perf_event_attr`.
        kind: u32,
        /// `config` of the kernel's `perf_event_attr`.
        config: u64,
        /// Name of the field.
        name: Text,
    },
    /// 6: number of the CPU.
    CpuId,
    /// 7: a context that the application itself provides. The application drops the connection if
    /// `$app.PROVIDER:NAME` has more than 255 bytes.
    App {
        /// Name of the provider.
        provider: Text,
        /// Name of the context.
        name: Text,
    },
    /// 8: cgroup namespace.
    CgroupNs,
    /// 9: IPC namespace.
    IpcNs,
    /// 10: mount namespace.
    MntNs,
    /// 11: network namespace.
    NetNs,
    /// 12: process id namespace.
    PidNs,
    /// 13: user namespace.
    UserNs,
    /// 14: UTS namespace.
    UtsNs,
    /// 15: real user id in its namespace.
    Vuid,
    /// 16: effective user id in its namespace.
    Veuid,
    /// 17: saved user id in its namespace.
    Vsuid,
    /// 18: real group id in its namespace.
    Vgid,
    /// 19: effective group id in its namespace.
    Vegid,
    /// 20: saved group id in its namespace.
    Vsgid,
    /// 21: time namespace.
    TimeNs,
}

impl Context {
    /// The number of the context on the wire.
    pub fn number(&self) -> i32 {
        match self {
            Context::Vtid => 0,
            Context::Vpid => 1,
            Context::PthreadId => 2,
            Context::Procname => 3,
            Context::Ip => 4,
            Context::Perf { .. } => 5,
            Context::CpuId => 6,
            Context::App { .. } => 7,
            Context::CgroupNs => 8,
            Context::IpcNs => 9,
            Context::MntNs => 10,
            Context::NetNs => 11,
            Context::PidNs => 12,
            Context::UserNs => 13,
            Context::UtsNs => 14,
            Context::Vuid => 15,
            Context::Veuid => 16,
            Context::Vsuid => 17,
            Context::Vgid => 18,
            Context::Vegid => 19,
            Context::Vsgid => 20,
            Context::TimeNs => 21,
        }
    }

    /// Reads the arguments, then at offset `names_at` the names of an application context.
    pub(super) fn decode(reader: &mut Reader, names_at: usize) -> Result<Self> {
        let number = reader.i32()?;
        reader.skip(16)?;
        let context = match number {
            0 => Context::Vtid,
            1 => Context::Vpid,
            2 => Context::PthreadId,
            3 => Context::Procname,
            4 => Context::Ip,
            5 => Context::Perf {
                kind: reader.u32()?,
                config: reader.u64()?,
                name: reader.fixed_text(NAME_SIZE)?,
            },
            6 => Context::CpuId,
            7 => {
                let (provider, name) = (name_len(reader)?, name_len(reader)?);
                reader.seek(names_at)?;
                return Ok(Context::App {
                    provider: reader.fixed_text(provider)?,
                    name: reader.fixed_text(name)?,
                });
            }
            8 => Context::CgroupNs,
            9 => Context::IpcNs,
            10 => Context::MntNs,
            11 => Context::NetNs,
            12 => Context::PidNs,
            13 => Context::UserNs,
            14 => Context::UtsNs,
            15 => Context::Vuid,
            16 => Context::Veuid,
            17 => Context::Vsuid,
            18 => Context::Vgid,
            19 => Context::Vegid,
            20 => Context::Vsgid,
            21 => Context::TimeNs,
            other => return Err(reader.error(ErrorKind::BadValue(other.unsigned_abs().into()))),
        };
        reader.seek(names_at)?;
        Ok(context)
    }

    /// Appends the arguments.
    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.i32(self.number()).zeros(16);
        match self {
            Context::Perf { kind, config, name } => {
                writer.u32(*kind).u64(*config).fixed_string(name, NAME_SIZE);
            }
            Context::App { provider, name } => {
                let size = |text: &Text| u32::try_from(text.len().saturating_add(1)).unwrap_or(u32::MAX);
                writer.u32(size(provider)).u32(size(name));
            }
            _ => {}
        }
    }

    /// Appends the names of an application context.
    pub(super) fn encode_names(&self, writer: &mut Writer) {
        if let Context::App { provider, name } = self {
            writer.c_string(provider).c_string(name);
        }
    }

    /// Reads from the arguments how many bytes of names follow the message.
    pub(super) fn names_len(reader: &mut Reader) -> Result<usize> {
        if reader.i32()? != 7 {
            return Ok(0);
        }
        reader.skip(16)?;
        Ok(name_len(reader)?.saturating_add(name_len(reader)?))
    }
}

/// Reads the size of a name of an application context.
fn name_len(reader: &mut Reader) -> Result<usize> {
    let size = reader.u32()?;
    if size as usize > NAME_SIZE {
        Err(reader.error(ErrorKind::TooLong(size.into())))
    } else {
        Ok(size as usize)
    }
}
