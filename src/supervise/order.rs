//! The order of stopping: the mirror of the order of starting.

use crate::config::plan::ProcessPlan;
use crate::units::ProcessIx;

/// For each process the wave in which it is stopped: 0 for those that nothing depends on, and one
/// more than the latest of its dependents for all others. The plan has no cycles, so that this
/// settles after as many rounds as the longest chain has links.
pub fn stop_waves(processes: &[ProcessPlan]) -> Vec<usize> {
    let mut waves = vec![0; processes.len()];
    for _ in 0..processes.len() {
        for (at, process) in processes.iter().enumerate() {
            for dependency in &process.depends_on {
                let after = waves[at] + 1;
                let wave = &mut waves[dependency.process.0];
                *wave = after.max(*wave);
            }
        }
    }
    waves
}

/// The processes that directly depend on `ix`.
pub fn dependents(
    processes: &[ProcessPlan],
    ix: ProcessIx,
) -> impl Iterator<Item = ProcessIx> + '_ {
    processes
        .iter()
        .enumerate()
        .filter(move |(_, process)| process.depends_on.iter().any(|on| on.process == ix))
        .map(|(at, _)| ProcessIx(at))
}
