//! `procession check`: the plan as it was understood, or every fault at once.

use std::io::{stderr, stdout};

use crate::cli::{CheckOptions, say};
use crate::config::load::load;
use crate::config::show::show;
use crate::supervise::shutdown::EXIT_USAGE;

/// Prints the plan and answers 0, or the faults and 2. Nothing is started, listened to or written.
pub(super) fn check(options: &CheckOptions) -> u8 {
    match load(&options.config) {
        Ok(loaded) => {
            if !loaded.warnings.is_empty() {
                say(&mut stderr(), &loaded.warnings.to_string());
            }
            say(&mut stdout(), show(&loaded.plan).trim_end());
            0
        }
        Err(problems) => {
            say(&mut stderr(), &problems.to_string());
            EXIT_USAGE
        }
    }
}
