// SPDX-License-Identifier: GPL-2.0-only
//! What daemon and helper say to one another: one postcard record in each message.
//!
//! Both are the same program, so there is no version. Still the daemon must never take more from the
//! helper than a record that decodes completely: the helper's children run as users.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// No message is larger, in either direction.
pub const MAX_MESSAGE: usize = 16 * 1024;

/// Nor does one carry more descriptors.
pub const MAX_DESCRIPTORS: usize = 1;

/// One operation in the name of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the daemon; comes back with the response.
    pub id: u64,
    /// User in whose name it is done.
    pub uid: u32,
    /// That user's primary group. A daemon that is not root keeps its own.
    pub gid: u32,
    /// What to do.
    pub job: PathJob,
}

/// What the helper can do. All paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PathJob {
    /// Makes a folder and the missing ones above it, each with exactly `mode`. A folder that exists is
    /// success and left as it is; a path with `..` in it is refused with EINVAL.
    MakeDirectories {
        #[serde(with = "bytes")]
        path: PathBuf,
        mode: u32,
    },
    /// Opens a folder. The response carries the descriptor.
    OpenDirectory {
        #[serde(with = "bytes")]
        path: PathBuf,
    },
    /// Appends to a file that only its owner can use (0600).
    AppendFile {
        #[serde(with = "bytes")]
        path: PathBuf,
        /// Whether these are its first bytes.
        start: FileStart,
        /// What to append.
        bytes: Vec<u8>,
    },
    /// Removes the file `metadata` of a folder of shared memory, the folder, and those above it up to `root`, as
    /// far as they are empty. ENOTEMPTY as long as the folder itself is not.
    RemoveSharedMemory {
        /// The topmost folder that may be removed.
        #[serde(with = "bytes")]
        root: PathBuf,
        #[serde(with = "bytes")]
        path: PathBuf,
    },
    /// Waits until a metadata file holds this much text; ETIMEDOUT if it takes too long.
    AwaitMetadata {
        #[serde(with = "bytes")]
        path: PathBuf,
        /// Bytes of text.
        length: u64,
        /// Milliseconds to wait at most.
        limit: u64,
    },
    /// Moves a trace chunk; the folder above its new place is made if it is missing.
    MoveChunk {
        /// Where it is.
        #[serde(with = "bytes")]
        path: PathBuf,
        /// Where it is to be.
        #[serde(with = "bytes")]
        to: PathBuf,
        /// The folder itself is the chunk's, not only what the domains have in it.
        whole: bool,
        /// Permission bits of folders that are made.
        mode: u32,
    },
    /// Removes the folders of a trace chunk whose files were removed.
    RemoveChunk {
        /// Where it was.
        #[serde(with = "bytes")]
        path: PathBuf,
        /// The folder itself is the chunk's.
        whole: bool,
    },
    /// Writes a file whose text comes with the request, as memory. It appears whole or not at all, with exactly `mode` if
    /// there was none. Without memory, it is only found out whether it could be. EEXIST if something is there that must
    /// not be replaced, EACCES if its user may not write to it, EISDIR if it is a folder.
    SaveFile {
        #[serde(with = "bytes")]
        path: PathBuf,
        mode: u32,
        /// A file that is there is replaced.
        overwrite: bool,
    },
    /// Finds the address of a host; ENOENT if it is not known. The response carries the address.
    LookUp {
        name: String,
        /// An IPv6 address is wanted, not an IPv4 one.
        ipv6: bool,
    },
    /// Makes a folder like the first and opens it like the second.
    MakeAndOpenDirectory {
        #[serde(with = "bytes")]
        path: PathBuf,
        mode: u32,
    },
    /// Finds out how much room there is on a path's file system, or on that of what is above it as far as it is there. The
    /// response carries two offsets: the bytes that can be taken, and all that there are.
    FreeSpace {
        #[serde(with = "bytes")]
        path: PathBuf,
    },
    /// Finds a place in the program whose file comes with the request. The response carries the offsets of all that there
    /// are of it. EINVAL if it is not a regular file, ENOEXEC if it is not a sound ELF file, ENOENT if there is no such
    /// place or none that can be traced, EBUSY if it is guarded by a semaphore, E2BIG if there are too many.
    FindProbe { place: ProbeLookup },
}

/// A place in a program that can be traced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProbeLookup {
    /// The beginning of a function.
    Function(String),
    /// A statically defined one.
    Tracepoint { provider: String, probe: String },
}

/// How [`PathJob::AppendFile`] begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileStart {
    /// The file is made; it must not exist.
    Create,
    /// The file exists and is emptied.
    Truncate,
    /// The file exists and is continued.
    Continue,
}

impl PathJob {
    /// The path or name it is about.
    pub fn path(&self) -> &Path {
        match self {
            PathJob::MakeDirectories { path, .. }
            | PathJob::OpenDirectory { path }
            | PathJob::AwaitMetadata { path, .. }
            | PathJob::AppendFile { path, .. }
            | PathJob::RemoveSharedMemory { path, .. }
            | PathJob::MoveChunk { path, .. }
            | PathJob::RemoveChunk { path, .. }
            | PathJob::SaveFile { path, .. }
            | PathJob::FreeSpace { path }
            | PathJob::MakeAndOpenDirectory { path, .. } => path,
            PathJob::LookUp { name, .. }
            | PathJob::FindProbe {
                place: ProbeLookup::Function(name) | ProbeLookup::Tracepoint { probe: name, .. },
            } => Path::new(name),
        }
    }

    /// Whether it may be done twice: a helper that died may have done it without saying so.
    pub fn may_be_repeated(&self) -> bool {
        // What was saved the first time would be in the way of the second.
        !matches!(self, PathJob::AppendFile { .. } | PathJob::SaveFile { overwrite: false, .. })
    }

    /// Whether the response carries a descriptor when all went well.
    pub fn opens(&self) -> bool {
        matches!(self, PathJob::OpenDirectory { .. } | PathJob::MakeAndOpenDirectory { .. })
    }
}

/// The end of one operation. A response whose id is not waited for is to be ignored: when a child is
/// killed just after it answered, a second one with EIO follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    pub id: u64,
    /// `None`: done. Else an errno value: EPERM when the identity could not be taken on, EIO when the
    /// helper's child died, EAGAIN when too many operations are under way, else the system call's.
    pub error: Option<i32>,
    /// The address that was looked up.
    pub address: Option<String>,
    /// The places that were found, or how much room there is.
    pub offsets: Vec<u64>,
}

/// A message that is not one complete record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed helper message")
    }
}

impl std::error::Error for Malformed {}

impl Request {
    /// The message. One with a path that no system call would take is answered with ENAMETOOLONG.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// The number of the request in a message of which the end is missing.
    ///
    /// # Errors
    /// There is not even that.
    pub fn decode_id(message: &[u8]) -> Result<u64, Malformed> {
        postcard::take_from_bytes(message).map(|(id, _)| id).map_err(|_| Malformed)
    }

    /// The request in a message.
    ///
    /// # Errors
    /// It is not one.
    pub fn decode(message: &[u8]) -> Result<Request, Malformed> {
        whole(postcard::take_from_bytes(message))
    }
}

impl Response {
    /// The message.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// The response in a message.
    ///
    /// # Errors
    /// It is not one.
    pub fn decode(message: &[u8]) -> Result<Response, Malformed> {
        whole(postcard::take_from_bytes(message))
    }
}

/// Postcard can fail only on types whose size is not known beforehand; there are none here.
fn encode(record: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(record).unwrap_or_default()
}

/// A record with nothing behind it.
fn whole<T>(decoded: postcard::Result<(T, &[u8])>) -> Result<T, Malformed> {
    match decoded {
        Ok((record, [])) => Ok(record),
        _ => Err(Malformed),
    }
}

/// Paths as bytes: they need not be UTF-8.
mod bytes {
    use super::*;

    pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        path.as_os_str().as_bytes().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        Vec::<u8>::deserialize(deserializer).map(|bytes| OsString::from_vec(bytes).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longest path that a system call takes (PATH_MAX, without the closing NUL).
    const MAX_PATH: usize = 4095;

    fn request(path: &[u8]) -> Request {
        let path = OsString::from_vec(path.to_vec()).into();
        Request { id: u64::MAX, uid: 1000, gid: 7, job: PathJob::MakeAndOpenDirectory { path, mode: 0o770 } }
    }

    #[test]
    fn what_is_encoded_decodes_and_nothing_else_does() {
        let request = request(b"/tmp/\xff\xfe/x");
        let message = request.encode();
        assert_eq!(Request::decode(&message), Ok(request));
        for end in 0..message.len() {
            assert_eq!(Request::decode(&message[..end]), Err(Malformed));
        }
        assert_eq!(Request::decode(&[message, vec![0]].concat()), Err(Malformed));
        let response = Response { id: 3, error: Some(libc::EPERM), address: None, offsets: Vec::new() };
        let message = response.encode();
        assert_eq!(Response::decode(&message), Ok(response));
        assert_eq!(Response::decode(&message[1..]), Err(Malformed));
    }

    #[test]
    fn the_longest_request_fits_a_message() {
        assert!(request(&[b'/'; MAX_PATH]).encode().len() <= MAX_MESSAGE);
        let message = request(&[b'/'; MAX_MESSAGE]).encode();
        assert_eq!(Request::decode_id(&message[..MAX_MESSAGE]), Ok(u64::MAX));
        assert_eq!(Request::decode_id(&[]), Err(Malformed));
    }

    #[test]
    fn a_length_that_lies_is_refused() {
        // id 0, uid 0, gid 0, OpenDirectory, a path of 2^35 bytes.
        let message = [0, 0, 0, 1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
        assert_eq!(Request::decode(&message), Err(Malformed));
    }
}
