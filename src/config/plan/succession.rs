//! One plan after another: what a reload keeps, and what it changes.
//!
//! Processes are known by their names. A name that is in both plans keeps its place, so that facts
//! about its run still mean it; what is gone stays where it was, as retired, until its name comes
//! back or room is needed.

use std::collections::{HashMap, HashSet};

use crate::config::plan::{OutputMode, Plan, ProcessPlan, Standing};
use crate::units::ProcessIx;

/// What a reload changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Processes that are new.
    pub added: Vec<ProcessIx>,
    /// Processes that are gone.
    pub removed: Vec<ProcessIx>,
    /// Processes that are restarted, because what they run has changed.
    pub restarted: Vec<ProcessIx>,
    /// Processes that go on, while how they are looked after has changed.
    pub adjusted: Vec<ProcessIx>,
    /// Keys at the top of the file that only hold from the next life on.
    pub put_off: Vec<&'static str>,
}

/// How many places there may be before retired ones are used again by others: every figure of a
/// process hangs on its place, so a new one is better, but reloads may go on for ever.
const PLACES: usize = 4096;

impl Plan {
    /// The plan that follows when this one is succeeded by one that was read from a file. Processes
    /// of the same name keep their places, new ones follow behind (a retired place is used again by
    /// its own name, and by others once there are very many), and those that are gone stay where
    /// they are, as retired. Spawned commands stay as they are.
    pub fn succeeded_by(&self, new: &Self) -> (Self, Changes) {
        let places = self.places_for(new);
        let moved = |ix: ProcessIx| places[ix.0];
        let mut next = Self { processes: self.processes.clone(), ..new.clone() };
        let mut changes = Changes::default();
        next.retire_all_but(&places, &mut changes);
        for (ix, process) in new.indexed() {
            let mut process = process.clone();
            process.depends_on.iter_mut().for_each(|one| one.process = moved(one.process));
            next.settle(moved(ix), process, &mut changes);
        }
        next.exit_code_from = new.exit_code_from.iter().copied().map(moved).collect();
        next.keep_what_is_open(self, &mut changes);
        for list in [&mut changes.added, &mut changes.restarted, &mut changes.adjusted] {
            list.sort_unstable();
        }
        (next, changes)
    }

    /// The place in the next plan of each process of `new`.
    fn places_for(&self, new: &Self) -> Vec<ProcessIx> {
        let configured = |(_, one): &(ProcessIx, &ProcessPlan)| one.standing != Standing::Spawned;
        let known: HashMap<&str, ProcessIx> =
            self.indexed().filter(configured).map(|(ix, one)| (&*one.name, ix)).collect();
        let coming: HashSet<&str> = new.processes.iter().map(|one| &*one.name).collect();
        let free = |(_, one): &(ProcessIx, &ProcessPlan)| {
            one.standing == Standing::Retired && !coming.contains(&*one.name)
        };
        let mut retired = self.indexed().filter(free).map(|(ix, _)| ix);
        let mut behind = self.processes.len()..;
        let mut room = || {
            let used_again = if behind.start < PLACES { None } else { retired.next() };
            used_again.or_else(|| behind.next().map(ProcessIx))
        };
        let place = |one: &ProcessPlan| known.get(&*one.name).copied().or_else(&mut room);
        new.processes.iter().filter_map(place).collect()
    }

    /// Takes out of service what is in none of these places.
    fn retire_all_but(&mut self, places: &[ProcessIx], changes: &mut Changes) {
        let kept: HashSet<ProcessIx> = places.iter().copied().collect();
        for (at, process) in self.processes.iter_mut().enumerate() {
            let configured = matches!(process.standing, Standing::Wanted | Standing::OnDemand);
            if configured && !kept.contains(&ProcessIx(at)) {
                process.standing = Standing::Retired;
                changes.removed.push(ProcessIx(at));
            }
        }
    }

    /// Puts a process into its place, and says what that means for who is there.
    fn settle(&mut self, ix: ProcessIx, process: ProcessPlan, changes: &mut Changes) {
        let Some(old) = self.processes.get_mut(ix.0) else {
            changes.added.push(ix);
            return self.processes.push(process);
        };
        let stranger = old.name != process.name;
        let list = match difference(old, &process) {
            _ if old.standing == Standing::Retired => Some(&mut changes.added),
            Difference::None => None,
            Difference::Around => Some(&mut changes.adjusted),
            Difference::Inside => Some(&mut changes.restarted),
        };
        list.into_iter().for_each(|list| list.push(ix));
        *old = process;
        if stranger {
            self.forget(ix);
        }
    }

    /// Whoever is still on its way out does not wait for the stranger in this place.
    fn forget(&mut self, ix: ProcessIx) {
        for process in self.processes.iter_mut().filter(|one| one.standing == Standing::Retired) {
            process.depends_on.retain(|one| one.process != ix);
        }
    }

    /// Leaves as it was what is bound, opened or chosen once in a life.
    fn keep_what_is_open(&mut self, old: &Self, changes: &mut Changes) {
        let mut put_off = |differs: bool, key| {
            if differs {
                changes.put_off.push(key);
            }
        };
        put_off(self.listen != old.listen, "metrics");
        put_off(self.control != old.control, "control");
        put_off(self.store != old.store, "store");
        put_off(self.state_dir != old.state_dir, "state_dir");
        put_off(self.recovery != old.recovery, "recovery");
        put_off(self.cgroups != old.cgroups, "cgroups");
        put_off(self.memory != old.memory, "memory");
        put_off(self.sessions != old.sessions, "sessions");
        put_off(self.privacy != old.privacy, "privacy");
        put_off(self.tokens != old.tokens, "tokens");
        let old = old.clone();
        self.mode = old.mode;
        self.passing = old.passing;
        self.listen = old.listen;
        self.control = old.control;
        self.store = old.store;
        self.state_dir = old.state_dir;
        self.recovery = old.recovery;
        self.cgroups = old.cgroups;
        self.memory = old.memory;
        self.privacy = old.privacy;
        self.tokens = old.tokens;
        self.sessions = old.sessions;
    }
}

/// How far one plan of a process is from another.
enum Difference {
    None,
    /// In how it is looked after: a run goes on.
    Around,
    /// In what a run was given when it was spawned: only a new one has it.
    Inside,
}

fn difference(old: &ProcessPlan, new: &ProcessPlan) -> Difference {
    match (inside(old) == inside(new), old == new) {
        (true, true) => Difference::None,
        (true, false) if awaits_another_line(old, new) => Difference::Inside,
        (true, false) => Difference::Around,
        (false, _) => Difference::Inside,
    }
}

/// Whether another line than before tells that it is ready. Lines are looked for from the start of a
/// run, and the right one may be written already.
fn awaits_another_line(old: &ProcessPlan, new: &ProcessPlan) -> bool {
    let line = |plan: &ProcessPlan| plan.ready.as_ref().and_then(|ready| ready.log.clone());
    line(old).zip(line(new)).is_some_and(|(old, new)| old != new)
}

/// What a run is given when it is spawned. Every field is named, so that whoever adds one decides.
fn inside(process: &ProcessPlan) -> impl PartialEq + '_ {
    let ProcessPlan {
        command,
        working_dir,
        environment,
        world,
        output,
        ready,
        watchdog,
        agent,
        // It holds from the next run on: no agent is ended for it.
        reads_stdout: _,
        name: _,
        replica: _,
        standing: _,
        depends_on: _,
        restart: _,
        stop_signal: _,
        stop_grace_period: _,
        health: _,
        hooks: _,
        schedule: _,
        max_duration: _,
        watch: _,
        forward_signals: _,
        thresholds: _,
        session: _,
    } = process;
    let piped = output.mode != OutputMode::Passthrough;
    let notifies = ready.as_ref().is_some_and(|ready| ready.notify);
    let dialect = agent.as_ref().map(|agent| agent.dialect);
    (command, working_dir, environment, world, piped, notifies, watchdog, dialect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::one_command::{Options, one_command};
    use crate::config::plan::{Condition, ControlPlan, Dependency};

    /// A plan of processes, each with its dependencies by name: `web<db` and `db`.
    fn plan(words: &[&str]) -> Plan {
        let mut plan = one_command(vec![], Options::new("/state".into()));
        let names: Vec<&str> = words.iter().map(|word| before(word, '<')).collect();
        for word in words {
            let mut process = ProcessPlan::new(before(before(word, '<'), '='), vec!["x".into()]);
            if let Some((_, command)) = before(word, '<').split_once('=') {
                process.command = vec![command.into()];
            }
            let on = |name: &str| names.iter().position(|known| before(known, '=') == name);
            let links = word.split('<').skip(1).filter_map(on).map(ProcessIx);
            process.depends_on = links.map(|ix| Dependency::on(ix, Condition::Started)).collect();
            plan.processes.push(process);
        }
        plan
    }

    fn before(word: &str, at: char) -> &str {
        word.split(at).next().unwrap_or(word)
    }

    fn ixs(all: &[usize]) -> Vec<ProcessIx> {
        all.iter().copied().map(ProcessIx).collect()
    }

    fn live(plan: &Plan) -> Vec<(ProcessIx, &ProcessPlan)> {
        plan.indexed().filter(|(_, one)| one.standing != Standing::Retired).collect()
    }

    #[test]
    fn names_keep_their_places_and_new_ones_follow() {
        let (next, changes) = plan(&["a", "b<a", "c"]).succeeded_by(&plan(&["c=y", "d<c", "a"]));
        let names: Vec<&str> = next.processes.iter().map(|one| &*one.name).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        assert_eq!(next.processes[1].standing, Standing::Retired);
        assert_eq!(next.processes[3].depends_on[0].process, ProcessIx(2));
        let expected = Changes {
            added: ixs(&[3]),
            removed: ixs(&[1]),
            restarted: ixs(&[2]),
            ..Changes::default()
        };
        assert_eq!(changes, expected);
        let (again, changes) = next.succeeded_by(&plan(&["a", "b"]));
        assert_eq!(again.processes[1].standing, Standing::Wanted);
        assert_eq!((changes.added, changes.removed), (ixs(&[1]), ixs(&[2, 3])));
    }

    #[test]
    fn only_what_a_run_was_given_restarts_it() {
        let check = |change: fn(&mut ProcessPlan), restarts: bool| {
            let old = plan(&["a", "b"]);
            let mut new = old.clone();
            change(&mut new.processes[0]);
            let (next, changes) = old.succeeded_by(&new);
            let both = (changes.restarted, changes.adjusted);
            let expected = if restarts { (ixs(&[0]), vec![]) } else { (vec![], ixs(&[0])) };
            assert_eq!(both, expected);
            assert_eq!(next.processes, new.processes);
        };
        check(|one| one.command.push("x".into()), true);
        check(|one| one.environment.push(("A".into(), "b".into())), true);
        check(|one| one.working_dir = Some("/".into()), true);
        check(|one| one.world.umask = Some(0), true);
        check(|one| one.output.mode = OutputMode::Json, true);
        check(|one| one.watchdog = Some(std::time::Duration::from_secs(1)), true);
        check(|one| one.output.keep.0 = 1, false);
        check(|one| one.restart.max_attempts = Some(1), false);
        check(|one| one.depends_on = vec![Dependency::on(ProcessIx(1), Condition::Started)], false);
        check(|one| one.standing = Standing::OnDemand, false);
        check(|one| one.stop_grace_period = std::time::Duration::ZERO, false);
    }

    #[test]
    fn what_is_open_stays_open() {
        let old = plan(&["a"]);
        let mut new = plan(&["a"]);
        new.listen = None;
        new.control = ControlPlan { socket: Some("/c".into()), tcp: None };
        new.state_dir = "/other".into();
        new.shutdown_timeout = std::time::Duration::from_secs(1);
        let (next, changes) = old.succeeded_by(&new);
        assert_eq!(changes.put_off, ["metrics", "control", "state_dir"]);
        assert_eq!(next, Plan { shutdown_timeout: new.shutdown_timeout, ..old });
    }

    #[test]
    fn a_place_is_used_again_only_when_there_are_very_many() {
        let many: Vec<String> = (0..PLACES).map(|at| format!("p{at}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let (mut next, _) = plan(&many).succeeded_by(&plan(&["p5"]));
        next.processes[7].depends_on = vec![Dependency::on(ProcessIx(0), Condition::Started)];
        let (next, changes) = next.succeeded_by(&plan(&["new", "p5", "p1"]));
        assert_eq!(changes.added, ixs(&[0, 1]));
        assert_eq!((next.processes.len(), &*next.processes[0].name), (PLACES, "new"));
        assert_eq!(next.processes[7].depends_on, []);
    }

    /// Reloads at random: what is live is what the file says, wherever it lies; places keep their
    /// names; the same file again changes nothing.
    #[test]
    fn whatever_is_reloaded_the_plan_says_what_the_file_says() {
        let mut random = fastrand::Rng::with_seed(23);
        let words = ["a", "b<a", "c=y", "c", "d<c<a", "e", "b", "a=z", "f<b"];
        let some = |random: &mut fastrand::Rng| {
            let mut chosen: Vec<&str> = vec![];
            for word in random.choose_multiple(words, 5) {
                let name = |word: &str| before(before(word, '<'), '=').to_owned();
                if chosen.iter().all(|known| name(known) != name(word)) {
                    chosen.push(word);
                }
            }
            plan(&chosen)
        };
        for round in 0..300 {
            let mut now = some(&mut random);
            for _ in 0..6 {
                let new = some(&mut random);
                let (next, changes) = now.succeeded_by(&new);
                agree(&next, &new, round);
                for (ix, old) in now.indexed() {
                    assert_eq!(next.process(ix).name, old.name, "round {round}");
                }
                let ended = live(&now).len() - changes.removed.len();
                assert_eq!(live(&next).len(), ended + changes.added.len(), "round {round}");
                let (same, nothing) = next.succeeded_by(&new);
                assert_eq!((same, nothing), (next.clone(), Changes::default()), "round {round}");
                now = next;
            }
        }
    }

    /// Whether the live processes of a plan are those of another, dependencies by name included.
    fn agree(next: &Plan, new: &Plan, round: usize) {
        let told = |plan: &Plan| {
            let links = |one: &ProcessPlan| {
                let links = one.depends_on.iter().map(|on| plan.process(on.process).name.clone());
                links.collect::<Vec<String>>()
            };
            let told = live(plan).into_iter();
            let mut told: Vec<_> =
                told.map(|(_, one)| (one.name.clone(), one.words(), links(one))).collect();
            told.sort();
            told
        };
        assert_eq!(told(next), told(new), "round {round}");
    }
}
