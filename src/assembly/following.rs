//! The sense for tokens: which agents' logs are followed, from where on, and by which plan.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::assembly::senses::restarting;
use crate::clock;
use crate::config::plan::{Plan, Treatment};
use crate::init::sys;
use crate::ledger::entry::Entry;
use crate::tokens::TokenResume;
use crate::tokens::price::Prices;
use crate::tokens::source::Source;
use crate::tokens::tail::{self, Follower, Start, Tidings};
use crate::units::Wall;

/// Batches of tokens that wait for the ledger; the offset in the file is the real queue.
const TOKEN_BATCHES: usize = 64;
/// How long following waits to be told what earlier lives counted. A store that takes longer is
/// away: then what is in the files already is only remembered, not counted.
const RESUME_PATIENCE: Duration = Duration::from_secs(5);

/// What following the agents' logs begins with.
pub(super) struct Following {
    pub(super) plans: watch::Receiver<Arc<Plan>>,
    pub(super) began: Wall,
    pub(super) prices: watch::Receiver<Prices>,
    pub(super) resume: oneshot::Receiver<TokenResume>,
}

/// Follows the agents' logs, once it is known what earlier lives counted.
pub(super) async fn follow(
    start: Following,
    entries: mpsc::Sender<Entry>,
    stopped: watch::Receiver<bool>,
) {
    let Following { mut plans, began, prices, resume } = start;
    let mut over = stopped.clone();
    // Nothing is read, and no time passes, before a plan has an agent.
    let first = tokio::select! {
        Ok(plan) = plans.wait_for(|plan| has_agent(plan)) => sources_of(&plan),
        _ = over.wait_for(|stop| *stop) => return,
        else => return,
    };
    let (told, sources) = watch::channel(first);
    let mut resume = counted_before(resume).await;
    let privacy = plans.borrow().privacy.clone();
    let excerpts = privacy.excerpts.then_some(privacy.masker);
    if privacy.native_ids != Treatment::Collect {
        // What is kept is not what transcripts say, so that it would tell no copy.
        resume.told.clear();
    }
    let mut first = Some(Start {
        at: began,
        resume,
        count_history: false,
        prices: prices.borrow().clone(),
        excerpts: excerpts.clone(),
    });
    let (batches, mut found) = mpsc::channel(TOKEN_BATCHES);
    let following = restarting("tokens", move || {
        // After a panic nobody knows what was counted: what is there by then is only remembered.
        let anew = first.is_none();
        let start = first.take().unwrap_or_else(|| Start {
            at: clock::now().wall,
            resume: TokenResume::default(),
            count_history: false,
            prices: prices.borrow().clone(),
            excerpts: excerpts.clone(),
        });
        let mut stopped = stopped.clone();
        let stop = async move { drop(stopped.wait_for(|stop| *stop).await) };
        let follower = Follower::new(sources.borrow().clone(), start);
        let follower = if anew { follower.after_a_panic() } else { follower };
        let (sources, prices) = (sources.clone(), prices.clone());
        let told = Tidings { sources, prices, register: sys::watch };
        tail::follow(follower, told, batches.clone(), stop)
    });
    let tell_of_new_agents = async {
        while plans.changed().await.is_ok() {
            told.send_replace(sources_of(&plans.borrow_and_update()));
        }
    };
    let pass_on = async {
        while let Some(batch) = found.recv().await {
            let _ = entries.send(Entry::TokensRead { at: clock::now(), batch }).await;
        }
    };
    tokio::select! {
        _ = async { tokio::join!(following, pass_on) } => {}
        () = async { tell_of_new_agents.await; std::future::pending().await } => {}
    }
}

/// What earlier lives counted, as far as the store says so in time.
async fn counted_before(resume: oneshot::Receiver<TokenResume>) -> TokenResume {
    if let Ok(Ok(resume)) = timeout(RESUME_PATIENCE, resume).await {
        return resume;
    }
    tracing::warn!(
        target: "tokens",
        "the store does not say what was counted before: tokens that are in the logs already are \
         not counted"
    );
    TokenResume::default()
}

fn has_agent(plan: &Plan) -> bool {
    plan.processes.iter().any(|process| process.agent.is_some())
}

/// The folders of transcripts of all processes that have an agent.
fn sources_of(plan: &Plan) -> Vec<Source> {
    Source::of_plan(plan, |name| std::env::var(name).ok())
}
