//! `procession check`: the plan as it was understood, or every fault at once.

use std::io::stderr;

use crate::cli::{CheckOptions, answer, say, unusable};
use crate::config::load::load;
use crate::config::show::show;

/// Prints the plan and answers 0, or the faults and 2; 1 where the plan cannot be written. Nothing is
/// started, listened to or written.
pub(super) fn check(options: &CheckOptions) -> u8 {
    match load(&options.config) {
        Ok(loaded) => {
            if !loaded.warnings.is_empty() {
                say(&mut stderr(), &loaded.warnings.to_string());
            }
            answer(show(&loaded.plan).trim_end())
        }
        Err(problems) => unusable(&options.config, &problems),
    }
}
