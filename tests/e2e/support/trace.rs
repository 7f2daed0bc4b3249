// SPDX-License-Identifier: GPL-2.0-only
//! Traces as `babeltrace2` decodes them.

use super::sandbox::Sandbox;

/// A field's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number, as written.
    Number(String),
    /// A string.
    Text(String),
    /// An array or a sequence.
    List(Vec<Value>),
    /// A structure.
    Fields(Vec<(String, Value)>),
    /// An enumeration: labels and value.
    Enum(String, String),
    /// What a variant holds.
    Variant(Box<Value>),
}

/// A decoded event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `provider:event`.
    pub name: String,
    /// Nanoseconds since the epoch.
    pub time: u64,
    /// Everything but the payload: packet context, contexts.
    pub context: Vec<(String, Value)>,
    /// The payload.
    pub fields: Vec<(String, Value)>,
}

impl Event {
    /// The payload's field with this name.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// The integer field `n` that the test events carry.
    pub fn n(&self) -> i64 {
        match self.field("n") {
            Some(Value::Number(number)) => number.parse().unwrap(),
            other => panic!("{}: n is {other:?}", self.name),
        }
    }

    /// All contexts but the packet's, in one line.
    pub fn contexts(&self) -> String {
        let fields = self.context.iter().filter(|(name, _)| name != "cpu_id");
        let fields: Vec<String> = fields.map(|(name, value)| format!("{name}={}", show(value))).collect();
        fields.join(" ")
    }

    /// Name and payload in one line.
    pub fn line(&self) -> String {
        let fields: Vec<String> =
            self.fields.iter().map(|(name, value)| format!("{name}={}", show(value))).collect();
        format!("{} {}", self.name, fields.join(" "))
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::Number(number) => number.clone(),
        Value::Text(text) => format!("{text:?}"),
        Value::List(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(",")),
        Value::Fields(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}={}", show(value))).collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Enum(labels, number) => format!("{labels}:{number}"),
        Value::Variant(value) => format!("<{}>", show(value)),
    }
}

/// All events of the trace below `path` in order of time, without the state dump of `liblttng-ust`. The trace
/// must be readable without a warning (no lost events, no unknown format).
pub fn events(sandbox: &Sandbox, path: &str) -> Vec<Event> {
    all_events(sandbox, path)
        .into_iter()
        .filter(|event| !event.name.starts_with("lttng_ust_statedump:"))
        .collect()
}

/// All events with the state dump.
pub fn all_events(sandbox: &Sandbox, path: &str) -> Vec<Event> {
    let output = sandbox.run("babeltrace2", &["--no-delta", "--clock-seconds", path]).ok();
    assert_eq!(output.stderr, "", "babeltrace2 complains about {path}");
    let events: Vec<Event> = output.stdout.lines().map(parse).collect();
    assert!(events.is_sorted_by_key(|event| event.time), "time runs backwards in {path}");
    events
}

/// The values of `n` of the events with this name, in order.
pub fn numbers(events: &[Event], name: &str) -> Vec<i64> {
    events.iter().filter(|event| event.name == name).map(Event::n).collect()
}

/// `[SECONDS.NANOSECONDS] HOST PROVIDER:EVENT: { CONTEXT }, ..., { PAYLOAD }`
fn parse(line: &str) -> Event {
    let mut parser = Parser { rest: line };
    parser.expect("[");
    let seconds: u64 = parser.until(".").parse().unwrap();
    let nanoseconds: u64 = parser.until("]").parse().unwrap();
    parser.until(" ");
    let host = parser.until(" ");
    assert!(!host.is_empty(), "no host name: {line}");
    let name = parser.until(": {").to_owned();
    let mut groups = vec![parser.fields()];
    while parser.skip(", {") {
        groups.push(parser.fields());
    }
    assert_eq!(parser.rest, "", "{line}");
    let fields = groups.pop().unwrap();
    let context = groups.into_iter().flatten().collect();
    Event { name, time: seconds * 1_000_000_000 + nanoseconds, context, fields }
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn skip(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) {
        assert!(self.skip(token), "`{token}` expected at: {}", self.rest);
    }

    fn until(&mut self, token: &str) -> &'a str {
        let at = self.rest.find(token).unwrap_or_else(|| panic!("no `{token}` in: {}", self.rest));
        let (text, rest) = self.rest.split_at(at);
        self.rest = &rest[token.len()..];
        text
    }

    /// After the opening brace: ` NAME = VALUE, ... }`.
    fn fields(&mut self) -> Vec<(String, Value)> {
        let mut fields = Vec::new();
        while !self.skip(" }") {
            self.skip(",");
            self.expect(" ");
            let name = self.until(" = ").to_owned();
            fields.push((name, self.value()));
        }
        fields
    }

    fn value(&mut self) -> Value {
        if self.skip("{") {
            if self.is_variant() { self.variant() } else { Value::Fields(self.fields()) }
        } else if self.skip("[") {
            let mut items = Vec::new();
            while !self.skip(" ]") {
                self.skip(",");
                self.expect(" [");
                self.until("] = ");
                items.push(self.value());
            }
            Value::List(items)
        } else if self.skip("( ") {
            let labels = self.until(" : container = ").to_owned();
            Value::Enum(labels, self.until(" )").to_owned())
        } else if self.skip("\"") {
            Value::Text(self.text())
        } else {
            let end = self.rest.find([',', ' ']).unwrap_or(self.rest.len());
            let (number, rest) = self.rest.split_at(end);
            self.rest = rest;
            Value::Number(number.to_owned())
        }
    }

    /// After an opening brace: a value without a name follows.
    fn is_variant(&self) -> bool {
        let rest = self.rest.trim_start_matches(' ');
        let name = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        !rest.starts_with('}') && !rest[name..].starts_with(" = ")
    }

    /// After the opening brace: ` VALUE }`.
    fn variant(&mut self) -> Value {
        self.expect(" ");
        let value = self.value();
        self.expect(" }");
        Value::Variant(Box::new(value))
    }

    /// After the opening quote.
    fn text(&mut self) -> String {
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return text;
                }
                '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
                other => text.push(other),
            }
        }
        panic!("no end of string: {}", self.rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_field_is_read() {
        let event = parse(
            "[12.000000034] host p:e: { cpu_id = 1 }, { vpid = 7 }, { s = \"a \\\"b\\\", { }\", \
             l = [ [0] = 1, [1] = -2 ], none = [ ], e = ( \"A\" : container = 3 ), f = 0.5, v = { { } } }",
        );
        assert_eq!((event.name.as_str(), event.time), ("p:e", 12_000_000_034));
        assert_eq!(event.context.len(), 2);
        assert_eq!(event.line(), "p:e s=\"a \\\"b\\\", { }\" l=[1,-2] none=[] e=\"A\":3 f=0.5 v=<{}>");
        let event =
            parse("[1.000000000] host p:e: { }, { a = { { } }, b = { -8 }, c = { \"x = }\" }, d = { } }");
        assert_eq!(event.line(), "p:e a=<{}> b=<-8> c=<\"x = }\"> d={}");
    }
}
