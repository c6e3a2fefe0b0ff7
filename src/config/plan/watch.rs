//! Files whose change restarts a process, in the words of Compose's `develop.watch`.

use std::path::PathBuf;
use std::time::Duration;

/// One entry of `develop.watch` with `action: restart`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchRule {
    /// A file, or a folder with everything below it.
    pub path: PathBuf,
    /// Patterns of what does not count, relative to the path, as in `.dockerignore`.
    pub ignore: Vec<String>,
    /// Patterns of what alone counts; everything when empty.
    pub include: Vec<String>,
    /// Changes are waited for until none came for so long.
    pub debounce: Duration,
}
