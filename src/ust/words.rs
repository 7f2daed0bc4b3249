// SPDX-License-Identifier: GPL-2.0-only
//! What sessions want, in the words of applications.

use lttng_protocol::ust::command::{Context as Wire, LogLevel};

use crate::model::{Context, LogLevels};

/// A context.
pub fn context(context: &Context) -> Wire {
    match context {
        Context::Procname => Wire::Procname,
        Context::Vpid => Wire::Vpid,
        Context::Vtid => Wire::Vtid,
        Context::PthreadId => Wire::PthreadId,
        Context::Ip => Wire::Ip,
        Context::CgroupNs => Wire::CgroupNs,
        Context::IpcNs => Wire::IpcNs,
        Context::MntNs => Wire::MntNs,
        Context::NetNs => Wire::NetNs,
        Context::PidNs => Wire::PidNs,
        Context::TimeNs => Wire::TimeNs,
        Context::UserNs => Wire::UserNs,
        Context::UtsNs => Wire::UtsNs,
        Context::Vuid => Wire::Vuid,
        Context::Veuid => Wire::Veuid,
        Context::Vsuid => Wire::Vsuid,
        Context::Vgid => Wire::Vgid,
        Context::Vegid => Wire::Vegid,
        Context::Vsgid => Wire::Vsgid,
        Context::Perf { kind, config, name } => {
            Wire::Perf { kind: *kind, config: *config, name: name.clone() }
        }
        Context::App { provider, name } => Wire::App { provider: provider.clone(), name: name.clone() },
    }
}

/// Log levels.
pub fn log_level(levels: LogLevels) -> LogLevel {
    match levels {
        LogLevels::All => LogLevel::All,
        LogLevels::AtLeast(level) => LogLevel::Range(level),
        LogLevels::Exactly(level) => LogLevel::Single(level),
    }
}
