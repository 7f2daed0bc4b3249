// SPDX-License-Identifier: GPL-2.0-only
//! Commands about snapshots: where they go, and recording one.
//!
//! Codes and their order: lttng-tools 2.13, `src/bin/lttng-sessiond/cmd.c` and `snapshot.c`.

use lttng_protocol::client::{self, Body, ErrorCode, Header, NetworkOutput, OutputUrl, Reply, Uri, UrlError};

use super::dispatch::Done;
use crate::daemon::{Daemon, Names};
use crate::model::{Output, Session, SessionId, SnapshotOutput};
use crate::operation::{RecordSnapshot, Work};
use crate::sys::clock;

/// Longest name of a snapshot, in bytes.
const MAX_NAME: usize = 254;

impl Daemon {
    /// Whether the hosts in a command's URLs are known by their addresses; has them looked up.
    pub(super) fn knows_hosts(&mut self, id: SessionId, body: &Body) -> bool {
        let (Body::SnapshotAddOutput(wanted) | Body::SnapshotRecord(wanted)) = body else { return true };
        let Some(session) = self.model.get(id) else { return true };
        let owner = (session.uid, session.gid);
        match urls(wanted) {
            Ok(OutputUrl::Network { control, data }) => {
                // Both are begun at once.
                let both = [&control, &data].map(|endpoint| self.knows_address(owner, endpoint));
                both == [true, true]
            }
            _ => true,
        }
    }

    /// Serves a command about snapshots. Refused by sessions that record to somewhere all the time.
    pub(super) fn serve_snapshot(
        &mut self,
        id: SessionId,
        header: &Header,
        body: Body,
    ) -> Result<Done, ErrorCode> {
        let session = self.model.get_mut(id).ok_or(ErrorCode::SessNotFound)?;
        if session.has_output() {
            return Err(ErrorCode::NotSnapshotSession);
        }
        match body {
            Body::SnapshotAddOutput(wanted) => {
                let number = add_output(session, &wanted, &self.names)?;
                Ok(Done::Reply(Reply::ok(header).with_snapshot_output(number)))
            }
            Body::SnapshotDelOutput(which) => remove_output(session, &which).map(|()| Done::Nothing),
            Body::SnapshotListOutput => {
                let listed: Vec<_> = session.snapshot_outputs.iter().map(list).collect();
                Ok(Done::Payload(client::SnapshotOutput::encode_list(&listed)))
            }
            Body::SnapshotRecord(wanted) => {
                let target = target(session, &wanted, &self.names)?;
                let date = clock::name_date(self.wall);
                let name = format!("{}-{date}-{}", target.name, session.snapshots);
                if name.len() > MAX_NAME {
                    return Err(ErrorCode::Invalid);
                }
                let work = RecordSnapshot::new(id, name, target.max_size, target.output);
                Ok(Done::Work(Work::RecordSnapshot(Box::new(work)), Some(id)))
            }
            _ => Err(ErrorCode::Und),
        }
    }
}

/// Adds an output. The answer is its number, which is used up also by an output whose URLs are well-formed and still
/// refused.
fn add_output(
    session: &mut Session,
    wanted: &client::SnapshotOutput,
    names: &Names,
) -> Result<u32, ErrorCode> {
    if !session.snapshot_outputs.is_empty() {
        return Err(ErrorCode::SnapshotOutputExist);
    }
    let place = parse(wanted, names)?;
    let id = session.last_snapshot_output.saturating_add(1);
    session.last_snapshot_output = id;
    session.snapshot_outputs.push(new_output(id, wanted, place)?);
    Ok(id)
}

/// Where the URLs of a request lead.
enum Place {
    Folder(String),
    RelayDaemon(NetworkOutput),
    /// There is one connection of two: well-formed, and refused.
    Nowhere,
}

/// The URLs of a request. The only one may be in either place.
fn urls(wanted: &client::SnapshotOutput) -> Result<OutputUrl, UrlError> {
    let (control, data) = match (wanted.control_url.as_str(), wanted.data_url.as_str()) {
        ("", data) => (data, ""),
        both => both,
    };
    OutputUrl::parse(control, data)
}

/// What the URLs of a request mean, the names of hosts looked up.
fn parse(wanted: &client::SnapshotOutput, names: &Names) -> Result<Place, ErrorCode> {
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
    network.map(Place::RelayDaemon).ok_or(ErrorCode::Invalid)
}

fn new_output(id: u32, wanted: &client::SnapshotOutput, place: Place) -> Result<SnapshotOutput, ErrorCode> {
    let name = if wanted.name.is_empty() { SnapshotOutput::default_name(id) } else { wanted.name.clone() };
    let output = match place {
        Place::Folder(path) => Output::Local(path),
        Place::RelayDaemon(network) => Output::None.with(&[network.control, network.data])?,
        Place::Nowhere => return Err(ErrorCode::Invalid),
    };
    Ok(SnapshotOutput { id, name, max_size: wanted.max_size.unwrap_or(0), output })
}

/// Removes an output, by its number if one is given. A name may be the beginning of the output's name, as for the
/// stock daemon.
fn remove_output(session: &mut Session, which: &client::SnapshotOutput) -> Result<(), ErrorCode> {
    let outputs = &mut session.snapshot_outputs;
    let at = match (which.id, which.name.as_str()) {
        (0, "") => None,
        (0, name) => outputs.iter().position(|output| output.name.starts_with(name)),
        (id, _) => outputs.iter().position(|output| output.id == id),
    };
    outputs.remove(at.ok_or(ErrorCode::Invalid)?);
    Ok(())
}

/// Where a snapshot is to go: to the output that the request describes, or else to the session's own, of which the
/// request may replace name and size.
fn target(
    session: &Session,
    wanted: &client::SnapshotOutput,
    names: &Names,
) -> Result<SnapshotOutput, ErrorCode> {
    if !session.started {
        return Err(ErrorCode::StartSessionOnce);
    }
    if !wanted.control_url.is_empty() {
        return new_output(0, wanted, parse(wanted, names)?);
    }
    let mut target = session.snapshot_outputs.first().cloned().ok_or(ErrorCode::SnapshotFail)?;
    target.max_size = wanted.max_size.unwrap_or(target.max_size);
    if !wanted.name.is_empty() {
        target.name.clone_from(&wanted.name);
    }
    Ok(target)
}

fn list(output: &SnapshotOutput) -> client::SnapshotOutput {
    let url = |uri: &Option<Uri>| uri.as_ref().map(Uri::to_url).unwrap_or_default();
    let (control_url, data_url) = match &output.output {
        Output::None => (String::new(), String::new()),
        Output::Local(path) => (path.clone(), String::new()),
        Output::Network { control, data } => (url(control), url(data)),
    };
    client::SnapshotOutput {
        id: output.id,
        max_size: Some(output.max_size),
        name: output.name.clone(),
        control_url,
        data_url,
    }
}
