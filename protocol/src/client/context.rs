// SPDX-License-Identifier: GPL-2.0-only
//! Contexts: fields that are added to every event of a channel.
//!
//! Which type a domain accepts is not decided here.
//!
//! Source: `lttng-tools 2.13.5: src/common/event.c`, `include/lttng/event.h`.

use super::text::{self, SYMBOL_LEN};
use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::text::Text;

/// A context: u32 type (`enum lttng_event_context_type`), then what the type needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Context {
    /// A hardware or software counter.
    Perf {
        /// 1 by the machine's default (old clients), 13 per CPU, 14 per thread.
        context_type: u32,
        /// Type of the Linux perf interface.
        perf_type: u32,
        /// Configuration of the Linux perf interface.
        config: u64,
        /// Name of the field. At most 255 bytes.
        name: Text,
    },
    /// 15: a context that an application provides. Both names hold at least one byte.
    Application {
        /// Provider.
        provider: Text,
        /// Context.
        name: Text,
    },
    /// Any other type, without parameters; the number may be unknown.
    Plain(u32),
}

impl Context {
    /// `LTTNG_EVENT_CONTEXT_PERF_COUNTER`.
    pub const PERF_COUNTER: u32 = 1;
    /// `LTTNG_EVENT_CONTEXT_PERF_CPU_COUNTER`.
    pub const PERF_CPU_COUNTER: u32 = 13;
    /// `LTTNG_EVENT_CONTEXT_PERF_THREAD_COUNTER`.
    pub const PERF_THREAD_COUNTER: u32 = 14;
    /// `LTTNG_EVENT_CONTEXT_APP_CONTEXT`.
    pub const APP_CONTEXT: u32 = 15;
    /// Longest name of an application's context, NUL included; the whole request is limited to 64 KiB.
    const APP_NAME_LEN: usize = 65536;

    /// Reads one context.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Context> {
        match reader.u32()? {
            context_type @ (Context::PERF_COUNTER
            | Context::PERF_CPU_COUNTER
            | Context::PERF_THREAD_COUNTER) => {
                let perf_type = reader.u32()?;
                let config = reader.u64()?;
                let name_len = reader.u32()?;
                let name = text::text(reader, name_len, SYMBOL_LEN)?;
                Ok(Context::Perf { context_type, perf_type, config, name })
            }
            Context::APP_CONTEXT => {
                let provider_len = reader.u32()?;
                let name_len = reader.u32()?;
                let provider = text::text(reader, provider_len, Context::APP_NAME_LEN)?;
                let name = text::text(reader, name_len, Context::APP_NAME_LEN)?;
                if provider.is_empty() || name.is_empty() {
                    return Err(reader.error(ErrorKind::BadString));
                }
                Ok(Context::Application { provider, name })
            }
            other => Ok(Context::Plain(other)),
        }
    }

    /// Appends the context.
    pub fn encode(&self, writer: &mut Writer) {
        match self {
            Context::Perf { context_type, perf_type, config, name } => {
                writer.u32(*context_type).u32(*perf_type).u64(*config);
                writer.u32(text::wire_len(name)).c_string(name);
            }
            Context::Application { provider, name } => {
                writer.u32(Context::APP_CONTEXT).u32(text::wire_len(provider)).u32(text::wire_len(name));
                writer.c_string(provider).c_string(name);
            }
            Context::Plain(number) => {
                writer.u32(*number);
            }
        }
    }
}
