// SPDX-License-Identifier: GPL-2.0-only
//! The table of commands: one row for each.
//!
//! A row says whether the command is about a session, whether it acts in a domain, what it carries, and which function
//! serves it. A command without a row does not compile, nor does a row without a function. Numbers and layouts are not
//! here: each [`Dialect`](super::dialect::Dialect) has its own.

use lttng_protocol::client::{Command, ErrorCode};

use super::action::{
    AddContext, AskErrors, ChannelName, CreateSession, DisableEvent, EnableChannel, EnableEvent, Nothing,
    RegisterTrigger, RotationInfo, SameTrigger, SaveSession, SetOutput, SetPolicy, SetSchedule, SetShmPath,
    SnapshotTarget, TrackerOf, TrackerValue,
};
use super::desk::{Desk, Serving};
use super::{
    channel, context, event_rule, listing, recording, rotation, save, session, snapshot, tracker, trigger,
};
use crate::turn::ids::SessionId;

/// What is to be so before a command is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The request must name a session that exists and that the client may control.
    pub session: bool,
    /// The command acts in the domain that the request names, so that a missing tracer or consumer daemon of that domain
    /// refuses it.
    pub domain: bool,
}

macro_rules! is {
    (session) => {
        true
    };
    (domain) => {
        true
    };
    (_) => {
        false
    };
}

macro_rules! serve {
    (session, $serve:path, $desk:ident, $session:ident, $action:ident) => {
        $serve($desk, $session.ok_or(ErrorCode::SessNotFound)?, $action)
    };
    (_, $serve:path, $desk:ident, $session:ident, $action:ident) => {
        $serve($desk, $action)
    };
}

macro_rules! plain {
    ($command:ident, Nothing) => {
        Some(Action::$command(Nothing))
    };
    ($command:ident, $carries:ident) => {
        None
    };
}

macro_rules! commands {
    ($($command:ident: $session:tt, $domain:tt, $carries:ident => $serve:path;)*) => {
        /// What a client asks for: a command with what it carries.
        #[derive(Debug, Clone, PartialEq)]
        #[expect(missing_docs, reason = "each is documented where it is named: at Command")]
        pub enum Action {
            $($command($carries),)*
        }

        impl Action {
            /// The command.
            pub fn command(&self) -> Command {
                match self {
                    $(Action::$command(_) => Command::$command,)*
                }
            }

            /// What a command asks for that carries nothing; `None` for one that carries something.
            pub fn plain(command: Command) -> Option<Action> {
                match command {
                    $(Command::$command => plain!($command, $carries),)*
                }
            }

            /// Has the action served. `session` is the one that the request names, if its row says that it names one.
            pub fn serve(self, desk: &mut Desk<'_>, session: Option<SessionId>) -> Serving {
                match self {
                    $(Action::$command(action) => serve!($session, $serve, desk, session, action),)*
                }
            }
        }

        /// The row of a command.
        pub fn row(command: Command) -> Row {
            match command {
                $(Command::$command => Row { session: is!($session), domain: is!($domain) },)*
            }
        }
    };
}

commands! {
    // Command                    session  domain   carries           served by
    AddContext:                   session, domain,  AddContext     => context::add;
    ClearSession:                 session, _,       Nothing        => recording::clear;
    CreateSessionExt:             _,       _,       CreateSession  => session::create;
    DataPending:                  session, _,       Nothing        => recording::data_pending;
    DestroySession:               session, _,       Nothing        => recording::destroy;
    DisableChannel:               session, domain,  ChannelName    => channel::disable;
    DisableEvent:                 session, domain,  DisableEvent   => event_rule::disable;
    EnableChannel:                session, domain,  EnableChannel  => channel::enable;
    EnableEvent:                  session, domain,  EnableEvent    => event_rule::enable;
    ListChannels:                 session, domain,  Nothing        => listing::channels;
    ExecuteErrorQuery:            _,       _,       AskErrors      => trigger::errors;
    ListDomains:                  session, _,       Nothing        => listing::domains;
    ListEvents:                   session, domain,  ChannelName    => listing::event_rules;
    ListSessions:                 _,       _,       Nothing        => listing::sessions;
    ListSyscalls:                 _,       domain,  Nothing        => listing::syscalls;
    ListTracepointFields:         _,       domain,  Nothing        => listing::tracepoint_fields;
    ListTracepoints:              _,       domain,  Nothing        => listing::tracepoints;
    ListTriggers:                 _,       _,       Nothing        => trigger::list;
    RegenerateMetadata:           session, _,       Nothing        => recording::regenerate_metadata;
    RegenerateStatedump:          session, _,       Nothing        => recording::regenerate_statedump;
    RegisterTrigger:              _,       _,       RegisterTrigger => trigger::register;
    RotateSession:                session, _,       Nothing        => rotation::rotate;
    RotationGetInfo:              session, _,       RotationInfo   => rotation::info;
    RotationSetSchedule:          session, _,       SetSchedule    => rotation::set_schedule;
    SaveSession:                  _,       _,       SaveSession    => save::sessions;
    SessionListRotationSchedules: session, _,       Nothing        => rotation::list_schedules;
    SetConsumerUri:               session, domain,  SetOutput      => session::set_output;
    SetShmPath:                   session, _,       SetShmPath     => session::set_shm_path;
    SnapshotAddOutput:            session, _,       SnapshotTarget => snapshot::add_output;
    SnapshotDelOutput:            session, _,       SnapshotTarget => snapshot::remove_output;
    SnapshotListOutput:           session, _,       Nothing        => snapshot::list_outputs;
    SnapshotRecord:               session, _,       SnapshotTarget => snapshot::record;
    StartTrace:                   session, _,       Nothing        => recording::start;
    StopTrace:                    session, _,       Nothing        => recording::stop;
    TrackerAddValue:              session, domain,  TrackerValue   => tracker::add;
    TrackerGetInclusionSet:       session, domain,  TrackerOf      => tracker::values;
    TrackerGetPolicy:             session, domain,  TrackerOf      => tracker::policy;
    TrackerRemoveValue:           session, domain,  TrackerValue   => tracker::remove;
    TrackerSetPolicy:             session, domain,  SetPolicy      => tracker::set_policy;
    UnregisterTrigger:            _,       _,       SameTrigger    => trigger::unregister;

    // Commands of older clients, which the original has given up as well.
    DisableConsumer:              session, domain,  Nothing        => given_up;
    EnableConsumer:               session, domain,  Nothing        => given_up;
    RegisterConsumer:             session, domain,  Nothing        => given_up;
}

fn given_up(_: &mut Desk<'_>, _: SessionId, _: Nothing) -> Serving {
    Err(ErrorCode::Und.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_say_what_the_original_checks() {
        let needs = |command| (row(command).session, row(command).domain);
        assert_eq!(needs(Command::ListChannels), (true, true));
        assert_eq!(needs(Command::DestroySession), (true, false));
        assert_eq!(needs(Command::ListTracepoints), (false, true));
        assert_eq!(needs(Command::SaveSession), (false, false));
        assert_eq!(Command::ALL.iter().filter(|&&command| row(command).session).count(), 33);
        assert_eq!(Command::ALL.iter().filter(|&&command| row(command).domain).count(), 19);
    }
}
