//! From the path of a configuration to its plan. The one file of this room that touches the world:
//! it reads files, the environment and our own uid, and hands them to what thinks.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::environment::unreadable;
use super::file::{self, Loaded, folder_of};
use super::problem::Problems;
use super::surroundings::{ReadError, Surroundings, default_state_dir};
use super::tree::MAX_TEXT;

/// Reads the configuration at `path` and all files that it names. Nothing is written and nothing
/// is started.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    let name = path.display().to_string();
    let text = read_text(path).map_err(|error| Problems::from(unreadable(&name, &error)))?;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let around = Surroundings {
        file: &name,
        folder: &folder_of(&absolute),
        uid: own_uid(),
        vars: &variable,
        read: &read_text,
    };
    file::read(&text, &around)
}

/// Where the run file is kept when there is no configuration.
pub fn state_dir() -> PathBuf {
    default_state_dir(own_uid(), &variable)
}

/// A variable of ours. One that is not UTF-8 cannot be put into a text, so it counts as not set.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The user that we run as, by the owner of our own folder in /proc. Without /proc we are careful
/// and count as nobody special.
fn own_uid() -> u32 {
    std::fs::metadata("/proc/self").map_or(u32::MAX, |folder| folder.uid())
}

/// The text of a file that is no larger than a configuration can be. Pipes are read too, for
/// `-c <(…)`.
fn read_text(path: &Path) -> Result<String, ReadError> {
    let mut bytes = vec![];
    let file = File::open(path).map_err(|error| read_error(&error))?;
    let limit = MAX_TEXT as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(|error| read_error(&error))?;
    if bytes.len() > MAX_TEXT {
        return Err(ReadError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        ReadError::NotText(1 + good.iter().filter(|byte| **byte == b'\n').count())
    })
}

fn read_error(error: &std::io::Error) -> ReadError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => ReadError::Missing,
        ErrorKind::IsADirectory => ReadError::Folder,
        ErrorKind::PermissionDenied => ReadError::Denied,
        _ => ReadError::Other(error.to_string()),
    }
}
