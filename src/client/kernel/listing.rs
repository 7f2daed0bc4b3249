// SPDX-License-Identifier: GPL-2.0-only
//! Listing the rules of kernel channels.

use log::Level;
use lttng_protocol::client::{ErrorCode, MAX_FDS};

use crate::client::desk::{Desk, Serving, answer};
use crate::model::KernelRuleKind;
use crate::model::wanted::channel_name;
use crate::operation::answer::Answer;
use crate::turn::ids::SessionId;
use crate::turn::messages::Topic;

/// Lists the rules of a channel, newest first. Programs in which probes sit go with them as descriptors, more of which than
/// one message takes can't be told.
pub fn event_rules(desk: &mut Desk<'_>, id: SessionId, name: &str) -> Serving {
    let kernel = desk.session(id)?.wanted.kernel.as_ref();
    let channel = kernel.and_then(|kernel| kernel.find(name)).ok_or(ErrorCode::KernChanNotFound)?;
    let rules = channel.rules.iter().rev().map(|rule| {
        let in_program = matches!(rule.kind, KernelRuleKind::UserspaceProbe { .. });
        let binary = in_program.then(|| desk.state.probed_program(id, channel.id, rule.id)).flatten();
        (rule.clone(), binary)
    });
    let rules: Vec<_> = rules.collect();
    if rules.iter().filter(|(_, binary)| binary.is_some()).count() > MAX_FDS as usize {
        let text =
            format_args!("Channel {} has more probes in programs than can be listed", channel_name(name));
        desk.state.turn.say(Level::Warn, Topic::Request, Some(desk.credentials.uid), text);
        return Err(ErrorCode::Nomem.into());
    }
    answer(Answer::KernelRules(rules))
}
