// SPDX-License-Identifier: GPL-2.0-only
//! Names of events against the patterns of rules, and names that were probably meant.

/// Whether a name fits a pattern: a star is any number of characters, and a backslash makes the next character an
/// ordinary one (lttng-ust 2.13: `src/common/strutils.c`).
pub fn fits(pattern: &str, name: &str) -> bool {
    let pattern = pieces(pattern);
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut read) = (0, 0);
    // Where to go on when what follows the last star does not fit.
    let mut again: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(at), name.get(read)) {
            (None, None) => return true,
            (Some(Piece::Star), _) => {
                at += 1;
                again = Some((at, read));
                continue;
            }
            (Some(Piece::One(wanted)), Some(letter)) if wanted == letter => {
                at += 1;
                read += 1;
                continue;
            }
            _ => {}
        }
        match again {
            Some((star, begin)) if begin < name.len() => {
                (at, read) = (star, begin + 1);
                again = Some((star, begin + 1));
            }
            _ => return false,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    One(char),
    Star,
}

fn pieces(pattern: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        pieces.push(match letter {
            '*' => Piece::Star,
            '\\' => Piece::One(letters.next().unwrap_or('\\')),
            other => Piece::One(other),
        });
    }
    pieces
}

/// Changes of one letter that make one text of the other.
pub fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut next = vec![line + 1];
        for (column, pair) in row.windows(2).enumerate() {
            let [slanting, above] = pair else { continue };
            let changed = usize::from(other.get(column) != Some(&letter));
            let left = next.last().copied().unwrap_or(usize::MAX);
            next.push((slanting + changed).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

/// A pattern that fits some of the names, and was probably meant by one that fits none; with what is wrong with that one.
pub fn meant(pattern: &str, names: &[&str]) -> Option<(String, &'static str)> {
    let stars = |text: &str| text.trim_end_matches('*').to_owned();
    if !pattern.contains(':') {
        // `tick` for `app:tick`, `app` for `app:*`.
        let behind = |name: &&&str| name.split_once(':').is_some_and(|(_, event)| fits(pattern, event));
        if let Some(name) = names.iter().find(behind) {
            let provider = name.split_once(':').map_or("", |(provider, _)| provider);
            return Some((format!("{provider}:{pattern}"), "the name of the provider is missing before it"));
        }
        let bare = stars(pattern);
        let of_provider = |name: &&&str| name.split_once(':').is_some_and(|(provider, _)| provider == bare);
        if names.iter().any(|name| of_provider(&name)) {
            return Some((format!("{bare}:*"), "it is the name of a provider, not of its events"));
        }
    }
    let lower = pattern.to_lowercase();
    if let Some(name) = names.iter().find(|name| fits(&lower, &name.to_lowercase())) {
        let meant = if pattern.contains('*') { widen(pattern, name) } else { (*name).to_owned() };
        return Some((meant, "capital and small letters differ"));
    }
    // As many wrong letters as a slip makes.
    let slip = |length: usize| if length < 5 { 1 } else { 2 };
    let nearest = |wanted: &str, found: Vec<String>| {
        let near = found.into_iter().map(|name| (distance(wanted, &name), name)).min()?;
        (near.0 > 0 && near.0 <= slip(wanted.chars().count())).then_some(near.1)
    };
    match pattern.split_once(':') {
        Some((provider, event)) if event.contains('*') => {
            let providers =
                names.iter().filter_map(|name| Some(name.split_once(':')?.0.to_owned())).collect();
            let meant = nearest(provider, providers)?;
            let meant = format!("{meant}:{event}");
            names.iter().any(|name| fits(&meant, name)).then_some((meant, "it looks like a slip of the pen"))
        }
        _ if !pattern.contains('*') => {
            let meant = nearest(pattern, names.iter().map(|name| (*name).to_owned()).collect())?;
            Some((meant, "it looks like a slip of the pen"))
        }
        _ => None,
    }
}

/// The provider as `name` has it, with all of its events.
fn widen(pattern: &str, name: &str) -> String {
    match (name.split_once(':'), pattern.contains(':')) {
        (Some((provider, _)), true) => format!("{provider}:*"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_are_any_text_and_a_backslash_hides_one() {
        for (pattern, name, want) in [
            ("app:tick", "app:tick", true),
            ("app:tick", "app:tic", false),
            ("app:tic", "app:tick", false),
            ("*", "", true),
            ("*", "app:tick", true),
            ("app:*", "app:tick", true),
            ("app:*", "app:", true),
            ("app:*", "other:tick", false),
            ("*:tick", "app:tick", true),
            ("a*:t*k", "app:tick", true),
            ("a*p:*i*", "app:tick", true),
            ("*ck*ck", "app:tick", false),
            ("*aab", "aaaab", true),
            ("app:\\*", "app:*", true),
            ("app:\\*", "app:tick", false),
            ("", "", true),
            ("", "a", false),
            ("a\\", "a\\", true),
        ] {
            assert_eq!(fits(pattern, name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let name = "a".repeat(255);
        assert!(!fits(&format!("{}b", "*a".repeat(100)), &name));
    }

    #[test]
    fn distances() {
        for (one, other, want) in
            [("", "", 0), ("abc", "", 3), ("tick", "tock", 1), ("tick", "ticks", 1), ("ab", "ba", 2)]
        {
            assert_eq!(distance(one, other), want, "{one} {other}");
            assert_eq!(distance(other, one), want, "{other} {one}");
        }
    }

    #[test]
    fn what_was_probably_meant() {
        let names = ["testapp:tick", "testapp:note", "otherapp:alarm"];
        let meant = |pattern| meant(pattern, &names).map(|(name, _)| name);
        assert_eq!(meant("tick").as_deref(), Some("testapp:tick"));
        assert_eq!(meant("t*k").as_deref(), Some("testapp:t*k"));
        assert_eq!(meant("testapp").as_deref(), Some("testapp:*"));
        assert_eq!(meant("testap:*").as_deref(), Some("testapp:*"));
        assert_eq!(meant("testapp:tock").as_deref(), Some("testapp:tick"));
        assert_eq!(meant("TestApp:tick").as_deref(), Some("testapp:tick"));
        assert_eq!(meant("TestApp:*").as_deref(), Some("testapp:*"));
        assert_eq!(meant("database:*"), None);
        assert_eq!(meant("database:query"), None);
        assert_eq!(meant(""), None);
    }
}
