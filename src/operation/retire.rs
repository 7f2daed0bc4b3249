// SPDX-License-Identifier: GPL-2.0-only
//! Retire: the buffers that an application had for itself, after its end.
//!
//! What the application left in them is written, its losses are added to those of the session, and its metadata
//! ends. There is no client: the application is gone, and nobody waits.
//!
//! What the daemon holds of the buffers keeps them alive in the consumer daemon. It must not let go of them while a
//! consumer daemon is asked to write or to clear them: 2.13's goes through the streams of a channel without output
//! while another of its threads frees them, and crashes (observed; the original lets go after the command, too).

use std::collections::BTreeMap;

use lttng_protocol::client::ErrorCode;
use lttng_protocol::consumer::UstRequest;

use super::removal::Removal;
use super::{Context, Progress, list_channels};
use crate::consumer::Tail;
use crate::daemon::shared_memory_folder;
use crate::model::ChannelId;
use crate::ust::buffers::BuffersKey;

/// Giving up one application's buffers.
#[derive(Debug)]
pub struct Retire {
    key: BuffersKey,
    /// The session was stopped before, and what was found then includes these buffers.
    in_findings: bool,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Begin,
    /// Packets are closed, losses counted.
    Flush,
    /// Metadata is pushed.
    Metadata,
    /// Metadata ends.
    Close,
    /// Folders of buffers that were to outlive a crash are removed.
    Removal(Option<Removal>),
}

impl Retire {
    /// Gives up these buffers. `in_findings` says that their losses are part of what is known of the session at rest.
    pub fn new(key: BuffersKey, in_findings: bool) -> Self {
        Retire { key, in_findings, phase: Phase::Begin }
    }

    /// The losses are now those of an application that is gone, and nobody else's.
    fn move_losses(&self, context: &mut Context<'_>, lost: &BTreeMap<ChannelId, u64>) {
        let daemon = &mut *context.daemon;
        let gone = daemon.losses_of_the_gone.entry(self.key.session).or_default();
        let mut at_rest = daemon.at_rest.get_mut(&self.key.session).filter(|_| self.in_findings);
        for (&channel, &count) in lost {
            let of_channel = gone.entry(channel).or_default();
            *of_channel = of_channel.saturating_add(count);
            if let Some(found) = at_rest.as_mut().and_then(|at_rest| at_rest.losses.get_mut(&channel)) {
                *found = found.saturating_sub(count);
            }
        }
        if let Some(buffers) = daemon.buffers.get_mut(&self.key) {
            buffers.counted = true;
        }
    }

    /// The buffers are given up: the consumer daemon frees them.
    fn free(&self, context: &mut Context<'_>) -> Option<Removal> {
        let buffers = context.daemon.buffers.remove(&self.key)?;
        // Its application may be traced again.
        context.daemon.touch_all_applications();
        let session = context.daemon.model.get(self.key.session)?;
        let folder = shared_memory_folder(session, &buffers.cause.path)?;
        let root = session.shm_path.clone()?;
        Some(Removal::new((session.uid, session.gid), root.into(), vec![folder.into()]))
    }

    pub(super) fn step(&mut self, context: &mut Context<'_>) -> Progress {
        loop {
            if let Phase::Removal(removal) = &mut self.phase {
                if removal.as_mut().is_some_and(|removal| !removal.step(context)) {
                    return Progress::Pending;
                }
                return context.reply(ErrorCode::Ok);
            }
            // The session may be destroyed meanwhile, and all its buffers with it.
            let Some(buffers) = context.daemon.buffers.get(&self.key) else {
                return context.reply(ErrorCode::Ok);
            };
            let (kind, metadata_key) = (buffers.consumer, buffers.metadata_key);
            if matches!(self.phase, Phase::Metadata | Phase::Close)
                && context.buffers_in_use(self.key.session)
            {
                context.renew();
                return Progress::Pending;
            }
            self.phase = match &self.phase {
                // Dealt with above, where the buffers need not exist.
                Phase::Removal(_) => return Progress::Pending,
                Phase::Begin => {
                    let keys: Vec<_> =
                        buffers.data_keys().map(|(channel, key)| (kind, channel, key)).collect();
                    for &(kind, _, key) in &keys {
                        context.ask_consumer(kind, UstRequest::FlushChannel { key }, Tail::None, 0);
                    }
                    list_channels::ask_losses(context, self.key.session, keys);
                    Phase::Flush
                }
                Phase::Flush => match context.answered() {
                    None if !context.expired() => return Progress::Pending,
                    jobs => {
                        let lost = jobs.map(list_channels::losses).unwrap_or_default();
                        self.move_losses(context, &lost);
                        if let Some(buffers) = context.daemon.buffers.get_mut(&self.key) {
                            buffers.forget_refusal();
                        }
                        Phase::Metadata
                    }
                },
                Phase::Metadata if !buffers.is_behind() || context.expired() => {
                    if buffers.metadata_ready() {
                        let request = UstRequest::CloseMetadata { key: metadata_key };
                        context.ask_consumer(kind, request, Tail::None, 0);
                    }
                    Phase::Close
                }
                Phase::Metadata => {
                    if buffers.can_push() {
                        // There may be hundreds before it.
                        context.renew();
                    }
                    context.daemon.push_when_quiet(self.key);
                    return Progress::Pending;
                }
                Phase::Close => {
                    if context.answered().is_none() && !context.expired() {
                        return Progress::Pending;
                    }
                    Phase::Removal(self.free(context))
                }
            }
        }
    }
}
