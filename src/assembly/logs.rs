//! What is kept of the output of processes, as the control doors show it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::config::plan::{OutputMode, Plan, ProcessPlan};
use crate::output::door::Output;
use crate::output::plan::Which;
use crate::output::ring;
use crate::serve::control::logs::{Line, Logs, NoLogs, Page, Stream, Turn};
use crate::units::Bytes;

/// The shelves of the output room, and the plan that says whose lines are on them.
struct Shelves {
    /// The room.
    output: Output,
    /// The plan that holds.
    plans: watch::Receiver<Arc<Plan>>,
}

/// What is kept of whatever is read; nothing where nothing is.
pub(super) fn of(output: Option<Output>, plans: watch::Receiver<Arc<Plan>>) -> Arc<dyn Logs> {
    match output {
        Some(output) => Arc::new(Shelves { output, plans }),
        None => Arc::new(NoLogs),
    }
}

impl Logs for Shelves {
    fn keeps(&self, process: &str) -> bool {
        let plan = Arc::clone(&self.plans.borrow());
        let mut processes = plan.processes.iter().filter(|one| one.name == process);
        processes.any(|ProcessPlan { output, .. }| {
            output.mode != OutputMode::Passthrough && output.keep > Bytes(0)
        })
    }

    fn tail(&self, process: &str, lines: usize) -> Page {
        self.output.tail(process, lines).map(page).unwrap_or_default()
    }

    fn since<'a>(&'a self, process: &'a str, cursor: u64, wait: Duration) -> Turn<'a> {
        Box::pin(async move { page(self.output.since(process, cursor, wait).await) })
    }
}

fn page(page: ring::Page) -> Page {
    let ring::Page { lines, next, missed } = page;
    Page { lines: lines.into_iter().map(line).collect(), next, missed }
}

fn line(line: ring::Line) -> Line {
    let ring::Line { at, which, partial, text } = line;
    let stream = match which {
        Which::Stdout => Stream::Stdout,
        Which::Stderr => Stream::Stderr,
    };
    Line { at, stream, partial, text }
}
