//! What becomes of what a process writes.

use std::path::PathBuf;
use std::time::Duration;

use crate::units::Bytes;

/// `output`.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputPlan {
    /// How it reaches our own standard output and error.
    pub mode: OutputMode,
    /// The last bytes that are kept in memory for `logs`; 0 keeps none.
    pub keep: Bytes,
    /// Lines longer than this are cut into pieces.
    pub longest_line: Bytes,
    /// How long the process may be kept from writing because our own output is slow; what does not
    /// find room by then is dropped, the oldest first, and counted.
    pub max_block: Duration,
    /// A file that is written too.
    pub file: Option<OutputFile>,
}

/// How output reaches our own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputMode {
    /// Inherited: nothing is between the process and our own output, and `logs` knows nothing.
    Passthrough,
    /// Line by line, behind the name of the process.
    Prefixed,
    /// Line by line, each a JSON object.
    Json,
    /// Not at all: only kept for `logs` and in the file.
    Quiet,
}

/// A file with rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// The file that is written; older ones are `path.1`, `path.2` and so on.
    pub path: PathBuf,
    /// A file that has grown beyond this is rotated; `None` never.
    pub max_size: Option<Bytes>,
    /// A file that is older than this is rotated; `None` never.
    pub max_age: Option<Duration>,
    /// How many rotated files are kept.
    pub keep: u32,
}

impl OutputPlan {
    /// What is kept in memory for `logs` where nothing is said.
    pub const KEEP: Bytes = Bytes(64 << 10);
    /// What is kept of all processes together at most.
    pub const KEEP_TOGETHER: Bytes = Bytes::mib(16);
    /// The longest line where nothing is said: Docker's own log drivers split there.
    pub const LONGEST_LINE: Bytes = Bytes(16 << 10);
    /// How long a writer may be kept waiting where nothing is said.
    pub const MAX_BLOCK: Duration = Duration::from_millis(100);

    /// This mode with the usual bounds and no file.
    pub fn new(mode: OutputMode) -> Self {
        Self {
            mode,
            keep: Self::KEEP,
            longest_line: Self::LONGEST_LINE,
            max_block: Self::MAX_BLOCK,
            file: None,
        }
    }
}
