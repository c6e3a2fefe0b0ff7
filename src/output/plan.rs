//! What is wanted of one stream of one process, and of the room as a whole: values, decided before
//! the stream is attached.

use std::path::PathBuf;
use std::time::Duration;

use crate::output::look::Pattern;
use crate::output::tap::Tap;
use crate::units::Bytes;

/// Which of a process's two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Which {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

impl Which {
    /// The word for it in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// How lines look on our own output. Passing through is none of these: such a process inherits our
/// descriptors, and nothing of it comes here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// `name | line`, as Compose does it; the name is filled up to `width` characters.
    Prefixed {
        /// The width of the longest name.
        width: usize,
    },
    /// One JSON object for each line.
    Json,
    /// Not at all: only for `logs`, files and readiness.
    Hidden,
}

/// What is done while a target takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The process waits this long at a time, in its `write`; then the oldest lines that wait for
    /// that target are dropped and counted, until it moves again.
    WaitAtMost(Duration),
    /// The process waits as long as it takes. Nothing is lost, and a stuck target sticks it too.
    Wait,
}

impl Default for WhenFull {
    /// 100 ms: beyond the hiccups of a log driver, below what a health check would notice.
    fn default() -> Self {
        Self::WaitAtMost(Duration::from_millis(100))
    }
}

/// How the lines in a file look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileFormat {
    /// As they were written.
    #[default]
    Raw,
    /// As [`Show::Json`].
    Json,
}

/// A file that a process's lines go to, beside whatever is shown of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePlan {
    /// Where. The older ones get `.1`, `.2` and so on behind it. Two streams may name one file.
    pub path: PathBuf,
    /// How the lines look.
    pub format: FileFormat,
    /// Begin a new one before it grows beyond this.
    pub max_size: Option<Bytes>,
    /// Begin a new one when it is older than this; looked at when a line comes.
    pub max_age: Option<Duration>,
    /// How many older ones are kept.
    pub keep: usize,
}

/// What is wanted of one stream.
#[derive(Clone, Debug)]
pub struct StreamPlan {
    /// How lines look on our own output.
    pub show: Show,
    /// Which colour of the palette, where that output is a terminal: the place of the process in
    /// the plan does.
    pub colour: usize,
    /// The file, if there is one.
    pub file: Option<FilePlan>,
    /// The line that tells that the process is ready; looked for until it was found once in a run.
    pub ready: Option<Pattern>,
    /// What is done while a target takes no more.
    pub when_full: WhenFull,
    /// Longer lines are cut into pieces of this length, at least [`SHORTEST_CUT`].
    pub max_line: Bytes,
    /// The last bytes that are kept for `logs` of both streams together; 0 keeps none.
    pub keep: Bytes,
    /// The last bytes of this run that are kept as they were written, where it is recorded.
    pub tape: Option<Bytes>,
    /// Who looks at each line of this run; settled when it begins.
    pub tap: Option<Tap>,
}

/// No line is cut shorter than this, whatever was asked for.
pub const SHORTEST_CUT: Bytes = Bytes(64);

impl Default for StreamPlan {
    fn default() -> Self {
        Self {
            show: Show::Prefixed { width: 0 },
            colour: 0,
            file: None,
            ready: None,
            when_full: WhenFull::default(),
            max_line: Bytes(16 << 10),
            keep: Bytes(64 << 10),
            tape: None,
            tap: None,
        }
    }
}

/// The bounds of the room as a whole.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// What is kept for `logs` of all processes together at most; a ring that cannot grow for it
    /// stays as large as it is, and has never less than [`crate::output::ring::SMALLEST`].
    pub rings: Bytes,
    /// What is kept of all runs together that are recorded.
    pub tapes: Bytes,
    /// What may wait for each target: for our standard output, for standard error, for the files.
    pub queue: Bytes,
    /// After the end of a main process its output counts as complete when nothing came for this
    /// long, although somebody still holds the pipe.
    pub quiet: Duration,
    /// And after this long in any case.
    pub drain_cap: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rings: Bytes::mib(16),
            tapes: Bytes::mib(16),
            queue: Bytes::mib(1),
            quiet: Duration::from_millis(100),
            drain_cap: Duration::from_secs(1),
        }
    }
}
