//! What agents printed of what they spend, put to the run that printed it.

use std::collections::BTreeSet;

use crate::ledger::fold::Ledger;
use crate::ledger::fold_chains::Changed;
use crate::ledger::fold_tokens::Counting;
use crate::ledger::labels::UNKNOWN;
use crate::ledger::row::Row;
use crate::tokens::stdout::{Batch, Spoken};
use crate::units::Now;

impl Ledger {
    /// Takes in what was printed. Of a conversation that a better source tells of nothing is taken,
    /// and neither is what happened in it.
    pub(super) fn stdout_read(&mut self, at: Now, batch: Batch) -> Vec<Row> {
        let running = batch.run.and_then(|run| self.run_mut(run)).map(|(ix, _)| ix);
        let ix = running.or_else(|| self.named(&batch.process));
        let process = ix.map_or(UNKNOWN, |ix| self.processes[ix.0].view.name.as_str()).to_owned();
        let mut counting = Counting { at, ix, process, changed: BTreeSet::new(), rows: Vec::new() };
        let mut talked = Changed::new();
        let mut steps = Vec::new();
        for Spoken { usage, response, step } in batch.spoken {
            if self.count(&mut counting, usage, response, &mut talked) {
                steps.extend(step);
            }
        }
        self.spend.read(&batch.lines);
        batch.quotas.into_iter().for_each(|quota| self.spend.limited(quota));
        let Counting { changed, mut rows, .. } = counting;
        rows.extend(changed.into_iter().flat_map(|id| self.told(at, id)));
        rows.extend(self.stepped(at, steps, &mut talked));
        rows.extend(self.links(talked));
        rows
    }
}
