// SPDX-License-Identifier: GPL-2.0-only
//! Commands about snapshots: where they go, and recording one. Sessions that record to somewhere all the time refuse
//! them.
//!
//! Codes and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/cmd.c` and `snapshot.c`.

use lttng_protocol::client::{ErrorCode, OutputUrl, UrlError};

use super::action::{Nothing, SnapshotTarget};
use super::desk::{DONE, Desk, Serving, Unserved, answer, hold};
use super::uri::target;
use crate::helper::names::Names;
use crate::model::{Output, Session, SnapshotOutput, Target};
use crate::operation::answer::Answer;
use crate::operation::record_snapshot::RecordSnapshot;
use crate::sys::clock;
use crate::turn::ids::SessionId;

/// Longest name of a snapshot, in bytes.
const MAX_NAME: usize = 254;

/// Adds an output. The answer is its number, which is used up also by an output whose URLs are well-formed and still
/// refused.
pub fn add_output(desk: &mut Desk<'_>, id: SessionId, wanted: SnapshotTarget) -> Serving {
    know_hosts(desk, id, &wanted)?;
    check(desk.session(id)?)?;
    if desk.session(id)?.has_spliced_channel() {
        return Err(ErrorCode::SnapshotUnsupported.into());
    }
    if !desk.session(id)?.wanted.snapshot_outputs.is_empty() {
        return Err(ErrorCode::SnapshotOutputExist.into());
    }
    let place = parse(&wanted, &desk.state.names)?;
    let session = desk.session_mut(id)?;
    let number = session.wanted.last_snapshot_output.saturating_add(1);
    session.wanted.last_snapshot_output = number;
    session.wanted.snapshot_outputs.push(new_output(number, &wanted, place)?);
    answer(Answer::SnapshotOutput(number))
}

/// Removes an output, by its number if one is given. A name may be the beginning of the output's name, as for the
/// stock daemon.
pub fn remove_output(desk: &mut Desk<'_>, id: SessionId, which: SnapshotTarget) -> Serving {
    check(desk.session(id)?)?;
    let outputs = &mut desk.session_mut(id)?.wanted.snapshot_outputs;
    let at = match (which.id, which.name.as_str()) {
        (0, "") => None,
        (0, name) => outputs.iter().position(|output| output.name.starts_with(name)),
        (number, _) => outputs.iter().position(|output| output.id == number),
    };
    outputs.remove(at.ok_or(ErrorCode::Invalid)?);
    DONE
}

/// Lists the outputs.
pub fn list_outputs(desk: &mut Desk<'_>, id: SessionId, _: Nothing) -> Serving {
    let session = desk.session(id)?;
    check(session)?;
    answer(Answer::SnapshotOutputs(session.wanted.snapshot_outputs.clone()))
}

/// Records a snapshot.
pub fn record(desk: &mut Desk<'_>, id: SessionId, wanted: SnapshotTarget) -> Serving {
    know_hosts(desk, id, &wanted)?;
    let session = desk.session(id)?;
    check(session)?;
    let output = output_for(session, &wanted, &desk.state.names)?;
    let date = clock::name_date(desk.state.turn.wall);
    let name = format!("{}-{date}-{}", output.name, session.recording.snapshots());
    if name.len() > MAX_NAME {
        return Err(ErrorCode::Invalid.into());
    }
    hold(id, RecordSnapshot::new(id, name, output.max_size, output.output))
}

fn check(session: &Session) -> Result<(), ErrorCode> {
    if session.has_output() { Err(ErrorCode::NotSnapshotSession) } else { Ok(()) }
}

/// The hosts in URLs must be known by their addresses; has them looked up.
fn know_hosts(desk: &mut Desk<'_>, id: SessionId, wanted: &SnapshotTarget) -> Result<(), Unserved> {
    let owner = desk.session(id)?.wanted.owner;
    match urls(wanted) {
        Ok(OutputUrl::Network { control, data }) => {
            // Both are begun at once.
            let both = [&control, &data].map(|endpoint| desk.state.knows_address(owner, endpoint));
            if both == [true, true] { Ok(()) } else { Err(Unserved::Wait) }
        }
        _ => Ok(()),
    }
}

/// Where the URLs of a request lead.
enum Place {
    Folder(String),
    RelayDaemon([Target; 2]),
    /// There is one connection of two: well-formed, and refused.
    Nowhere,
}

/// The URLs of a request. The only one may be in either place.
fn urls(wanted: &SnapshotTarget) -> Result<OutputUrl, UrlError> {
    let (control, data) = match (wanted.control_url.as_str(), wanted.data_url.as_str()) {
        ("", data) => (data, ""),
        both => both,
    };
    OutputUrl::parse(control, data)
}

/// What the URLs of a request mean, the names of hosts looked up.
fn parse(wanted: &SnapshotTarget, names: &Names) -> Result<Place, ErrorCode> {
    let url = match urls(wanted) {
        Ok(url) if !wanted.control_url.is_empty() => url,
        Err(UrlError::Incomplete) => return Ok(Place::Nowhere),
        other => {
            log::debug!("Not an output: {other:?}");
            return Err(ErrorCode::Invalid);
        }
    };
    let network = match &url {
        OutputUrl::Path(path) => return Ok(Place::Folder(path.clone())),
        OutputUrl::Network { control, data } => {
            let addresses = names.address(control).zip(names.address(data));
            addresses.and_then(|(control, data)| url.network_at(&control, &data))
        }
    };
    let network = network.ok_or(ErrorCode::Invalid)?;
    Ok(Place::RelayDaemon([target(network.control), target(network.data)]))
}

fn new_output(id: u32, wanted: &SnapshotTarget, place: Place) -> Result<SnapshotOutput, ErrorCode> {
    let name = if wanted.name.is_empty() { SnapshotOutput::default_name(id) } else { wanted.name.clone() };
    let output = match place {
        Place::Folder(path) => Output::Local(path),
        Place::RelayDaemon(targets) => Output::None.with(&targets)?,
        Place::Nowhere => return Err(ErrorCode::Invalid),
    };
    Ok(SnapshotOutput { id, name, max_size: wanted.max_size.unwrap_or(0), output })
}

/// Where a snapshot is to go: to the output that the request describes, or else to the session's own, of which the
/// request may replace name and size.
fn output_for(
    session: &Session,
    wanted: &SnapshotTarget,
    names: &Names,
) -> Result<SnapshotOutput, ErrorCode> {
    if !session.was_started() {
        return Err(ErrorCode::StartSessionOnce);
    }
    if !wanted.control_url.is_empty() {
        return new_output(0, wanted, parse(wanted, names)?);
    }
    let mut output = session.wanted.snapshot_outputs.first().cloned().ok_or(ErrorCode::SnapshotFail)?;
    output.max_size = wanted.max_size.unwrap_or(output.max_size);
    if !wanted.name.is_empty() {
        output.name.clone_from(&wanted.name);
    }
    Ok(output)
}
