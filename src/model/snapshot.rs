// SPDX-License-Identifier: GPL-2.0-only
//! Where snapshots go, and how much of the buffers fits into one.

use serde::{Deserialize, Serialize};

use super::output::Output;

/// An output for snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotOutput {
    /// Its number in the session, from 1; 0 for one that is used once.
    pub id: u32,
    pub name: String,
    /// Bytes that one snapshot may have; 0 for any number.
    pub max_size: u64,
    /// Where.
    pub output: Output,
}

impl SnapshotOutput {
    /// The name of an output that was given none.
    pub fn default_name(id: u32) -> String {
        format!("snapshot-{id}")
    }
}

/// The buffers of one channel, as far as the size of a snapshot depends on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Packets that a stream has at most.
    pub packets: u64,
    /// Bytes of one packet of every stream.
    pub bytes: u64,
}

/// How many packets of each stream a snapshot of at most `max_size` bytes takes; 0 is all there are. `None` if
/// there is not even room for one (lttng-tools 2.13: `src/bin/lttng-sessiond/cmd.c`).
pub fn packets_per_stream(max_size: u64, channels: &[Room]) -> Option<u64> {
    if max_size == 0 {
        return Some(0);
    }
    let mut ends: Vec<u64> =
        channels.iter().map(|room| room.packets).filter(|&packets| packets > 0).collect();
    ends.sort_unstable();
    let (mut left, mut taken) = (max_size, 0u64);
    // Up to each end, one packet more of each stream always takes the same: that of the channels that go on.
    for end in ends {
        let going_on = channels.iter().filter(|room| room.packets > taken);
        let need = going_on.fold(0u64, |sum, room| sum.saturating_add(room.bytes));
        let wanted = end.saturating_sub(taken);
        let rounds = left.checked_div(need).map_or(wanted, |affordable| affordable.min(wanted));
        taken = taken.saturating_add(rounds);
        left = left.saturating_sub(rounds.saturating_mul(need));
        if rounds < wanted {
            break;
        }
    }
    let nothing_to_take = channels.iter().all(|room| room.packets == 0 || room.bytes == 0);
    (taken > 0 || nothing_to_take).then_some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Room = Room { packets: 2, bytes: 100 };
    const LARGE: Room = Room { packets: 4, bytes: 1000 };

    #[test]
    fn without_a_limit_everything_is_taken() {
        assert_eq!(packets_per_stream(0, &[SMALL, LARGE]), Some(0));
        assert_eq!(packets_per_stream(0, &[]), Some(0));
    }

    #[test]
    fn one_channel() {
        for (max_size, packets) in [
            (1, None),
            (999, None),
            (1000, Some(1)),
            (1999, Some(1)),
            (2000, Some(2)),
            (4000, Some(4)),
            (u64::MAX, Some(4)),
        ] {
            assert_eq!(packets_per_stream(max_size, &[LARGE]), packets, "{max_size}");
        }
    }

    #[test]
    fn channels_of_different_lengths() {
        // Twice 1100, then 1000 each.
        for (max_size, packets) in [
            (1099, None),
            (1100, Some(1)),
            (2199, Some(1)),
            (2200, Some(2)),
            (3199, Some(2)),
            (3200, Some(3)),
            (4199, Some(3)),
            (4200, Some(4)),
            (1 << 40, Some(4)),
        ] {
            assert_eq!(packets_per_stream(max_size, &[LARGE, SMALL]), packets, "{max_size}");
            assert_eq!(packets_per_stream(max_size, &[SMALL, LARGE]), packets, "{max_size}");
        }
    }

    #[test]
    fn nothing_to_take_always_fits() {
        assert_eq!(packets_per_stream(1, &[]), Some(0));
        assert_eq!(packets_per_stream(1, &[Room { packets: 0, bytes: 9 }]), Some(0));
    }

    #[test]
    fn absurd_sizes_neither_overflow_nor_take_long() {
        let absurd = Room { packets: u64::MAX, bytes: u64::MAX };
        assert_eq!(packets_per_stream(u64::MAX, &[absurd, absurd]), Some(1));
        assert_eq!(packets_per_stream(u64::MAX, &[Room { packets: u64::MAX, bytes: 1 }]), Some(u64::MAX));
    }

    /// The rule as it is written down: packet after packet, as long as there is room.
    fn step_by_step(max_size: u64, channels: &[Room]) -> Option<u64> {
        let (mut left, mut taken) = (max_size, 0);
        loop {
            let going_on = channels.iter().filter(|room| room.packets > taken);
            let need: u64 = going_on.map(|room| room.bytes).sum();
            if need == 0 || need > left {
                return (taken > 0 || need == 0).then_some(taken);
            }
            left -= need;
            taken += 1;
        }
    }

    proptest::proptest! {
        #[test]
        fn the_same_as_step_by_step(
            max_size in 1u64..5000,
            sizes in proptest::collection::vec((0u64..9, 1u64..300), 0..6),
        ) {
            let channels: Vec<Room> = sizes.into_iter().map(|(packets, bytes)| Room { packets, bytes }).collect();
            assert_eq!(packets_per_stream(max_size, &channels), step_by_step(max_size, &channels));
        }
    }
}
