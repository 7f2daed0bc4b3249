// SPDX-License-Identifier: GPL-2.0-only
//! Asking a running daemon how it is: `lttng-sessiond --status`.
//!
//! This is the other side of the status socket, in a process of its own that may wait. It knows no more of the daemon than
//! the report that it is sent, and must never ask for anything that would change something there.

use std::fmt;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use crate::boot::options::{Format, Options, STATUS_SOCK, SYSTEM_RUNDIR, StatusQuery};
use crate::report::page::Room;
use crate::report::{Report, SCHEMA, prometheus, text};
use crate::sys::terminal;
use crate::users;

/// How long a daemon may take to say something.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a report that are read: more than one about as many applications as there may be.
const MAX_REPORT: u64 = 256 << 20;

/// Why nobody has answered.
#[derive(Debug)]
pub enum Unanswered {
    /// There is no socket, or nobody listens on it.
    Nobody,
    /// Whoever asks may not.
    Forbidden,
    /// The connection could not be made, or ended early.
    Lost(io::Error),
    /// What came is no report, or one of another kind.
    Nonsense(String),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unanswered::Nobody => write!(f, "nobody listens there"),
            Unanswered::Forbidden => write!(f, "you may not ask: that is for root and for the tracing group"),
            Unanswered::Lost(error) => write!(f, "{error}"),
            Unanswered::Nonsense(why) => write!(f, "what was answered can't be understood: {why}"),
        }
    }
}

impl std::error::Error for Unanswered {}

impl From<io::Error> for Unanswered {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused | io::ErrorKind::NotADirectory => {
                Unanswered::Nobody
            }
            io::ErrorKind::PermissionDenied => Unanswered::Forbidden,
            io::ErrorKind::WouldBlock => {
                let text = format!("it says nothing for {} s", TIMEOUT.as_secs());
                Unanswered::Lost(io::Error::other(text))
            }
            _ => Unanswered::Lost(error),
        }
    }
}

/// The status sockets where a daemon may answer, in the order in which `lttng` looks for daemons: root's comes first, for
/// those who may use it, then the user's own.
pub fn places(options: &Options) -> Vec<PathBuf> {
    let roots = Path::new(SYSTEM_RUNDIR).join(STATUS_SOCK);
    if options.uid == 0 {
        vec![options.status_sock.clone()]
    } else {
        vec![roots, options.status_sock.clone()]
    }
}

/// Asks the daemon behind this socket. Returns what it says, as it says it.
///
/// # Errors
/// Why it can't be asked.
pub fn ask_for_text(place: &Path) -> Result<String, Unanswered> {
    let stream = UnixStream::connect(place)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut text = String::new();
    stream.take(MAX_REPORT).read_to_string(&mut text)?;
    Ok(text)
}

fn understand(text: &str) -> Result<Report, Unanswered> {
    if text.is_empty() {
        return Err(Unanswered::Nonsense("it said nothing: too much may be going on already".to_owned()));
    }
    let report: Report =
        serde_json::from_str(text).map_err(|error| Unanswered::Nonsense(error.to_string()))?;
    if report.schema != SCHEMA {
        let text = format!("its version is {}, not {SCHEMA}", report.schema);
        return Err(Unanswered::Nonsense(text));
    }
    Ok(report)
}

/// Asks the first daemon that answers, as often as is wanted, and prints what it says.
pub fn run(options: &Options, query: StatusQuery) -> ExitCode {
    loop {
        let shown = match first_answer(&places(options)).and_then(|text| shown(&text, query)) {
            Ok(shown) => shown,
            Err(text) => {
                eprintln!("Error: {text}");
                return ExitCode::FAILURE;
            }
        };
        // Whoever reads this has enough, or is gone.
        if print(&shown, query).is_err() {
            return ExitCode::SUCCESS;
        }
        match query.watch {
            Some(period) => std::thread::sleep(period),
            None => return ExitCode::SUCCESS,
        }
    }
}

fn first_answer(places: &[PathBuf]) -> Result<String, String> {
    let mut failures = Vec::new();
    for place in places {
        match ask_for_text(place) {
            Ok(text) => return Ok(text),
            Err(why) => failures.push((place, why)),
        }
    }
    let lines = failures.iter().map(|(place, why)| format!("\n  {}: {why}", place.display()));
    Err(format!("No session daemon says how it is:{}", lines.collect::<String>()))
}

/// What a daemon said, in the form that was asked for.
fn shown(said: &str, query: StatusQuery) -> Result<String, String> {
    let report = understand(said).map_err(|why| why.to_string())?;
    Ok(match query.format {
        Format::Json => said.to_owned(),
        Format::Prometheus => prometheus::metrics(&report),
        Format::Text => {
            let database = users::system_users();
            text::text(&report, &|uid| users::user_name(&database, uid), room())
        }
    })
}

fn room() -> Room {
    let out = io::stdout();
    if !out.is_terminal() {
        return Room::ENDLESS;
    }
    let size = terminal::size(&out);
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    Room {
        width: size.map(|(_, columns)| columns),
        // The last line is for the prompt that comes next.
        height: size.map(|(lines, _)| lines.saturating_sub(1)),
        colour: !plain && !dumb,
    }
}

fn print(text: &str, query: StatusQuery) -> io::Result<()> {
    let mut out = io::stdout();
    if query.watch.is_some() && query.format == Format::Text && out.is_terminal() {
        // From the top, over what was there, so that nothing flickers.
        let lines = text.replace('\n', "\x1b[K\n");
        write!(out, "\x1b[H{lines}\x1b[J")?;
    } else {
        out.write_all(text.as_bytes())?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_other_versions_are_read_as_far_as_they_are_alike() {
        let report = understand(
            r#"{"schema":1,"tomorrow":[1,{"a":null}],"sessions":[{"name":"s","life":"dreaming"}],"daemon":{}}"#,
        )
        .unwrap();
        assert_eq!(report.sessions[0].name, "s");
        assert_eq!(report.sessions[0].life, crate::report::Life::Unknown);
        for nonsense in ["", "{", "[]", r#"{"schema":2}"#, "{}"] {
            assert!(matches!(understand(nonsense), Err(Unanswered::Nonsense(_))), "{nonsense}");
        }
    }
}
