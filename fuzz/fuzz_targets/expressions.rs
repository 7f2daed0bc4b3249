// SPDX-License-Identifier: GPL-2.0-only
//! The text of a filter, as a trigger or a saved session brings it; and, made of the same bytes, a captured
//! expression and the filter of an agent's event rule.
//!
//! Must never panic. What compiles is accepted by the check of clients' bytecode, and is as large as it may be
//! at most; an error has its place in the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lttng_protocol::expression::EventExpression;
use lttng_protocol::filter::agent::{Level, compile_rule};
use lttng_protocol::filter::{Bytecode, CompileError, MAX_COMPILED, capture, compile, validate};

fn check(text: &[u8], compiled: Result<Bytecode, CompileError>) {
    match compiled {
        Ok(bytecode) => {
            assert!(bytecode.data.len() <= MAX_COMPILED);
            assert_eq!(validate(&bytecode.data, bytecode.reloc_offset), Ok(()));
        }
        Err(error) => {
            assert!(error.position <= text.len());
            assert!(!error.to_string().is_empty());
        }
    }
}

/// Captures a field, a context or an application's context; each byte of `indexes` is an element.
fn check_capture(name: &str, indexes: &[u8]) {
    let root = match (name.strip_prefix('$'), name.split_once(':')) {
        (Some(name), _) => EventExpression::ChannelContext(name.to_owned()),
        (_, Some((provider, kind))) => {
            EventExpression::AppContext { provider: provider.to_owned(), kind: kind.to_owned() }
        }
        _ => EventExpression::PayloadField(name.to_owned()),
    };
    let expression = indexes.iter().take(100).fold(root, |parent, &index| EventExpression::ArrayElement {
        index: index.into(),
        parent: Box::new(parent),
    });
    let Ok(Bytecode { data, reloc_offset }) = capture::compile(&expression) else { return };
    // Loaded, the path is a filter.
    let (code, table) = data.split_at(reloc_offset as usize);
    let filter = [&code[..code.len() - 1], &[86, 1], table].concat();
    assert_eq!(validate(&filter, reloc_offset + 1).is_ok(), !name.is_empty() && name != "$");
}

fuzz_target!(|bytes: &[u8]| {
    check(bytes, compile(bytes));
    let Ok(text) = str::from_utf8(bytes) else { return };
    let (name, rest) = text.split_once('\n').unwrap_or((text, ""));
    check_capture(name, rest.as_bytes());
    let filter = Some(rest).filter(|rest| !rest.is_empty());
    let level = i32::try_from(rest.len()).ok().map(Level::AtLeast);
    if let Ok(Some(made)) = compile_rule(name.as_bytes(), level, filter.map(str::as_bytes)) {
        check(made.text.as_bytes(), Ok(made.bytecode));
    }
});
