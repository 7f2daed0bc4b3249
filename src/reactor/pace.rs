// SPDX-License-Identifier: GPL-2.0-only
//! How often something comes on a pipe. It only counts, and leaves alone nothing by itself.

use std::time::{Duration, Instant};

/// What comes within this time after the last time comes often.
const OFTEN: Duration = Duration::from_micros(900);
/// Bytes that are much: the sixteenth part of what a pipe holds.
const MUCH: usize = 4 << 10;

/// What comes on a pipe.
#[derive(Debug, Default)]
pub struct Pace {
    /// Bytes in this turn.
    pub came: usize,
    /// When something came last.
    last: Option<Instant>,
    /// It is left alone.
    pub rests: bool,
}

impl Pace {
    /// Whether to leave the pipe alone, now that it was read.
    pub fn tires(&mut self, now: Instant) -> bool {
        let came = std::mem::take(&mut self.came);
        if came == 0 {
            return false;
        }
        let before = self.last.replace(now);
        came < MUCH && before.is_some_and(|before| now.saturating_duration_since(before) < OFTEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_often_and_little_tires() {
        let begin = Instant::now();
        let at = |micros| begin + Duration::from_micros(micros);
        let mut pace = Pace::default();
        let mut tires = |came, micros| {
            pace.came = came;
            pace.tires(at(micros))
        };
        assert!(!tires(42, 0), "the first");
        assert!(!tires(42, 900), "it was silent");
        assert!(tires(42, 1799));
        assert!(!tires(0, 1800), "nothing has come");
        assert!(tires(MUCH - 1, 1801));
        assert!(!tires(MUCH, 1802), "much has come");
        assert!(!tires(42, 9999));
    }
}
