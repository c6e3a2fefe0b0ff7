//! What is counted of the output of a process.

/// What one process wrote, and what became of it. Counters only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputFigures {
    /// Lines read, pieces of long ones counted one by one.
    pub lines: u64,
    /// Bytes read, newlines included.
    pub bytes: u64,
    /// Lines that did not reach a target because it took too little.
    pub dropped_lines: u64,
    /// What those lines had in bytes, as they would have been written.
    pub dropped_bytes: u64,
    /// Pieces that lines were cut into because they were too long.
    pub cut_pieces: u64,
    /// Lines that came when the main process had ended and its output was complete.
    pub leftover_lines: u64,
}
