//! The composition root: from a plan to a life. The only file that imports every room.
//!
//! Above the line is the init loop, on this thread. `below` is everything that observes, on a
//! runtime of its own that is built only after the first processes were spawned. What is below may
//! fail, hang or be late: then less is seen, and supervising goes on.

mod accounts;
pub mod archive;
mod below;
mod contexts;
mod following;
mod handing;
pub mod orphans;
mod journal;
mod keeping;
mod leftovers;
mod logs;
mod noticing;
mod output;
mod receiving;
mod recording;
mod control;
mod reload;
mod senses;
mod hooking;
mod spenders;
mod spoken;
pub mod replay;

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::clock;
use crate::config::plan::{ControlPlan, Mode, Plan, Recovery, StorePlan};
use crate::init::downward::{self, Outlet, Tasks};
use crate::init::inward::{self, Doors};
use crate::init::outward::{self, Outward};
use crate::init::pulse::Pulse;
use crate::init::signals::Caught;
use crate::init::sys::heap;
use crate::init::{self, Departure, Ends, Survivor, recover, rites, sys};
use crate::ledger::entry::{Entry, SurvivorOutcome};
use crate::memory::proc;
use crate::output::door::Output;
use crate::serve::control::feeding::Feeding;
use crate::store::left_behind::{LeftBehind, find_left_behind};
use crate::store::life::Beginnings;
use crate::store::runfile::{Owner, RunRecord};
use crate::supervise::fact::FoundRun;
use crate::supervise::shutdown::EXIT_INTERNAL;
use crate::units::{Mono, Now, ProcId, ProcessIx, SessionId, Signal};

use self::below::Below;
use self::output::Piped;
use self::receiving::Reserved;

/// How long we look for what an earlier life left, before the first spawn.
const RECOVERY_LOOK: Duration = Duration::from_millis(100);
/// Before the second attempt to begin observing; each further wait is twice as long.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// The longest wait between two attempts.
const LAST_RETRY: Duration = Duration::from_secs(10);
/// What the thread that begins gets at our end, even when the budget is spent.
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
            let (runtime, entries) = runtime_while(entries)?;
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
    if let Some(output) = &output
        && !output
            .close(departure.leave_by.since(clock::now().mono).clamp(SHORTEST_WAIT, LAST_LINES))
    {
        tracing::warn!(target: "assembly", "not all that was written could be handed on in time");
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

/// Begins to observe while the loop turns already: what is below takes milliseconds to build.
/// Where it cannot be begun nothing is seen, and supervising goes on.
struct Observer<F> {
    living: mpsc::WeakSender<Entry>,
    begin: Arc<Mutex<Option<F>>>,
}

impl<F: FnOnce(mpsc::Sender<Entry>) -> Option<Below> + Send + 'static> Observer<F> {
    fn new(living: mpsc::WeakSender<Entry>, begin: F) -> Self {
        Self { living, begin: Arc::new(Mutex::new(Some(begin))) }
    }

    /// On a thread of its own; `None` where there is none to be had, and it can be tried again.
    fn start(&self) -> Option<Begun> {
        let (hand_over, below) = sync_channel(1);
        let begin = Arc::clone(&self.begin);
        // From the loop: a life that is over by the time the thread runs has its history kept.
        let entries = self.living.upgrade()?;
        let begin = move || {
            // Taken only here: a thread that could not be had must not take it down with it.
            let begin = begin.lock().unwrap_or_else(PoisonError::into_inner).take();
            // Nobody takes over what is below once we were too late.
            begin
                .and_then(|begin| begin(entries))
                .is_some_and(|below| hand_over.send(below).is_ok())
        };
        let spawned = thread::Builder::new().name("observe".into()).spawn(begin);
        let thread = spawned.inspect_err(cannot_observe).ok()?.thread().clone();
        Some(Begun { thread, below })
    }
}

/// What observes, from the thread that begins it.
struct Begun {
    thread: Thread,
    below: Receiver<Below>,
}

impl Begun {
    /// Takes it over. The thread may have given up, and even one that hangs must not keep us.
    fn take(self, leave_by: Mono) -> Option<Below> {
        self.thread.unpark();
        let left = leave_by.since(clock::now().mono).clamp(SHORTEST_WAIT, LAST_MOMENTS);
        self.below.recv_timeout(left).ok()
    }
}

/// A runtime for what observes, as soon as it can be had: threads and descriptors may be short for
/// a while. It is tried once at least, and `None` once the loop has ended.
fn runtime_while(mut entries: mpsc::Sender<Entry>) -> Option<(Runtime, mpsc::Sender<Entry>)> {
    let mut wait = FIRST_RETRY;
    loop {
        match below::runtime() {
            Ok(runtime) => return Some((runtime, entries)),
            Err(error) => cannot_observe(&error),
        }
        let living = entries.downgrade();
        drop(entries);
        thread::park_timeout(wait);
        wait = (wait * 2).min(LAST_RETRY);
        entries = living.upgrade()?;
    }
}

fn cannot_observe(error: &io::Error) {
    tracing::error!(target: "assembly", "cannot observe: {error}; processes run on unseen");
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

fn get_on_parent_death(signal: Signal) {
    if let Err(error) = sys::get_on_parent_death(signal) {
        tracing::warn!(target: "assembly", "will not get {signal} when our parent dies: {error}");
    }
}

/// Ids and jitter must differ between containers that start in the same millisecond.
fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Who we are to the kernel.
struct Stand {
    pid1: bool,
    /// What tells our run file from those of others; absent without `/proc`, and for PID 1, whom
    /// nothing outlives.
    owner: Option<Owner>,
    /// Run files whose processes we took over: they stay until our own names those.
    inherited: Vec<LeftBehind>,
    began: Now,
}

impl Stand {
    /// Makes orphans come to us, as PID 1 or as a subreaper.
    fn take(plan: &Plan) -> Self {
        if let Some(signal) = plan.passing.parent_death {
            get_on_parent_death(signal);
        }
        let pid = std::process::id();
        let pid1 = pid == 1;
        if !pid1 && nix::sys::prctl::set_child_subreaper(true).is_err() {
            tracing::warn!(target: "assembly", "cannot become a subreaper: orphans will escape us");
        }
        let keeps = !pid1 && plan.recovery != Recovery::Off;
        let owner = keeps.then(Self::owner).flatten();
        Self { pid1, owner, inherited: Vec::new(), began: clock::now() }
    }

    fn owner() -> Option<Owner> {
        Owner::read(Self::ourselves()?).ok()
    }

    fn ourselves() -> Option<ProcId> {
        let pid = std::process::id().cast_signed();
        let start_ticks = proc::start_ticks(pid).ok()?;
        Some(ProcId { pid, start_ticks })
    }

    /// What tells this life from others in a history that they share.
    fn beginnings(&self) -> Beginnings {
        let began = self.began.wall;
        let random = u128::from(seed()) << 64 | u128::from(seed());
        Beginnings {
            id: SessionId::new(began, random),
            began,
            supervisor: Self::ourselves(),
            alive: Arc::new(recover::is_alive),
            only_looks: false,
        }
    }
}

/// Deals with what outlived an earlier life. As PID 1 nothing can have: the kernel ends a namespace
/// with its first process.
fn recover(plan: &Plan, stand: &mut Stand) -> (Vec<Survivor>, Vec<SurvivorOutcome>) {
    let Some(owner) = &stand.owner else {
        return (Vec::new(), Vec::new());
    };
    let found = find_left_behind(&plan.state_dir, owner, RECOVERY_LOOK, recover::is_alive);
    let mut records: Vec<RunRecord> = found.iter().flat_map(|left| left.runs.clone()).collect();
    // A life that was killed as it took somebody over left two files that name them.
    let mut named = BTreeSet::new();
    records.retain(|record| named.insert(record.main));
    let (adopted, ended) = divide(plan, records);
    let mains: Vec<ProcId> = ended.iter().map(|record| record.main).collect();
    let sizes = if mains.is_empty() { Vec::new() } else { recover::end(&mains) };
    let is_taken = |run: &RunRecord| adopted.iter().any(|(_, record)| record.main == run.main);
    for mut left in found {
        left.runs.retain(is_taken);
        if left.runs.is_empty() { left.discard() } else { stand.inherited.push(left) }
    }
    tell_of(&adopted, &ended);

    let found = |record: &RunRecord| FoundRun { session: record.session, id: record.main };
    let survivors =
        adopted.iter().map(|(process, record)| Survivor { process: *process, run: found(record) });
    let taken = adopted.iter().map(|(_, record)| outcome(record, true, 1));
    let gone = ended.iter().zip(&sizes).map(|(record, size)| outcome(record, false, *size));
    (survivors.collect(), taken.chain(gone).collect())
}

fn tell_of(adopted: &[(ProcessIx, RunRecord)], ended: &[RunRecord]) {
    let tell = |record: &RunRecord, verb: &str| {
        let (name, pid) = (&record.process, record.main.pid);
        tracing::warn!(target: "init", "{verb} {name} (pid {pid}), which an earlier life left behind");
    };
    adopted.iter().for_each(|(_, record)| tell(record, "taking over"));
    ended.iter().for_each(|record| tell(record, "ended"));
}

/// By policy: those that are taken over, one for each process of the plan, and those that are ended.
fn divide(plan: &Plan, records: Vec<RunRecord>) -> (Vec<(ProcessIx, RunRecord)>, Vec<RunRecord>) {
    let mut adopted: Vec<(ProcessIx, RunRecord)> = Vec::new();
    let mut ended = Vec::new();
    for record in records {
        let known = plan.indexed().find(|(_, process)| process.name == record.process);
        match known {
            Some((ix, _))
                if plan.recovery == Recovery::Adopt
                    && adopted.iter().all(|(taken, _)| *taken != ix) =>
            {
                adopted.push((ix, record));
            }
            _ => ended.push(record),
        }
    }
    (adopted, ended)
}

fn outcome(record: &RunRecord, adopted: bool, found: u32) -> SurvivorOutcome {
    let (session, process) = (record.session, record.process.clone());
    SurvivorOutcome { session, process, adopted, found }
}
