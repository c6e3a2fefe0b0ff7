//! The mind against a fake kernel: thousands of invented lives, each from one seed.
//!
//! The kernel lets processes die before their spawn is told, ignore SIGTERM, hang so that SIGKILL
//! does not end them, leave orphans behind, fail to execute, and tells of many deaths at once; the
//! wall clock steps. Whatever it does, the promises hold that `Life::fail` is called for. It prints
//! the seed: `SIM_SEED=n` runs that life alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use procession::config::plan::{
    Condition, ControlPlan, Dependency, LeakRule, MemoryPlan, Mode, Passing, Plan, ProcessPlan,
    Recovery, RestartPlan, RestartPolicy, StorePlan,
};
use procession::supervise::Machine;
use procession::supervise::action::{Action, Scope};
use procession::supervise::fact::{Fact, SpawnFailure, SpawnStep};
use procession::supervise::lifecycle::{EndReason, Lifecycle, SignalResponse, StopCause};
use procession::units::{ExitStatus, Mono, Now, ProcId, ProcessIx, RunId, RunUsage, Signal, Wall};

const MILLI: u64 = 1_000_000;
/// Long after any budget: a life that has not ended by then never will.
const FOREVER: u64 = 4_000_000 * MILLI;

fn plan(rng: &mut fastrand::Rng) -> Plan {
    let count = rng.usize(1..=6);
    let mode = if count == 1 && rng.bool() { Mode::OneCommand } else { Mode::Supervise };
    let mut processes: Vec<ProcessPlan> = (0..count).map(|at| process(rng, at)).collect();
    if mode == Mode::OneCommand {
        processes[0].restart.policy = RestartPolicy::No;
    }
    let deciders = if rng.bool() { vec![ProcessIx(rng.usize(..count))] } else { Vec::new() };
    Plan {
        mode,
        passing: Passing::default(),
        control: ControlPlan::default(),
        processes,
        exit_code_from: deciders,
        shutdown_timeout: Duration::from_millis(rng.u64(200..20_000)),
        listen: None,
        store: StorePlan::Memory,
        state_dir: PathBuf::from("nowhere"),
        recovery: Recovery::End,
        memory: MemoryPlan { interval: Duration::from_secs(5), leak_rule: LeakRule::GrowthCount },
        digest: String::new(),
    }
}

fn process(rng: &mut fastrand::Rng, at: usize) -> ProcessPlan {
    let conditions = [Condition::Started, Condition::CompletedSuccessfully];
    let depends_on = (0..at).filter_map(|on| {
        let condition = conditions[usize::from(rng.u8(..) < 50)];
        (rng.u8(..) < 80).then_some(Dependency::on(ProcessIx(on), condition))
    });
    let depends_on = depends_on.collect();
    let policies = [RestartPolicy::No, RestartPolicy::OnFailure, RestartPolicy::Always];
    ProcessPlan {
        depends_on,
        restart: RestartPlan {
            policy: policies[rng.usize(..3)],
            max_attempts: rng.bool().then(|| rng.u32(0..6)),
            ..RestartPlan::default()
        },
        stop_grace_period: Duration::from_millis(rng.u64(0..15_000)),
        forward_signals: vec![Signal::USR1],
        ..ProcessPlan::new(format!("p{at}"), vec!["x".into()])
    }
}

/// One invented process, ours or left behind by one of ours.
#[derive(Clone, Debug)]
struct Fake {
    run: RunId,
    is_main: bool,
    /// From the polite request to its end; `None` ignores it.
    term_delay: Option<u64>,
    dies_at: Option<(u64, ExitStatus)>,
    /// It hangs in the kernel: not even SIGKILL ends it.
    hangs: bool,
    children: usize,
}

/// The fake kernel, and everything it saw.
struct Life {
    seed: u64,
    rng: fastrand::Rng,
    plan: Plan,
    machine: Machine,
    now: u64,
    wall_step: i64,
    next_pid: i32,
    living: BTreeMap<i32, Fake>,
    facts: Vec<(u64, Fact)>,
    awaited_trees: BTreeSet<RunId>,
    house_awaited: bool,
    process_of: BTreeMap<RunId, ProcessIx>,
    forked: BTreeSet<RunId>,
    reaped: BTreeSet<RunId>,
    ended: BTreeMap<RunId, EndReason>,
    scheduled: BTreeMap<ProcessIx, u64>,
    asked_at: Option<u64>,
    escalated: bool,
    kill_at: Option<u64>,
    exit: Option<(u64, u8)>,
    story: Vec<String>,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let plan = plan(&mut rng);
        Self {
            seed,
            machine: Machine::new(Arc::new(plan.clone()), seed),
            plan,
            rng,
            now: 1,
            wall_step: 0,
            next_pid: 2,
            living: BTreeMap::new(),
            facts: Vec::new(),
            awaited_trees: BTreeSet::new(),
            house_awaited: false,
            process_of: BTreeMap::new(),
            forked: BTreeSet::new(),
            reaped: BTreeSet::new(),
            ended: BTreeMap::new(),
            scheduled: BTreeMap::new(),
            asked_at: None,
            escalated: false,
            kill_at: None,
            exit: None,
            story: Vec::new(),
        }
    }

    fn fail(&self, what: &str) -> ! {
        let story = self.story.join("\n");
        panic!("{what}\n{story}\nseed {}: run it alone with SIM_SEED={}", self.seed, self.seed);
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
        // Every life is asked to end at last.
        self.facts.push((90_000 * MILLI, Fact::SignalArrived { signal: Signal::TERM }));
        while self.exit.is_none() {
            self.turn();
        }
        self.check_the_end();
    }

    fn turn(&mut self) {
        let fact = self.facts.iter().map(|(at, _)| *at).min();
        let death = self.living.values().filter_map(|fake| Some(fake.dies_at?.0)).min();
        let deadline = self.machine.next_deadline().map(|at| at.0);
        let Some(next) = [fact, death, deadline].into_iter().flatten().min() else {
            self.fail("nothing will ever happen again and we are still here")
        };
        if next > FOREVER {
            self.fail("the life does not end");
        }
        self.now = self.now.max(next);
        if self.rng.u8(..) < 8 {
            self.wall_step += self.rng.i64(-100_000..100_000);
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
    }

    fn deliver(&mut self) {
        while let Some(at) = self.facts.iter().position(|(at, _)| *at <= self.now) {
            let (_, fact) = self.facts.remove(at);
            if self.exit.is_none() {
                self.tell(fact);
            }
        }
    }

    fn tell(&mut self, fact: Fact) {
        self.story.push(format!("{:>9} ms  {fact:?}", self.now / MILLI));
        if let Fact::SignalArrived { signal: Signal::TERM | Signal::INT } = fact {
            self.escalated |= self.kill_at.is_some();
            if self.plan.mode == Mode::Supervise {
                self.asked_at.get_or_insert(self.now);
            }
        }
        if let Fact::Exited { run, .. } = &fact
            && !self.reaped.insert(*run)
        {
            self.fail("a run was reaped twice");
        }
        self.machine.handle(self.time(), fact);
        self.perform();
    }

    fn perform(&mut self) {
        while let Some(action) = self.machine.next_action() {
            self.story.push(format!("             {action:?}"));
            match action {
                Action::Spawn { run, process, .. } => self.spawn(run, process),
                Action::Adopt { .. } => self.fail("nothing was found"),
                Action::Signal { run, signal, scope } => self.signal(run, signal, scope),
                Action::AwaitTree { run } => {
                    self.awaited_trees.insert(run);
                }
                Action::SignalHouse { signal } => {
                    let all: Vec<i32> = self.living.keys().copied().collect();
                    all.into_iter().for_each(|pid| self.hit(pid, signal));
                }
                Action::AwaitHouse => self.house_awaited = true,
                Action::NameHolders { .. }
                | Action::Assist { .. }
                | Action::EndErrand { .. }
                | Action::Probe { .. }
                | Action::Reconfigure(_)
                | Action::ReadConfiguration
                | Action::Reply { .. } => {}
                Action::Record(event) => self.note(event),
                Action::Exit { code } => self.exit = Some((self.now, code)),
            }
        }
        self.tell_of_the_empty();
    }

    fn spawn(&mut self, run: RunId, process: ProcessIx) {
        let alive = |(other, ix): (&RunId, &ProcessIx)| {
            *ix == process && !self.ended.contains_key(other) && *other != run
        };
        if self.process_of.iter().any(alive) {
            self.fail("two live runs of one process");
        }
        if let Some(due) = self.scheduled.remove(&process)
            && self.now < due
        {
            self.fail("a restart came before its back-off was over");
        }
        self.check_dependencies(process);
        self.process_of.insert(run, process);
        let latency = self.rng.u64(0..3) * MILLI;
        if self.rng.u8(..) < 25 {
            let errno = [2, 13, 11, 12][self.rng.usize(..4)];
            let failure = SpawnFailure { step: SpawnStep::Exec, errno };
            self.facts.push((self.now + latency, Fact::SpawnFailed { run, failure }));
            return;
        }
        let pid = self.next_pid;
        // Pids are used again as soon as may be.
        self.next_pid = if self.rng.bool() { pid + 1 } else { 2 };
        while self.living.contains_key(&self.next_pid) || self.next_pid == pid {
            self.next_pid += 1;
        }
        let fake = self.fake(run);
        self.living.insert(pid, fake);
        self.forked.insert(run);
        let id = ProcId { pid, start_ticks: self.now };
        self.facts.push((self.now, Fact::Forked { run, id }));
        self.facts.push((self.now + latency, Fact::Executed { run }));
    }

    fn fake(&mut self, run: RunId) -> Fake {
        let statuses = [
            ExitStatus::Code(0),
            ExitStatus::Code(0),
            ExitStatus::Code(3),
            ExitStatus::Signal(Signal(11)),
        ];
        let status = statuses[self.rng.usize(..4)];
        let life = [0, 1, 500, 5_000, 50_000][self.rng.usize(..5)] * MILLI;
        let stays = self.rng.u8(..) < 90;
        // One command that never hears is never ended, as under tini.
        let hears = self.plan.mode == Mode::OneCommand;
        let hangs = !hears && self.rng.u8(..) < 6;
        Fake {
            run,
            is_main: true,
            term_delay: (hears || self.rng.u8(..) < 190).then(|| self.rng.u64(0..3_000) * MILLI),
            dies_at: (!stays && !hangs).then_some((self.now + life, status)),
            hangs,
            children: self.rng.usize(0..3),
        }
    }

    fn check_dependencies(&self, process: ProcessIx) {
        for on in &self.plan.process(process).depends_on {
            let of_it = |run: &&RunId| self.process_of[run] == on.process;
            let met = self.forked.iter().any(|run| of_it(&run));
            if !met {
                self.fail("a process was started before what it depends on");
            }
        }
    }

    fn signal(&mut self, run: RunId, signal: Signal, scope: Scope) {
        if scope == Scope::Main && self.reaped.contains(&run) {
            self.fail("a signal was sent to a main process after its reaping");
        }
        let of_run = self.living.iter().filter(|(_, fake)| fake.run == run);
        let hit: Vec<i32> = of_run
            .filter(|(_, fake)| fake.is_main || scope != Scope::Main)
            .map(|(pid, _)| *pid)
            .collect();
        hit.into_iter().for_each(|pid| self.hit(pid, signal));
    }

    fn hit(&mut self, pid: i32, signal: Signal) {
        let Some(fake) = self.living.get_mut(&pid).filter(|fake| !fake.hangs) else { return };
        let death = match signal {
            Signal::KILL => Some(0),
            Signal::TERM | Signal::INT => fake.term_delay,
            _ => None,
        };
        if let Some(delay) = death {
            let at = self.now + delay;
            if fake.dies_at.is_none_or(|(earlier, _)| at < earlier) {
                fake.dies_at = Some((at, ExitStatus::Signal(signal)));
            }
        }
    }

    fn let_die(&mut self) {
        let dead: Vec<i32> = self
            .living
            .iter()
            .filter(|(_, fake)| fake.dies_at.is_some_and(|(at, _)| at <= self.now))
            .map(|(pid, _)| *pid)
            .collect();
        // Several deaths are told of at once, a little later.
        let told = self.now + self.rng.u64(0..2) * MILLI;
        for pid in dead {
            let Some(fake) = self.living.remove(&pid) else { continue };
            if !fake.is_main {
                self.facts.push((
                    told,
                    Fact::OrphanReaped { process: None, status: ExitStatus::Code(0) },
                ));
                continue;
            }
            let Some((_, status)) = fake.dies_at else { continue };
            self.leave_behind(&fake);
            let leftovers = self.living.values().any(|other| other.run == fake.run);
            let usage = RunUsage::default();
            self.facts.push((told, Fact::Exited { run: fake.run, status, usage, leftovers }));
        }
        self.tell_of_the_empty();
    }

    fn leave_behind(&mut self, main: &Fake) {
        for _ in 0..main.children {
            let stays = self.rng.bool();
            let hangs = self.rng.u8(..) < 6;
            let orphan = Fake {
                run: main.run,
                is_main: false,
                term_delay: self.rng.bool().then_some(50 * MILLI),
                dies_at: (!stays && !hangs).then(|| (self.now + MILLI, ExitStatus::Code(0))),
                hangs,
                children: 0,
            };
            let pid = self.living.keys().max().map_or(1_000, |last| last + 1_000);
            self.living.insert(pid, orphan);
        }
    }

    fn tell_of_the_empty(&mut self) {
        for run in self.awaited_trees.clone() {
            if !self.living.values().any(|fake| fake.run == run) && self.reaped.contains(&run) {
                self.awaited_trees.remove(&run);
                self.facts.push((self.now, Fact::TreeEmptied { run }));
            }
        }
        if self.house_awaited && self.living.is_empty() {
            self.house_awaited = false;
            self.facts.push((self.now, Fact::HouseEmptied));
        }
    }

    fn note(&mut self, event: Lifecycle) {
        match event {
            Lifecycle::RunEnded { run, end } if self.ended.insert(run, end.reason).is_some() => {
                self.fail("a run ended twice");
            }
            Lifecycle::RestartScheduled { process, delay, streak } => {
                let floor = self.plan.process(process).restart.backoff.delay;
                if delay < floor {
                    self.fail(&format!("back-off {delay:?} below its floor, streak {streak}"));
                }
                self.scheduled.insert(process, self.now + delay.as_nanos() as u64);
            }
            Lifecycle::ShutdownBegan { budget, .. } => {
                let reserve = Duration::from_secs(1).min(budget / 4);
                self.kill_at = Some(self.now + (budget - reserve).as_nanos() as u64);
            }
            Lifecycle::RunStopping { run, cause: StopCause::Shutdown } => {
                self.check_stop_order(self.process_of[&run]);
            }
            Lifecycle::SignalArrived { response: SignalResponse::Shutdown, .. }
                if self.plan.mode == Mode::OneCommand =>
            {
                self.fail("one command is never stopped by a budget");
            }
            _ => {}
        }
    }

    /// Dependents end first, as long as there is time to be polite.
    fn check_stop_order(&self, process: ProcessIx) {
        let in_time = self.kill_at.is_some_and(|at| self.now < at) && !self.escalated;
        let depends = |ix: &ProcessIx| {
            self.plan.process(*ix).depends_on.iter().any(|on| on.process == process)
        };
        let lives =
            self.process_of.iter().any(|(run, ix)| depends(ix) && !self.ended.contains_key(run));
        if in_time && lives {
            self.fail("a process was asked to end before what depends on it had ended");
        }
    }

    fn check_the_end(&self) {
        let (at, code) = self.exit.expect("the life ended");
        if let Some(asked) = self.asked_at {
            let budget = self.plan.shutdown_timeout.as_nanos() as u64;
            if at.saturating_sub(asked) > budget {
                self.fail(&format!("left {} ms after the budget", (at - asked - budget) / MILLI));
            }
        }
        for run in &self.forked {
            if !self.ended.contains_key(run) {
                self.fail("a run has no end");
            }
        }
        // SIGKILL works on all but those that hang, so that whoever is left was forgotten.
        let told = |run: &RunId| self.reaped.contains(run);
        if self.living.values().any(|fake| !fake.hangs && !fake.is_main && told(&fake.run)) {
            self.fail("we left, and something lives");
        }
        if code == 70 {
            self.fail("an internal failure");
        }
    }
}

#[test]
fn every_invented_life_keeps_the_promises() {
    if let Ok(seed) = std::env::var("SIM_SEED") {
        return Life::new(seed.parse().expect("SIM_SEED is a number")).live();
    }
    for seed in 0..4_000 {
        Life::new(seed).live();
    }
}

#[test]
fn the_same_seed_gives_the_same_life() {
    let story = |seed| {
        let mut life = Life::new(seed);
        life.tell(Fact::Began);
        life.story
    };
    assert_eq!(story(7), story(7));
}
