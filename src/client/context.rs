// SPDX-License-Identifier: GPL-2.0-only
//! Adding contexts to user space channels.
//!
//! Codes and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/context.c`. A client's numbers for contexts are
//! not those of applications.

use lttng_protocol::client::{Context as Wanted, ErrorCode};
use lttng_protocol::ust::command::Context;

use crate::daemon::Daemon;
use crate::model::{Channel, SessionId};

/// Longest name of an application's context in the form `$app.PROVIDER:NAME`; with a longer one, applications drop
/// their connection.
const APP_CONTEXT_LEN: usize = 255;

impl Daemon {
    /// Adds a context to a channel, or to all of them if none is named; to the default one if there is none.
    pub(super) fn add_context(
        &mut self,
        id: SessionId,
        channel: &str,
        wanted: &Wanted,
    ) -> Result<(), ErrorCode> {
        let session = self.model.get(id).ok_or(ErrorCode::SessNotFound)?;
        if session.started {
            return Err(ErrorCode::TraceAlreadyStarted);
        }
        let created = session.channels().is_empty();
        if created {
            self.need_channel(id, None, "")?;
        }
        let result = self.add_to_channels(id, channel, wanted);
        if result.is_err() && created {
            self.drop_last_channel(id);
        }
        result
    }

    fn add_to_channels(&mut self, id: SessionId, channel: &str, wanted: &Wanted) -> Result<(), ErrorCode> {
        if !channel.is_empty() {
            let channel = self.channel_mut(id, channel)?;
            return add(channel, translate(wanted)?);
        }
        let context = translate(wanted)?;
        let ust = self.model.get_mut(id).and_then(|session| session.ust.as_mut());
        let channels = ust.map(|ust| ust.channels.as_mut_slice()).unwrap_or_default();
        // As in the original, the last channel decides what the client is told.
        let mut result = Ok(());
        for channel in channels {
            result = add(channel, context.clone());
        }
        result
    }
}

fn add(channel: &mut Channel, context: Context) -> Result<(), ErrorCode> {
    if channel.contexts.contains(&context) {
        return Err(ErrorCode::UstContextExist);
    }
    channel.contexts.push(context);
    Ok(())
}

fn translate(wanted: &Wanted) -> Result<Context, ErrorCode> {
    Ok(match wanted {
        Wanted::Perf { context_type: Wanted::PERF_THREAD_COUNTER, perf_type, config, name } => {
            Context::Perf { kind: *perf_type, config: *config, name: name.clone() }
        }
        Wanted::Application { provider, name } => {
            let length = "$app.:".len().saturating_add(provider.len()).saturating_add(name.len());
            if length > APP_CONTEXT_LEN {
                return Err(ErrorCode::UstContextInval);
            }
            Context::App { provider: provider.clone(), name: name.clone() }
        }
        Wanted::Plain(number) => plain(*number).ok_or(ErrorCode::UstContextInval)?,
        Wanted::Perf { .. } => return Err(ErrorCode::UstContextInval),
    })
}

/// The contexts of `enum lttng_event_context_type` that user space has.
fn plain(number: u32) -> Option<Context> {
    Some(match number {
        2 => Context::Procname,
        5 => Context::Vpid,
        7 => Context::Vtid,
        10 => Context::PthreadId,
        12 => Context::Ip,
        22 => Context::CgroupNs,
        23 => Context::IpcNs,
        24 => Context::MntNs,
        25 => Context::NetNs,
        26 => Context::PidNs,
        27 => Context::UserNs,
        28 => Context::UtsNs,
        35 => Context::Vuid,
        36 => Context::Veuid,
        37 => Context::Vsuid,
        38 => Context::Vgid,
        39 => Context::Vegid,
        40 => Context::Vsgid,
        41 => Context::TimeNs,
        _ => return None,
    })
}
