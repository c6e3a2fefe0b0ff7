//! `tokens`: whether what a process writes is read for what it spent.

use crate::config::cursor::Cursor;
use crate::config::plan::{OutputMode, ProcessPlan, ReadsStdout};

const WORDS: [(&str, ReadsStdout); 3] =
    [("auto", ReadsStdout::Auto), ("true", ReadsStdout::On), ("false", ReadsStdout::Off)];

/// `tokens` of a process, which has one key.
pub(super) fn tokens(at: &Cursor<'_>) -> Option<ReadsStdout> {
    let mut fields = at.fields("a map with `stdout`")?;
    let reads = fields.read("stdout", |at| at.choice(&WORDS));
    fields.finish(&[
        ("otlp", "it holds for all processes: write it under `tokens` at the top"),
        ("output", "did you mean `stdout`?"),
    ]);
    reads
}

/// What is asked for in any case has to be possible.
pub(super) fn check(at: &Cursor<'_>, plan: &ProcessPlan) {
    if plan.reads_stdout != ReadsStdout::On {
        return;
    }
    if plan.output.mode == OutputMode::Passthrough {
        at.fault(
            "with `output: passthrough` nothing of its standard output comes by here",
            "write `output: prefixed`, or `quiet`",
        );
    } else if plan.stdout_dialect().is_none() {
        at.fault(
            "it is not known in whose words its standard output tells what was spent",
            "write `agent: claude` or `agent: codex`; no others are read there",
        );
    }
}
