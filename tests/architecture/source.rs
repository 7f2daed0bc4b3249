// SPDX-License-Identifier: GPL-2.0-only
//! Rust sources, read as far as the architecture needs it: which paths each file mentions, and where.
//!
//! This is no parser of Rust. It knows comments, literals, `use` declarations, nested modules and paths; test code is
//! left out. It decides nothing about what it finds.

use std::collections::BTreeMap;

/// A path that a file mentions, written out: no braces, no alias, but still relative.
#[derive(Debug, Clone)]
pub struct Mention {
    /// `a::b::c`; the last segment of a glob import is `*`.
    pub segments: Vec<String>,
    /// The module in which it stands.
    pub at: Vec<String>,
    /// Line, from 1.
    pub line: usize,
}

/// One name that a `use` declaration brings into a file.
#[derive(Debug, Clone)]
pub struct Import {
    /// The name in this file; `*` for a glob import.
    pub name: String,
    /// What it stands for.
    pub path: Mention,
    /// Others can reach the name through this file.
    pub public: bool,
}

/// One file.
#[derive(Debug)]
pub struct Source {
    /// Path below `src/`.
    pub file: String,
    /// The module that the file is.
    pub module: Vec<String>,
    /// The text without comments and test code.
    pub text: String,
    /// The same without the contents of literals.
    pub code: String,
    /// What `use` declarations bring in.
    pub imports: Vec<Import>,
    /// Paths elsewhere.
    pub mentions: Vec<Mention>,
    /// How often each word stands outside of `use` declarations.
    pub words: BTreeMap<String, usize>,
}

/// The house's top-level item: a folder of `src/`, or a file beside them.
pub fn room(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

impl Source {
    /// Reads one file, whose path is that below `src/`.
    pub fn new(file: &str, content: &str) -> Self {
        let (text, code) = without_tests(&blanked(content, false), &blanked(content, true));
        let module = module_of(file);
        let mut source = Source {
            file: file.to_owned(),
            module,
            text,
            code,
            imports: Vec::new(),
            mentions: Vec::new(),
            words: BTreeMap::new(),
        };
        let code = std::mem::take(&mut source.code);
        source.collect(&tokens(&code));
        source.code = code;
        source
    }

    fn collect(&mut self, tokens: &[Token<'_>]) {
        let mut at = self.module.clone();
        let mut depth = 0_usize;
        // Depths at which nested modules began.
        let mut nested = Vec::new();
        let mut position = 0;
        while position < tokens.len() {
            let text = |ahead: usize| tokens.get(position + ahead).map_or("", |token| token.text);
            match text(0) {
                "{" => depth += 1,
                "}" => {
                    depth = depth.saturating_sub(1);
                    if nested.last() == Some(&depth) {
                        nested.pop();
                        at.pop();
                    }
                }
                "mod" if text(2) == "{" => {
                    at.push(text(1).to_owned());
                    nested.push(depth);
                }
                // Not the `use<'a>` of a return type.
                "use" if text(1) != "<" => {
                    let before = &tokens[..position];
                    let public = before.last().is_some_and(|token| matches!(token.text, "pub" | ")"));
                    let mut tree =
                        UseTree { tokens, position: position + 1, at: &at, public, found: Vec::new() };
                    tree.read(&[]);
                    self.imports.append(&mut tree.found);
                    position = tree.position;
                    continue;
                }
                word if is_word(word) => {
                    *self.words.entry(word.to_owned()).or_default() += 1;
                    let continues = position > 0 && matches!(tokens[position - 1].text, "::" | ".");
                    if !continues {
                        let segments = path_from(&tokens[position..]);
                        if segments.len() > 1 {
                            let line = tokens[position].line;
                            self.mentions.push(Mention { segments, at: at.clone(), line });
                        }
                    }
                }
                _ => {}
            }
            position += 1;
        }
    }
}

/// `turn/ids.rs` is `turn::ids`, `turn/mod.rs` is `turn`, `lib.rs` is the root.
fn module_of(file: &str) -> Vec<String> {
    let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if module.len() > 1 && module.last().is_some_and(|last| last == "mod") || module == ["lib"] {
        module.pop();
    }
    module
}

fn path_from(tokens: &[Token<'_>]) -> Vec<String> {
    let mut segments = vec![tokens[0].text.to_owned()];
    for pair in tokens[1..].chunks_exact(2) {
        match pair {
            [colons, word] if colons.text == "::" && is_word(word.text) => {
                segments.push(word.text.to_owned())
            }
            _ => break,
        }
    }
    segments
}

struct UseTree<'a> {
    tokens: &'a [Token<'a>],
    position: usize,
    at: &'a [String],
    public: bool,
    found: Vec<Import>,
}

impl UseTree<'_> {
    fn peek(&self) -> &str {
        self.tokens.get(self.position).map_or("", |token| token.text)
    }

    /// Reads one tree, up to the `,`, `}` or `;` that ends it.
    fn read(&mut self, prefix: &[String]) {
        let mut segments = prefix.to_vec();
        let line = self.tokens.get(self.position).map_or(0, |token| token.line);
        let mut alias = None;
        loop {
            match self.peek() {
                "{" => {
                    while !matches!(self.peek(), "}" | "") {
                        // The opening brace or a comma.
                        self.position += 1;
                        if self.peek() != "}" {
                            self.read(&segments);
                        }
                    }
                    self.position += 1;
                    return;
                }
                "," | "}" | ";" | "" => break,
                "::" => {}
                "as" => {
                    self.position += 1;
                    alias = Some(self.peek().to_owned());
                }
                // `a::{self}` is `a`.
                "self" if !segments.is_empty() => {}
                word => segments.push(word.to_owned()),
            }
            self.position += 1;
        }
        let Some(name) = alias.or_else(|| segments.last().cloned()) else { return };
        let path = Mention { segments, at: self.at.to_vec(), line };
        self.found.push(Import { name, path, public: self.public });
    }
}

struct Token<'a> {
    text: &'a str,
    line: usize,
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first == '_' || first.is_alphabetic())
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let in_word = |letter: char| letter == '_' || letter.is_alphanumeric();
        let length = if in_word(first) {
            rest.find(|letter| !in_word(letter)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (text, behind) = rest.split_at(length);
        if first == '\n' {
            line += 1;
        } else if !first.is_whitespace() {
            found.push(Token { text, line });
        }
        rest = behind;
    }
    found
}

/// The text with spaces for comments, and for what is in literals if those are to go, too. Lines stay where they are.
fn blanked(content: &str, literals: bool) -> String {
    let mut out = String::with_capacity(content.len());
    let mut rest = content;
    let mut after_word = false;
    while let Some(first) = rest.chars().next() {
        let (length, blank) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), true),
            '/' if rest.starts_with("/*") => (block_comment(rest), true),
            '"' => (string(rest), literals),
            'r' if !after_word && raw_string(rest).is_some() => (raw_string(rest).unwrap(), literals),
            '\'' => (character(rest), literals),
            _ => (first.len_utf8(), false),
        };
        let (piece, behind) = rest.split_at(length);
        if blank {
            out.extend(piece.chars().map(|letter| if letter == '\n' { '\n' } else { ' ' }));
        } else {
            out.push_str(piece);
        }
        // `br"…"` is a raw string, too.
        after_word = first != 'b' && (first == '_' || first.is_alphanumeric());
        rest = behind;
    }
    out
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        let Some(next) = text.get(at..).filter(|rest| !rest.is_empty()) else { return text.len() };
        if next.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if next.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += next.chars().next().map_or(1, char::len_utf8);
        }
    }
}

/// Length of the string that begins here, its quotes included.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let hashes = text[1..].find(|letter| letter != '#')?;
    let body = text[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(body.find(&end).map_or(text.len(), |at| 1 + hashes + 1 + at + end.len()))
}

/// Length of the character that begins here, or of the quote of a lifetime.
fn character(text: &str) -> usize {
    let mut letters = text.char_indices().skip(1);
    match letters.next() {
        Some((_, '\\')) => {
            // What is escaped may be a quote.
            letters.next();
            letters.find(|&(_, letter)| letter == '\'').map_or(1, |(at, _)| at + 1)
        }
        Some(_) => match letters.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}

/// Blanks each item marked `#[cfg(test)]` in both texts.
fn without_tests(text: &str, code: &str) -> (String, String) {
    const MARK: &str = "#[cfg(test)]";
    // As both have the same characters at the same places, but not the same bytes, they are looked at as characters.
    let mut text: Vec<char> = text.chars().collect();
    let mut code: Vec<char> = code.chars().collect();
    let mark: Vec<char> = MARK.chars().collect();
    let mut at = 0;
    while at + mark.len() <= code.len() {
        if code[at..at + mark.len()] == mark[..] {
            let end = end_of_item(&code, at + mark.len());
            for letter in text[at..end].iter_mut().chain(&mut code[at..end]) {
                if *letter != '\n' {
                    *letter = ' ';
                }
            }
            at = end;
        } else {
            at += 1;
        }
    }
    (text.into_iter().collect(), code.into_iter().collect())
}

fn end_of_item(code: &[char], start: usize) -> usize {
    let (mut braces, mut others) = (0_usize, 0_usize);
    for (at, letter) in code.iter().enumerate().skip(start) {
        match letter {
            '(' | '[' => others += 1,
            ')' | ']' => others = others.saturating_sub(1),
            '{' => braces += 1,
            '}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return at + 1;
                }
            }
            ';' if braces == 0 && others == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}
