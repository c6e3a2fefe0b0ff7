//! The picture of the ledger: sessions that did not change are shared with the picture before.

use crate::ledger::fold::{Ledger, Process};
use crate::ledger::fold_runs::Run;
use crate::ledger::snapshot::{HouseView, LiveRun, ProcessView, RunView, Snapshot};
use crate::units::Now;

impl Ledger {
    /// What is known now, for every reader.
    pub fn snapshot(&self, generation: u64, at: Now) -> Snapshot {
        Snapshot {
            generation,
            at,
            house: HouseView {
                sessions_open: u32::try_from(self.open_bounded()).unwrap_or(u32::MAX),
                ..self.house.clone()
            },
            processes: self
                .processes
                .iter()
                .filter(|one| one.is_shown())
                .map(Process::view)
                .collect(),
            sessions: self.sessions.live(),
            ended: self.sessions.ended(),
            opened: self.sessions.opened().clone(),
            closed: self.sessions.closed().clone(),
            lasted: self.sessions.lasted().clone(),
            tokens: self.spend.all_series(),
            telling: self
                .telling
                .values()
                .flatten()
                .map(|(id, open)| (*id, open.clone()))
                .collect(),
            process_tokens: self.spend.by_process().clone(),
            lines: self.spend.lines(),
            files: self.files,
            lag: self.lag,
            compactions: self.spend.compactions().clone(),
            quotas: self.spend.quotas(at.wall),
            corrections: self.spend.corrections().clone(),
            prices_as_of: self.prices_as_of,
            calls: self.calls.clone(),
            requests: self.spend.requests().clone(),
            otlp: self.spend.otlp().clone(),
            apart: self.precedence.apart().clone(),
            chains: self.chains.all(),
            budgets: self.budgets.views(at),
        }
    }

    /// The live runs that have a main process: what a next life must know to find it.
    pub fn live_runs(&self) -> Vec<LiveRun> {
        self.processes.iter().filter_map(Process::live_run).collect()
    }
}

impl Process {
    /// What a reload took out of the plan is shown for as long as it lives.
    fn is_shown(&self) -> bool {
        !self.view.retired || self.run.is_some()
    }

    fn view(&self) -> ProcessView {
        ProcessView { run: self.run.as_ref().map(Run::view), ..self.view.clone() }
    }

    fn live_run(&self) -> Option<LiveRun> {
        let run = self.run.as_ref()?;
        let process = self.view.name.clone();
        run.main.map(|main| LiveRun { session: run.session, process, main })
    }
}

impl Run {
    fn view(&self) -> RunView {
        RunView {
            run: self.id,
            session: self.session,
            main: self.main,
            started: self.started,
            ready: self.ready,
            status: self.status.clone(),
            sample: self.memory.last(),
            parts: self.parts,
            moved: self.moved,
            peak_resident: self.memory.peak(),
            history: self.history.clone(),
            label: self.label.clone(),
            size: self.size,
            level: self.level.level(),
            verdict: self.memory.verdict().cloned(),
            limit: self.limit,
        }
    }
}
