// SPDX-License-Identifier: GPL-2.0-only
//! Adding contexts to kernel channels.

use lttng_protocol::client::ErrorCode;

use super::change;
use super::channel::{Surroundings, find, need};
use crate::client::action::AddContext;
use crate::client::desk::{Desk, Serving};
use crate::model::{KernelChannel, KernelContext, KernelDomain};
use crate::turn::ids::SessionId;

/// Adds a context to a channel, or to all of them if none is named; to the default one if there is none.
pub fn add(desk: &mut Desk<'_>, id: SessionId, wanted: AddContext) -> Serving {
    let around = Surroundings::of(desk, id)?;
    change(desk, id, |kernel| add_to_channels(kernel, &around, wanted).map(|()| None))
}

/// Adds a context.
pub fn add_to_channels(
    kernel: &mut KernelDomain,
    around: &Surroundings,
    wanted: AddContext,
) -> Result<(), ErrorCode> {
    if around.started {
        return Err(ErrorCode::TraceAlreadyStarted);
    }
    if kernel.channels.is_empty() {
        need(kernel, around, "")?;
    }
    let context = wanted.of_kernel.ok_or(ErrorCode::KernContextFail)?;
    if wanted.channel.is_empty() {
        kernel.channels.iter_mut().for_each(|channel| add_to(channel, &context));
    } else {
        add_to(find(kernel, &wanted.channel)?, &context);
    }
    Ok(())
}

/// One that is there already is added once more to nothing, and nobody is told.
fn add_to(channel: &mut KernelChannel, context: &KernelContext) {
    let same_field = |known: &KernelContext| match (known, context) {
        (KernelContext::Perf { name: known, .. }, KernelContext::Perf { name, .. }) => known == name,
        (known, context) => known == context,
    };
    if !channel.contexts.iter().any(same_field) {
        channel.contexts.push(context.clone());
    }
}
