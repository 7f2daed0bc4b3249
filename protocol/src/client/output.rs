// SPDX-License-Identifier: GPL-2.0-only
//! Where a session records to, as SET_CONSUMER_URI and session descriptors change it.
//!
//! Source: `lttng-tools 2.13: src/bin/lttng-sessiond/cmd.c`, `src/bin/lttng-sessiond/consumer.c`.

use super::error::ErrorCode;
use super::session::NetworkOutput;
use super::uri::{Destination, StreamType, Uri};

/// An output, perhaps with one connection of two.
///
/// The original does not mind a half one until it connects; [`Output::network`] tells whether it is whole. Ports are
/// never 0 here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Output {
    /// Nothing is recorded to.
    #[default]
    None,
    /// A directory of this machine, absolute.
    Local(String),
    /// A relay daemon.
    Network {
        /// Commands and metadata.
        control: Option<Uri>,
        /// Trace data.
        data: Option<Uri>,
    },
}

impl Output {
    /// The output with URIs set, one after the other. All or nothing: the original keeps those before the bad one,
    /// and the bad one too.
    ///
    /// | Refused | Code |
    /// |---|---|
    /// | a path that is not absolute or contains `../` | 97 |
    /// | a connection that a network output has already, be it the same | 21 |
    /// | a sub-directory that contains `../`; both ports equal | 97 |
    ///
    /// A path replaces a network output, and a network URI a path.
    pub fn with(&self, uris: &[Uri]) -> Result<Output, ErrorCode> {
        uris.iter().try_fold(self.clone(), Output::with_one)
    }

    fn with_one(self, uri: &Uri) -> Result<Output, ErrorCode> {
        if let Destination::Path(path) = &uri.destination {
            if !path.starts_with('/') || path.contains("../") {
                return Err(ErrorCode::Invalid);
            }
            return Ok(Output::Local(path.clone()));
        }
        let (mut control, mut data) = match self {
            Output::Network { control, data } => (control, data),
            Output::None | Output::Local(_) => (None, None),
        };
        let slot = match uri.stream {
            StreamType::Control => &mut control,
            StreamType::Data => &mut data,
        };
        if slot.is_some() {
            return Err(ErrorCode::UrlExist);
        }
        *slot = Some(Uri { port: uri.effective_port(), ..uri.clone() });
        let ports = (control.as_ref().map(|uri| uri.port), data.as_ref().map(|uri| uri.port));
        if uri.subdir.contains("../") || matches!(ports, (Some(one), Some(other)) if one == other) {
            return Err(ErrorCode::Invalid);
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
                let port = data.as_ref().map_or(0, |uri| uri.port);
                let url = control.as_ref().map(Uri::to_url).unwrap_or_default();
                format!("{url} [data: {port}]")
            }
        }
    }
}
