//! Where and as whom each run was begun: captured beside the loop, and sent to the ledger.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::WeakSender;
use tokio::sync::{mpsc, watch};

use crate::clock;
use crate::config::plan::Plan;
use crate::context::capture::{self, Life};
use crate::context::{Context, host};
use crate::ledger::entry::Entry;
use crate::units::{Mono, ProcessIx, SessionId};

/// For how long what was learnt holds for the next run of the same process: in a crash loop, reading
/// the checkout for each run would cost more than the run.
const FRESH: Duration = Duration::from_secs(1);

/// What was learnt last of each process, by which plan, and when.
type Known = HashMap<ProcessIx, (Mono, Arc<Plan>, Arc<Context>)>;

/// Captures a context for each session that is opened, for as long as there are any.
pub(super) async fn capture_each(
    plans: watch::Receiver<Arc<Plan>>,
    mut opened: mpsc::Receiver<(ProcessIx, SessionId)>,
    entries: WeakSender<Entry>,
) {
    let first = Arc::clone(&plans.borrow());
    let life = tokio::task::spawn_blocking(move || Life::new(host::facts(), &first.digest())).await;
    let life = life.unwrap_or_default();
    let mut known = Known::new();
    while let Some((process, session)) = opened.recv().await {
        let plan = Arc::clone(&plans.borrow());
        let context = match fresh(&known, process, &plan) {
            Some(context) => Some(context),
            None => capture(&plan, process, &life).await,
        };
        let (Some(context), Some(entries)) = (context, entries.upgrade()) else { continue };
        known.retain(|_, (at, ..)| clock::now().mono.since(*at) < FRESH);
        known.entry(process).or_insert_with(|| (clock::now().mono, plan, Arc::clone(&context)));
        let _ = entries.send(Entry::ContextCaptured { session, context }).await;
    }
}

/// What was learnt just now, by the same plan.
fn fresh(known: &Known, process: ProcessIx, plan: &Arc<Plan>) -> Option<Arc<Context>> {
    let (at, by, context) = known.get(&process)?;
    let holds = Arc::ptr_eq(by, plan) && clock::now().mono.since(*at) < FRESH;
    holds.then(|| Arc::clone(context))
}

async fn capture(plan: &Arc<Plan>, process: ProcessIx, life: &Life) -> Option<Arc<Context>> {
    let (plan, life) = (Arc::clone(plan), life.clone());
    let captured = tokio::task::spawn_blocking(move || {
        let process = plan.process(process);
        let dir = process.working_dir.as_deref();
        capture::capture(&process.words(), dir, &life)
    });
    captured.await.ok().map(Arc::new)
}
