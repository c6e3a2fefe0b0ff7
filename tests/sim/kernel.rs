//! The fake kernel: what becomes of the actions, and what happens by itself.

use procession::config::plan::{Mode, ProcessPlan, Test};
use procession::supervise::action::Scope;
use procession::supervise::fact::{ErrandEnd, Fact, Holder, Notice, SpawnFailure, SpawnStep};
use procession::supervise::lifecycle::{Role, TestFailure};
use procession::units::{ErrandId, ExitStatus, ProcId, ProcessIx, RunId, RunUsage, Signal};

use super::plans::one_in;
use super::{Life, MILLI};

/// One invented process, ours or left behind by one of ours.
#[derive(Clone, Debug)]
pub struct Fake {
    pub run: RunId,
    pub is_main: bool,
    /// From the polite request to its end; `None` ignores it.
    term_delay: Option<u64>,
    pub dies_at: Option<(u64, ExitStatus)>,
    /// It hangs in the kernel: not even SIGKILL ends it.
    pub hangs: bool,
    children: usize,
}

/// An invented command beside a process.
#[derive(Clone, Debug)]
pub struct FakeErrand {
    pub process: ProcessIx,
    pub run: RunId,
    pub role: Role,
    pub kill_by: u64,
    pub killed: bool,
    pub ends: Option<(u64, ErrandEnd)>,
    hangs: bool,
}

impl Life {
    pub fn spawn(&mut self, run: RunId, process: ProcessIx) {
        self.check_spawn(run, process);
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
        let plan = self.plan.process(process).clone();
        self.give_signs(run, &plan);
    }

    /// What the run will show and say, if it lives that long; some of it before its execution is
    /// told.
    fn give_signs(&mut self, run: RunId, plan: &ProcessPlan) {
        let ready = plan.ready.clone();
        if ready.as_ref().is_some_and(|ready| ready.log.is_some()) && !one_in(&mut self.rng, 5) {
            self.soon(3_000, Fact::LineMatched { run });
        }
        let notify = ready.is_some_and(|ready| ready.notify);
        if notify && !one_in(&mut self.rng, 5) {
            self.soon(3_000, Fact::Notified { run, notice: Notice::Ready });
        }
        if let Some(every) = plan.watchdog {
            let every = every.as_nanos() as u64;
            for time in 0..self.rng.u64(..20) {
                let at = self.now + time * every / 2 + self.rng.u64(..every / 2);
                self.facts.push((at, Fact::Notified { run, notice: Notice::Watchdog }));
            }
        }
        let notices = [
            Notice::Stopping,
            Notice::Reloading,
            Notice::Status("busy".into()),
            Notice::WatchdogTriggered,
            Notice::ExtendTimeout(2_000_000),
            Notice::Ready,
        ];
        while one_in(&mut self.rng, 6) {
            let notice = notices[self.rng.usize(..notices.len())].clone();
            self.soon(20_000, Fact::Notified { run, notice });
        }
    }

    fn soon(&mut self, millis: u64, fact: Fact) {
        let at = self.now + self.rng.u64(..millis) * MILLI;
        self.facts.push((at, fact));
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

    pub fn signal(&mut self, run: RunId, signal: Signal, scope: Scope) {
        self.check_signal(run, signal, scope);
        let of_run = self.living.iter().filter(|(_, fake)| fake.run == run);
        let hit: Vec<i32> = of_run
            .filter(|(_, fake)| fake.is_main || scope != Scope::Main)
            .map(|(pid, _)| *pid)
            .collect();
        hit.into_iter().for_each(|pid| self.hit(pid, signal));
    }

    pub fn signal_house(&mut self, signal: Signal) {
        let all: Vec<i32> = self.living.keys().copied().collect();
        all.into_iter().for_each(|pid| self.hit(pid, signal));
        if signal == Signal::KILL {
            let errands: Vec<ErrandId> = self.errands.keys().copied().collect();
            errands.into_iter().for_each(|errand| self.end_errand(errand));
        }
    }

    fn hit(&mut self, pid: i32, signal: Signal) {
        const ABRT: Signal = Signal(6);
        let Some(fake) = self.living.get_mut(&pid).filter(|fake| !fake.hangs) else { return };
        let death = match signal {
            Signal::KILL => Some(0),
            Signal::TERM | Signal::INT | ABRT => fake.term_delay,
            _ => None,
        };
        if let Some(delay) = death {
            let at = self.now + delay;
            if fake.dies_at.is_none_or(|(earlier, _)| at < earlier) {
                fake.dies_at = Some((at, ExitStatus::Signal(signal)));
            }
        }
    }

    pub fn assist(&mut self, errand: ErrandId, process: ProcessIx, run: RunId, role: Role) {
        self.check_assist(process, run, role);
        let kill_by = self.now + self.limit_of(process, role);
        let hangs = one_in(&mut self.rng, 40);
        let end = match self.rng.u8(..8) {
            0 => ErrandEnd::NotSpawned(SpawnFailure { step: SpawnStep::Exec, errno: 2 }),
            1 | 2 => ErrandEnd::Exited(ExitStatus::Code(1)),
            _ => ErrandEnd::Exited(ExitStatus::Code(0)),
        };
        let lasts = [0, 1, 20, 4_000][self.rng.usize(..4)] * MILLI;
        let ends = (!hangs && !one_in(&mut self.rng, 10)).then_some((self.now + lasts, end));
        let fake = FakeErrand { process, run, role, kill_by, killed: false, ends, hangs };
        if self.errands.insert(errand, fake).is_some() {
            self.fail("an errand was sent twice");
        }
    }

    fn limit_of(&self, process: ProcessIx, role: Role) -> u64 {
        let plan = self.plan.process(process);
        let timeout = match role {
            Role::HealthTest => plan.health.as_ref().expect("it is tested").timeout,
            Role::PostStart(at) => plan.hooks.post_start[at].timeout,
            Role::PreStop(at) => plan.hooks.pre_stop[at].timeout,
            Role::PostExit(at) => plan.hooks.post_exit[at].timeout,
        };
        timeout.as_nanos() as u64
    }

    pub fn end_errand(&mut self, errand: ErrandId) {
        let Some(fake) = self.errands.get_mut(&errand) else { return };
        fake.killed = true;
        if !fake.hangs {
            fake.ends = Some((self.now, ErrandEnd::Exited(ExitStatus::Signal(Signal::KILL))));
        }
    }

    pub fn probe(&mut self, run: RunId, process: ProcessIx, test: u64) {
        let health = self.plan.process(process).health.clone();
        let Some(health) = health.filter(|health| !matches!(health.test, Test::Exec(_))) else {
            self.fail("nothing is to be probed")
        };
        let timeout = health.timeout.as_nanos() as u64;
        self.check_probe(run, self.now + timeout);
        let failure = one_in(&mut self.rng, 4).then_some(TestFailure::Unanswered);
        // Some answers are lost on the way, and some come too late.
        if !one_in(&mut self.rng, 8) {
            let at = self.now + self.rng.u64(..timeout + timeout / 4);
            self.facts.push((at, Fact::Probed { run, test, failure }));
        }
    }

    pub fn name_holders(&mut self, run: RunId) {
        if one_in(&mut self.rng, 5) {
            return;
        }
        let of_run = self.living.iter().filter(|(_, fake)| fake.run == run);
        let named = of_run.map(|(pid, _)| Holder {
            id: ProcId { pid: *pid, start_ticks: 0 },
            name: "x".into(),
            state: 'D',
        });
        let holders = named.take(Holder::MOST).collect();
        self.facts.push((self.now, Fact::HoldersNamed { run, holders }));
    }

    /// The next time at which something happens by itself.
    pub fn next_end(&self) -> Option<u64> {
        let deaths = self.living.values().filter_map(|fake| Some(fake.dies_at?.0));
        deaths.chain(self.errands.values().filter_map(|errand| Some(errand.ends?.0))).min()
    }

    pub fn let_die(&mut self) {
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
                let (process, status, count) = (None, ExitStatus::Code(0), 1);
                self.facts.push((told, Fact::OrphansReaped { process, status, count }));
                continue;
            }
            let Some((_, status)) = fake.dies_at else { continue };
            self.leave_behind(&fake);
            let leftovers = self.living.values().any(|other| other.run == fake.run);
            let usage = RunUsage::default();
            self.facts.push((told, Fact::Exited { run: fake.run, status, usage, leftovers }));
        }
        self.let_errands_end(told);
        self.tell_of_the_empty();
    }

    fn let_errands_end(&mut self, told: u64) {
        let is_over = |errand: &FakeErrand| errand.ends.is_some_and(|(at, _)| at <= self.now);
        let over: Vec<ErrandId> =
            self.errands.iter().filter(|(_, e)| is_over(e)).map(|(id, _)| *id).collect();
        for errand in over {
            let Some((_, end)) = self.errands.get(&errand).and_then(|fake| fake.ends) else {
                continue;
            };
            // It is answered once; until that is told, it counts as under way.
            if let Some(fake) = self.errands.get_mut(&errand) {
                fake.ends = None;
                fake.killed = true;
            }
            self.facts.push((told, Fact::ErrandEnded { errand, end }));
        }
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

    pub fn tell_of_the_empty(&mut self) {
        for run in self.awaited_trees.clone() {
            if !self.living.values().any(|fake| fake.run == run) && self.reaped.contains(&run) {
                self.awaited_trees.remove(&run);
                self.facts.push((self.now, Fact::TreeEmptied { run }));
            }
        }
        if self.house_awaited && self.living.is_empty() && self.errands.is_empty() {
            self.house_awaited = false;
            self.facts.push((self.now, Fact::HouseEmptied));
        }
    }
}
