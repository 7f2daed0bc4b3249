// SPDX-License-Identifier: GPL-2.0-only
//! Folders at relay daemons before 2.11, which the session daemon makes up itself.
//!
//! Such a relay daemon knows no chunks and no base path: every stream comes with its whole folder, in the `pathname`
//! of ASK_CHANNEL_CREATION, ADD_CHANNEL and SNAPSHOT_CHANNEL. Later ones get a path relative to the chunk.
//!
//! Source: `lttng-tools 2.13: src/bin/lttng-sessiond/cmd.c`, `src/bin/lttng-sessiond/consumer.c`; those of
//! user space were compared with what the stock daemon sends.

/// The session's folder: `/HOSTNAME/SUBDIR/` when the control URI has a sub-directory, else `/HOSTNAME/NAME/`, with
/// `-DATE` behind a name that was not generated.
///
/// `date` is the session's creation, `YYYYmmdd-HHMMSS` in the local time zone.
pub fn legacy_base_folder(
    hostname: &str,
    subdir: &str,
    session_name: &str,
    name_has_date: bool,
    date: &str,
) -> String {
    match (subdir, name_has_date) {
        ("", true) => format!("/{hostname}/{session_name}/"),
        ("", false) => format!("/{hostname}/{session_name}-{date}/"),
        (subdir, _) => format!("/{hostname}/{subdir}/"),
    }
}

/// A stream's folder below [`legacy_base_folder`]'s result. `chunk` is the name of a snapshot, else empty (the
/// original then leaves two slashes); `domain` is `ust` or `kernel`; `relative` is what later relay daemons get.
pub fn legacy_stream_folder(base: &str, chunk: &str, domain: &str, relative: &str) -> String {
    format!("{base}{chunk}/{domain}/{relative}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the stock 2.13.9 daemon sent for a relay daemon 2.10.
    #[test]
    fn folders_are_those_of_the_original() {
        let base =
            |subdir, name, generated| legacy_base_folder("vm", subdir, name, generated, "20261123-015109");
        let stream = |base: &str, chunk| legacy_stream_folder(base, chunk, "ust", "uid/0/64-bit");
        assert_eq!(stream(&base("", "a1", false), ""), "/vm/a1-20261123-015109//ust/uid/0/64-bit");
        assert_eq!(stream(&base("sub/dir", "a2", false), ""), "/vm/sub/dir//ust/uid/0/64-bit");
        let generated = base("", "auto-20261123-015113", true);
        assert_eq!(stream(&generated, ""), "/vm/auto-20261123-015113//ust/uid/0/64-bit");
        let snapshot = stream(&base("snap", "sn", false), "snapshot-1-20261123-015113-0");
        assert_eq!(snapshot, "/vm/snap/snapshot-1-20261123-015113-0/ust/uid/0/64-bit");
    }
}
