// SPDX-License-Identifier: GPL-2.0-only
//! The sandbox itself: a test writes to its own folders and to no other, as whoever it acts.

use crate::support::ours;

#[test]
fn only_its_own_folders_can_be_written_to() {
    ours(|s| {
        for own in ["/run".to_owned(), "/dev/shm".to_owned(), s.path(""), s.path("home")] {
            s.run("touch", &[&format!("{own}/mine")]).ok();
        }
        let home = std::env::var("HOME").unwrap_or_else(|_| "/root".into());
        let temporary = std::env::temp_dir().to_string_lossy().into_owned();
        for other in ["/", "/etc", "/usr", "/var", "/var/tmp", "/tmp", "/dev", &home, &temporary] {
            let refused = s.run("touch", &[&format!("{other}/not-mine")]).fails();
            assert!(refused.stderr.contains("Read-only file system"), "{}", refused.stderr);
        }
    });
}
