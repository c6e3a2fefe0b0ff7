//! The mind against a fake kernel: thousands of invented lives, each from one seed.
//!
//! The kernel lets processes die before their spawn is told, ignore SIGTERM, hang so that SIGKILL
//! does not end them, leave orphans behind, fail to execute, and tells of many deaths at once; runs
//! show late or never that they are ready, feed their watchdogs for a while, and fail their tests;
//! commands hang; answers are lost; orders and plans come at any time; the wall clock steps, and
//! everything stands still now and then. Whatever happens, the promises in `sim/promises.rs` hold. A
//! life that breaks one is lived again and told: `SIM_SEED=n` runs it alone. `PROCESSION_SIM_SEEDS`
//! sets how many lives there are.

mod kernel;
mod orders;
mod plans;
mod promises;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kernel::{Fake, FakeErrand};
use plans::one_in;
use procession::config::plan::{Mode, Plan};
use procession::supervise::Machine;
use procession::supervise::action::Action;
use procession::supervise::fact::Fact;
use procession::supervise::lifecycle::{Lifecycle, Order, PhaseName, RunEnd};
use procession::supervise::wish::Wish;
use procession::units::{ErrandId, Mono, Now, ProcessIx, RequestId, RunId, Signal, Wall};
use promises::Seen;

const MILLI: u64 = 1_000_000;
/// Long after any budget: a life that has not ended by then never will.
const FOREVER: u64 = 4_000_000 * MILLI;
/// How many lives are lived where nobody says otherwise.
const SEEDS: u64 = 2_000;

/// The fake kernel, and everything it saw.
struct Life {
    seed: u64,
    rng: fastrand::Rng,
    plan: Arc<Plan>,
    machine: Machine,
    now: u64,
    wall_step: i64,
    /// Whether everything stands still now and then.
    freezes: bool,
    next_pid: i32,
    living: BTreeMap<i32, Fake>,
    errands: BTreeMap<ErrandId, FakeErrand>,
    facts: Vec<(u64, Fact)>,
    awaited_trees: BTreeSet<RunId>,
    house_awaited: bool,
    house_asked: bool,
    process_of: BTreeMap<RunId, ProcessIx>,
    forked: BTreeSet<RunId>,
    reaped: BTreeSet<RunId>,
    seen: BTreeMap<RunId, Seen>,
    ended: BTreeMap<RunId, RunEnd>,
    phases: BTreeMap<ProcessIx, PhaseName>,
    scheduled: BTreeMap<ProcessIx, u64>,
    /// The last order that was carried out.
    ordered: Option<Order>,
    /// Runs that orders are to end.
    to_end: BTreeSet<RunId>,
    /// Those among them that run anew then.
    to_return: BTreeSet<RunId>,
    /// What the last restart named.
    named: Vec<String>,
    /// What orders stopped.
    held: BTreeSet<ProcessIx>,
    /// What a reload gave another plan while it ran.
    adjusted: BTreeSet<ProcessIx>,
    asked_at: Option<u64>,
    escalated: bool,
    kill_at: Option<u64>,
    exit: Option<(u64, u8)>,
    /// What is told, where anybody listens.
    story: Option<Vec<String>>,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let plan = Arc::new(plans::plan(&mut rng));
        Self {
            seed,
            machine: Machine::new(Arc::clone(&plan), seed),
            plan,
            freezes: one_in(&mut rng, 10),
            rng,
            now: 1,
            wall_step: 0,
            next_pid: 2,
            living: BTreeMap::new(),
            errands: BTreeMap::new(),
            facts: Vec::new(),
            awaited_trees: BTreeSet::new(),
            house_awaited: false,
            house_asked: false,
            process_of: BTreeMap::new(),
            forked: BTreeSet::new(),
            reaped: BTreeSet::new(),
            seen: BTreeMap::new(),
            ended: BTreeMap::new(),
            phases: BTreeMap::new(),
            scheduled: BTreeMap::new(),
            ordered: None,
            to_end: BTreeSet::new(),
            to_return: BTreeSet::new(),
            named: Vec::new(),
            held: BTreeSet::new(),
            adjusted: BTreeSet::new(),
            asked_at: None,
            escalated: false,
            kill_at: None,
            exit: None,
            story: None,
        }
    }

    /// The same life, told.
    fn telling(seed: u64) -> Self {
        Self { story: Some(Vec::new()), ..Self::new(seed) }
    }

    fn fail(&self, what: &str) -> ! {
        let Some(story) = &self.story else {
            Self::telling(self.seed).live();
            panic!("{what}; but not when it is told: seed {}", self.seed);
        };
        let (story, plan) = (story.join("\n"), &self.plan.processes);
        panic!("{plan:#?}\n{story}\n{what}: run it alone with SIM_SEED={}", self.seed);
    }

    fn say(&mut self, line: impl FnOnce(u64) -> String) {
        if let Some(story) = &mut self.story {
            story.push(line(self.now / MILLI));
        }
    }

    fn time(&self) -> Now {
        let wall = Wall(1_790_000_000_000 + (self.now / MILLI) as i64 + self.wall_step);
        Now { mono: Mono(self.now), wall }
    }

    fn live(mut self) {
        self.tell(Fact::Began);
        for _ in 0..self.rng.usize(0..6) {
            let signals = [Signal::HUP, Signal::USR1, Signal::WINCH, Signal::INT, Signal::TERM];
            let at = self.rng.u64(1..60_000) * MILLI;
            let signal = signals[self.rng.usize(..signals.len())];
            self.facts.push((at, Fact::SignalArrived { signal }));
        }
        for request in 0..self.rng.u64(0..8) {
            let at = self.rng.u64(1..80_000) * MILLI;
            // What is wanted is invented when its time has come.
            let wish = Wish::Stop(Vec::new());
            self.facts.push((at, Fact::Requested { request: RequestId(request), wish }));
        }
        // Every life is asked to end at last.
        self.facts.push((90_000 * MILLI, Fact::SignalArrived { signal: Signal::TERM }));
        while self.exit.is_none() {
            self.turn();
        }
        self.check_the_end();
    }

    fn turn(&mut self) {
        let fact = self.facts.iter().map(|(at, _)| *at).min();
        let deadline = self.machine.next_deadline().map(|at| at.0);
        let Some(next) = [fact, self.next_end(), deadline].into_iter().flatten().min() else {
            self.fail("nothing will ever happen again and we are still here")
        };
        if next > FOREVER {
            self.fail("the life does not end");
        }
        self.now = self.now.max(next);
        if self.rng.u8(..) < 8 {
            self.wall_step += self.rng.i64(-100_000..100_000);
        }
        if self.freezes && self.kill_at.is_none() && one_in(&mut self.rng, 60) {
            self.now += self.rng.u64(..8_000) * MILLI;
        }
        if self.rng.u8(..) < 30 {
            // Asking too early changes nothing.
            self.machine.handle_deadline(self.time());
            self.perform();
        }
        self.let_die();
        self.deliver();
        if self.exit.is_none() && deadline.is_some_and(|at| at <= self.now) {
            self.machine.handle_deadline(self.time());
            self.perform();
        }
        if self.exit.is_none() {
            self.check_the_clock();
        }
    }

    fn deliver(&mut self) {
        while let Some(at) = self.facts.iter().position(|(at, _)| *at <= self.now) {
            let (_, fact) = self.facts.remove(at);
            match fact {
                _ if self.exit.is_some() => {}
                Fact::Requested { request, .. } => self.order(request),
                fact => drop(self.tell(fact)),
            }
        }
    }

    /// Somebody wants something; seldom that everything ends.
    fn order(&mut self, request: RequestId) {
        let wish = match self.rng.u8(..16) {
            0..=3 => Wish::Restart(self.names()),
            4..=6 => Wish::Stop(self.names()),
            7..=9 => Wish::Start(self.names()),
            10 => {
                let (names, group) = (self.names(), self.rng.bool());
                Wish::Signal { names, signal: Signal::USR1, group }
            }
            11 => Wish::Spawn(Box::new(plans::command(&mut self.rng))),
            12 if self.rng.bool() => Wish::Shutdown,
            13 => {
                let process = ProcessIx(self.rng.usize(..self.plan.processes.len()));
                self.tell(Fact::FilesChanged { process });
                Wish::Stop(vec!["nobody".into()])
            }
            _ if self.plan.mode == Mode::Supervise => {
                Wish::Reload(Arc::new(plans::another(&mut self.rng, &self.plan)))
            }
            _ => Wish::Restart(Vec::new()),
        };
        let done = self.tell(Fact::Requested { request, wish: wish.clone() });
        self.check_order(request, &wish, &done);
    }

    /// Some names of the plan, of families too, and seldom one that nobody has.
    fn names(&mut self) -> Vec<String> {
        let mut names = Vec::new();
        while names.is_empty() || self.rng.bool() {
            let plan = &self.plan.processes[self.rng.usize(..self.plan.processes.len())];
            names.push(match self.rng.u8(..12) {
                0 => "nobody".into(),
                1..=4 => plan.family().to_owned(),
                _ => plan.name.clone(),
            });
        }
        names
    }

    fn tell(&mut self, fact: Fact) -> Vec<Action> {
        self.say(|at| match &fact {
            Fact::Requested { wish: Wish::Reload(_), .. } => format!("{at:>9} ms  reload"),
            fact => format!("{at:>9} ms  {fact:?}"),
        });
        self.heed(&fact);
        self.machine.handle(self.time(), fact);
        self.perform()
    }

    fn perform(&mut self) -> Vec<Action> {
        let mut done = Vec::new();
        while let Some(action) = self.machine.next_action() {
            done.push(action.clone());
            self.say(|_| match &action {
                Action::Reconfigure(_) | Action::Record(Lifecycle::PlanChanged { .. }) => {
                    "             another plan".into()
                }
                action => format!("             {action:?}"),
            });
            self.carry_out(action);
        }
        self.tell_of_the_empty();
        if self.exit.is_none() {
            self.check_the_pause();
        }
        done
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Spawn { run, process, .. } => self.spawn(run, process),
            Action::Adopt { .. } => self.fail("nothing was found"),
            Action::Signal { run, signal, scope } => self.signal(run, signal, scope),
            Action::AwaitTree { run } => drop(self.awaited_trees.insert(run)),
            Action::NameHolders { run } => self.name_holders(run),
            Action::Assist { errand, process, run, role, .. } => {
                self.assist(errand, process, run, role);
            }
            Action::EndErrand { errand } => self.end_errand(errand),
            Action::Probe { run, process, test } => self.probe(run, process, test),
            Action::ReadConfiguration => {
                self.facts.push((self.now, Fact::ReloadFailed { faults: 1 }))
            }
            Action::Reconfigure(plan) => self.plan = plan,
            Action::Reply { reply, .. } => self.note_reply(&reply),
            Action::SignalHouse { signal } => self.signal_house(signal),
            Action::SignalOrphans { .. } => {}
            Action::AwaitHouse => (self.house_awaited, self.house_asked) = (true, true),
            Action::Record(Lifecycle::PlanChanged { changes, .. }) => {
                self.adjusted.extend(changes.adjusted);
                // Until its turn has come, a run goes on by the plan it was given.
                self.adjusted.extend(changes.restarted);
                changes.added.iter().for_each(|ix| {
                    self.held.remove(ix);
                });
            }
            Action::Record(event) => self.note(event),
            Action::Exit { code } => self.exit = Some((self.now, code)),
        }
    }
}

#[test]
fn every_invented_life_keeps_the_promises() {
    let number = |name: &str| {
        let text = std::env::var(name).ok();
        text.map(|text| text.parse::<u64>().unwrap_or_else(|why| panic!("{name}: {why}")))
    };
    if let Some(seed) = number("SIM_SEED") {
        return Life::telling(seed).live();
    }
    for seed in 0..number("PROCESSION_SIM_SEEDS").unwrap_or(SEEDS) {
        Life::new(seed).live();
    }
}

#[test]
fn the_same_seed_gives_the_same_life() {
    let story = |seed| {
        let mut life = Life::telling(seed);
        life.tell(Fact::Began);
        life.story
    };
    assert_eq!(story(7), story(7));
}
