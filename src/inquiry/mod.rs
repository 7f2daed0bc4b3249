// SPDX-License-Identifier: GPL-2.0-only
//! Asking a running daemon how it is: `lttng-sessiond --status`.
//!
//! This is the other side of the status socket, in a process of its own that may wait. It knows no more of the daemon than
//! the report that it is sent, and must never ask for anything that would change something there.

pub mod connection;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use self::connection::Unanswered;
use crate::boot::options::{Format, Options, STATUS_SOCK, SYSTEM_RUNDIR, StatusQuery};
use crate::report::page::Room;
use crate::report::{prometheus, text};
use crate::sys::terminal;
use crate::users;

/// How long a daemon may take to say all that it has to say.
const PATIENCE: Duration = Duration::from_secs(10);

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

/// What the daemon behind this socket says, as it says it.
fn ask(place: &Path) -> Result<Vec<u8>, Unanswered> {
    let deadline = Instant::now() + PATIENCE;
    let (mut stream, _) = connection::reach(place, deadline)?;
    connection::read(&mut stream, deadline)
}

/// Asks the first daemon that answers, as often as is wanted, and prints what it says.
pub fn run(options: &Options, query: StatusQuery) -> ExitCode {
    loop {
        let shown = match first_answer(&places(options)).and_then(|said| shown(&said, query)) {
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

fn first_answer(places: &[PathBuf]) -> Result<Vec<u8>, String> {
    let mut failures = Vec::new();
    for place in places {
        match ask(place) {
            Ok(said) => return Ok(said),
            Err(why) => failures.push((place, why)),
        }
    }
    let lines = failures.iter().map(|(place, why)| format!("\n  {}: {why}", place.display()));
    Err(format!("No session daemon says how it is:{}", lines.collect::<String>()))
}

/// What a daemon said, in the form that was asked for.
fn shown(said: &[u8], query: StatusQuery) -> Result<String, String> {
    let report = connection::understand(said).map_err(|why| why.to_string())?;
    Ok(match query.format {
        Format::Json => String::from_utf8_lossy(said).into_owned(),
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
