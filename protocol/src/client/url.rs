// SPDX-License-Identifier: GPL-2.0-only
//! Output URLs as users type them.
//!
//! The client library turns a session's URLs into [`Uri`]s itself; those of snapshot outputs reach the daemon as text.
//! Nothing here looks a host name up: an [`OutputUrl`] says which names are to be looked up, and takes the addresses.
//!
//! Accepted is what the original accepts, except numbers with text around them (`:+1`, `:1a`), which it reads as the
//! number.
//!
//! Source: `lttng-tools 2.13: src/common/uri.c`; compared with what its parser does (`protocol/tests/vectors/url`).

use super::session::NetworkOutput;
use super::uri::{Destination, StreamType, Uri};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Why URLs name no output. Every one is `LTTNG_ERR_INVALID` to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlError {
    /// No scheme that is known, and no absolute path.
    Scheme,
    /// `file://` without an absolute path.
    RelativePath,
    /// No host, or one that cannot be an address or a name of the family.
    Host,
    /// A port that is no number from 1 to 65535, or a port too many.
    Port,
    /// Only one of the two connections to a relay daemon.
    Incomplete,
    /// Two URLs that say different things, or one too many.
    Conflict,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UrlError::Scheme => "unknown scheme",
            UrlError::RelativePath => "path is not absolute",
            UrlError::Host => "bad host",
            UrlError::Port => "bad port",
            UrlError::Incomplete => "control and data connection are both needed",
            UrlError::Conflict => "control and data URL do not fit together",
        })
    }
}

impl std::error::Error for UrlError {}

/// Family of the addresses that a host may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// `net://`, `net4://`, `tcp://`, `tcp4://`.
    Ipv4,
    /// `net6://`, `tcp6://`.
    Ipv6,
}

/// One connection to a relay daemon, its host perhaps still a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Family of the address.
    pub family: Family,
    /// Address without brackets, or name. Not empty.
    pub host: String,
    /// TCP port, never 0.
    pub port: u16,
    /// Folder, without the first `/`; empty if not given. That of a data connection has no meaning.
    pub subdir: String,
}

impl Endpoint {
    /// The address, if the host needs no look-up: an address as it was typed, or that of `localhost`.
    pub fn address(&self) -> Option<&str> {
        let local = self.host == "localhost";
        match self.family {
            Family::Ipv4 if local => Some("127.0.0.1"),
            Family::Ipv6 if local => Some("::1"),
            Family::Ipv4 => self.host.parse::<Ipv4Addr>().ok().map(|_| self.host.as_str()),
            Family::Ipv6 => self.host.parse::<Ipv6Addr>().ok().map(|_| self.host.as_str()),
        }
    }

    fn uri(&self, stream: StreamType, address: &str) -> Uri {
        let destination = match self.family {
            Family::Ipv4 => Destination::Ipv4(address.to_owned()),
            Family::Ipv6 => Destination::Ipv6(address.to_owned()),
        };
        Uri { destination, stream, port: self.port, subdir: self.subdir.clone() }
    }
}

/// What the URLs of an output mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputUrl {
    /// A directory of this machine. Absolute, otherwise unchecked: `..` in it is accepted.
    Path(String),
    /// A relay daemon.
    Network {
        /// Commands and metadata.
        control: Box<Endpoint>,
        /// Trace data.
        data: Box<Endpoint>,
    },
}

impl OutputUrl {
    /// Parses the URLs of an output; `data` is empty unless `control` is a `tcp` URL. A `data` that repeats a `net`
    /// URL is ignored.
    pub fn parse(control: &str, data: &str) -> Result<OutputUrl, UrlError> {
        match (Url::parse(control)?, data) {
            (Url::Path(path), "") => Ok(OutputUrl::Path(path)),
            (Url::Path(_), _) => Err(UrlError::Conflict),
            (Url::Both { control: first, data: second }, _) if data.is_empty() || data == control => {
                Ok(OutputUrl::Network { control: Box::new(first), data: Box::new(second) })
            }
            (Url::Both { .. }, _) => Err(UrlError::Conflict),
            (Url::One(..), "") => Err(UrlError::Incomplete),
            (Url::One(first, first_port), _) => {
                let Url::One(second, second_port) = Url::parse(data)? else { return Err(UrlError::Conflict) };
                let control = first.with_port(first_port, StreamType::Control);
                let data = second.with_port(second_port, StreamType::Data);
                let known = (control.address(), data.address());
                let differ = matches!(known, (Some(one), Some(other)) if one != other);
                if control.family != data.family || differ {
                    return Err(UrlError::Conflict);
                }
                Ok(OutputUrl::Network { control: Box::new(control), data: Box::new(data) })
            }
        }
    }

    /// The output at a relay daemon, when no host needs to be looked up. None for a path, too.
    pub fn network(&self) -> Option<NetworkOutput> {
        let OutputUrl::Network { control, data } = self else { return None };
        self.network_at(control.address()?, data.address()?)
    }

    /// The output at a relay daemon, its hosts looked up: the numeric addresses of the two, which must be the same.
    /// None if they are not, and for a path.
    pub fn network_at(&self, control_address: &str, data_address: &str) -> Option<NetworkOutput> {
        match self {
            OutputUrl::Network { control, data } if control_address == data_address => Some(NetworkOutput {
                control: control.uri(StreamType::Control, control_address),
                data: data.uri(StreamType::Data, data_address),
            }),
            _ => None,
        }
    }
}

/// One URL. Ports that are not given are left open, since the default depends on the connection.
enum Url {
    Path(String),
    Both { control: Endpoint, data: Endpoint },
    One(Endpoint, Option<u16>),
}

impl Endpoint {
    fn with_port(self, port: Option<u16>, stream: StreamType) -> Endpoint {
        Endpoint { port: port.unwrap_or(stream.default_port()), ..self }
    }
}

impl Url {
    fn parse(text: &str) -> Result<Url, UrlError> {
        if text.starts_with('/') {
            return Ok(Url::Path(text.to_owned()));
        }
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let (both, family) = match scheme.to_ascii_lowercase().as_str() {
            "file" if rest.starts_with('/') => return Ok(Url::Path(rest.to_owned())),
            "file" => return Err(UrlError::RelativePath),
            "net" | "net4" => (true, Family::Ipv4),
            "net6" => (true, Family::Ipv6),
            "tcp" | "tcp4" => (false, Family::Ipv4),
            "tcp6" => (false, Family::Ipv6),
            _ => return Err(UrlError::Scheme),
        };
        let (host, rest) = split_host(rest, family)?;
        let (ports, subdir) = rest.split_once('/').unwrap_or((rest, ""));
        let mut ports = ports.split(':').skip(1).map(parse_port);
        let first = ports.next().transpose()?.flatten();
        let endpoint = |subdir: &str| Endpoint {
            family,
            host: host.to_owned(),
            port: StreamType::Control.default_port(),
            subdir: subdir.to_owned(),
        };
        let url = if both {
            let second = ports.next().transpose()?.flatten();
            Url::Both {
                control: endpoint(subdir).with_port(first, StreamType::Control),
                data: endpoint("").with_port(second, StreamType::Data),
            }
        } else {
            Url::One(endpoint(subdir), first)
        };
        if ports.next().is_some() { Err(UrlError::Port) } else { Ok(url) }
    }
}

/// Splits the host off; what follows is empty or starts with `:` or `/`.
fn split_host(text: &str, family: Family) -> Result<(&str, &str), UrlError> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(text) => text.split_once(']').ok_or(UrlError::Host)?,
        None => text.split_at(text.find([':', '/']).unwrap_or(text.len())),
    };
    let foreign = match family {
        Family::Ipv4 => host.contains(':'),
        Family::Ipv6 if host.contains(':') => host.parse::<Ipv6Addr>().is_err(),
        Family::Ipv6 => host.parse::<Ipv4Addr>().is_ok(),
    };
    if host.is_empty() || foreign || !(rest.is_empty() || rest.starts_with([':', '/'])) {
        return Err(UrlError::Host);
    }
    Ok((host, rest))
}

/// A port; empty means the default.
fn parse_port(text: &str) -> Result<Option<u16>, UrlError> {
    if text.is_empty() {
        return Ok(None);
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(UrlError::Port);
    }
    text.parse().ok().filter(|&port| port != 0).map(Some).ok_or(UrlError::Port)
}
