// SPDX-License-Identifier: GPL-2.0-only
//! Who has to go when there are too many connections: of those on which nothing was asked yet, the oldest one of the user
//! who holds most. What was asked is never given up here.

use std::cmp::Reverse;

use super::clients::Clients;
use super::health::HealthQueries;
use crate::accounts::{Resource, Whose};
use crate::state::State;
use crate::trigger::subscribers::Subscribers;

/// Who connects and may be asked to go.
#[derive(Debug)]
pub struct Peers<'a> {
    pub clients: &'a mut Clients,
    pub queries: &'a mut HealthQueries,
    pub subscribers: &'a mut Subscribers,
}

/// Sees to it that a user can make one more connection, if anything can be given up for that: what users have begun and
/// left alone must not lock them out, nor anybody else.
pub fn make_room_for(uid: u32, state: &mut State, peers: Peers<'_>) {
    let room = state.accounts.charge(uid, Resource::Connections, 1).map(drop);
    if let Err(exhausted) = room {
        let only = match exhausted.whose {
            Whose::User => Some(uid),
            Whose::Daemon => None,
        };
        give_up_one(only, state, peers);
    }
}

/// Closes a connection on which nothing was asked yet, one of this user's if one is named. False if there is none.
pub fn give_up_one(only: Option<u32>, state: &mut State, peers: Peers<'_>) -> bool {
    let Peers { clients, queries, subscribers } = peers;
    let held = |uid| {
        let usage = state.accounts.usage(uid);
        usage.of(Resource::Connections).saturating_add(usage.of(Resource::Descriptors))
    };
    let incomplete = clients.incomplete().chain(queries.incomplete()).chain(subscribers.incomplete());
    let candidates = incomplete.filter(|(_, uid)| only.is_none_or(|only| *uid == only));
    let victim = candidates.max_by_key(|(conn, uid)| (held(*uid), Reverse(*conn)));
    let Some((conn, uid)) = victim else { return false };
    log::debug!("A connection of user {uid} on which nothing was asked yet makes room for others");
    if queries.has(conn) {
        queries.close(state, conn);
    } else if subscribers.has(conn) {
        subscribers.close(state, conn);
    } else {
        clients.drop_client(state, conn);
    }
    true
}
