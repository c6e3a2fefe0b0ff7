//! Who depends on whom, and the order of stopping: the mirror of the order of starting.

use crate::config::plan::{Plan, ProcessPlan};
use crate::units::ProcessIx;

/// What follows from `depends_on`, for one plan.
#[derive(Debug, Default)]
pub struct Order {
    dependents: Vec<Vec<ProcessIx>>,
    waves: Vec<usize>,
    wave_count: usize,
}

impl Order {
    /// The order of this plan.
    pub fn of(plan: &Plan) -> Self {
        let mut dependents = vec![Vec::new(); plan.processes.len()];
        for (ix, process) in plan.indexed() {
            for on in &process.depends_on {
                dependents[on.process.0].push(ix);
            }
        }
        let waves = stop_waves(&plan.processes);
        let wave_count = waves.iter().max().map_or(1, |last| last + 1);
        Self { dependents, waves, wave_count }
    }

    /// The processes that directly depend on `ix`.
    pub fn dependents(&self, ix: ProcessIx) -> &[ProcessIx] {
        self.dependents.get(ix.0).map_or(&[], Vec::as_slice)
    }

    /// The wave in which `ix` is stopped: 0 for those that nothing depends on, and one more than the
    /// latest of its dependents for all others.
    pub fn wave(&self, ix: ProcessIx) -> usize {
        self.waves.get(ix.0).copied().unwrap_or(0)
    }

    /// How many waves there are.
    pub fn wave_count(&self) -> usize {
        self.wave_count
    }
}

/// The plan has no cycles, so that this settles: after two rounds where dependents stand behind what
/// they depend on, and at worst after as many as the longest chain has links.
fn stop_waves(processes: &[ProcessPlan]) -> Vec<usize> {
    let mut waves = vec![0; processes.len()];
    for _ in 0..processes.len() {
        let before = waves.clone();
        for (at, process) in processes.iter().enumerate().rev() {
            for dependency in &process.depends_on {
                let after = waves[at] + 1;
                let wave: &mut usize = &mut waves[dependency.process.0];
                *wave = after.max(*wave);
            }
        }
        if waves == before {
            break;
        }
    }
    waves
}
