//! What is being told and was not handed on as it stands, so that gauges show a response before it
//! is closed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::tokens::Usage;
use crate::tokens::source::Whose;

/// Open responses by the process whose they are.
pub type Told = BTreeMap<Option<Arc<str>>, Vec<Usage>>;

/// What was handed on last.
#[derive(Default)]
pub struct Telling {
    told: Told,
    /// Processes of which nobody knows what was handed on.
    forgotten: BTreeSet<Option<Arc<str>>>,
}

impl Telling {
    /// Has everything told again of these processes, nothing included.
    pub fn forget(&mut self, processes: impl IntoIterator<Item = Option<Arc<str>>>) {
        self.forgotten.extend(processes);
    }

    /// The processes of which something else is told than before, with all of it.
    pub fn news(&mut self, open: Vec<(Whose, Usage)>) -> Told {
        let mut now = Told::new();
        for (whose, usage) in open {
            now.entry(whose.process).or_default().push(usage);
        }
        let mut news = Told::new();
        let forgotten = std::mem::take(&mut self.forgotten);
        for process in self.told.keys().chain(now.keys()).chain(&forgotten) {
            let of = |all: &Told| all.get(process).cloned().unwrap_or_default();
            let open = of(&now);
            if forgotten.contains(process) || !same(&open, &of(&self.told)) {
                news.insert(process.clone(), open);
            }
        }
        self.told = now;
        news
    }
}

/// Whether two tell the same; a response without a time is told at that of each look.
fn same(one: &[Usage], other: &[Usage]) -> bool {
    let alike = |(a, b): (&Usage, &Usage)| {
        (a.key, &a.conversation, a.tokens, a.cost) == (b.key, &b.conversation, b.tokens, b.cost)
    };
    one.len() == other.len() && one.iter().zip(other).all(alike)
}
