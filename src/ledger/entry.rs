//! Everything that the ledger is told, in one closed enum and through one queue.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::chains::chain::KeptChain;
use crate::context::Context;
use crate::ledger::forget::Whose;
use crate::ledger::session::{OnParentEnd, Session, SessionKind, SessionState};
use crate::ledger::store_figures::{SpoolFigures, StoreFigures};
use crate::memory::container::ContainerFigures;
use crate::memory::parts::TreeParts;
use crate::memory::{PartsCost, TreeSample};
use crate::supervise::lifecycle::Lifecycle;
use crate::tokens::price::Prices;
use crate::tokens::stdout;
use crate::tokens::{CountedBefore, SpentBefore, TokenBatch, UsageKey};
use crate::units::{Now, SessionId, Wall};

/// One thing that the ledger is told.
#[derive(Clone, Debug)]
pub enum Entry {
    /// From the mind: the story of the runs.
    Lifecycle {
        /// When the mind said so.
        at: Now,
        /// What it said.
        event: Lifecycle,
    },
    /// From the context room: where and as whom a session runs.
    ContextCaptured {
        /// Whose context.
        session: SessionId,
        /// What was learnt.
        context: Arc<Context>,
    },
    /// From the probe: one tick over all trees.
    Sampled {
        /// A sample for each run that could be read.
        samples: Vec<TreeSample>,
        /// Our own dead children that nobody had reaped at that moment.
        unreaped: u32,
        /// Ticks that were skipped since the last one, because the probe or we were late.
        skipped: u64,
    },
    /// From the probe's slower side: what costs more to read of all trees.
    PartsRead {
        /// When it was read.
        at: Now,
        /// The figures of each run that could be read.
        trees: Vec<TreeParts>,
        /// What reading them has cost so far.
        cost: PartsCost,
    },
    /// From the probe: what the container's own group says.
    ContainerRead(Box<ContainerFigures>),
    /// What one sense learnt at one moment, so that whoever takes it in is woken once. In order.
    Together(Vec<Self>),
    /// From the tailer: what the agents' logs said.
    TokensRead {
        /// When they were read.
        at: Now,
        /// What was found.
        batch: TokenBatch,
    },
    /// From what looks at the lines of agents: what they printed of what they spend.
    StdoutRead {
        /// When it was told.
        at: Now,
        /// What was told.
        batch: stdout::Batch,
    },
    /// From the file of prices, when it was read anew: what tokens cost from now on.
    PricesRead(Box<Prices>),
    /// From the readers of output, at most once a tick: who wrote something.
    OutputSeen {
        /// When that was looked at.
        at: Now,
        /// Their names.
        processes: Vec<Arc<str>>,
    },
    /// From our own clock, when something waits for time to pass.
    TimePassed {
        /// Until when.
        at: Now,
    },
    /// From the store, once at the start: sessions that an earlier life left open.
    OpenSessionsFound {
        /// When they were found.
        at: Now,
        /// The sessions, by id.
        sessions: Vec<OpenSession>,
    },
    /// From the store, once at the start and before anything is read: the chains of earlier lives.
    ChainsFound(Vec<(String, KeptChain)>),
    /// From the store, once at the start: what ended runs of earlier lives held, by process, oldest
    /// first, as the details of their events tell it.
    HeldFound(Vec<(String, Value)>),
    /// From the store, once at the start and before anything is counted: what earlier lives counted.
    CountedFound {
        /// When.
        at: Now,
        /// Of which conversations, from which source.
        counted: Vec<CountedBefore>,
        /// By which keys, where they were not read from transcripts.
        keys: Vec<UsageKey>,
        /// What was spent of late, minute by minute.
        spent: Vec<SpentBefore>,
    },
    /// From recovery: what became of the processes that an earlier life left behind.
    SurvivorsHandled {
        /// When.
        at: Now,
        /// Sessions whose process was found alive and was ended or taken over.
        outcomes: Vec<SurvivorOutcome>,
    },
    /// From the store: how it is.
    StoreReported(Box<StoreHealth>),
    /// From a look at everybody: how many live that sessions which are over left behind.
    OrphansSeen {
        /// How many.
        count: u32,
    },
    /// From the control door: ended sessions that are to be shown no more.
    Forget {
        /// Whose.
        whose: Whose,
    },
    /// From the listener: whether it listens.
    ListenerReported {
        /// Whether it does.
        up: bool,
    },
    /// From the loop: entries that did not fit in the queue since the last report.
    EntriesDropped {
        /// How many.
        count: u64,
    },
}

/// A session that an earlier life opened and did not see the end of.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenSession {
    /// Its identity.
    pub id: SessionId,
    /// What it was a span of.
    pub kind: SessionKind,
    /// Where it stood when it was last heard of.
    pub state: SessionState,
    /// The process that it belonged to.
    pub process: String,
    /// When it was opened.
    pub started: Wall,
    /// When it was last heard of.
    pub last_activity: Wall,
    /// The next sequence number of its events.
    pub events: u64,
    /// Whether a life with our state folder opened it.
    pub ours: bool,
    /// Everything that is kept of it, where it is one that could go on.
    pub kept: Option<Box<KeptOpen>>,
}

/// What is kept of a session that was left open.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptOpen {
    /// Its projection.
    pub session: Session,
    /// What becomes of it when its parent ends.
    pub on_parent_end: OnParentEnd,
    /// Whether it was opened to last for as long as a connection.
    pub bound: bool,
}

/// What became of one process that an earlier life left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurvivorOutcome {
    /// The session that it was the main process of.
    pub session: SessionId,
    /// The process of the plan that it was a run of.
    pub process: String,
    /// Whether it was taken over; else it was ended.
    pub adopted: bool,
    /// Processes of its tree that were found alive.
    pub found: u32,
}

/// What was handed to the store and is not committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Rows that were handed over, in this life.
    pub handed: u64,
    /// Rows that wait for a commit.
    pub rows: u64,
    /// Rows that had to be given up, in this life.
    pub dropped: u64,
    /// For how long rows have waited without any commit; zero while none wait.
    pub unmoved: Duration,
    /// What of it is in a file as well.
    pub spooled: SpoolFigures,
    /// Events that are missing in their own file, where one is written.
    pub untold: Option<u64>,
}

impl Waiting {
    /// Rows whose fate is known: all that were handed over before as many more. They are committed in
    /// order, and only where far too many wait is one given up before its turn.
    pub fn settled(&self) -> u64 {
        self.handed.saturating_sub(self.rows)
    }
}

/// How the store is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreHealth {
    /// Whether the last commit worked.
    pub up: bool,
    /// Rows that wait for a commit.
    pub pending: u64,
    /// Commits that failed, in this life.
    pub failures: u64,
    /// Rows that had to be dropped because too many waited, in this life.
    pub dropped: u64,
    /// What it took and what went wrong, in this life.
    pub figures: StoreFigures,
    /// What waits in a file for it.
    pub spooled: SpoolFigures,
}
