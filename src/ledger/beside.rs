//! Commands that run beside the plan, for those who started them: who runs, who ended lately, and how.
//! Pure. It is told of the lifecycle in the moment that the ledger is, so that whoever waits for an
//! end does not wait for the next picture.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::config::plan::{Plan, Standing};
use crate::ledger::outcome::Outcome;
use crate::ledger::session::SessionState;
use crate::supervise::lifecycle::{EndReason, Lifecycle, RunEnd};
use crate::units::{ExitStatus, Mono, Now, ProcId, ProcessIx, RunId, SessionId, Wall};

/// How many that ended are remembered, the newest. More than are ever shown at once, so that whoever
/// waits for one of many that end together is not too late.
const MOST_ENDED: usize = 1000;

/// One command, which is one run and one session.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// The session that it is.
    pub session: SessionId,
    /// Its run.
    pub run: RunId,
    /// The name that it runs under.
    pub process: String,
    /// Its main process, once there is one.
    pub main: Option<ProcId>,
    /// When it was started.
    pub started: Wall,
    /// Where it stands.
    pub state: SessionState,
    /// How it ended, once it has.
    pub end: Option<End>,
    place: ProcessIx,
    opened: Mono,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// When.
    pub at: Wall,
    /// From its start.
    pub duration: Duration,
    /// What the kernel said of it; unknown where its end was not seen.
    pub status: ExitStatus,
    /// Why, for people.
    pub reason: String,
    /// Whether that is that it could not be started: it never had a program.
    pub not_started: bool,
    /// User and system CPU time, where the kernel told.
    pub cpu: Option<Duration>,
}

/// All of them.
#[derive(Debug)]
pub struct Roll {
    plan: Arc<Plan>,
    live: BTreeMap<RunId, Command>,
    /// The oldest first.
    ended: VecDeque<Command>,
}

impl Roll {
    /// Nobody yet.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self { plan, live: BTreeMap::new(), ended: VecDeque::new() }
    }

    /// Takes in a line of the story; whether it was about one of them.
    pub fn hear(&mut self, at: Now, event: &Lifecycle) -> bool {
        match event {
            Lifecycle::PlanChanged { plan, .. } => {
                self.plan = Arc::clone(plan);
                false
            }
            Lifecycle::RunOpened { run, process, session, .. } => {
                self.opened(at, *run, *process, *session)
            }
            Lifecycle::RunForked { run, id } => self.change(*run, |it| it.main = Some(*id)),
            Lifecycle::RunExecuted { run } => {
                self.change(*run, |it| it.state = SessionState::Active)
            }
            Lifecycle::RunStopping { run, .. } => {
                self.change(*run, |it| it.state = SessionState::Stopping)
            }
            Lifecycle::RunEnded { run, end } => self.ended(at, *run, end),
            _ => false,
        }
    }

    /// Those that live, the newest first.
    pub fn running(&self) -> impl Iterator<Item = &Command> {
        self.live.values().rev()
    }

    /// Those that ended, the newest first.
    pub fn over(&self) -> impl Iterator<Item = &Command> {
        self.ended.iter().rev()
    }

    /// The one with this session or this pid. One that lives goes before those that ended, and a
    /// newer one before an older: pids come again.
    pub fn find(&self, id: &str) -> Option<&Command> {
        let mut all = self.running().chain(self.over());
        if let Some(session) = SessionId::parse(id) {
            return all.find(|it| it.session == session);
        }
        let pid: i32 = id.parse().ok()?;
        all.find(|it| it.main.is_some_and(|main| main.pid == pid))
    }

    /// The one with this run.
    pub fn of_run(&self, run: RunId) -> Option<&Command> {
        self.live.get(&run).or_else(|| self.over().find(|it| it.run == run))
    }

    fn opened(&mut self, at: Now, run: RunId, place: ProcessIx, session: SessionId) -> bool {
        let Some(process) = self.plan.processes.get(place.0) else { return false };
        if process.standing != Standing::Spawned {
            return false;
        }
        let process = process.name.clone();
        self.miss(at, place);
        let command = Command {
            session,
            run,
            process,
            main: None,
            started: at.wall,
            state: SessionState::Initializing,
            end: None,
            place,
            opened: at.mono,
        };
        self.live.insert(run, command);
        true
    }

    fn change(&mut self, run: RunId, change: impl FnOnce(&mut Command)) -> bool {
        self.live.get_mut(&run).map(change).is_some()
    }

    fn ended(&mut self, at: Now, run: RunId, end: &RunEnd) -> bool {
        // A command beside the plan is run once, and no policy says what is no failure of it.
        let closed = self.close(at, run, Outcome::of_run(end, &[]), end.status);
        let told = self.ended.back_mut().filter(|_| closed).and_then(|it| it.end.as_mut());
        if let Some(told) = told {
            told.cpu = end.usage.map(|usage| usage.cpu);
            told.not_started = matches!(end.reason, EndReason::NotSpawned(_));
        }
        closed
    }

    /// A place has one live run, so that a new one tells that news of the last went missing.
    fn miss(&mut self, at: Now, place: ProcessIx) {
        let missed = self.live.values().find(|it| it.place == place).map(|it| it.run);
        if let Some(run) = missed {
            let outcome = Outcome::lost("its end did not reach the ledger");
            self.close(at, run, outcome, ExitStatus::Unknown);
        }
    }

    fn close(&mut self, at: Now, run: RunId, outcome: Outcome, status: ExitStatus) -> bool {
        let Some(mut command) = self.live.remove(&run) else { return false };
        let Outcome { state, reason } = outcome;
        command.state = state;
        let duration = at.mono.since(command.opened);
        let end = End { at: at.wall, duration, status, reason, not_started: false, cpu: None };
        command.end = Some(end);
        self.ended.push_back(command);
        if self.ended.len() > MOST_ENDED {
            self.ended.pop_front();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::plan::ProcessPlan;
    use crate::ledger::stories;

    fn roll() -> Roll {
        let mut plan = stories::plan();
        let process = ProcessPlan::new("job", vec!["y".into()]);
        plan.processes[1] = ProcessPlan { standing: Standing::Spawned, ..process };
        Roll::new(Arc::new(plan))
    }

    fn at(second: u64) -> Now {
        Now { mono: Mono(second * 1_000_000_000), wall: Wall(second as i64 * 1000) }
    }

    fn session(run: u64) -> SessionId {
        SessionId::new(Wall(0), run.into())
    }

    fn open(roll: &mut Roll, run: u64, process: usize, pid: i32) {
        let (session, process, number) = (session(run), ProcessIx(process), run);
        let run = RunId(run);
        let opened = Lifecycle::RunOpened { run, process, session, attempt: 0, adopted: false };
        roll.hear(at(number), &opened);
        let id = ProcId { pid, start_ticks: number };
        roll.hear(at(number), &Lifecycle::RunForked { run, id });
    }

    fn end(roll: &mut Roll, run: u64, code: u8) {
        let (status, reason) = (ExitStatus::Code(code), EndReason::Itself);
        let end = RunEnd { status, usage: None, reason, forced: false, stop: None };
        roll.hear(at(run + 5), &Lifecycle::RunEnded { run: RunId(run), end });
    }

    #[test]
    fn commands_beside_the_plan_are_known_and_others_are_not() {
        let mut roll = roll();
        open(&mut roll, 1, 0, 10);
        assert_eq!((roll.running().count(), roll.find("10")), (0, None));
        open(&mut roll, 2, 1, 20);
        let found = roll.find("20").expect("it runs");
        assert_eq!((&*found.process, found.state), ("job", SessionState::Initializing));
        assert_eq!(roll.find(&session(2).to_string()), Some(found));
        roll.hear(at(3), &Lifecycle::RunExecuted { run: RunId(2) });
        assert_eq!(roll.find("20").map(|it| it.state), Some(SessionState::Active));
        end(&mut roll, 2, 3);
        let found = roll.find("20").expect("it ended lately");
        let told = found.end.as_ref().expect("an end");
        assert_eq!((found.state, told.status), (SessionState::Failed, ExitStatus::Code(3)));
        assert_eq!(told.duration, Duration::from_secs(5));
        assert_eq!((roll.running().count(), roll.over().count()), (0, 1));
    }

    #[test]
    fn a_pid_that_comes_again_is_the_living_ones_and_then_the_newest() {
        let mut roll = roll();
        for run in 1..=2 {
            open(&mut roll, run, 1, 7);
            end(&mut roll, run, 0);
        }
        assert_eq!(roll.find("7").map(|it| it.run), Some(RunId(2)));
        open(&mut roll, 3, 1, 7);
        open(&mut roll, 4, 1, 8);
        assert_eq!(roll.find("7").map(|it| it.run), Some(RunId(3)), "its end went missing");
        assert_eq!(roll.find("7").map(|it| it.state), Some(SessionState::Lost));
        assert_eq!(roll.running().map(|it| it.run).collect::<Vec<_>>(), [RunId(4)]);
    }

    #[test]
    fn of_those_that_ended_the_newest_are_remembered() {
        let mut roll = roll();
        for run in 1..=MOST_ENDED as u64 + 10 {
            open(&mut roll, run, 1, 7);
            end(&mut roll, run, 0);
        }
        assert_eq!(roll.over().count(), MOST_ENDED);
        assert_eq!(roll.over().next().map(|it| it.run), Some(RunId(MOST_ENDED as u64 + 10)));
        assert_eq!(roll.find(&session(1).to_string()), None);
    }
}
