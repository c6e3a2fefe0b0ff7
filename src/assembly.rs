//! The composition root: from a plan to a life. The only file that imports every room.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::mpsc;

use crate::config::plan::Plan;
use crate::init::outward::{self, Outward};
use crate::init::signals::Caught;
use crate::init::{self};
use crate::supervise::shutdown::EXIT_INTERNAL;

/// Lives one life by this plan and answers with our exit code.
pub fn run(plan: Plan, caught: Caught) -> u8 {
    let pid1 = std::process::id() == 1;
    if !pid1 && nix::sys::prctl::set_child_subreaper(true).is_err() {
        tracing::warn!(target: "init", "cannot become a subreaper: orphans will escape us");
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(target: "init", "cannot start: {error}");
            return EXIT_INTERNAL;
        }
    };
    let (entries, _queue) = mpsc::channel(outward::QUEUE);
    let seed = RandomState::new().build_hasher().finish();
    let life = init::live(plan, seed, caught, Vec::new(), Outward::new(entries), init::pulse::Pulse::new(), || {});
    match catch_unwind(AssertUnwindSafe(|| runtime.block_on(life))) {
        Ok(Ok(departure)) => departure.code,
        Ok(Err(error)) => {
            tracing::error!(target: "init", "cannot go on: {error}");
            EXIT_INTERNAL
        }
        Err(_) => EXIT_INTERNAL,
    }
}
