// SPDX-License-Identifier: GPL-2.0-only
//! Listings of sessions and what is in them.

use lttng_protocol::client::ErrorCode;

use super::action::{ChannelName, Nothing};
use super::desk::{Desk, Serving, answer, hold, task};
use crate::model::{Domain, Session};
use crate::operation::answer::{Answer, ListedSession};
use crate::operation::list_applications::ListApplications;
use crate::operation::list_channels::ListChannels;
use crate::turn::ids::SessionId;
use crate::ust::listing::ListingKind;

/// Lists the sessions that the client may see, newest first.
pub fn sessions(desk: &mut Desk<'_>, _: Nothing) -> Serving {
    let uid = desk.credentials.uid;
    let all = desk.state.sessions.iter().rev();
    let ends = |session: &&Session| session.recording.holder.is_some_and(|holder| holder.ends_session);
    let visible =
        all.filter(|session| !session.is_destroyed() && !ends(session) && session.accessible_to(uid));
    let listed = visible.map(|session| ListedSession {
        name: session.wanted.name.clone(),
        output: session.wanted.output.listed(),
        active: session.is_active(),
        snapshot: session.is_snapshot(),
        live_timer: session.live_timer(),
        created: session.wanted.created,
        shm_path: session.wanted.shm_path.clone(),
    });
    answer(Answer::Sessions(listed.collect()))
}

/// Lists the domains in which a session has something.
pub fn domains(desk: &mut Desk<'_>, id: SessionId, _: Nothing) -> Serving {
    let ust = desk.session(id)?.wanted.ust.as_ref();
    answer(Answer::Domains(ust.map(|ust| (Domain::UserSpace, ust.scheme)).into_iter().collect()))
}

/// Lists the channels of a domain. There are none but in user space.
pub fn channels(desk: &mut Desk<'_>, id: SessionId, _: Nothing) -> Serving {
    if desk.domain == Some(Domain::UserSpace) {
        hold(id, ListChannels::new(id))
    } else {
        answer(Answer::Channels(Vec::new()))
    }
}

/// Lists the rules of a channel in order of creation. The channel must be named.
pub fn event_rules(desk: &mut Desk<'_>, id: SessionId, ChannelName(name): ChannelName) -> Serving {
    desk.only_in(Domain::UserSpace, ErrorCode::Und)?;
    let channel = desk.session(id)?.channels().iter().find(|known| known.name == name);
    answer(Answer::EventRules(channel.ok_or(ErrorCode::UstChanNotFound)?.rules.clone()))
}

/// Lists the tracepoints of all applications.
pub fn tracepoints(desk: &mut Desk<'_>, _: Nothing) -> Serving {
    desk.only_in(Domain::UserSpace, ErrorCode::Und)?;
    task(ListApplications::new(ListingKind::Tracepoints))
}

/// Lists the fields of the tracepoints of all applications.
pub fn tracepoint_fields(desk: &mut Desk<'_>, _: Nothing) -> Serving {
    desk.only_in(Domain::UserSpace, ErrorCode::Und)?;
    task(ListApplications::new(ListingKind::Fields))
}
