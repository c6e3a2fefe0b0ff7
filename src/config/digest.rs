//! By which two lives can be seen to have had the same configuration.

use std::ffi::OsStr;

use sha2::{Digest, Sha256};

use super::plan::Plan;

impl Plan {
    /// SHA-256 in hex: of the file's text, or of the command line where there is no file. That one
    /// is made when it is asked for, since the command is not to wait for it.
    pub fn digest(&self) -> String {
        let words = || self.processes.iter().flat_map(|process| &process.command);
        let line =
            || words().map(|word| word.as_os_str()).collect::<Vec<_>>().join(OsStr::new("\0"));
        self.file_digest.clone().unwrap_or_else(|| of(line().as_encoded_bytes()))
    }
}

pub(super) fn of(text: &[u8]) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
