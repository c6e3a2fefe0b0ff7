//! The composition root: from a plan to a life. The only file that imports every room.
//!
//! Above the line is the init loop, on this thread. `below` is everything that observes, on a
//! runtime of its own that is built only after the first processes were spawned. What is below may
//! fail, hang or be late: then less is seen, and supervising goes on.

mod accounts;
pub mod archive;
mod below;
mod contexts;
mod control;
mod following;
mod handing;
mod hooking;
mod journal;
mod keeping;
mod leftovers;
mod logs;
mod noticing;
mod observer;
pub mod orphans;
mod output;
mod receiving;
mod recording;
mod reload;
pub mod replay;
mod senses;
mod spenders;
mod spoken;
mod stand;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::clock;
use crate::config::plan::{ControlPlan, Mode, Plan, Recovery, StorePlan};
use crate::init::downward::{self, Outlet, Tasks};
use crate::init::inward::{self, Doors};
use crate::init::outward::{self, Outward};
use crate::init::pulse::Pulse;
use crate::init::signals::Caught;
use crate::init::sys::heap;
use crate::init::{self, Departure, Ends, rites};
use crate::output::door::Output;
use crate::serve::control::feeding::Feeding;
use crate::supervise::shutdown::EXIT_INTERNAL;

use self::below::Below;
use self::observer::{Begun, Observer};
use self::output::Piped;
use self::receiving::Reserved;
use self::stand::{Stand, recover};

/// What anything below gets at our end, even when the budget is spent.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);
/// How long the last lines may take to be written, where the budget leaves that much.
const LAST_LINES: Duration = Duration::from_secs(1);
/// How long we stay after a failure of our own for the last rows to become durable, and at any end
/// for what observes to be there at all.
const LAST_MOMENTS: Duration = Duration::from_secs(1);

/// Lives one life by this plan and answers with our exit code. `source` is the file that the plan
/// was read from, which is read anew when somebody asks for that.
pub fn run(plan: Plan, source: Option<PathBuf>, caught: Caught) -> u8 {
    heap::keep_small();
    let mut stand = Stand::take(&plan);
    let (survivors, handled) = recover(&plan, &mut stand);
    let (entries, queue) = mpsc::channel(outward::QUEUE);
    let (plan, pulse) = (Arc::new(plan), Pulse::new());
    // Held by the loop alone, so that it is not tried again to observe once the loop has ended.
    let living = entries.downgrade();
    let (doors, inward) = inward::queues();
    // One command writes where we do, as if we were not there.
    let piped = plan.mode == Mode::Supervise;
    let output = if piped { output::open(&doors) } else { None };
    let (feeds, fed) = mpsc::channel(output::FEEDINGS);
    let (taps, spoken) = spoken::lines();
    let outlet =
        output.clone().map(|output| Box::new(Piped::new(output, feeds, taps)) as Box<dyn Outlet>);
    let reserved = receiving::reserve(&plan);
    let telemetry = reserved.as_ref().map(|reserved| reserved.telemetry.clone());
    let (downward, tasks) = downward::queues(&plan, outlet, telemetry);
    let ends = Ends { outward: Outward::new(entries), inward, downward };
    let mut below = None;
    let observe = {
        let (plan, pulse, below) = (Arc::clone(&plan), pulse.clone(), &mut below);
        let keeps_history = plan.store != StorePlan::Memory;
        let is_seen = is_seen(&plan);
        let (output, shown) = (output.clone(), output.clone());
        let begin = move |entries| {
            let (runtime, entries) = observer::runtime_while(entries)?;
            let links = Links { pulse, doors, tasks, source, output: shown, fed, spoken, reserved };
            Some(Below::start(runtime, &plan, stand, &entries, queue, handled, links))
        };
        let observer = Observer::new(living, begin);
        move |lives_on: bool| {
            // Where there is no thread to be had this is told, and tried again.
            let _ = output.as_ref().map(Output::stand);
            // Of a life that is over already there is only history to keep.
            let wanted = keeps_history || lives_on && is_seen;
            if wanted {
                *below = observer.start();
            }
            !wanted || below.is_some()
        }
    };
    let departure = live(|| init::live(&plan, seed(), caught, survivors, ends, pulse, observe));
    if let Some(output) = output {
        hand_on_the_last(&output, &departure);
    }
    if let Some(below) = below.and_then(|begun: Begun| begun.take(departure.leave_by)) {
        below.close(departure.leave_by);
    }
    departure.code
}

/// What ties those below the line to the loop, beside what they tell the ledger.
struct Links {
    /// Whether the loop turns.
    pulse: Pulse,
    /// For orders, and for what is learnt below.
    doors: Doors,
    /// What the loop has others do.
    tasks: Tasks,
    /// Where the plan was read from.
    source: Option<PathBuf>,
    /// What children write, where we read it.
    output: Option<Output>,
    /// The pipes by which commands are spoken to.
    fed: mpsc::Receiver<Feeding>,
    /// Lines of agents that print what they spend.
    spoken: spoken::Queue,
    /// Where agents send what they spend.
    reserved: Option<Reserved>,
}

/// What children wrote last, as far as the budget reaches.
fn hand_on_the_last(output: &Output, departure: &Departure) {
    let left = departure.leave_by.since(clock::now().mono);
    if !output.close(left.clamp(SHORTEST_WAIT, LAST_LINES)) {
        tracing::warn!(target: "assembly", "not all that was written could be handed on in time");
    }
}

/// Turns the loop until it ends, by itself or by a failure of ours.
fn live(life: impl FnOnce() -> io::Result<Departure>) -> Departure {
    match catch_unwind(AssertUnwindSafe(life)) {
        Ok(Ok(departure)) => return departure,
        Ok(Err(error)) => tracing::error!(target: "init", "cannot go on: {error}"),
        Err(_) => tracing::error!(target: "init", "the loop panicked"),
    }
    rites::perform();
    Departure { code: EXIT_INTERNAL, leave_by: clock::now().mono.after(LAST_MOMENTS) }
}

/// Whether anybody can ever see what is observed. One command under the name of tini or dumb-init
/// is observed only when that is asked for.
fn is_seen(plan: &Plan) -> bool {
    plan.mode == Mode::Supervise
        || plan.listen.is_some()
        || plan.control != ControlPlan::default()
        || plan.recovery != Recovery::Off
}

/// Ids and jitter must differ between containers that start in the same millisecond.
fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}
