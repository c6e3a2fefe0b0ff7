//! `output` as the file would have it.

use std::path::Path;

use serde::Serialize;

use super::{OrOff, path_text};
use crate::config::plan::{OutputFile, OutputMode, OutputPlan};
use crate::config::quantity::{print_bytes, print_duration};
use crate::config::replicas::family_file;

#[derive(Serialize)]
pub(super) struct Output {
    mode: &'static str,
    keep: String,
    longest_line: String,
    max_block: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<File>,
}

#[derive(Serialize)]
struct File {
    path: String,
    max_size: OrOff<String>,
    max_age: OrOff<String>,
    keep: u32,
}

/// The plan; the first replica's stands for its family's.
pub(super) fn output(plan: &OutputPlan, replica: bool) -> Output {
    let family = |path: &Path| if replica { family_file(path) } else { path.to_owned() };
    let file = |file: &OutputFile| File {
        path: path_text(&family(&file.path)),
        max_size: OrOff::of(file.max_size.map(print_bytes)),
        max_age: OrOff::of(file.max_age.map(print_duration)),
        keep: file.keep,
    };
    Output {
        mode: match plan.mode {
            OutputMode::Passthrough => "passthrough",
            OutputMode::Prefixed => "prefixed",
            OutputMode::Json => "json",
            OutputMode::Quiet => "quiet",
        },
        keep: print_bytes(plan.keep),
        longest_line: print_bytes(plan.longest_line),
        max_block: print_duration(plan.max_block),
        file: plan.file.as_ref().map(file),
    }
}
