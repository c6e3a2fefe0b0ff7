//! Who we are to the kernel, and what an earlier life of ours left behind.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::seed;
use crate::clock;
use crate::config::plan::{Plan, Recovery};
use crate::init::{Survivor, recover, sys};
use crate::ledger::entry::SurvivorOutcome;
use crate::memory::proc;
use crate::store::left_behind::{LeftBehind, find_left_behind};
use crate::store::life::Beginnings;
use crate::store::runfile::{Owner, RunRecord};
use crate::supervise::fact::FoundRun;
use crate::units::{Now, ProcId, ProcessIx, SessionId, Signal};

/// How long we look for what an earlier life left, before the first spawn.
const RECOVERY_LOOK: Duration = Duration::from_millis(100);

/// Who we are to the kernel.
pub(super) struct Stand {
    pub(super) pid1: bool,
    /// What tells our run file from those of others; absent without `/proc`, and for PID 1, whom
    /// nothing outlives.
    pub(super) owner: Option<Owner>,
    /// Run files whose processes we took over: they stay until our own names those.
    pub(super) inherited: Vec<LeftBehind>,
    pub(super) began: Now,
}

impl Stand {
    /// Makes orphans come to us, as PID 1 or as a subreaper.
    pub(super) fn take(plan: &Plan) -> Self {
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

    pub(super) fn ourselves() -> Option<ProcId> {
        let pid = std::process::id().cast_signed();
        let start_ticks = proc::start_ticks(pid).ok()?;
        Some(ProcId { pid, start_ticks })
    }

    /// What tells this life from others in a history that they share.
    pub(super) fn beginnings(&self) -> Beginnings {
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
pub(super) fn recover(plan: &Plan, stand: &mut Stand) -> (Vec<Survivor>, Vec<SurvivorOutcome>) {
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

fn get_on_parent_death(signal: Signal) {
    if let Err(error) = sys::get_on_parent_death(signal) {
        tracing::warn!(target: "assembly", "will not get {signal} when our parent dies: {error}");
    }
}
