// SPDX-License-Identifier: GPL-2.0-only
//! The notification socket: clients subscribe to conditions, and are told when one is met.
//!
//! Every message is a [`Header`] and its payload, then one byte of its own with the descriptors, if there are any.
//! A client begins with a handshake. It has one unanswered command at most; notifications may come before the
//! answer. A client that says anything else than what [`Header::from_client`] and [`ClientMessage::decode`] accept
//! is disconnected without an answer.
//!
//! Who may subscribe to what, and who gets which notification, is not known here.
//!
//! Reference: `protocol/doc/notification-channel.md` 2 and 3.
//! Source: `lttng-tools 2.13: include/lttng/notification/channel-internal.h`.

use super::{Condition, Evaluation, Notification, check_fds, text};
use crate::client::{MAX_FDS, bad_value};
use crate::codec::{ErrorKind, Reader, Result, Writer};
use crate::numbered::numbered;

numbered! {
    /// What a message is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum MessageKind: i8 {
        /// Version, in both directions.
        Handshake = 0,
        /// From a client: a condition.
        Subscribe = 1,
        /// From a client: a condition.
        Unsubscribe = 2,
        /// To a client: how its command went.
        CommandReply = 3,
        /// To a client.
        Notification = 4,
        /// To a client: notifications were lost.
        NotificationDropped = 5,
    }
    /// The kind with this number.
    from_number;
}

numbered! {
    /// How a command went. The library has more of them, which are never sent.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum Status: i8 {
        /// Well.
        Ok = 0,
        /// It failed.
        Error = -1,
        /// The client has subscribed to the condition.
        AlreadySubscribed = -3,
        /// The client has not subscribed to the condition.
        UnknownCondition = -4,
        /// The client's version is not ours.
        UnsupportedVersion = -6,
    }
    /// The status with this number.
    from_number;
    /// All of them.
    ALL;
}

/// Version of this protocol: u8 major, u8 minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version {
    /// Another one is another protocol.
    pub major: u8,
    /// Any other one will do.
    pub minor: u8,
}

impl Version {
    /// That of lttng-tools 2.13.
    pub const CURRENT: Version = Version { major: 1, minor: 1 };

    fn decode(reader: &mut Reader<'_>) -> Result<Version> {
        Ok(Version { major: reader.u8()?, minor: reader.u8()? })
    }

    /// What a client says, which may be shorter or longer: the original does not look at the length.
    fn said(reader: &mut Reader<'_>) -> Result<Version> {
        let major = reader.u8()?;
        let minor = if reader.remaining() > 0 { reader.u8()? } else { 0 };
        reader.skip(reader.remaining())?;
        Ok(Version { major, minor })
    }
}

/// What is before every payload: i8 kind, u32 length of the payload, u32 number of descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// What follows.
    pub kind: MessageKind,
    /// Bytes of the payload.
    pub length: u32,
    /// Descriptors that come after the payload.
    pub fd_count: u32,
}

impl Header {
    /// Size on the wire.
    pub const LEN: usize = 9;
    /// The longest payload that a client may send.
    pub const MAX_CLIENT_PAYLOAD: u32 = 65536;

    /// Decodes exactly [`Header::LEN`] bytes, whoever sent them.
    ///
    /// # Errors
    ///
    /// An unknown kind, or another size.
    pub fn decode(bytes: &[u8]) -> Result<Header> {
        let mut reader = Reader::new("notification channel header", bytes);
        let kind = reader.i8()?;
        let kind = MessageKind::from_number(kind).ok_or_else(|| bad_value(&reader, kind))?;
        let header = Header { kind, length: reader.u32()?, fd_count: reader.u32()? };
        reader.finish()?;
        Ok(header)
    }

    /// Decodes exactly [`Header::LEN`] bytes from a client.
    ///
    /// # Errors
    ///
    /// A kind that no client sends, an empty payload or one that is too long, more descriptors than fit a message.
    pub fn from_client(bytes: &[u8]) -> Result<Header> {
        let header = Header::decode(bytes)?;
        let reader = Reader::new("notification client's header", bytes);
        match header.kind {
            MessageKind::Handshake | MessageKind::Subscribe | MessageKind::Unsubscribe => {}
            other => return Err(bad_value(&reader, other.number())),
        }
        if header.length == 0 || header.length > Header::MAX_CLIENT_PAYLOAD {
            return Err(reader.error(ErrorKind::TooLong(header.length.into())));
        }
        if header.fd_count > MAX_FDS {
            return Err(bad_value(&reader, header.fd_count));
        }
        Ok(header)
    }

    fn encode(self, writer: &mut Writer) {
        writer.i8(self.kind.number()).u32(self.length).u32(self.fd_count);
    }
}

/// A whole message.
fn message(kind: MessageKind, payload: &[u8], fd_count: u32) -> Vec<u8> {
    let mut writer = Writer::with_capacity(Header::LEN.saturating_add(payload.len()));
    Header { kind, length: text::count(payload.len()), fd_count }.encode(&mut writer);
    writer.bytes(payload);
    writer.into_bytes()
}

/// What a client says.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientMessage {
    /// Its version; may come again.
    Handshake(Version),
    /// It wants the notifications of all triggers with this condition.
    Subscribe(Condition),
    /// It wants them no more.
    Unsubscribe(Condition),
}

impl ClientMessage {
    /// Decodes the payload behind a [`Header::from_client`], when the descriptors have come too.
    ///
    /// # Errors
    ///
    /// A malformed condition, bytes left over behind one, another length than the header's, a missing descriptor.
    pub fn decode(header: &Header, payload: &[u8]) -> Result<ClientMessage> {
        let mut reader = Reader::new("notification client's message", payload);
        if payload.len() != header.length as usize {
            return Err(reader.error(ErrorKind::TooLong(header.length.into())));
        }
        let message = match header.kind {
            MessageKind::Handshake => ClientMessage::Handshake(Version::said(&mut reader)?),
            MessageKind::Subscribe => ClientMessage::Subscribe(Condition::decode(&mut reader)?),
            MessageKind::Unsubscribe => ClientMessage::Unsubscribe(Condition::decode(&mut reader)?),
            other => return Err(bad_value(&reader, other.number())),
        };
        reader.finish()?;
        check_fds(&reader, message.fd_count(), header.fd_count)?;
        Ok(message)
    }

    /// The message, header included.
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = Writer::default();
        let kind = match self {
            ClientMessage::Handshake(Version { major, minor }) => {
                payload.u8(*major).u8(*minor);
                MessageKind::Handshake
            }
            ClientMessage::Subscribe(condition) => {
                condition.encode(&mut payload);
                MessageKind::Subscribe
            }
            ClientMessage::Unsubscribe(condition) => {
                condition.encode(&mut payload);
                MessageKind::Unsubscribe
            }
        };
        message(kind, &payload.into_bytes(), self.fd_count())
    }

    /// How many descriptors travel with it.
    pub fn fd_count(&self) -> u32 {
        match self {
            ClientMessage::Handshake(_) => 0,
            ClientMessage::Subscribe(condition) | ClientMessage::Unsubscribe(condition) => {
                condition.fd_count()
            }
        }
    }
}

/// What the daemon says.
#[derive(Debug, Clone, PartialEq)]
pub enum DaemonMessage {
    /// Its version, and then a reply.
    Handshake(Version),
    /// How the client's command went.
    Reply(Status),
    /// A condition was met.
    Notification(Box<Notification>),
    /// Notifications were lost here.
    NotificationDropped,
}

impl DaemonMessage {
    /// Decodes the payload behind a header, as a client receives it.
    ///
    /// # Errors
    ///
    /// A kind that no daemon sends, an unknown status, a malformed notification, a wrong length, a missing
    /// descriptor.
    pub fn decode(header: &Header, payload: &[u8]) -> Result<DaemonMessage> {
        let mut reader = Reader::new("notification", payload);
        if payload.len() != header.length as usize {
            return Err(reader.error(ErrorKind::TooLong(header.length.into())));
        }
        let message = match header.kind {
            MessageKind::Handshake => DaemonMessage::Handshake(Version::decode(&mut reader)?),
            MessageKind::CommandReply => {
                let status = reader.i8()?;
                DaemonMessage::Reply(Status::from_number(status).ok_or_else(|| bad_value(&reader, status))?)
            }
            MessageKind::Notification => {
                let notification = Notification::decode(reader.bytes(reader.remaining())?)?;
                check_fds(&reader, notification.trigger.fd_count(), header.fd_count)?;
                DaemonMessage::Notification(Box::new(notification))
            }
            MessageKind::NotificationDropped => DaemonMessage::NotificationDropped,
            other => return Err(bad_value(&reader, other.number())),
        };
        reader.finish()?;
        Ok(message)
    }

    /// The message, header included.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            DaemonMessage::Handshake(Version { major, minor }) => {
                message(MessageKind::Handshake, &[*major, *minor], 0)
            }
            DaemonMessage::Reply(status) => {
                message(MessageKind::CommandReply, &status.number().to_ne_bytes(), 0)
            }
            DaemonMessage::Notification(notification) => {
                let Notification { trigger, evaluation } = &**notification;
                notification_message(&trigger.encode_payload(), trigger.fd_count(), evaluation)
            }
            DaemonMessage::NotificationDropped => message(MessageKind::NotificationDropped, &[], 0),
        }
    }
}

/// The message of a notification, header included, of a trigger that is encoded already
/// ([`Trigger::encode_payload`](super::Trigger::encode_payload)), as many of them have the same trigger.
pub fn notification_message(trigger: &[u8], fd_count: u32, evaluation: &Evaluation) -> Vec<u8> {
    let mut payload = Writer::default();
    Notification::write(&mut payload, trigger, evaluation);
    message(MessageKind::Notification, &payload.into_bytes(), fd_count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ProbeLocation;
    use crate::trigger::{EventRule, UserspaceLocation};

    fn header(kind: i8, length: u32, fd_count: u32) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.i8(kind).u32(length).u32(fd_count);
        writer.into_bytes()
    }

    fn from_client(bytes: &[u8]) -> std::result::Result<Header, ErrorKind> {
        Header::from_client(bytes).map_err(|error| error.kind)
    }

    fn said(
        kind: MessageKind,
        payload: &[u8],
        fd_count: u32,
    ) -> std::result::Result<ClientMessage, ErrorKind> {
        let header = Header { kind, length: payload.len() as u32, fd_count };
        ClientMessage::decode(&header, payload).map_err(|error| error.kind)
    }

    #[test]
    fn headers_of_clients_that_are_disconnected() {
        for kind in [3, 4, 5] {
            assert_eq!(from_client(&header(kind, 2, 0)), Err(ErrorKind::BadValue(kind as u64)));
        }
        for kind in [6, -1, 127] {
            assert!(matches!(from_client(&header(kind, 2, 0)), Err(ErrorKind::BadValue(_))), "{kind}");
        }
        for kind in 0..3 {
            assert_eq!(from_client(&header(kind, 0, 0)), Err(ErrorKind::TooLong(0)));
            assert_eq!(from_client(&header(kind, 65537, 0)), Err(ErrorKind::TooLong(65537)));
            assert_eq!(from_client(&header(kind, 1, 254)), Err(ErrorKind::BadValue(254)));
            assert_eq!(from_client(&header(kind, 65536, 253)).map(|header| header.length), Ok(65536));
        }
        assert_eq!(from_client(&header(0, 2, 0)[..8]), Err(ErrorKind::Truncated));
        assert_eq!(from_client(&[&header(0, 2, 0)[..], &[0]].concat()), Err(ErrorKind::TrailingBytes));
    }

    #[test]
    fn handshakes_are_answered_in_21_bytes() {
        let answer =
            [DaemonMessage::Handshake(Version::CURRENT).encode(), DaemonMessage::Reply(Status::Ok).encode()]
                .concat();
        assert_eq!(answer, [header(0, 2, 0), vec![1, 1], header(3, 1, 0), vec![0]].concat());
        assert_eq!(
            said(MessageKind::Handshake, &[2, 9], 0),
            Ok(ClientMessage::Handshake(Version { major: 2, minor: 9 }))
        );
        for (payload, minor) in [(&[1][..], 0), (&[1, 3, 7], 3)] {
            let version = Version { major: 1, minor };
            assert_eq!(said(MessageKind::Handshake, payload, 0), Ok(ClientMessage::Handshake(version)));
        }
    }

    #[test]
    fn conditions_fill_their_message() {
        let condition = Condition::RotationOngoing { session: "s".to_owned() };
        for (message, kind) in [
            (ClientMessage::Subscribe(condition.clone()), MessageKind::Subscribe),
            (ClientMessage::Unsubscribe(condition), MessageKind::Unsubscribe),
        ] {
            let bytes = message.encode();
            let (head, payload) = bytes.split_at(Header::LEN);
            let header = Header::from_client(head).unwrap();
            assert_eq!(ClientMessage::decode(&header, payload).as_ref(), Ok(&message));
            assert_eq!(said(kind, &[payload, &[0]].concat(), 0), Err(ErrorKind::TrailingBytes));
            assert_eq!(said(kind, &payload[..payload.len() - 1], 0), Err(ErrorKind::Truncated));
            assert!(ClientMessage::decode(&header, &payload[1..]).is_err());
        }
    }

    #[test]
    fn a_location_comes_with_its_descriptor() {
        let place = ProbeLocation::Function { function: "f".to_owned(), binary: "/b".to_owned(), elf: true };
        let location = UserspaceLocation { place, binary: None };
        let rule = EventRule::KernelUprobe { name: "u".into(), location };
        let message = ClientMessage::Subscribe(Condition::EventRuleMatches { rule, captures: Vec::new() });
        let bytes = message.encode();
        let (head, payload) = bytes.split_at(Header::LEN);
        assert_eq!(Header::from_client(head).map(|header| header.fd_count), Ok(1));
        assert_eq!(said(MessageKind::Subscribe, payload, 1), Ok(message));
        assert_eq!(said(MessageKind::Subscribe, payload, 0), Err(ErrorKind::MissingDescriptors(1)));
    }

    #[test]
    fn what_the_daemon_says_goes_round() {
        let decoded = |bytes: &[u8]| {
            let (head, payload) = bytes.split_at(Header::LEN);
            DaemonMessage::decode(&Header::decode(head).unwrap(), payload).map_err(|error| error.kind)
        };
        for message in
            Status::ALL.iter().copied().map(DaemonMessage::Reply).chain([DaemonMessage::NotificationDropped])
        {
            assert_eq!(decoded(&message.encode()), Ok(message));
        }
        assert_eq!(DaemonMessage::NotificationDropped.encode(), header(5, 0, 0));
        let with_byte = |kind: i8, byte: u8| decoded(&[header(kind, 1, 0), vec![byte]].concat());
        assert_eq!(with_byte(5, 0), Err(ErrorKind::TrailingBytes));
        assert!(matches!(with_byte(3, 1), Err(ErrorKind::BadValue(1))));
        assert_eq!(with_byte(1, 0), Err(ErrorKind::BadValue(1)));
    }
}
