// SPDX-License-Identifier: GPL-2.0-only
//! Users and groups, read from `/etc/passwd` and `/etc/group`.
//!
//! It must never go through the C library's `getpwnam` and its like: they load name service modules at
//! run time, which a static program cannot do. So users and groups from LDAP or other name services are
//! not known to the daemon. What it looks up is little: a home directory, the tracing group and the
//! supplementary groups of a client's user.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The system's files.
pub const PASSWD: &str = "/etc/passwd";
/// The system's group file.
pub const GROUP: &str = "/etc/group";

/// Largest number of supplementary groups that Linux accepts (NGROUPS_MAX).
const MAX_GROUPS: usize = 65536;

/// No file is read beyond this many bytes.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// One line of the passwd file. Layout: `name:password:uid:gid:gecos:home:shell`, see passwd(5).
struct User<'a> {
    name: &'a str,
    uid: u32,
    home: &'a str,
}

/// One line of the group file. Layout: `name:password:gid:member,member`, see group(5).
struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

fn users(passwd: &str) -> impl Iterator<Item = User<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
        let uid = fields.nth(1)?.parse().ok()?;
        let home = fields.nth(2)?;
        Some(User { name, uid, home })
    })
}

fn groups(group: &str) -> impl Iterator<Item = Group<'_>> {
    group.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with('#'))?;
        let gid = fields.nth(1)?.parse().ok()?;
        let members = fields.next().unwrap_or_default();
        Some(Group { name, gid, members })
    })
}

/// The home directory of a user, from the text of a passwd file.
pub fn home_of(passwd: &str, uid: u32) -> Option<PathBuf> {
    let user = users(passwd).find(|user| user.uid == uid)?;
    (!user.home.is_empty()).then(|| PathBuf::from(user.home))
}

/// The id of a user, from the text of a passwd file.
pub fn user_id(passwd: &str, name: &str) -> Option<u32> {
    users(passwd).find(|user| user.name == name).map(|user| user.uid)
}

/// The name of a user, from the text of a passwd file.
pub fn user_name(passwd: &str, uid: u32) -> Option<String> {
    users(passwd).find(|user| user.uid == uid).map(|user| user.name.to_owned())
}

/// The id of a group, from the text of a group file.
pub fn group_id(group: &str, name: &str) -> Option<u32> {
    groups(group).find(|entry| entry.name == name).map(|entry| entry.gid)
}

/// All group ids of a user whose primary group is `gid`, that one first. A user without a passwd entry
/// has just the primary group.
pub fn groups_of(passwd: &str, group: &str, uid: u32, gid: u32) -> Vec<u32> {
    let mut all = vec![gid];
    let Some(user) = users(passwd).find(|user| user.uid == uid) else { return all };
    for entry in groups(group) {
        let member = entry.members.split(',').any(|member| member.trim() == user.name);
        if member && all.len() < MAX_GROUPS && !all.contains(&entry.gid) {
            all.push(entry.gid);
        }
    }
    all
}

/// The text of a passwd or group file; bytes that are not UTF-8 are replaced.
///
/// # Errors
/// What opening and reading the file says.
pub fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The home directory of a user of this system.
pub fn system_home_of(uid: u32) -> Option<PathBuf> {
    home_of(&read(Path::new(PASSWD)).ok()?, uid)
}

/// The users of this system, as text; empty if that can't be read.
pub fn system_users() -> String {
    read(Path::new(PASSWD)).unwrap_or_default()
}

/// The id of a user of this system.
pub fn system_user_id(name: &str) -> Option<u32> {
    user_id(&read(Path::new(PASSWD)).ok()?, name)
}

/// The id of a group of this system.
pub fn system_group_id(name: &str) -> Option<u32> {
    group_id(&read(Path::new(GROUP)).ok()?, name)
}

/// Whether this process has a group among its supplementary ones, which is how the client library decides
/// whether to try the root daemon. (`lttng-tools 2.13: src/lib/lttng-ctl/lttng-ctl.c`)
pub fn process_is_member(gid: u32) -> bool {
    nix::unistd::getgroups().is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == gid))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str = "root:x:0:0:root:/root:/bin/bash\n\
        # a comment:x:7:7::/none:\n\
        short:x:12\n\
        bad:x:many:0::/bad:/bin/sh\n\
        alice:x:1000:1000:Alice, \u{e9}:/home/alice:/bin/sh\n\
        homeless:x:1001:1001:::\n\
        other:x:1000:1000::/second:/bin/sh\n";

    const GROUPS: &str = "root:x:0:\n\
        tracing:x:120:bob,alice\n\
        alicex:x:121:alicex,xalice\n\
        alice:x:1000:alice\n\
        audio:x:29: alice \n\
        nomembers:x:30\n\
        big:x:4294967296:alice\n\
        -:x:-1:alice\n";

    #[test]
    fn home_comes_from_the_first_entry_with_the_uid() {
        assert_eq!(home_of(USERS, 0), Some(PathBuf::from("/root")));
        assert_eq!(home_of(USERS, 1000), Some(PathBuf::from("/home/alice")));
        assert_eq!(home_of(USERS, 1001), None);
        assert_eq!(home_of(USERS, 12), None);
        assert_eq!(home_of(USERS, 7), None);
        assert_eq!(home_of("", 0), None);
    }

    #[test]
    fn groups_are_found_by_exact_name() {
        assert_eq!(group_id(GROUPS, "tracing"), Some(120));
        assert_eq!(group_id(GROUPS, "nomembers"), Some(30));
        assert_eq!(group_id(GROUPS, "trac"), None);
        assert_eq!(group_id(GROUPS, "big"), None);
        assert_eq!(group_id(GROUPS, "-"), None);
    }

    #[test]
    fn membership_is_by_whole_name_and_without_repeats() {
        assert_eq!(groups_of(USERS, GROUPS, 1000, 1000), [1000, 120, 29]);
        assert_eq!(groups_of(USERS, GROUPS, 1000, 5), [5, 120, 1000, 29]);
        assert_eq!(groups_of(USERS, GROUPS, 4242, 77), [77]);
    }

    #[test]
    fn membership_of_this_process() {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let own = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap();
        for gid in own.split_whitespace() {
            assert!(process_is_member(gid.parse().unwrap()));
        }
        assert!(!process_is_member(u32::MAX - 7));
    }

    #[test]
    fn the_system_files_can_be_read() {
        assert!(system_home_of(0).is_some());
        assert_eq!(system_group_id("root"), Some(0));
        assert!(read(Path::new("/nonexistent/passwd")).is_err());
    }
}
