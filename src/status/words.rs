// SPDX-License-Identifier: GPL-2.0-only
//! What clients know by numbers, in words: commands and codes under their C names, conditions in a few words.

use std::fmt::Debug;

use lttng_protocol::client::{Command, ErrorCode};
use lttng_protocol::trigger::{Action, Condition, EventRule};

/// The versions of LTTng whose clients are served.
pub fn dialects() -> Vec<String> {
    vec!["2.13".to_owned()]
}

/// The name of something that is called in camel case here and in another way in C, word by word.
fn snake(name: &impl Debug) -> String {
    let mut snake = String::new();
    for letter in format!("{name:?}").chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

/// The command with this number, like `list_sessions`.
pub fn command(number: u32) -> String {
    Command::from_number(number).map_or_else(|| "unknown".to_owned(), |command| snake(&command))
}

/// The code with this number, as in `lttng-error.h`.
pub fn error(number: u32) -> String {
    let code = ErrorCode::from_number(number);
    code.map_or_else(
        || "unknown".to_owned(),
        |code| format!("LTTNG_ERR_{}", snake(&code).to_ascii_uppercase()),
    )
}

/// What an action does.
pub fn action(action: &Action) -> &'static str {
    match action {
        Action::Notify { .. } => "notify",
        Action::StartSession { .. } => "start_session",
        Action::StopSession { .. } => "stop_session",
        Action::RotateSession { .. } => "rotate_session",
        Action::SnapshotSession { .. } => "snapshot_session",
        Action::List(_) => "list",
    }
}

/// What a trigger waits for.
pub fn condition(condition: &Condition) -> String {
    match condition {
        Condition::SessionConsumedSize { session, bytes } => {
            format!("session {session} has written {bytes} bytes")
        }
        Condition::BufferUsageHigh(usage) => {
            format!("buffers of channel {} of session {} get full", usage.channel, usage.session)
        }
        Condition::BufferUsageLow(usage) => {
            format!("buffers of channel {} of session {} get empty", usage.channel, usage.session)
        }
        Condition::RotationOngoing { session } => format!("session {session} begins to rotate"),
        Condition::RotationCompleted { session } => format!("session {session} has rotated"),
        Condition::EventRuleMatches { rule, .. } => match rule {
            EventRule::KernelSyscall { pattern, .. } => format!("system call {pattern}"),
            EventRule::KernelTracepoint { pattern, .. } => format!("kernel event {pattern}"),
            EventRule::UserTracepoint { pattern, .. } => format!("user space event {pattern}"),
            EventRule::Logging { domain, pattern, .. } => format!("{} logger {pattern}", snake(domain)),
            EventRule::KernelKprobe { name, .. } => format!("kprobe {name}"),
            EventRule::KernelUprobe { name, .. } => format!("uprobe {name}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_codes_have_the_names_that_c_has_for_them() {
        assert_eq!(command(Command::ListSessions.number()), "list_sessions");
        assert_eq!(command(u32::MAX), "unknown");
        assert_eq!(error(ErrorCode::SessNotFound.number()), "LTTNG_ERR_SESS_NOT_FOUND");
        assert_eq!(error(ErrorCode::UstConsumer64Fail.number()), "LTTNG_ERR_UST_CONSUMER64_FAIL");
        assert_eq!(error(9), "unknown");
    }
}
