//! A plan and a picture for the tests of this room: `web` runs as pid 10, `db` is done.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::plan::{
    ControlGroups, ControlPlan, LeakRule, MemoryPlan, Mode, Passing, Plan, PrivacyPlan,
    ProcessPlan, Recovery, SessionsPlan, StorePlan, TokensPlan,
};
use crate::ledger::session::SessionKind;
use crate::ledger::snapshot::{ProcessView, RunView, Snapshot};
use crate::supervise::lifecycle::PhaseName;
use crate::units::{ProcId, ProcessIx, RunId, SessionId, Wall};

/// A plan that runs nothing useful under these names.
pub fn plan(names: &[&str]) -> Plan {
    let process = |name: &&str| ProcessPlan::new(*name, vec!["true".to_owned()]);
    Plan {
        mode: Mode::Supervise,
        passing: Passing::default(),
        processes: names.iter().map(process).collect(),
        exit_code_from: Vec::new(),
        shutdown_timeout: Duration::from_secs(9),
        listen: None,
        control: ControlPlan::default(),
        store: StorePlan::Memory,
        spool: None,
        keep_output: None,
        state_dir: PathBuf::new(),
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

pub fn session(n: u64) -> SessionId {
    SessionId::new(Wall(1000), n.into())
}

/// A process in a phase, with so many runs opened so far.
pub fn process(name: &str, phase: PhaseName) -> ProcessView {
    let place = ProcessIx(usize::from(name != "web"));
    let plan = ProcessPlan::new(name, vec!["true".to_owned()]);
    ProcessView { phase, ..ProcessView::new(place, &plan) }
}

/// A live run.
pub fn run(n: u64) -> RunView {
    let main = Some(ProcId { pid: 10, start_ticks: 100 });
    RunView { main, ..RunView::new(RunId(n), session(n), Wall(2000)) }
}

pub fn picture() -> Snapshot {
    let web = ProcessView { run: Some(run(1)), ..process("web", PhaseName::Ready) };
    Snapshot {
        generation: 1,
        processes: vec![web, process("db", PhaseName::Done)],
        opened: Arc::new(BTreeMap::from([
            ((SessionKind::Process, "web".to_owned()), 1),
            ((SessionKind::Process, "db".to_owned()), 1),
        ])),
        ..Snapshot::default()
    }
}
