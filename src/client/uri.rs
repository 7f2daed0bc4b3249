// SPDX-License-Identifier: GPL-2.0-only
//! Parts of outputs, as every dialect has them on the wire.

use lttng_protocol::client::{Destination, StreamType, Uri};

use crate::model::{Address, Endpoint, Target};
use crate::turn::ids::Stream;

/// A part of an output.
pub fn target(uri: Uri) -> Target {
    let Uri { destination, stream, port, subdir } = uri;
    let address = match destination {
        Destination::Path(path) => return Target::Path(path),
        Destination::Ipv4(address) => Address::Ipv4(address),
        Destination::Ipv6(address) => Address::Ipv6(address),
    };
    let stream = match stream {
        StreamType::Control => Stream::Control,
        StreamType::Data => Stream::Data,
    };
    Target::Connection(stream, Endpoint { address, port, subdir })
}

/// The end of a connection to a relay daemon; a path is none.
pub fn endpoint(uri: Uri) -> Option<Endpoint> {
    match target(uri) {
        Target::Connection(_, endpoint) => Some(endpoint),
        Target::Path(_) => None,
    }
}
