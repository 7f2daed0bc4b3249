// SPDX-License-Identifier: GPL-2.0-only
//! The helper's child: takes on a user's identity for good, does one operation, answers, and exits.
//!
//! It must never do anything in the file system before the identity is taken on, and never return to
//! its parent's code.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::net::ToSocketAddrs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{
    Gid, Pid, Uid, getegid, geteuid, getppid, getresgid, getresuid, setgroups, setresgid, setresuid,
};

use super::request::{FileStart, PathJob, Request, Response};
use super::shared_memory;
use super::{chunk, metadata, probe, save};
use crate::sys::shared_memory::Space;
use crate::sys::socket;
use crate::users;

/// Where users and groups are looked up.
#[derive(Debug, Clone)]
pub struct AccountFiles {
    /// The passwd file.
    pub passwd: PathBuf,
    /// The group file.
    pub group: PathBuf,
}

impl AccountFiles {
    /// The system's.
    pub fn system() -> AccountFiles {
        AccountFiles { passwd: users::PASSWD.into(), group: users::GROUP.into() }
    }
}

/// Does the request, on what came with it, and sends its response. The caller exits next.
///
/// # Errors
/// The response could not be sent.
pub fn run(
    to: BorrowedFd<'_>,
    request: &Request,
    descriptors: Vec<OwnedFd>,
    accounts: &AccountFiles,
    helper: Pid,
) -> io::Result<()> {
    let identity = take_identity(request.uid, request.gid, accounts);
    end_with(helper)?;
    let done = identity.and_then(|()| perform(&request.job, descriptors));
    match done {
        Ok(found) => respond(to, request.id, Ok(&found)),
        Err(error) => respond(to, request.id, Err(error.raw_os_error().unwrap_or(libc::EIO))),
    }
}

/// Has this process end when the helper does: what it works on is asked of the next helper then. Taking on an identity
/// undoes it, so it comes after that.
fn end_with(helper: Pid) -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    if getppid() == helper { Ok(()) } else { Err(io::ErrorKind::NotConnected.into()) }
}

/// Sends one response; waits while the daemon has not read earlier ones.
///
/// # Errors
/// The daemon is gone.
pub fn respond(to: BorrowedFd<'_>, id: u64, result: Result<&Found, i32>) -> io::Result<()> {
    let (mut opened, mut address, mut offsets) = (None, None, Vec::new());
    match result {
        Ok(Found::Folder(folder)) => opened = Some(folder),
        Ok(Found::Address(found)) => address = Some(found.clone()),
        Ok(Found::Places(found)) => offsets.clone_from(found),
        Ok(Found::Nothing) | Err(_) => {}
    }
    let message = Response { id, error: result.err(), address, offsets }.encode();
    let descriptors: Vec<BorrowedFd<'_>> = opened.into_iter().map(AsFd::as_fd).collect();
    loop {
        match socket::send(to, &[IoSlice::new(&message)], &descriptors) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map(|_| ()),
        }
    }
}

/// Becomes the user for good: supplementary groups, group, user, in this order, since the last takes the
/// right to do the others. A helper that is not root can only be itself.
fn take_identity(uid: u32, gid: u32, accounts: &AccountFiles) -> io::Result<()> {
    let refused = || io::Error::from_raw_os_error(libc::EPERM);
    let (own_uid, own_gid) = (geteuid().as_raw(), getegid().as_raw());
    // -1 means "leave as it is" to the system calls.
    if uid == u32::MAX || gid == u32::MAX {
        return Err(refused());
    }
    if own_uid != 0 {
        return if uid == own_uid { Ok(()) } else { Err(refused()) };
    }
    if (uid, gid) == (own_uid, own_gid) {
        return Ok(());
    }
    let passwd = users::read(&accounts.passwd).unwrap_or_default();
    let group = users::read(&accounts.group).unwrap_or_default();
    let groups: Vec<Gid> =
        users::groups_of(&passwd, &group, uid, gid).into_iter().map(Gid::from_raw).collect();
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    setgroups(&groups).map_err(|_| refused())?;
    setresgid(gid, gid, gid).map_err(|_| refused())?;
    setresuid(uid, uid, uid).map_err(|_| refused())?;
    let (users, groups) = (getresuid()?, getresgid()?);
    let taken = users.real == uid
        && users.effective == uid
        && users.saved == uid
        && groups.real == gid
        && groups.effective == gid
        && groups.saved == gid;
    if taken { Ok(()) } else { Err(refused()) }
}

/// What an operation brings besides success.
#[derive(Debug)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// An open folder.
    Folder(OwnedFd),
    /// An address.
    Address(String),
    /// Offsets in a file, or how much room there is.
    Places(Vec<u64>),
}

fn perform(job: &PathJob, descriptors: Vec<OwnedFd>) -> io::Result<Found> {
    match job {
        PathJob::FindProbe { place } => {
            let program = descriptors.into_iter().next().ok_or_else(|| errno(libc::EBADF))?;
            probe::find(program, place).map(Found::Places)
        }
        PathJob::FreeSpace { path } => {
            free_space(path).map(|Space { free, total }| Found::Places(vec![free, total]))
        }
        PathJob::LookUp { name, ipv6 } => look_up(name, *ipv6).map(Found::Address),
        PathJob::MakeDirectories { path, mode } => make_directories(path, *mode).map(|()| Found::Nothing),
        PathJob::OpenDirectory { path } => open_directory(path).map(Found::Folder),
        PathJob::AppendFile { path, start, bytes } => append(path, *start, bytes).map(|()| Found::Nothing),
        PathJob::RemoveSharedMemory { root, path } => {
            shared_memory::remove(root, path).map(|()| Found::Nothing)
        }
        PathJob::AwaitMetadata { path, length, limit } => {
            metadata::wait_for(path, *length, Duration::from_millis(*limit)).map(|()| Found::Nothing)
        }
        PathJob::MoveChunk { path, to, whole, mode } => {
            // A whole folder takes the place of one that must not be there, its parts go into one that must.
            let folder = if *whole { to.parent().unwrap_or(to) } else { to };
            make_directories(folder, *mode)?;
            chunk::shift(path, to, *whole).map(|()| Found::Nothing)
        }
        PathJob::RemoveChunk { path, whole } => chunk::remove_empty(path, *whole).map(|()| Found::Nothing),
        PathJob::SaveFile { path, mode, overwrite } => {
            let text = descriptors.into_iter().next().map(fs::File::from);
            save::save(path, text.as_ref(), *mode, *overwrite).map(|()| Found::Nothing)
        }
        PathJob::MakeAndOpenDirectory { path, mode } => {
            make_directories(path, *mode)?;
            open_directory(path).map(Found::Folder)
        }
    }
}

/// Room on the file system of a path, which need not be there yet.
fn free_space(path: &Path) -> io::Result<Space> {
    let there = path.ancestors().find(|folder| fs::symlink_metadata(folder).is_ok());
    Space::at(there.ok_or_else(|| errno(libc::ENOENT))?)
}

/// Asks the C library's resolver. In a static binary of glibc's it may have to load modules that do not fit; then only
/// this process ends. musl's loads nothing, and knows `/etc/hosts` and DNS only.
fn look_up(name: &str, ipv6: bool) -> io::Result<String> {
    let unknown = || errno(libc::ENOENT);
    let mut addresses = (name, 0).to_socket_addrs().map_err(|_| unknown())?;
    addresses
        .find(|address| address.is_ipv6() == ipv6)
        .map(|address| address.ip().to_string())
        .ok_or_else(unknown)
}

fn errno(value: i32) -> io::Error {
    io::Error::from_raw_os_error(value)
}

/// How often folders are made anew that another operation removes meanwhile, since they are still empty.
const ATTEMPTS: usize = 4;

/// Makes a folder and those above it. The umask is 0 here, so `mode` is exact.
fn make_directories(path: &Path, mode: u32) -> io::Result<()> {
    let mut made = Ok(());
    for _ in 0..ATTEMPTS {
        made = make_each_directory(path, mode);
        if !matches!(&made, Err(error) if error.kind() == io::ErrorKind::NotFound) {
            break;
        }
    }
    made
}

fn make_each_directory(path: &Path, mode: u32) -> io::Result<()> {
    let parent = path.components().any(|component| component == Component::ParentDir);
    if !path.is_absolute() || parent {
        return Err(errno(libc::EINVAL));
    }
    let above: Vec<&Path> = path.ancestors().skip(1).collect();
    for folder in above.into_iter().rev() {
        match make_directory(folder, mode) {
            // A folder that cannot be looked into may still be passed through: what comes below says.
            Err(error) if error.raw_os_error() == Some(libc::EACCES) && exists(folder) => {}
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => return Err(errno(libc::ENOTDIR)),
            other => other?,
        }
    }
    make_directory(path, mode)
}

/// Whether something is there, or it cannot be told because the way is barred.
fn exists(path: &Path) -> bool {
    !matches!(fs::symlink_metadata(path), Err(error) if error.raw_os_error() != Some(libc::EACCES))
}

/// Makes one folder. One that exists is success; anything else of that name is EEXIST.
///
/// Looking comes first: on some file systems mkdir says EACCES or EROFS before EEXIST.
fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    let there = |metadata: fs::Metadata| if metadata.is_dir() { Ok(()) } else { Err(errno(libc::EEXIST)) };
    match fs::metadata(path) {
        Ok(metadata) => return there(metadata),
        Err(error) if error.raw_os_error() != Some(libc::ENOENT) => return Err(error),
        Err(_) => {}
    }
    match DirBuilder::new().mode(mode).create(path) {
        // Another operation was faster, which is as good; or there is a dangling symbolic link.
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
            fs::metadata(path).map_or(Err(error), there)
        }
        other => other,
    }
}

fn append(path: &Path, start: FileStart, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
    match start {
        FileStart::Create => options.write(true).create_new(true),
        FileStart::Truncate => options.write(true).truncate(true),
        FileStart::Continue => options.append(true),
    };
    options.open(path)?.write_all(bytes)
}

fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    if !path.is_absolute() {
        return Err(errno(libc::EINVAL));
    }
    let opened =
        OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_CLOEXEC).open(path)?;
    Ok(opened.into())
}
