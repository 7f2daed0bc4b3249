// SPDX-License-Identifier: GPL-2.0-only
//! Requests to the helper process, which works on paths under the identity of a session's owner.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use super::Daemon;
use super::names::Host;
use crate::helper::{MAX_MESSAGE, Operation as PathOperation, Request, Response};
use crate::operation::OperationId;
use crate::output::{ConnId, Output};
use crate::ust::buffers::BuffersKey;

/// What a path operation was for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathPurpose {
    /// The address of a host.
    Name(Host),
    Operation(OperationId),
    Buffers(BuffersKey),
    /// The copy of metadata beside buffers that outlive a crash.
    Copy(BuffersKey),
}

/// The connection to the helper process.
#[derive(Debug, Default)]
pub struct HelperLink {
    conn: Option<ConnId>,
    next: u64,
    under_way: BTreeMap<u64, PathPurpose>,
    /// Requests that were never sent, and why.
    stillborn: Vec<(u64, i32)>,
}

impl HelperLink {
    pub(super) fn connect(&mut self, conn: ConnId) {
        self.conn = Some(conn);
    }
}

impl Daemon {
    /// Asks for a path operation as user `uid` and group `gid`. The answer comes later, in any case.
    pub(crate) fn path_operation(
        &mut self,
        owner: (u32, u32),
        operation: PathOperation,
        purpose: PathPurpose,
    ) {
        let id = super::next(&mut self.helper.next);
        self.helper.under_way.insert(id, purpose);
        let (uid, gid) = owner;
        let bytes = Request { id, uid, gid, operation }.encode();
        match self.helper.conn {
            // One message each: the connection keeps them apart.
            Some(to) if bytes.len() <= MAX_MESSAGE => {
                self.outputs.push(Output::Send { to, bytes, descriptors: Vec::new() });
            }
            Some(_) => self.helper.stillborn.push((id, libc::ENAMETOOLONG)),
            None => self.helper.stillborn.push((id, libc::EIO)),
        }
        self.changed = true;
    }

    /// Answers the requests that could not be sent. Not done on the spot, where their senders are not ready yet.
    pub(super) fn answer_stillborn(&mut self) {
        for (id, errno) in std::mem::take(&mut self.helper.stillborn) {
            self.path_operation_done(id, Err(errno), None);
        }
    }

    pub(super) fn helper_received(&mut self, bytes: &[u8], descriptors: Vec<OwnedFd>) {
        match Response::decode(bytes) {
            Ok(Response { id, error, address }) => {
                let result = error.map_or(Ok(address), Err);
                self.path_operation_done(id, result, descriptors.into_iter().next());
            }
            Err(_) => log::error!("Malformed answer from the helper process"),
        }
    }

    pub(super) fn helper_lost(&mut self) {
        log::error!("The helper process is gone: no directory can be made any more");
        self.helper.conn = None;
        let orphans: Vec<u64> = self.helper.under_way.keys().copied().collect();
        for id in orphans {
            self.path_operation_done(id, Err(libc::EIO), None);
        }
    }

    fn path_operation_done(
        &mut self,
        id: u64,
        result: Result<Option<String>, i32>,
        descriptor: Option<OwnedFd>,
    ) {
        self.changed = true;
        let (result, address) = match result {
            Ok(address) => (Ok(()), address),
            Err(errno) => (Err(errno), None),
        };
        match self.helper.under_way.remove(&id) {
            None => {}
            Some(PathPurpose::Name(host)) => self.looked_up(host, address),
            Some(PathPurpose::Operation(operation)) => {
                if let Some(operation) = self.operations.get_mut(&operation) {
                    operation.jobs.path_done(result, descriptor);
                }
            }
            Some(PathPurpose::Copy(key)) => {
                if let Some(buffers) = self.buffers.get_mut(&key) {
                    buffers.copied(result.is_ok());
                }
            }
            Some(PathPurpose::Buffers(key)) => {
                if let Err(errno) = result {
                    let error = std::io::Error::from_raw_os_error(errno);
                    log::error!("Folders for the trace of {:?} can't be made: {error}", key.owner);
                }
                if let Some(buffers) = self.buffers.get_mut(&key) {
                    buffers.directory_made(result.is_ok());
                }
            }
        }
    }
}
