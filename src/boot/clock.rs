// SPDX-License-Identifier: GPL-2.0-only
//! The clock of a plug-in, for the traces' description of it. Applications and consumer daemons load the plug-in into
//! themselves; this process may be a static one, which can't, and must never run a plug-in's code: a small program that is
//! installed beside it does that.

use std::fmt;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::sys::clock::TraceClock;

/// Name of the program, which is where this one is.
const PROGRAM: &str = "lttng-sessiond-clock";
/// How long a plug-in may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const ENOUGH: usize = 64 << 10;
/// Bytes of a UUID as text.
const UUID_LEN: usize = 36;

/// Why a plug-in can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    plugin: PathBuf,
    why: String,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plugin, why) = (self.plugin.display(), &self.why);
        write!(
            f,
            "Can't use the clock plug-in {plugin} of LTTNG_UST_CLOCK_PLUGIN: {why}. Time stamps would be wrong without \
             it: mend that, or unset the variable for the daemon and for applications."
        )
    }
}

impl std::error::Error for Unusable {}

/// The clock that a plug-in brings, or the usual one if it brings none. `boot` names the boot.
///
/// # Errors
/// [`Unusable`] if it can't be loaded, or if traces can't be described with it.
pub fn load(plugin: &Path, boot: Option<String>) -> Result<TraceClock, Unusable> {
    let unusable = |why| Unusable { plugin: plugin.to_owned(), why };
    let own = std::env::current_exe().map_err(|error| unusable(error.to_string()))?;
    let answer = run(&own.with_file_name(PROGRAM), plugin).map_err(unusable)?;
    Ok(parse(&answer).map_err(unusable)?.unwrap_or_else(|| TraceClock::monotonic(boot)))
}

/// Has the program load the plug-in. Returns what it says.
fn run(program: &Path, plugin: &Path) -> Result<Vec<u8>, String> {
    let mut command = Command::new(program);
    command.arg(plugin).stdin(Stdio::null()).stdout(Stdio::piped());
    // A tracer that comes with the plug-in must neither load it once more, nor wait for a daemon.
    command.env_remove("LTTNG_UST_CLOCK_PLUGIN").env("LTTNG_UST_REGISTER_TIMEOUT", "0");
    let mut child =
        command.spawn().map_err(|error| format!("{}, which is to load it: {error}", program.display()))?;
    let answer = read_to_end(&mut child);
    if answer.is_err() {
        // It may have ended meanwhile.
        let _ = child.kill();
    }
    // What it says is what counts.
    let _ = child.wait();
    answer
}

fn read_to_end(child: &mut Child) -> Result<Vec<u8>, String> {
    let deadline = Instant::now().checked_add(TIMEOUT);
    let mut answer = Vec::new();
    let Some(output) = &mut child.stdout else { return Ok(answer) };
    let mut piece = [0; 4096];
    while answer.len() < ENOUGH {
        let left = deadline.map_or(TIMEOUT, |deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(output.as_fd(), PollFlags::POLLIN)], timeout) {
            Err(nix::errno::Errno::EINTR) => continue,
            Err(error) => return Err(error.to_string()),
            Ok(0) => return Err(format!("nothing happens for {} s", TIMEOUT.as_secs())),
            Ok(_) => {}
        }
        match output.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(piece.get(..count).unwrap_or_default()),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(answer)
}

/// What the program's answer means; `None`: the plug-in sets no clock. The answer is described in its source.
fn parse(answer: &[u8]) -> Result<Option<TraceClock>, String> {
    let text = String::from_utf8_lossy(answer);
    let Some(fields) = text.strip_suffix('\0') else {
        return Err(if text.is_empty() {
            "it ended the program that loaded it".to_owned()
        } else {
            text.into_owned()
        });
    };
    if fields.is_empty() {
        return Ok(None);
    }
    let fields: Vec<&str> = fields.split('\0').collect();
    let [name, uuid, description, frequency, lag] = fields.as_slice() else {
        return Err("what it says of itself is not understood".to_owned());
    };
    let mut letters = name.chars();
    let is_name = letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if !is_name {
        return Err(format!("“{name}” can't be the name of a clock in a trace"));
    }
    if !uuid.is_empty() && !is_uuid(uuid) {
        return Err(format!("“{uuid}” is no UUID"));
    }
    let frequency = frequency.parse().ok().filter(|frequency| *frequency > 0);
    let (Some(frequency), Ok(lag)) = (frequency, lag.parse()) else {
        return Err("its frequency or its time makes no sense".to_owned());
    };
    Ok(Some(TraceClock {
        name: (*name).to_owned(),
        uuid: Some(*uuid).filter(|uuid| !uuid.is_empty()).map(str::to_owned),
        description: (*description).to_owned(),
        frequency,
        lag,
    }))
}

fn is_uuid(text: &str) -> bool {
    let is_right = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == UUID_LEN && text.bytes().enumerate().all(is_right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::emulation;

    const UUID: &str = "11111111-2222-4333-8444-55555555555f";

    #[test]
    fn an_answer_describes_a_clock() {
        let clock = |uuid: Option<&str>| TraceClock {
            name: "my_clock".to_owned(),
            uuid: uuid.map(str::to_owned),
            description: "Of \"mine\"".to_owned(),
            frequency: 1000,
            lag: -5,
        };
        for uuid in [None, Some(UUID)] {
            let answer = format!("my_clock\0{}\0Of \"mine\"\x001000\0-5\0", uuid.unwrap_or_default());
            assert_eq!(parse(answer.as_bytes()), Ok(Some(clock(uuid))));
        }
        assert_eq!(parse(b"\0"), Ok(None));
    }

    #[test]
    fn what_describes_no_clock_is_refused_with_the_reason() {
        let refused = |answer: &str| parse(answer.as_bytes()).unwrap_err();
        assert_eq!(refused("no such file"), "no such file");
        assert!(refused("").contains("ended"));
        for (name, uuid, frequency, lag) in [
            ("1a", UUID, "1", "0"),
            ("a-b", UUID, "1", "0"),
            ("", UUID, "1", "0"),
            ("a", "1", "1", "0"),
            ("a", "11111111-2222-4333-8444-55555555555\"", "1", "0"),
            ("a", UUID, "0", "0"),
            ("a", UUID, "-1", "0"),
            ("a", UUID, "1", ""),
        ] {
            refused(&format!("{name}\0{uuid}\0text\0{frequency}\0{lag}\0"));
        }
        refused("a\0\x001\x000\0");
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        // glibc tells its caller by memory that both share, which they do not when an emulator runs them.
        if cfg!(target_env = "musl") || !emulation::leaves_out("programs that can't be run") {
            let error = run(Path::new("/nowhere/program"), Path::new("/plugin.so")).unwrap_err();
            assert!(error.starts_with("/nowhere/program, which is to load it: "), "{error}");
        }
        assert_eq!(run(Path::new("/bin/echo"), Path::new("/plugin.so")), Ok(b"/plugin.so\n".to_vec()));
    }
}
