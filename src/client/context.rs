// SPDX-License-Identifier: GPL-2.0-only
//! Adding contexts to channels. Those of the kernel: `kernel/context.rs`.
//!
//! Codes and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/context.c`.

use lttng_protocol::client::ErrorCode;

use super::action::AddContext;
use super::channel::{find, with_channel};
use super::desk::{Desk, Serving};
use super::kernel;
use crate::model::{Channel, Context, Domain, LoggerDomain, ProgramContext};
use crate::turn::ids::SessionId;

/// Longest name of an application's context in the form `$app.PROVIDER:NAME`; with a longer one, applications drop
/// their connection.
const APP_CONTEXT_LEN: usize = 255;

/// Adds a context to a channel, or to all of them if none is named; to the default one if there is none.
pub fn add(desk: &mut Desk<'_>, id: SessionId, wanted: AddContext) -> Serving {
    if desk.domain == Some(Domain::Kernel) {
        return kernel::context::add(desk, id, wanted);
    }
    if desk.session(id)?.was_started() {
        return Err(ErrorCode::TraceAlreadyStarted.into());
    }
    let loggers = desk.logger_domain();
    match loggers {
        Some(domain) => check_domain(domain, &wanted.channel)?,
        None => desk.only_in(Domain::UserSpace, ErrorCode::Und)?,
    }
    let add = |desk: &mut Desk<'_>| {
        let provided = loggers.zip(provided(&wanted.context));
        add_to_channels(desk, id, wanted)?;
        provided.map_or(Ok(()), |(domain, context)| ask_agents(desk, id, domain, context))
    };
    if desk.session(id)?.channels().is_empty() {
        with_channel(desk, id, None, loggers.map_or("", LoggerDomain::channel), add)?;
    } else {
        add(desk)?;
    }
    desk.changed(id)
}

/// Has agents provide a context.
fn ask_agents(
    desk: &mut Desk<'_>,
    id: SessionId,
    domain: LoggerDomain,
    context: ProgramContext,
) -> Result<(), ErrorCode> {
    if let Some(ust) = &mut desk.session_mut(id)?.wanted.ust {
        let contexts = &mut ust.loggers.entry(domain).or_default().contexts;
        if !contexts.contains(&context) {
            contexts.push(context);
        }
    }
    Ok(())
}

/// Channels in a domain of loggers are the domain's, or all.
fn check_domain(domain: LoggerDomain, channel: &str) -> Result<(), ErrorCode> {
    if !domain.has_contexts() {
        return Err(ErrorCode::Und);
    }
    if !channel.is_empty() && channel != domain.channel() {
        return Err(ErrorCode::UstChanNotFound);
    }
    Ok(())
}

/// The context that agents are asked to provide.
fn provided(context: &Option<Context>) -> Option<ProgramContext> {
    match context {
        Some(Context::App { provider, name }) => {
            Some(ProgramContext { provider: provider.clone(), name: name.clone() })
        }
        _ => None,
    }
}

fn add_to_channels(desk: &mut Desk<'_>, id: SessionId, wanted: AddContext) -> Result<(), ErrorCode> {
    let AddContext { channel, context, .. } = wanted;
    if !channel.is_empty() {
        let channel = find(desk, id, &channel)?;
        return add_to(channel, check(context)?);
    }
    let context = check(context)?;
    let ust = desk.session_mut(id)?.wanted.ust.as_mut();
    // As in the original, the last channel decides what the client is told.
    let mut result = Ok(());
    for channel in ust.map(|ust| ust.channels.as_mut_slice()).unwrap_or_default() {
        result = add_to(channel, context.clone());
    }
    result
}

fn add_to(channel: &mut Channel, context: Context) -> Result<(), ErrorCode> {
    if channel.contexts.contains(&context) {
        return Err(ErrorCode::UstContextExist);
    }
    channel.contexts.push(context);
    Ok(())
}

fn check(context: Option<Context>) -> Result<Context, ErrorCode> {
    let context = context.ok_or(ErrorCode::UstContextInval)?;
    if let Context::App { provider, name } = &context {
        let length = "$app.:".len().saturating_add(provider.len()).saturating_add(name.len());
        if length > APP_CONTEXT_LEN {
            return Err(ErrorCode::UstContextInval);
        }
    }
    Ok(context)
}
