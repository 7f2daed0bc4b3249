// SPDX-License-Identifier: GPL-2.0-only
//! Event expressions: what a trigger captures of the events that it matches.
//!
//! A client sends them as typed nodes, not as text. This type says what such an expression is and how it is
//! written for people; its bytes belong to the trigger that it is part of, its bytecode to [`crate::filter`].
//!
//! Elements nest without any limit on the wire. Here [`MAX_DEPTH`] is the limit, so that nothing that walks
//! an expression, its destructor included, needs more stack than that: a decoder must refuse what goes
//! beyond.
//!
//! Reference: `protocol/doc/trigger-payloads.md` 4.5.

use std::fmt;

/// Elements that an expression may have inside one another, as in `a[1][2]`, which has two. No tracer can
/// describe an array of that many dimensions.
pub const MAX_DEPTH: usize = 32;

/// Something of an event that has a value: a field, a context, or an element of one of them.
///
/// Names are what the client sent. An empty or unknown one is not an error: the tracer captures nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EventExpression {
    /// A field of the event's payload.
    PayloadField(String),
    /// A context of the channel, without `$ctx.`.
    ChannelContext(String),
    /// A context that the application provides.
    AppContext {
        /// Who provides it.
        provider: String,
        /// Which one of the provider's it is.
        kind: String,
    },
    /// An element of an array or a sequence.
    ArrayElement {
        /// Its place, from 0.
        index: u32,
        /// The array.
        parent: Box<EventExpression>,
    },
}

impl EventExpression {
    /// What the elements are of, and their indexes from the outermost array to the innermost.
    ///
    /// `None` beyond [`MAX_DEPTH`].
    pub fn root_and_indexes(&self) -> Option<(&EventExpression, Vec<u32>)> {
        let (mut root, mut indexes) = (self, Vec::new());
        while let EventExpression::ArrayElement { index, parent } = root {
            if indexes.len() == MAX_DEPTH {
                return None;
            }
            indexes.push(*index);
            root = parent;
        }
        indexes.reverse();
        Some((root, indexes))
    }
}

/// The stock textual form: `name`, `$ctx.name`, `$app.provider:type`, `array[index]`.
impl fmt::Display for EventExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventExpression::PayloadField(name) => write!(f, "{name}"),
            EventExpression::ChannelContext(name) => write!(f, "$ctx.{name}"),
            EventExpression::AppContext { provider, kind } => write!(f, "$app.{provider}:{kind}"),
            EventExpression::ArrayElement { index, parent } => write!(f, "{parent}[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str) -> EventExpression {
        EventExpression::PayloadField(name.to_owned())
    }

    fn element(parent: EventExpression, index: u32) -> EventExpression {
        EventExpression::ArrayElement { index, parent: Box::new(parent) }
    }

    #[test]
    fn expressions_are_written_as_the_stock_tools_write_them() {
        let context = EventExpression::ChannelContext("vpid".to_owned());
        let app = EventExpression::AppContext { provider: "p".to_owned(), kind: "t".to_owned() };
        for (expression, text) in [
            (field("intfield"), "intfield"),
            (field(""), ""),
            (context, "$ctx.vpid"),
            (element(app.clone(), 3), "$app.p:t[3]"),
            (app, "$app.p:t"),
            (element(element(field("a"), 1), u32::MAX), "a[1][4294967295]"),
        ] {
            assert_eq!(expression.to_string(), text);
        }
    }

    #[test]
    fn indexes_are_listed_from_the_outermost_array() {
        let expression = element(element(field("a"), 1), 2);
        assert_eq!(expression.root_and_indexes(), Some((&field("a"), vec![1, 2])));
        assert_eq!(field("a").root_and_indexes(), Some((&field("a"), vec![])));
    }

    #[test]
    fn the_depth_is_limited() {
        let nested = |depth| (0..depth).fold(field("a"), element);
        let indexes = nested(MAX_DEPTH as u32).root_and_indexes().map(|(_, indexes)| indexes.len());
        assert_eq!(indexes, Some(MAX_DEPTH));
        assert_eq!(nested(MAX_DEPTH as u32 + 1).root_and_indexes(), None);
    }
}
