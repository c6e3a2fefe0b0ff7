//! History in a PostgreSQL database that many supervisors share.
//!
//! The store's thread owns a small runtime of its own, so that nothing of this runs anywhere else; a
//! call blocks that thread until the server has answered or is given up. One connection is enough for
//! a supervisor ([`link`]). Each row says whose it is, and what a supervisor left open is closed by
//! another one only once its life is over ([`lives`]).
//!
//! Whatever is done can be done again without harm. So when a connection turns out to be lost, since
//! the server was restarted while nothing was asked of it, it is made anew and what was asked is asked
//! once more; what fails then is tried again by whoever asked, ever more slowly.

mod append;
mod chains;
mod fault;
mod link;
mod lives;
mod output;
mod password;
mod reading;
mod resume;
mod retention;
mod rows;
mod schema;
#[cfg(test)]
mod tests;
mod tls;

use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::Error;

use self::append::{Known, Place};
use self::fault::Fault;
use self::link::Link;
use self::rows::{Stamp, Write};
use crate::chains::chain::KeptChain;
use crate::clock;
use crate::config::plan::PostgresPlan;
use crate::config::plan::RetentionPlan;
use crate::ledger::entry::OpenSession;
use crate::ledger::row::{Batch, Row};
use crate::ledger::session::Session;
use crate::store::life::{Identity, Life};
use crate::store::reading::{Answer, Question};
use crate::store::spool::lost_detail;
use crate::store::{Store, StoreError};
use crate::tokens::TokenResume;
use crate::units::Wall;

/// How long one call may take, all its statements together: longer than the server lets one take,
/// so that it is the server that says what was slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// History in a PostgreSQL database.
pub struct PostgresStore {
    plan: PostgresPlan,
    us: Identity,
    /// Absent until it is needed again after it was lost.
    link: Option<Link>,
    /// Last, since a connection ends on it.
    runtime: Runtime,
}

impl PostgresStore {
    /// Connects, and brings the database to the schema of today.
    pub fn open(plan: &PostgresPlan, us: Identity) -> Result<Self, StoreError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| failure(plan, "connect to", &Fault::Connect(error)))?;
        let link = runtime.block_on(Link::open(plan, &us));
        let link = link.map_err(|fault| failure(plan, "connect to", &fault))?;
        Ok(Self { plan: plan.clone(), us, link: Some(link), runtime })
    }

    /// Runs `work` on the connection, and judges what goes wrong.
    fn with<T>(
        &mut self,
        attempt: &str,
        work: impl AsyncFn(&mut Link, &Identity) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let Self { plan, us, link, runtime } = self;
        let outcome = runtime.block_on(async {
            let used_before = link.is_some();
            match once(plan, us, link, &work).await {
                Err(fault) if used_before && fault.is_loss() => once(plan, us, link, &work).await,
                outcome => outcome,
            }
        });
        outcome.map_err(|fault| failure(&self.plan, attempt, &fault))
    }
}

/// Runs `work` on the connection that there is, or on a new one. It is kept if it is sound.
async fn once<T>(
    plan: &PostgresPlan,
    us: &Identity,
    kept: &mut Option<Link>,
    work: &impl AsyncFn(&mut Link, &Identity) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut link = match kept.take().filter(|link| !link.is_closed()) {
        Some(link) => link,
        None => Link::open(plan, us).await?,
    };
    let outcome = timeout(PATIENCE, work(&mut link, us)).await;
    let outcome = outcome.unwrap_or(Err(Fault::Late(PATIENCE)));
    if outcome.as_ref().err().is_none_or(Fault::spares_the_connection) {
        *kept = Some(link);
    }
    outcome
}

fn failure(plan: &PostgresPlan, attempt: &str, fault: &Fault) -> StoreError {
    StoreError {
        attempt: format!("{attempt} the history {plan}"),
        cause: fault.to_string(),
        refused: fault.is_refusal(),
        category: fault.category(),
    }
}

impl Store for PostgresStore {
    fn open_sessions(&mut self) -> Result<Vec<OpenSession>, StoreError> {
        self.with("read open sessions from", resume::open_sessions)
    }

    fn token_resume(&mut self) -> Result<TokenResume, StoreError> {
        self.with("read token progress from", resume::token_resume)
    }

    fn chains(&mut self) -> Result<Vec<(String, KeptChain)>, StoreError> {
        self.with("read the chains from", chains::chains)
    }

    fn held_before(&mut self) -> Result<Vec<(String, Value)>, StoreError> {
        self.with("read what was held from", resume::held_before)
    }

    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        let stamp = Stamp::new(self.us.life(), clock::now().wall);
        let rows: Vec<&Row> = batches.iter().flat_map(|batch| &batch.rows).collect();
        self.with("commit to", async |link, _| commit(link, &rows, &stamp).await)
    }

    fn commit_for(&mut self, life: &Life, batches: &[Batch]) -> Result<(), StoreError> {
        let stamp = Stamp::new(life, clock::now().wall);
        let rows: Vec<&Row> = batches.iter().flat_map(|batch| &batch.rows).collect();
        self.with("commit to", async |link, _| {
            lives::mention(link.client(), life).await?;
            commit(link, &rows, &stamp).await
        })
    }

    fn prune(&mut self, now: Wall, keep: &RetentionPlan) -> Result<bool, StoreError> {
        self.with("prune", async |link, us| retention::prune(link, us, now, keep).await)
    }

    fn repair(&mut self, told: &Session) -> Result<(), StoreError> {
        self.with("repair", async |link, _| reading::repair(link, told).await)
    }

    fn answer(&mut self, question: &Question) -> Result<Answer, StoreError> {
        self.with("read", async |link, us| reading::answer(link, us, question).await)
    }
}

/// All rows in one transaction, all on their way at once.
async fn commit<'r>(link: &mut Link, rows: &[&'r Row], stamp: &Stamp) -> Result<(), Fault> {
    let note = lives::note();
    let asked = |row: &&'r Row| Some((*row, rows::write(row, stamp)?));
    let writes: Vec<(&Row, Write)> = rows.iter().filter_map(asked).collect();
    let mut texts: Vec<&str> = writes.iter().map(|(_, write)| write.statement).collect();
    texts.push(&note);
    texts.sort_unstable();
    texts.dedup();
    let (transaction, statements) = link.begin(&texts).await?;
    let mut known = Known::read(&transaction, rows.iter().copied()).await?;
    let mut sent = Vec::with_capacity(writes.len() + 1);
    for (row, mut write) in writes {
        if let Row::Event(event) = row {
            match known.take(event)? {
                Place::Taken => continue,
                Place::New => {}
                Place::After(next) => {
                    write = rows::append(event, &lost_detail(next, event.sequence));
                }
            }
        }
        let statement = &statements[write.statement];
        sent.push(Box::pin(transaction.execute_raw(statement, write.values)));
    }
    sent.push(Box::pin(transaction.execute_raw(&statements[&note], vec![stamp.life()])));
    all(sent).await?;
    Ok(transaction.commit().await?)
}

/// Begins all of them in their order, then waits for each. The first that failed is the answer.
async fn all<F: Future<Output = Result<u64, Error>>>(sent: Vec<Pin<Box<F>>>) -> Result<(), Error> {
    let mut sent = sent.into_iter().map(Some).collect::<Vec<_>>();
    let mut failed = None;
    let begin = std::future::poll_fn(|context| {
        for waiting in &mut sent {
            let Some(future) = waiting else { continue };
            if let Poll::Ready(outcome) = future.as_mut().poll(context) {
                *waiting = None;
                failed = failed.take().or(outcome.err());
            }
        }
        Poll::Ready(())
    });
    pin!(begin).await;
    for future in sent.into_iter().flatten() {
        let outcome = future.await;
        if failed.is_none() {
            failed = outcome.err();
        }
    }
    failed.map_or(Ok(()), Err)
}
