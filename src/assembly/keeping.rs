//! The ledger and what keeps its history: the store, the run file and the file of events.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::accounts;
use super::journal::{Journal, Written};
use super::stand::Stand;
use super::{noticing, seed};
use crate::config::plan::{Plan, StorePlan};
use crate::ledger::entry::{Entry, StoreHealth, Waiting};
use crate::ledger::fold::Ledger;
use crate::ledger::request::Knock;
use crate::ledger::row::{Batch, Row};
use crate::ledger::snapshot::{LiveRun, Snapshot};
use crate::ledger::store_figures::StoreFigures;
use crate::ledger::task::{CallListener, EARLIER_WAIT, Outlets};
use crate::ledger::veil::Veil;
use crate::memory::leak;
use crate::memory::marker::SESSION_VARIABLE;
use crate::serve::Source;
use crate::serve::control::trail;
use crate::store::left_behind::LeftBehind;
use crate::store::life::Beginnings;
use crate::store::runfile::{Owner, RunKeeper};
use crate::store::salt;
use crate::store::writer::{self, Reports, Writer};
use crate::tokens::price::Prices;
use crate::units::{ProcessIx, SessionId};

/// Everything that history is written by.
pub(super) struct Kept {
    /// To the store.
    pub(super) writer: Arc<Writer>,
    /// What the store tells.
    pub(super) reports: Reports,
    /// To the run file, where there is a folder for it.
    pub(super) keeper: Option<Arc<RunKeeper>>,
    /// To the file of events, where one is asked for.
    events: Option<Journal>,
    /// How many are missing there.
    untold: Option<Arc<AtomicU64>>,
    /// To the file of calls, where one is asked for; it is written to until we leave.
    calls: Option<Journal>,
    /// Ends once the events of sessions are in their file.
    pub(super) journal: Option<Written>,
    /// How long what is asked waits for what earlier lives left, where that is kept.
    earlier: Option<Duration>,
}

impl Kept {
    /// Begins to write wherever the plan asks for it.
    pub(super) fn begin(
        plan: &Plan,
        begins: Beginnings,
        owner: Option<Owner>,
        inherited: Vec<LeftBehind>,
    ) -> Self {
        let retention = plan.sessions.retention;
        let (writer, reports) =
            writer::start(&plan.store, retention, begins, &plan.state_dir, plan.spool);
        let keeper = owner.map(|owner| RunKeeper::start(&plan.state_dir, owner, inherited));
        let (events, journal) = plan.sessions.log.clone().and_then(Journal::start).unzip();
        let (calls, _) = plan.tokens.log.clone().and_then(Journal::start).unzip();
        let untold = events.as_ref().map(Journal::dropped);
        let (writer, keeper) = (Arc::new(writer), keeper.map(Arc::new));
        let earlier = (plan.store != StorePlan::Memory).then_some(EARLIER_WAIT);
        Self { writer, reports, keeper, events, untold, calls, journal, earlier }
    }

    /// Where the ledger puts what it makes of its entries: what is kept goes to us, the rest to those
    /// who are named.
    pub(super) fn outlets<O: Fn(ProcessIx, SessionId)>(
        &mut self,
        opened: O,
        heard: Box<dyn FnMut(&Entry) + Send>,
        knock: Box<dyn FnMut(Knock) -> bool + Send>,
        snapshots: watch::Sender<Arc<Snapshot>>,
        live_runs: watch::Sender<Vec<LiveRun>>,
    ) -> Outlets<impl FnMut(Batch) + use<O>, O> {
        let rows = self.submit(snapshots.subscribe());
        let (over, waiting, counted) = (self.hurry(), self.waiting(), self.counted());
        let called = self.calls();
        let earlier = self.earlier;
        Outlets {
            rows,
            over,
            waiting,
            counted,
            opened,
            heard,
            called,
            knock,
            earlier,
            snapshots,
            live_runs,
        }
    }

    /// Takes rows, for the store, the file of events and the log. It is given away once.
    fn submit(&mut self, pictures: watch::Receiver<Arc<Snapshot>>) -> impl FnMut(Batch) + use<> {
        let (writer, events) = (Arc::clone(&self.writer), self.events.take());
        move |batch| {
            noticing::tell(&batch, &pictures);
            if let Some(events) = &events {
                events.tell(&batch);
            }
            writer.submit(batch);
        }
    }

    /// Has the last rows committed while everything else ends.
    fn hurry(&self) -> Box<dyn Fn() + Send> {
        let writer = Arc::clone(&self.writer);
        Box::new(move || writer.hurry())
    }

    /// Says what is not committed yet.
    fn waiting(&self) -> Box<dyn Fn() -> Waiting + Send> {
        let (writer, untold) = (Arc::clone(&self.writer), self.untold.clone());
        Box::new(move || {
            let untold = untold.as_ref().map(|lines| lines.load(Ordering::Relaxed));
            Waiting { untold, ..writer.waiting() }
        })
    }

    /// Says what the store has counted.
    fn counted(&self) -> Box<dyn Fn() -> Option<StoreFigures> + Send> {
        let (keeps, health) = (self.writer.keeps(), self.reports.health.clone());
        Box::new(move || keeps.then(|| health.borrow().figures))
    }

    /// Says how the store is by now, for those who are asked for figures; they do not hold it.
    pub(super) fn store_by_now(&self) -> Source<Option<StoreHealth>> {
        let (writer, health) = (Arc::downgrade(&self.writer), self.reports.health.clone());
        Box::new(move || {
            let writer = writer.upgrade().filter(|writer| writer.keeps())?;
            let Waiting { rows, dropped, spooled, .. } = writer.waiting();
            Some(StoreHealth { pending: rows, dropped, spooled, ..*health.borrow() })
        })
    }
}

/// The ledger of this life.
pub(super) fn new_ledger(plan: &Plan, stand: &Stand, prices: &Prices, veil: Veil) -> Ledger {
    let seed = seed();
    let ledger = Ledger::new(plan, stand.began, stand.pid1, leak::detector, seed);
    ledger.inside(around()).behind(veil).with_prices(prices.clone())
}

/// The session that we were started in, where a procession around us says so.
fn around() -> Option<SessionId> {
    std::env::var(SESSION_VARIABLE).ok().as_deref().and_then(SessionId::parse)
}

/// What `privacy` asks for. A salt is kept where something is hashed, and where history outlives us: an
/// id in which something is masked is a hash as well, and has to be the same in the next life.
pub(super) fn veil(plan: &Plan) -> Veil {
    let passing = salt::passing();
    let keeps = plan.privacy.hashes() || plan.store != StorePlan::Memory;
    let salt = if keeps { salt::kept(&plan.state_dir) } else { passing };
    Veil::new(plan.privacy.clone(), salt, passing)
}

/// Hands lines of the audit trail to the store, in between.
pub(super) fn audit(writer: &Arc<Writer>) -> trail::Keep {
    let writer = Arc::downgrade(writer);
    Box::new(move |row| {
        if let Some(writer) = writer.upgrade() {
            writer.submit(Batch { rows: vec![Row::Audit(Box::new(row))] });
        }
    })
}

impl Kept {
    /// Takes calls in, where a line is kept of each.
    fn calls(&mut self) -> Option<CallListener> {
        let journal = self.calls.take()?;
        Some(Box::new(move |called| journal.line(accounts::line(called))))
    }
}
