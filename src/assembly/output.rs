//! What children write, on its way from the loop to the room that reads it.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};
use tokio::sync::mpsc;

use crate::assembly::spoken::Taps;
use crate::clock;
use crate::config::plan::{OutputFile, OutputMode, OutputPlan, Plan, ProcessPlan, Standing};
use crate::init::downward::{Channel, Inlet, Outlet};
use crate::init::inward::Doors;
use crate::output::by_hand::StandIn;
use crate::output::console;
use crate::output::door::{Event, Output, Settings, Stream};
use crate::output::look::Pattern;
use crate::output::plan::{FileFormat, FilePlan, Limits, Show, StreamPlan, WhenFull, Which};
use crate::serve::control::feeding::Feeding;
use crate::supervise::fact::Fact;
use crate::units::{ProcessIx, RunId};

/// Fewer descriptors than this are left to what cannot do without: the loop, and forks.
const FEWEST_DESCRIPTORS: u64 = 64;

/// News of pipes by which runs are spoken to that may wait: a beginning and an end of each command
/// beside the plan, some times over.
pub(super) const FEEDINGS: usize = 1024;

/// Opens the room for what children write. Without descriptors for it they write where we do.
pub(super) fn open(doors: &Doors) -> Option<Output> {
    if getrlimit(Resource::RLIMIT_NOFILE).is_ok_and(|(_, most)| most < FEWEST_DESCRIPTORS) {
        tracing::warn!(
            target: "assembly",
            "processes write where we do, without their names: fewer than {FEWEST_DESCRIPTORS} files \
             may be open; raise the limit (`ulimit -n`)"
        );
        return None;
    }
    let tidings = doors.tidings.clone();
    let events = Box::new(move |event| {
        if let Event::Matched { run } = event {
            // Where the loop is that far behind, readiness has a time of its own.
            let _ = tidings.try_send(Fact::LineMatched { run });
        }
    });
    let opened = console::inherited().and_then(|[stdout, stderr]| {
        let limits = Limits { rings: OutputPlan::KEEP_TOGETHER, ..Limits::default() };
        Output::open(Settings { limits, stdout, stderr, colours: true, events })
    });
    let told = opened.inspect_err(|error| {
        tracing::error!(target: "assembly", "cannot read what processes write: {error}");
    });
    told.ok()
}

/// The loop's end of it.
pub(super) struct Piped {
    output: Output,
    stand_in: StandIn,
    /// Where pipes go by which runs are spoken to.
    feeds: mpsc::Sender<Feeding>,
    /// Where lines go that tell what was spent.
    taps: Taps,
    /// The runs that have one.
    fed: BTreeSet<RunId>,
}

impl Piped {
    pub(super) fn new(output: Output, feeds: mpsc::Sender<Feeding>, taps: Taps) -> Self {
        Self { output, stand_in: StandIn::new(), feeds, taps, fed: BTreeSet::new() }
    }
}

impl Outlet for Piped {
    fn attach(&mut self, inlet: Inlet) {
        let Inlet { process, run, plan, channel, fd } = inlet;
        let which = match channel {
            Channel::Stdout => Which::Stdout,
            Channel::Stderr => Which::Stderr,
        };
        let process_plan = plan.process(process);
        let capture = process_plan.capture().filter(|_| which == Which::Stdout);
        let tap = capture.map(|capture| self.taps.of(run, &process_plan.name, capture));
        let stream = Stream {
            run,
            name: Arc::from(process_plan.name.as_str()),
            which,
            fd,
            plan: StreamPlan { ready: ready(process_plan), tap, ..stream_plan(&plan, process) },
        };
        if let Err(unread) = self.output.attach(stream) {
            let name = &unread.name;
            tracing::error!(target: "assembly", "too much is going on to read what {name} writes");
            // A closed pipe would end it at its next line; one that is not read makes it wait.
            std::mem::forget(unread);
        }
    }

    fn feed(&mut self, run: RunId, fd: OwnedFd) {
        match self.feeds.try_send(Feeding::Begun(run, fd)) {
            Ok(()) => drop(self.fed.insert(run)),
            Err(_) => {
                tracing::error!(target: "assembly", %run, "too much is going on to speak to it");
            }
        }
    }

    fn main_ended(&mut self, run: RunId) {
        // Where it is not taken, the pipe's own end tells the same.
        let _ = self.output.main_ended(run);
        if self.fed.remove(&run) {
            // Where it is not taken, the pipe is closed by the next attempt to write to it.
            let _ = self.feeds.try_send(Feeding::Ended(run));
        }
    }

    fn stand_in(&mut self) -> Option<Duration> {
        self.stand_in.turn(&self.output, clock::now().mono)
    }

    /// Whether a process writes to us at all is settled when it is spawned, and a reload restarts it
    /// where that changes; everything else holds for what it writes from now on.
    fn plan_changed(&mut self, plan: &Arc<Plan>) {
        // Where a name is there twice, the one that lives counts.
        let (gone, there): (Vec<_>, Vec<_>) =
            plan.indexed().partition(|(_, process)| process.standing == Standing::Retired);
        let plans = gone
            .into_iter()
            .chain(there)
            .map(|(ix, process)| (Arc::from(process.name.as_str()), stream_plan(plan, ix)));
        if !self.output.replan(plans.collect()) {
            tracing::error!(
                target: "assembly",
                "too much is going on: changes of `output` hold from the next run of a process"
            );
        }
    }
}

/// The line that tells that it is ready. The pattern was read already to check it.
fn ready(process: &ProcessPlan) -> Option<Pattern> {
    let typed = process.ready.as_ref().and_then(|ready| ready.log.as_deref());
    typed.and_then(|typed| Pattern::parse(typed).ok())
}

/// Everything but what tells that it is ready.
fn stream_plan(plan: &Plan, ix: ProcessIx) -> StreamPlan {
    let OutputPlan { mode, longest_line, max_block, file, keep } = &plan.process(ix).output;
    StreamPlan {
        show: match mode {
            OutputMode::Prefixed => Show::Prefixed { width: widest(plan) },
            OutputMode::Json => Show::Json,
            OutputMode::Passthrough | OutputMode::Quiet => Show::Hidden,
        },
        colour: ix.0,
        file: file.as_ref().map(file_plan),
        ready: None,
        tap: None,
        when_full: WhenFull::WaitAtMost(*max_block),
        max_line: *longest_line,
        keep: *keep,
        tape: (plan.process(ix).standing == Standing::Spawned).then_some(*keep),
    }
}

fn widest(plan: &Plan) -> usize {
    let shown = plan.processes.iter().filter(|process| process.standing != Standing::Retired);
    shown.map(|process| process.name.chars().count()).max().unwrap_or(0)
}

fn file_plan(file: &OutputFile) -> FilePlan {
    FilePlan {
        path: file.path.clone(),
        format: FileFormat::Raw,
        max_size: file.max_size,
        max_age: file.max_age,
        keep: usize::try_from(file.keep).unwrap_or(usize::MAX),
    }
}
