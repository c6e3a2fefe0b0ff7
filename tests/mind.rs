//! Single stories of the mind: what happened on one side, what it does on the other. What holds in
//! every life is in `sim`; here are the lives that somebody thought of, or that went wrong once.

mod asked;
mod clock;
mod looked_after;
mod replanned;
mod timed;

use std::sync::Arc;
use std::time::Duration;

use procession::config;
use procession::config::plan::{
    ControlGroups, ControlPlan, LeakRule, MemoryPlan, Mode, Passing, Plan, PrivacyPlan,
    ProcessPlan, Recovery, SessionsPlan, StorePlan, TokensPlan,
};
use procession::supervise::Machine;
use procession::supervise::action::{Action, Scope};
use procession::supervise::fact::{Fact, FoundRun, SpawnFailure, SpawnStep};
use procession::supervise::lifecycle::{EndReason, Lifecycle, PhaseName, RunEnd, StopCause};
use procession::supervise::wish::{Reply, Wish};
use procession::units::{
    ExitStatus, Mono, Now, ProcId, ProcessIx, RequestId, RunId, RunUsage, SessionId, Signal, Wall,
};

const FIRST: RunId = RunId(1);
const SECOND: RunId = RunId(2);
const TERM: Fact = Fact::SignalArrived { signal: Signal::TERM };

/// One life, told fact by fact.
struct Tale {
    machine: Machine,
    now: Mono,
    wall: Wall,
    done: Vec<Action>,
}

impl Tale {
    /// Begins with these `processes:` and whatever else the file says.
    fn begin(file: &str) -> Self {
        let mut tale = Self::before(file);
        tale.tell(Fact::Began);
        tale
    }

    /// Before anything has begun.
    fn before(file: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, file).expect("writable");
        let plan = config::load(&path).unwrap_or_else(|problems| panic!("{problems}")).plan;
        Self::of_plan(plan)
    }

    /// Before anything has begun, with these processes.
    fn of(processes: Vec<ProcessPlan>) -> Self {
        Self::of_plan(plan(processes))
    }

    fn of_plan(plan: Plan) -> Self {
        let machine = Machine::new(Arc::new(plan), 7);
        Self { machine, now: Mono(1), wall: Wall(1_790_000_000_000), done: Vec::new() }
    }

    fn begun(mut self) -> Self {
        self.tell(Fact::Began);
        self
    }

    fn time(&self) -> Now {
        let passed = i64::try_from(self.now.0 / 1_000_000).expect("a short tale");
        Now { mono: self.now, wall: Wall(self.wall.0 + passed) }
    }

    fn tell(&mut self, fact: Fact) {
        self.machine.handle(self.time(), fact);
        self.done.extend(std::iter::from_fn(|| self.machine.next_action()));
    }

    /// The program of a run was executed.
    fn runs(&mut self, run: RunId) {
        self.tell(Fact::Forked { run, id: ProcId { pid: 100, start_ticks: run.0 } });
        self.tell(Fact::Executed { run });
    }

    fn ends(&mut self, run: RunId, status: ExitStatus, leftovers: bool) {
        self.tell(Fact::Exited { run, status, usage: RunUsage::default(), leftovers });
    }

    /// Lets time pass, and every deadline in it be met or, when the loop hung, only the last.
    fn wait(&mut self, time: Duration, hangs: bool) {
        let until = self.now.after(time);
        while let Some(at) = self.machine.next_deadline().filter(|at| *at <= until) {
            self.now = if hangs { until } else { at.max(self.now) };
            self.machine.handle_deadline(self.time());
            self.done.extend(std::iter::from_fn(|| self.machine.next_action()));
        }
        self.now = until;
    }

    /// Lets time pass until the next deadline.
    fn wait_for_the_next(&mut self) {
        let at = self.machine.next_deadline().expect("something is due");
        self.wait(at.since(self.now), false);
    }

    fn spawned(&self) -> Vec<(RunId, ProcessIx)> {
        let spawned = self.done.iter().filter_map(|action| match action {
            Action::Spawn { run, process, .. } => Some((*run, *process)),
            _ => None,
        });
        spawned.collect()
    }

    /// What was done since this was asked last.
    fn news(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.done)
    }

    /// Gives an order, and says what was replied.
    fn order(&mut self, wish: Wish) -> Reply {
        let before = self.done.len();
        self.tell(Fact::Requested { request: RequestId(1), wish });
        let mut replies = self.done[before..].iter().filter_map(|action| match action {
            Action::Reply { reply, .. } => Some(reply.clone()),
            _ => None,
        });
        let reply = replies.next().expect("a reply");
        assert_eq!(replies.next(), None, "one reply");
        reply
    }

    fn has_done(&self, what: &Action) -> bool {
        self.done.contains(what)
    }

    fn has_told(&self, what: &Lifecycle) -> bool {
        self.done.iter().any(|action| matches!(action, Action::Record(told) if told == what))
    }

    /// The phase that a process was last told to be in.
    fn phase(&self, process: usize) -> Option<PhaseName> {
        self.done.iter().rev().find_map(|action| match action {
            Action::Record(Lifecycle::PhaseChanged { process: ProcessIx(at), phase })
                if *at == process =>
            {
                Some(*phase)
            }
            _ => None,
        })
    }

    fn stops(&self) -> Vec<(RunId, StopCause)> {
        let stops = self.done.iter().filter_map(|action| match action {
            Action::Record(Lifecycle::RunStopping { run, cause }) => Some((*run, *cause)),
            _ => None,
        });
        stops.collect()
    }

    fn exit_code(&self) -> Option<u8> {
        self.done.iter().find_map(|action| match action {
            Action::Exit { code } => Some(*code),
            _ => None,
        })
    }

    fn end_of(&self, run: RunId) -> Option<&RunEnd> {
        self.done.iter().find_map(|action| match action {
            Action::Record(Lifecycle::RunEnded { run: ended, end }) if *ended == run => Some(end),
            _ => None,
        })
    }
}

/// A process of this name.
fn process(name: &str) -> ProcessPlan {
    ProcessPlan::new(name, vec!["x".into()])
}

fn plan(processes: Vec<ProcessPlan>) -> Plan {
    Plan {
        mode: Mode::Supervise,
        passing: Passing::default(),
        control: ControlPlan::default(),
        processes,
        exit_code_from: Vec::new(),
        shutdown_timeout: Duration::from_secs(9),
        listen: None,
        store: StorePlan::Memory,
        spool: None,
        keep_output: None,
        state_dir: "nowhere".into(),
        recovery: Recovery::End,
        cgroups: ControlGroups::Auto,
        memory: MemoryPlan { interval: Duration::from_secs(5), leak_rule: LeakRule::GrowthCount },
        privacy: PrivacyPlan::default(),
        sessions: SessionsPlan::default(),
        tokens: TokensPlan::default(),
        budgets: Vec::new(),
        file_digest: None,
    }
}

/// The request to end by the stop signal.
fn asks(run: RunId) -> Action {
    Action::Signal { run, signal: Signal::TERM, scope: Scope::Group }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

const OK: ExitStatus = ExitStatus::Code(0);
const ASKED: ExitStatus = ExitStatus::Signal(Signal::TERM);

const TWO: &str = "processes: {migrate: {command: a}, web: {command: b, depends_on: {migrate: \
    {condition: service_completed_successfully}}}}\n";

#[test]
fn what_was_asked_to_end_before_it_ever_ran_has_not_failed() {
    for deciders in ["", "exit_code_from: web\n"] {
        let mut tale = Tale::begin(&format!("{TWO}{deciders}"));
        tale.runs(FIRST);
        tale.tell(TERM);
        tale.ends(FIRST, ExitStatus::Signal(Signal::TERM), false);
        tale.tell(Fact::HouseEmptied);
        assert_eq!(tale.exit_code(), Some(0), "{deciders}");
    }
}

#[test]
fn what_can_never_run_has_failed() {
    for (deciders, code) in [("", 3), ("exit_code_from: web\n", 69)] {
        let mut tale = Tale::begin(&format!("{TWO}{deciders}"));
        tale.runs(FIRST);
        tale.ends(FIRST, ExitStatus::Code(3), false);
        tale.tell(Fact::HouseEmptied);
        assert_eq!(tale.exit_code(), Some(code), "{deciders}");
    }
}

#[test]
fn who_waits_in_vain_is_told_for_whom() {
    let mut tale = Tale::begin(
        "processes: {a: {command: a}, b: {command: b}, c: {command: c, depends_on: {a: {condition: \
         service_started}, b: {condition: service_completed_successfully}}}}",
    );
    tale.runs(FIRST);
    tale.runs(SECOND);
    tale.ends(SECOND, ExitStatus::Code(3), false);
    let told = Lifecycle::StartBlocked { process: ProcessIx(2), on: ProcessIx(1) };
    assert!(tale.has_told(&told), "{:?}", tale.done);
}

#[test]
fn a_failure_is_told_also_when_the_request_came_while_its_leftovers_were_ended() {
    let mut tale = Tale::begin("processes: {a: {command: a}, b: {command: b}}");
    tale.runs(FIRST);
    tale.runs(SECOND);
    tale.ends(FIRST, ExitStatus::Code(3), true);
    tale.tell(TERM);
    tale.tell(Fact::TreeEmptied { run: FIRST });
    tale.ends(SECOND, ExitStatus::Signal(Signal::TERM), false);
    tale.tell(Fact::HouseEmptied);
    assert_eq!(tale.exit_code(), Some(3));
}

#[test]
fn what_cannot_be_killed_has_an_end_whatever_the_budget() {
    for (budget, hangs) in [("200ms", false), ("1s", false), ("9s", false), ("9s", true)] {
        let mut tale =
            Tale::begin(&format!("processes: {{a: {{command: a}}}}\nshutdown_timeout: {budget}"));
        tale.runs(FIRST);
        tale.tell(TERM);
        tale.wait(Duration::from_secs(10), hangs);
        assert_eq!(tale.exit_code(), Some(255), "{budget}: what decides is not known");
        let end = tale.end_of(FIRST).expect("an end");
        assert_eq!((end.status, end.reason), (ExitStatus::Unknown, EndReason::Requested));
        assert!(end.forced);
    }
}

#[test]
fn what_was_born_while_a_tree_was_killed_is_killed_before_the_tree_is_given_up() {
    let mut tale = Tale::begin("processes: {a: {command: a, stop_grace_period: 1s}}");
    tale.runs(FIRST);
    tale.ends(FIRST, ExitStatus::Code(0), true);
    tale.wait(Duration::from_secs(2), false);
    let kill = Action::Signal { run: FIRST, signal: Signal::KILL, scope: Scope::Tree };
    let kills: Vec<usize> = (0..tale.done.len()).filter(|at| tale.done[*at] == kill).collect();
    let is_end = |action: &Action| matches!(action, Action::Record(Lifecycle::RunEnded { .. }));
    let end = tale.done.iter().position(is_end).expect("an end");
    assert!(kills.len() == 2 && kills[1] < end, "{kills:?}, end {end}");
}

#[test]
fn who_left_the_group_is_asked_late_and_only_while_the_parent_lives() {
    let asked = |tale: &Tale| {
        let outsiders = |action: &&Action| {
            matches!(action, Action::Signal { signal: Signal::TERM, scope: Scope::Outsiders, .. })
        };
        tale.done.iter().filter(outsiders).count()
    };
    let stopping = || {
        let mut tale = Tale::begin("processes: {a: {command: a, stop_grace_period: 8s}}");
        tale.runs(FIRST);
        tale.tell(TERM);
        tale
    };
    let mut tale = stopping();
    for (seconds, times) in [(5, 0), (1, 1), (1, 1)] {
        tale.wait(Duration::from_secs(seconds), false);
        assert_eq!(asked(&tale), times);
    }
    let kill = Action::Signal { run: FIRST, signal: Signal::KILL, scope: Scope::Tree };
    assert!(!tale.done.contains(&kill));
    tale.wait(Duration::from_secs(1), false);
    assert!(tale.done.contains(&kill));

    let mut tale = stopping();
    tale.ends(FIRST, ExitStatus::Code(0), true);
    tale.wait(Duration::from_secs(8), false);
    assert_eq!(asked(&tale), 0, "all of the tree were asked when it ended");
}

/// A run of an earlier life, with this main process.
pub fn found(id: ProcId) -> FoundRun {
    FoundRun { session: SessionId::new(Wall(7), id.pid.unsigned_abs().into()), id }
}

#[test]
fn what_is_taken_over_is_not_started_and_its_end_is_like_any_other() {
    let file = "processes: {a: {command: a, restart: always}, b: {command: b, depends_on: [a]}}";
    let mut tale = Tale::before(file);
    let id = ProcId { pid: 50, start_ticks: 5 };
    tale.tell(Fact::Found { process: ProcessIx(0), run: found(id) });
    tale.tell(Fact::Began);
    assert_eq!(tale.spawned(), [(SECOND, ProcessIx(1))], "what depends on it waits for nothing");
    tale.ends(FIRST, ExitStatus::Unknown, false);
    assert_eq!(tale.end_of(FIRST).map(|end| end.usage), Some(None));
    tale.wait_for_the_next();
    assert_eq!(tale.spawned()[1..], [(RunId(3), ProcessIx(0))]);
}

#[test]
fn nothing_is_started_once_the_house_goes_down() {
    let mut tale = Tale::begin("processes: {a: {command: a, restart: always}, b: {command: b}}");
    tale.runs(FIRST);
    tale.runs(SECOND);
    tale.ends(FIRST, ExitStatus::Code(1), false);
    tale.tell(TERM);
    let id = ProcId { pid: 50, start_ticks: 5 };
    tale.tell(Fact::Found { process: ProcessIx(0), run: found(id) });
    tale.ends(SECOND, ExitStatus::Code(0), false);
    tale.wait(Duration::from_secs(60), false);
    assert_eq!(tale.spawned().len(), 2);
    assert_eq!(tale.exit_code(), Some(1), "it had failed when the request came");
}

#[test]
fn a_shortage_is_waited_out_whatever_the_policy_but_not_for_ever() {
    let mut tale = Tale::begin("processes: {a: {command: a, restart: no}}");
    let failure = SpawnFailure { step: SpawnStep::Fork, errno: 11 };
    for run in 1..=5 {
        tale.tell(Fact::SpawnFailed { run: RunId(run), failure });
        tale.wait_for_the_next();
    }
    tale.tell(Fact::SpawnFailed { run: RunId(6), failure });
    tale.tell(Fact::HouseEmptied);
    assert_eq!(tale.exit_code(), Some(126));
}
