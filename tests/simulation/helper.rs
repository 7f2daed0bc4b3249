// SPDX-License-Identifier: GPL-2.0-only
//! The simulated helper process: makes every folder, unless it is told not to.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use lttng_sessiond::helper::{PathJob, Request, Response};
use lttng_sessiond::turn::ids::ConnId;

use crate::wire::{Effects, Segment};

/// The only host that has an address.
pub const KNOWN_HOST: &str = "relay";

/// What goes wrong with the helper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// This request, counted from 1, fails with this errno.
    Refuse(usize, i32),
    /// So does this one, after a while.
    RefuseLate(usize, i32, Duration),
    /// It dies at this request, and all its successors die at theirs.
    Die(usize),
    /// It dies at this request.
    DieOnce(usize),
    /// It can't be forked.
    NoFork,
    /// It never answers this request.
    Hang(usize),
}

#[derive(Debug)]
pub struct Helper {
    pub conn: ConnId,
    pub trouble: Option<Trouble>,
    /// All that it was asked for.
    pub requests: Vec<Request>,
    /// How often one was started.
    pub starts: i32,
    /// The files that it was asked to save, with what was to be in them.
    pub saved: Vec<(PathBuf, String)>,
    /// Where every probe in a program is.
    pub offsets: Vec<u64>,
    /// How much room there is wherever it is asked for: bytes that can be taken, and all.
    pub space: [u64; 2],
}

impl Helper {
    pub fn new(conn: ConnId) -> Self {
        Helper {
            conn,
            trouble: None,
            requests: Vec::new(),
            starts: 0,
            saved: Vec::new(),
            offsets: Vec::new(),
            space: [u64::MAX; 2],
        }
    }

    /// The process of the one that was started last.
    pub fn pid(&self) -> i32 {
        6000 + self.starts
    }

    pub fn received(&mut self, segment: Segment, effects: &mut Effects) {
        let request = Request::decode(&segment.bytes).expect("one request is one message");
        let Request { id, ref job, .. } = request;
        let seeks = matches!(job, PathJob::FindProbe { .. });
        match job {
            // Without text it is only found out whether there could be a file.
            PathJob::SaveFile { path, .. } => {
                let text = segment.descriptors.first().map(|text| File::from(text.try_clone().unwrap()));
                self.saved.extend(text.map(|text| (path.clone(), read_whole(&text))));
            }
            _ => assert_eq!(segment.descriptors.len(), usize::from(seeks)),
        }
        let (known, address) = match job {
            PathJob::FindProbe { .. } => (true, None),
            PathJob::LookUp { name, ipv6 } => {
                (name == KNOWN_HOST, Some(if *ipv6 { "::1" } else { "127.0.0.1" }.to_owned()))
            }
            _ => (job.path().is_absolute(), None),
        };
        assert!(known || address.is_some(), "{job:?}");
        let (opens, asked) = (job.opens(), job.clone());
        self.requests.push(request);
        let number = self.requests.len();
        let error = match self.trouble {
            Some(Trouble::Refuse(at, errno)) if at == number => Some(errno),
            Some(Trouble::RefuseLate(at, errno, delay)) if at == number => {
                effects.delay = delay;
                Some(errno)
            }
            Some(Trouble::Die(at)) if at <= number => return effects.closes.push(self.conn),
            Some(Trouble::DieOnce(at)) if at == number => return effects.closes.push(self.conn),
            Some(Trouble::Hang(at)) if at == number => return,
            _ if !known => Some(libc::ENOENT),
            _ => None,
        };
        let descriptors = match error {
            None if opens => vec![File::open("/dev/null").unwrap().into()],
            _ => Vec::new(),
        };
        let address = address.filter(|_| error.is_none());
        let offsets = match asked {
            _ if error.is_some() => Vec::new(),
            PathJob::FreeSpace { .. } => self.space.to_vec(),
            PathJob::FindProbe { .. } => self.offsets.clone(),
            _ => Vec::new(),
        };
        let response = Response { id, error, address, offsets };
        effects.sends.push((self.conn, response.encode(), descriptors));
    }
}

/// All text of a file whose position is others' business.
fn read_whole(file: &File) -> String {
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    String::from_utf8(bytes).unwrap()
}
