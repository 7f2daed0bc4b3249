// SPDX-License-Identifier: GPL-2.0-only
//! Creating sessions: their names, and where their data goes.

use lttng_protocol::client::ErrorCode;

use super::action::{CreateSession, RequestedOutput, SetOutput, SetShmPath};
use super::desk::{DONE, Desk, Serving, Unserved, answer};
use crate::model::{NetworkOutput, Output, Schedules, SessionKind, SnapshotOutput, Target, Wanted};
use crate::operation::answer::{Answer, CreatedOutput};
use crate::sys::clock;
use crate::turn::ids::{Identity, SessionId, Stream};

/// Names tried when the daemon makes one up.
const MAX_NAMES: u32 = 10_000;
/// Longest path, the NUL included.
const PATH_MAX: usize = 4096;

/// Creates a session.
pub fn create(desk: &mut Desk<'_>, asked: CreateSession) -> Serving {
    let CreateSession { home, kind, name, output } = asked;
    if home.as_deref().is_some_and(|home| !home.starts_with('/')) {
        return Err(ErrorCode::Invalid.into());
    }
    let generated_name = name.is_none();
    let date = clock::name_date(desk.state.turn.wall);
    let known = name.as_deref().and_then(|name| desk.state.sessions.find(name));
    if let Some(known) = known {
        // What holds it, or waits for it before this, may be its end. `lttng destroy --no-wait` does not wait for that.
        let held = known.recording.holder.is_some();
        return Err(if held { Unserved::Wait } else { ErrorCode::ExistSess.into() });
    }
    let name = match name {
        Some(name) if name.contains('/') => return Err(ErrorCode::SessionInvalidChar.into()),
        Some(name) => name,
        None => free_name(desk, &date).ok_or(ErrorCode::SessionFail)?,
    };
    let suffix = if generated_name { String::new() } else { format!("-{date}") };
    let (output, answered) = match output {
        RequestedOutput::None => (Output::None, CreatedOutput::None),
        RequestedOutput::Local(path) => {
            let path = match path {
                Some(path) => path,
                None => default_path(home, &format!("{name}{suffix}"))?,
            };
            (Output::None.with(&[Target::Path(path.clone())])?, CreatedOutput::Local(path))
        }
        RequestedOutput::Network(given) => {
            let NetworkOutput { control, data } = given.map_or_else(NetworkOutput::local, |given| *given);
            let targets =
                [Target::Connection(Stream::Control, control), Target::Connection(Stream::Data, data)];
            let output = Output::None.with(&targets)?;
            let answered = output.network().map_or(CreatedOutput::None, CreatedOutput::Network);
            (output, answered)
        }
    };
    let told = Answer::Created { kind, name: name.clone(), output: answered };
    let owner = Identity { uid: desk.credentials.uid, gid: desk.credentials.gid };
    let created = desk.state.turn.wall;
    desk.state.create_session(wanted(name, generated_name, owner, created, kind, output));
    answer(told)
}

/// Says where the session's buffers are to be; the empty path takes that back.
pub fn set_shm_path(desk: &mut Desk<'_>, id: SessionId, SetShmPath(path): SetShmPath) -> Serving {
    let session = desk.session_mut(id)?;
    if session.was_started() {
        return Err(ErrorCode::SessionStarted.into());
    }
    session.wanted.shm_path = (!path.is_empty()).then_some(path);
    DONE
}

/// Says where the session records to. What was recorded before stays where it is.
pub fn set_output(desk: &mut Desk<'_>, id: SessionId, SetOutput(targets): SetOutput) -> Serving {
    let session = desk.session_mut(id)?;
    if session.is_active() {
        return Err(ErrorCode::TraceAlreadyStarted.into());
    }
    session.wanted.output = session.wanted.output.with(&targets)?;
    if !session.was_started() {
        // Another relay daemon is connected to when the next command needs one.
        desk.state.drop_relays_of(id);
    }
    DONE
}

/// `auto-DATE`, then `auto1-DATE` and so on.
fn free_name(desk: &Desk<'_>, date: &str) -> Option<String> {
    let candidates = (0..MAX_NAMES).map(|number| match number {
        0 => format!("auto-{date}"),
        _ => format!("auto{number}-{date}"),
    });
    let mut free = candidates.filter(|name| desk.state.sessions.find(name).is_none());
    free.next()
}

/// What is wanted of a new session.
fn wanted(
    name: String,
    generated_name: bool,
    owner: Identity,
    created: i64,
    kind: SessionKind,
    output: Output,
) -> Wanted {
    // The output of a snapshot session is its first output for snapshots.
    let (output, snapshot) =
        if kind == SessionKind::Snapshot { (Output::None, output) } else { (output, Output::None) };
    let first = |output| SnapshotOutput { id: 1, name: SnapshotOutput::default_name(1), max_size: 0, output };
    let last_snapshot_output = u32::from(snapshot != Output::None);
    let snapshot_outputs = Some(snapshot).filter(|output| *output != Output::None).map(first);
    Wanted {
        name,
        generated_name,
        owner,
        created,
        kind,
        output,
        snapshot_outputs: snapshot_outputs.into_iter().collect(),
        last_snapshot_output,
        shm_path: None,
        schedules: Schedules::default(),
        ust: None,
        kernel: None,
    }
}

/// Where a session records to when its client does not say.
fn default_path(home: Option<String>, name: &str) -> Result<String, ErrorCode> {
    let path = format!("{}/lttng-traces/{name}", home.ok_or(ErrorCode::SetUrl)?);
    if path.len() < PATH_MAX { Ok(path) } else { Err(ErrorCode::SetUrl) }
}
