// SPDX-License-Identifier: GPL-2.0-only
//! Removing the folders in which a session kept its buffers (`--shm-path`).
//!
//! The consumer daemon removes its files when the buffers are freed; here goes what the session daemon made. Nothing
//! that somebody else put there is touched: folders are only removed empty.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Removes `folder` with its `metadata` file, then the folders above it up to `root`, as far as they are empty.
///
/// # Errors
/// ENOTEMPTY while the folder holds something else; EINVAL if it is not below `root`.
pub fn remove(root: &Path, folder: &Path) -> io::Result<()> {
    if !folder.starts_with(root) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    gone(fs::remove_file(folder.join("metadata")))?;
    gone(fs::remove_dir(folder))?;
    for above in folder.ancestors().skip(1).take_while(|above| above.starts_with(root)) {
        match fs::remove_dir(above) {
            // Another application's buffers are still there.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => return Ok(()),
            other => gone(other)?,
        }
    }
    Ok(())
}

fn gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_empty_goes() {
        let base = std::env::temp_dir().join(format!("shared-memory-{}", std::process::id()));
        let root = base.join("session");
        let (one, other) = (root.join("ust/pid/one"), root.join("ust/pid/other"));
        fs::create_dir_all(&one).unwrap();
        fs::create_dir_all(&other).unwrap();
        fs::write(one.join("metadata"), "text").unwrap();
        fs::write(other.join("channel_0"), "buffers").unwrap();
        remove(&root, &one).unwrap();
        assert!(!one.exists());
        let error = remove(&root, &other).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty);
        fs::remove_file(other.join("channel_0")).unwrap();
        remove(&root, &other).unwrap();
        assert!(!root.exists() && base.exists());
        remove(&root, &other).unwrap();
        assert_eq!(remove(&root, Path::new("/etc")).unwrap_err().raw_os_error(), Some(libc::EINVAL));
        fs::remove_dir(&base).unwrap();
    }
}
