// SPDX-License-Identifier: GPL-2.0-only
//! Where a session, or a snapshot, is recorded to.
//!
//! Addresses are text and are not looked up here.
//!
//! Source: `lttng-tools 2.13: src/bin/lttng-sessiond/cmd.c`, `src/bin/lttng-sessiond/consumer.c`.

use serde::{Deserialize, Serialize};

use crate::turn::ids::Stream;

/// The address of a host, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    /// Dotted.
    Ipv4(String),
    /// Without brackets.
    Ipv6(String),
}

impl Address {
    /// The text.
    pub fn as_str(&self) -> &str {
        match self {
            Address::Ipv4(text) | Address::Ipv6(text) => text,
        }
    }
}

/// One end of a connection to a relay daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    pub address: Address,
    /// TCP port; 0 is the default of the stream until it is part of an output.
    pub port: u16,
    /// Folder below the relay daemon's output, without leading `/`.
    pub subdir: String,
}

impl Endpoint {
    /// The URL that listings show: `tcp4://ADDRESS:PORT/SUBDIR` or `tcp6://[ADDRESS]:PORT/SUBDIR`.
    pub fn to_url(&self) -> String {
        let Endpoint { address, port, subdir } = self;
        match address {
            Address::Ipv4(address) => format!("tcp4://{address}:{port}/{subdir}"),
            Address::Ipv6(address) => format!("tcp6://[{address}]:{port}/{subdir}"),
        }
    }
}

/// The two connections to a relay daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkOutput {
    /// Commands and metadata.
    pub control: Endpoint,
    /// Trace data.
    pub data: Endpoint,
}

impl NetworkOutput {
    /// The relay daemon of this machine.
    pub fn local() -> Self {
        let end = |stream: Stream| Endpoint {
            address: Address::Ipv4("127.0.0.1".to_owned()),
            port: stream.default_port(),
            subdir: String::new(),
        };
        NetworkOutput { control: end(Stream::Control), data: end(Stream::Data) }
    }
}

/// A part of an output, as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A directory of this machine.
    Path(String),
    /// One of the two connections to a relay daemon.
    Connection(Stream, Endpoint),
}

/// Why an output can't be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadOutput {
    /// A path that is not absolute or leads upwards, a subfolder that leads upwards, or one port for both connections.
    Invalid,
    /// The output has this connection already, be it the same.
    Taken,
}

/// An output, perhaps with one connection of two.
///
/// The original does not mind a half one until it connects; [`Output::network`] tells whether it is whole. Ports are
/// never 0 here.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Output {
    /// Nothing is recorded to.
    #[default]
    None,
    /// A directory of this machine, absolute.
    Local(String),
    /// A relay daemon.
    Network {
        /// Commands and metadata.
        control: Option<Endpoint>,
        /// Trace data.
        data: Option<Endpoint>,
    },
}

impl Output {
    /// The output with targets set, one after the other. All or nothing: the original keeps those before the bad one,
    /// and the bad one too. A path replaces a network output, and a connection a path.
    ///
    /// # Errors
    /// See [`BadOutput`].
    pub fn with(&self, targets: &[Target]) -> Result<Output, BadOutput> {
        targets.iter().try_fold(self.clone(), Output::with_one)
    }

    fn with_one(self, target: &Target) -> Result<Output, BadOutput> {
        let (stream, endpoint) = match target {
            Target::Path(path) if !path.starts_with('/') || path.contains("../") => {
                return Err(BadOutput::Invalid);
            }
            Target::Path(path) => return Ok(Output::Local(path.clone())),
            Target::Connection(stream, endpoint) => (*stream, endpoint),
        };
        let (mut control, mut data) = match self {
            Output::Network { control, data } => (control, data),
            Output::None | Output::Local(_) => (None, None),
        };
        let slot = match stream {
            Stream::Control => &mut control,
            Stream::Data => &mut data,
        };
        if slot.is_some() {
            return Err(BadOutput::Taken);
        }
        let port = if endpoint.port == 0 { stream.default_port() } else { endpoint.port };
        *slot = Some(Endpoint { port, ..endpoint.clone() });
        let ports = (control.as_ref().map(|end| end.port), data.as_ref().map(|end| end.port));
        if endpoint.subdir.contains("../") || matches!(ports, (Some(one), Some(other)) if one == other) {
            return Err(BadOutput::Invalid);
        }
        Ok(Output::Network { control, data })
    }

    /// Both connections, when both are set.
    pub fn network(&self) -> Option<NetworkOutput> {
        match self {
            Output::Network { control: Some(control), data: Some(data) } => {
                Some(NetworkOutput { control: control.clone(), data: data.clone() })
            }
            _ => None,
        }
    }

    /// What listings of sessions show: the path, or the control URL with the data port; empty without output.
    ///
    /// A connection that is not set shows as port 0, a control connection that is not set as nothing.
    pub fn listed(&self) -> String {
        match self {
            Output::None => String::new(),
            Output::Local(path) => path.clone(),
            Output::Network { control, data } => {
                let port = data.as_ref().map_or(0, |end| end.port);
                let url = control.as_ref().map(Endpoint::to_url).unwrap_or_default();
                format!("{url} [data: {port}]")
            }
        }
    }
}
