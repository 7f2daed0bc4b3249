// SPDX-License-Identifier: GPL-2.0-only
//! What channels have lost: events that found no room, or packets that were overwritten.

use std::collections::BTreeMap;

use crate::consumer::verb::{ChannelRef, Content, Verb};
use crate::operation::cx::{Answers, Cx};
use crate::turn::ids::{BuffersKey, ChannelId, SessionId};
use crate::ust::buffers::Buffers;

/// What each channel has lost.
pub type Losses = BTreeMap<ChannelId, u64>;

/// Asks what channels of a session have lost so far, in those of its buffers that are `such`.
pub fn ask(cx: &mut Cx<'_>, id: SessionId, such: impl Fn(&BuffersKey, &Buffers) -> bool) {
    let Ok(session) = cx.session(id) else { return };
    if !session.was_started() {
        return;
    }
    let mut questions = Vec::new();
    for (_, buffers) in cx.state.buffers_of(id).filter(|(key, buffers)| such(key, buffers)) {
        for (channel, key) in buffers.data_keys() {
            let overwrites = session.channel(channel).is_some_and(|channel| channel.attributes.overwrite);
            let verb = if overwrites { Verb::CountOverwritten(id) } else { Verb::CountDiscarded(id) };
            let of = ChannelRef { consumer: buffers.consumer, key, content: Content::Data };
            questions.push((of, verb, usize::try_from(channel.0).unwrap_or(usize::MAX)));
        }
    }
    for (id_of_channel, of) in cx.state.kernel_data(id) {
        let overwrites =
            session.kernel_channel(id_of_channel).is_some_and(|channel| channel.attributes.overwrite);
        let verb = if overwrites { Verb::CountOverwritten(id) } else { Verb::CountDiscarded(id) };
        questions.push((of, verb, usize::try_from(id_of_channel.0).unwrap_or(usize::MAX)));
    }
    for (channel, verb, item) in questions {
        cx.ask(channel, verb, item);
    }
}

/// The answers to [`ask`]: of each channel, the sum over all buffers. Nothing if not all were answered.
pub fn of(answers: &Answers) -> Losses {
    let mut losses = Losses::new();
    let counts = Some(&answers.counts).filter(|_| !answers.late);
    for &(item, count) in counts.into_iter().flatten() {
        let of_channel = losses.entry(ChannelId(item as u64)).or_default();
        *of_channel = of_channel.saturating_add(count);
    }
    losses
}
