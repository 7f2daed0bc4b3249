// SPDX-License-Identifier: GPL-2.0-only
//! Making paths absolute, before the daemon leaves the directory it was started in.

use std::path::{Component, Path, PathBuf};

/// Where relative paths start, and where the daemon's own files are.
#[derive(Debug)]
pub struct Paths<'a> {
    current: Option<&'a Path>,
    rundir: PathBuf,
}

impl<'a> Paths<'a> {
    /// The run directory may be relative, as others.
    ///
    /// # Errors
    /// The line to print: it is, and there is no current directory.
    pub fn new(current: Option<&'a Path>, rundir: PathBuf) -> Result<Paths<'a>, String> {
        let rundir = make_absolute(current, rundir)?;
        Ok(Paths { current, rundir })
    }

    /// The run directory.
    pub fn rundir(&self) -> &Path {
        &self.rundir
    }

    /// A file of the run directory.
    pub fn in_rundir(&self, name: &str) -> PathBuf {
        self.rundir.join(name)
    }

    /// The path, if there is one, as an absolute one.
    ///
    /// # Errors
    /// The line to print.
    pub fn absolute(&self, path: Option<PathBuf>) -> Result<Option<PathBuf>, String> {
        path.map(|path| make_absolute(self.current, path)).transpose()
    }

    /// The path, or without one the file of that name in the run directory.
    ///
    /// # Errors
    /// The line to print.
    pub fn or_in_rundir(&self, path: Option<PathBuf>, name: &str) -> Result<PathBuf, String> {
        Ok(self.absolute(path)?.unwrap_or_else(|| self.in_rundir(name)))
    }
}

/// Absolute paths stay as they are. Relative ones are looked up from the current directory: what exists
/// of them is freed of symbolic links, what does not is appended.
///
/// # Errors
/// The line to print: it is relative, and there is no current directory.
pub fn make_absolute(current: Option<&Path>, path: PathBuf) -> Result<PathBuf, String> {
    if path.is_absolute() {
        return Ok(path);
    }
    let current = current.ok_or_else(|| {
        format!("Error: Cannot make {} absolute: there is no current directory", path.display())
    })?;
    let mut done = current.canonicalize().unwrap_or_else(|_| current.to_path_buf());
    for component in path.components() {
        match component {
            Component::ParentDir => {
                done.pop();
            }
            Component::Normal(name) => {
                done.push(name);
                if let Ok(real) = done.canonicalize() {
                    done = real;
                }
            }
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Ok(done)
}
