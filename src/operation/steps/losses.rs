// SPDX-License-Identifier: GPL-2.0-only
//! What channels have lost: events that found no room, or packets that were overwritten.

use std::collections::BTreeMap;

use crate::consumer::verb::{ChannelRef, Content, Verb};
use crate::model::Place;
use crate::operation::cx::{Answers, Cx};
use crate::turn::ids::{ChannelId, SessionId};
use crate::ust::buffers::Buffers;

/// What each channel has lost.
pub type Losses = BTreeMap<ChannelId, u64>;

/// What was asked about, in the order in which it was asked.
#[derive(Debug, Default)]
pub struct Asked(Vec<Place>);

/// Asks what channels of a session have lost so far, in those places that are `such`. The kernel's have no buffers here.
pub fn ask(cx: &mut Cx<'_>, id: SessionId, such: impl Fn(Place, Option<&Buffers>) -> bool) -> Asked {
    let Ok(session) = cx.session(id) else { return Asked::default() };
    if !session.was_started() {
        return Asked::default();
    }
    let mut questions = Vec::new();
    for (&key, buffers) in cx.state.buffers_of(id) {
        for (channel, number) in buffers.data_keys() {
            let place = Place { buffers: Some(key), channel };
            let of = ChannelRef { consumer: buffers.consumer, key: number, content: Content::Data };
            if such(place, Some(buffers)) {
                questions.push((place, of));
            }
        }
    }
    for (channel, of) in cx.state.kernel_data(id) {
        let place = Place { buffers: None, channel };
        if such(place, None) {
            questions.push((place, of));
        }
    }
    let overwrites = |place: &Place| session.attributes(place.channel).is_some_and(|kind| kind.overwrite);
    let verbs = questions.iter().map(|(place, _)| match overwrites(place) {
        true => Verb::CountOverwritten(id),
        false => Verb::CountDiscarded(id),
    });
    let verbs: Vec<Verb> = verbs.collect();
    for (item, ((_, of), verb)) in questions.iter().zip(verbs).enumerate() {
        cx.ask(*of, verb, item);
    }
    Asked(questions.into_iter().map(|(place, _)| place).collect())
}

/// The answers to [`ask`]: of each channel, the sum over all buffers. Nothing if not all were answered. What was counted is
/// kept with the session, whoever asked.
pub fn take(cx: &mut Cx<'_>, id: SessionId, Asked(places): &Asked, answers: &Answers) -> Losses {
    let mut losses = Losses::new();
    for &(item, count) in &answers.counts {
        let Some(&place) = places.get(item) else { continue };
        cx.state.losses_counted(id, place, count);
        if !answers.late {
            let of_channel = losses.entry(place.channel).or_default();
            *of_channel = of_channel.saturating_add(count);
        }
    }
    losses
}
