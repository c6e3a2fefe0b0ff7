//! What a configuration depends on besides its text.
//!
//! Handed down as an argument, so that reading a configuration stays a pure function of what is in
//! here: tests give it a made-up world, `load` the real one.

use std::path::{Path, PathBuf};

use super::interpolate::Vars;

/// The variable that says where the run file and the history are kept.
pub const STATE_DIR_VARIABLE: &str = "PROCESSION_STATE_DIR";

/// The world around a configuration file.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The file as the person named it.
    pub file: &'a str,
    /// The folder that the file lies in; relative paths start there.
    pub folder: &'a Path,
    /// The user that we run as.
    pub uid: u32,
    /// Our environment.
    pub vars: Vars<'a>,
    /// Reads a file that the configuration names.
    pub read: &'a dyn Fn(&Path) -> Result<String, ReadError>,
    /// Reads a file that is no text.
    pub bytes: &'a dyn Fn(&Path) -> Result<Vec<u8>, ReadError>,
}

/// Why a file has no text for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// There is no such file.
    Missing,
    /// It is a folder.
    Folder,
    /// We may not read it.
    Denied,
    /// It is larger than a configuration can be.
    TooLarge,
    /// It is not text: the first wrong byte is in this line.
    NotText(usize),
    /// Anything else, in the system's words.
    Other(String),
}

impl ReadError {
    /// What is wrong, and what to do about it.
    pub(super) fn explain(&self) -> (String, &'static str) {
        match self {
            Self::Missing => ("there is no such file".into(), "check the path"),
            Self::Folder => ("this is a folder".into(), "name a file in it"),
            Self::Denied => {
                ("it may not be read".into(), "check its owner and mode, and those of its folder")
            }
            Self::TooLarge => {
                let limit = super::tree::MAX_TEXT >> 20;
                (format!("it is larger than {limit} MiB"), "check that it is the right file")
            }
            Self::NotText(line) => {
                (format!("it is not UTF-8 text (line {line})"), "save it as UTF-8")
            }
            Self::Other(cause) => (format!("it cannot be read: {cause}"), "check the file"),
        }
    }
}

/// Where the run file and the history are kept when no file says so: as the environment says, else
/// in the system's place for a superuser, else in the user's own, else beside where we started.
pub fn default_state_dir(uid: u32, vars: Vars<'_>) -> PathBuf {
    let variable = |name| vars(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(dir) = variable(STATE_DIR_VARIABLE) {
        return dir;
    }
    if uid == 0 {
        return PathBuf::from("/run/procession");
    }
    match variable("XDG_RUNTIME_DIR") {
        Some(dir) => dir.join("procession"),
        None => PathBuf::from("./.procession"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_dir_follows_environment_then_user() {
        let check = |uid: u32, vars: &[(&str, &str)], expected: &str| {
            let look_up = |name: &str| {
                vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(default_state_dir(uid, &look_up), Path::new(expected));
        };
        check(0, &[], "/run/procession");
        check(1000, &[], "./.procession");
        check(1000, &[("XDG_RUNTIME_DIR", "/run/user/1000")], "/run/user/1000/procession");
        check(0, &[("XDG_RUNTIME_DIR", "/run/user/0")], "/run/procession");
        check(0, &[("PROCESSION_STATE_DIR", "/state")], "/state");
        check(1000, &[("PROCESSION_STATE_DIR", "")], "./.procession");
    }
}
