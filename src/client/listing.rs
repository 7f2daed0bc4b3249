// SPDX-License-Identifier: GPL-2.0-only
//! Listings of sessions and what is in them.

use lttng_protocol::client::ErrorCode;

use super::action::{ChannelName, Nothing};
use super::desk::{Desk, Serving, answer, hold, task};
use super::{kernel, logger};
use crate::model::Domain;
use crate::operation::answer::{Answer, ListedSession};
use crate::operation::list_applications::ListApplications;
use crate::operation::list_channels::ListChannels;
use crate::operation::list_kernel::ListKernel;
use crate::operation::list_loggers::ListLoggers;
use crate::turn::ids::SessionId;
use crate::ust::listing::ListingKind;

/// Lists the sessions that the client may see, newest first.
pub fn sessions(desk: &mut Desk<'_>, _: Nothing) -> Serving {
    let uid = desk.credentials.uid;
    let all = desk.state.sessions.iter().rev();
    let visible = all.filter(|session| !session.is_going() && session.accessible_to(uid));
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
    let wanted = &desk.session(id)?.wanted;
    let kernel = wanted.kernel.as_ref().map(|_| (Domain::Kernel, None));
    let ust = wanted.ust.as_ref().map(|ust| (Domain::UserSpace, Some(ust.scheme)));
    let used = wanted.ust.iter().flat_map(|ust| {
        let used = ust.loggers.iter().filter(|(_, loggers)| !loggers.rules.is_empty());
        used.map(|(domain, _)| (domain.domain(), Some(ust.scheme)))
    });
    answer(Answer::Domains(kernel.into_iter().chain(ust).chain(used).collect()))
}

/// Lists the channels of a domain. There are none but in user space and in the kernel.
pub fn channels(desk: &mut Desk<'_>, id: SessionId, _: Nothing) -> Serving {
    match desk.domain {
        Some(Domain::UserSpace) => hold(id, ListChannels::new(id)),
        Some(Domain::Kernel) => hold(id, ListChannels::of_kernel(id)),
        Some(Domain::Jul | Domain::Log4j | Domain::Python) | None => answer(Answer::Channels(Vec::new())),
    }
}

/// Lists the rules of a channel, in order of creation in user space, where the channel must be named.
pub fn event_rules(desk: &mut Desk<'_>, id: SessionId, ChannelName(name): ChannelName) -> Serving {
    if desk.domain == Some(Domain::Kernel) {
        return kernel::listing::event_rules(desk, id, &name);
    }
    if let Some(domain) = desk.logger_domain() {
        return logger::rules(desk, id, domain);
    }
    desk.only_in(Domain::UserSpace, ErrorCode::Und)?;
    let channel = desk.session(id)?.channels().iter().find(|known| known.name == name);
    let rules = channel.ok_or(ErrorCode::UstChanNotFound)?.rules.iter();
    answer(Answer::EventRules(rules.filter(|rule| !rule.is_of_loggers()).cloned().collect()))
}

/// Lists the system calls of the kernel, whatever the domain: only in the kernel's, its tracer has to be there.
pub fn syscalls(_: &mut Desk<'_>, _: Nothing) -> Serving {
    task(ListKernel::syscalls())
}

/// Lists the tracepoints of all applications, or of the kernel; or the loggers of a domain.
pub fn tracepoints(desk: &mut Desk<'_>, _: Nothing) -> Serving {
    if desk.domain == Some(Domain::Kernel) {
        return task(ListKernel::tracepoints());
    }
    if let Some(domain) = desk.logger_domain() {
        return task(ListLoggers::new(domain));
    }
    desk.only_in(Domain::UserSpace, ErrorCode::Und)?;
    task(ListApplications::new(ListingKind::Tracepoints))
}

/// Lists the fields of the tracepoints of all applications. Those of the kernel's are not known.
pub fn tracepoint_fields(desk: &mut Desk<'_>, _: Nothing) -> Serving {
    desk.only_in(Domain::UserSpace, ErrorCode::Und)?;
    task(ListApplications::new(ListingKind::Fields))
}
