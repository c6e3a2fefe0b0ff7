//! What is read of memory beside the samples: the costlier figures of each tree.

use crate::ledger::fold::Ledger;
use crate::memory::PartsCost;
use crate::memory::parts::TreeParts;

impl Ledger {
    /// Takes in what was read of all trees. A run that ended meanwhile is passed over.
    pub(super) fn parts_read(&mut self, trees: Vec<TreeParts>, cost: PartsCost) {
        self.house.parts_cost = cost;
        for tree in trees {
            if let Some((_, run)) = self.run_mut(tree.run) {
                run.parts = Some(tree);
                run.memory.peaked(tree.parts.peak);
            }
        }
    }
}
