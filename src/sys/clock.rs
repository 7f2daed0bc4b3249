// SPDX-License-Identifier: GPL-2.0-only
//! Points in time, the trace clock's relation to the wall clock, and dates in local time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};

// In 2038 a signed number of 32 bits has no more seconds to give.
const _: () = assert!(
    size_of::<libc::timespec>() == 16,
    "RUSTFLAGS lacks --cfg=libc_unstable_time64, without which the libc crate has a time_t of 32 bits"
);

/// Samples taken to find the clock's offset; the tightest one counts.
const SAMPLES: usize = 10;
/// Nanoseconds of a second.
const NANOSECONDS: u64 = 1_000_000_000;

/// The point in time `duration` after `instant`; `instant` itself if there is no such point.
pub fn after(instant: Instant, duration: Duration) -> Instant {
    instant.checked_add(duration).unwrap_or(instant)
}

/// Seconds since the Epoch.
pub fn wall() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    i64::try_from(now).unwrap_or(i64::MAX)
}

fn nanoseconds(clock: ClockId) -> Option<i64> {
    let time = clock_gettime(clock).ok()?;
    i64::try_from(Duration::from(time).as_nanos()).ok()
}

/// Clock ticks of a second, in which `/proc` counts.
pub fn ticks() -> i64 {
    // How wide the number is depends on the machine.
    fn wide(number: impl Into<i64>) -> i64 {
        number.into()
    }
    sysconf(SysconfVar::CLK_TCK).ok().flatten().map_or(100, wide)
}

/// Nanoseconds to add to `CLOCK_MONOTONIC` to get the time since the Epoch; 0 if the clocks can't be read.
/// (lttng-tools 2.13: `src/bin/lttng-sessiond/ust-registry.c` and `ust-metadata.c`.)
pub fn monotonic_offset() -> i64 {
    let mut best: Option<(i64, i64)> = None;
    for _ in 0..SAMPLES {
        let sample = (
            nanoseconds(ClockId::CLOCK_MONOTONIC),
            nanoseconds(ClockId::CLOCK_REALTIME),
            nanoseconds(ClockId::CLOCK_MONOTONIC),
        );
        let (Some(before), Some(real), Some(after)) = sample else { return 0 };
        let delta = after.saturating_sub(before);
        if best.is_none_or(|(least, _)| delta <= least) {
            let middle = before.saturating_add(after) >> 1;
            best = Some((delta, real.saturating_sub(middle)));
        }
    }
    best.map_or(0, |(_, offset)| offset)
}

/// The clock of the time stamps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceClock {
    pub name: String,
    /// What tells it from those of other hosts and boots, if that is known.
    pub uuid: Option<String>,
    /// One line for people.
    pub description: String,
    /// Ticks per second.
    pub frequency: u64,
    /// By how many ticks it is behind `CLOCK_MONOTONIC`, with which it runs.
    pub lag: i64,
}

impl TraceClock {
    /// `CLOCK_MONOTONIC` itself; `boot` names the boot.
    pub fn monotonic(boot: Option<String>) -> Self {
        TraceClock {
            name: "monotonic".to_owned(),
            uuid: boot,
            description: "Monotonic Clock".to_owned(),
            frequency: NANOSECONDS,
            lag: 0,
        }
    }

    /// Ticks to add to it to get the time since the Epoch, when this many nanoseconds are to be added to
    /// `CLOCK_MONOTONIC`.
    pub fn offset(&self, nanoseconds: i64) -> i64 {
        let ticks =
            i128::from(nanoseconds).saturating_mul(self.frequency.into()).div_euclid(NANOSECONDS.into());
        let offset = ticks.saturating_add(self.lag.into());
        i64::try_from(offset).unwrap_or(if offset < 0 { i64::MIN } else { i64::MAX })
    }
}

fn local(seconds: i64) -> libc::tm {
    // SAFETY: tm is plain data for which all-zero is a valid value.
    let mut broken_down: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid for the call; on failure the structure stays zeroed.
    unsafe { libc::localtime_r(&raw const seconds, &raw mut broken_down) };
    broken_down
}

/// Date and time of day with `between` between them.
fn digits(t: &libc::tm, between: char) -> String {
    let (year, month) = (t.tm_year.saturating_add(1900), t.tm_mon.saturating_add(1));
    let (day, hour, minute, second) = (t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec);
    format!("{year:04}{month:02}{day:02}{between}{hour:02}{minute:02}{second:02}")
}

/// `YYYYmmdd-HHMMSS` in local time, as in names of sessions and folders.
pub fn name_date(seconds: i64) -> String {
    digits(&local(seconds), '-')
}

/// `YYYYmmddTHHMMSS+hhmm` in local time, as in metadata and chunk names.
pub fn iso_date(seconds: i64) -> String {
    let t = local(seconds);
    let minutes = t.tm_gmtoff / 60;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{}{sign}{:02}{:02}", digits(&t, 'T'), minutes.abs() / 60, minutes.abs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_the_shape_that_clients_expect() {
        let name = name_date(0);
        assert_eq!((name.len(), name.as_bytes()[8]), (15, b'-'), "{name}");
        let iso = iso_date(1_795_376_204);
        assert_eq!((iso.len(), iso.as_bytes()[8]), (20, b'T'), "{iso}");
        assert!(iso.starts_with("202611"), "{iso}");
    }

    #[test]
    fn offsets_are_in_ticks() {
        let usual = TraceClock::monotonic(None);
        let (since_epoch, negative) = (1_795_376_204_123_456_789, -1_500_000);
        assert_eq!((usual.offset(since_epoch), usual.offset(negative)), (since_epoch, negative));
        let slow = TraceClock { frequency: 1000, lag: 77, ..usual.clone() };
        assert_eq!(slow.offset(since_epoch), 1_795_376_204_123 + 77);
        assert_eq!(slow.offset(negative), -2 + 77);
        let fast = TraceClock { frequency: u64::MAX, ..usual };
        assert_eq!((fast.offset(since_epoch), fast.offset(negative)), (i64::MAX, -27_670_116_110_564_328));
    }

    #[test]
    fn the_offset_leads_from_one_clock_to_the_other() {
        let expected =
            nanoseconds(ClockId::CLOCK_REALTIME).unwrap() - nanoseconds(ClockId::CLOCK_MONOTONIC).unwrap();
        assert!((monotonic_offset() - expected).abs() < 1_000_000_000);
    }
}
