//! The door for orders: the API of `openapi.json` on a unix socket for its owner, and on TCP for
//! whoever knows the token.
//!
//! ```text
//!   socket, tcp ─► door ─► api ─► reading, logs, events ─► picture, rings
//!                   │        └──► orders ─► role ─► init's queue ─► the mind
//!                 peers (who asks, and from inside which run)
//! ```
//!
//! `socket` and `tcp` own how the doors are opened and closed, `door` what a bad client can do to
//! them, `peers` who asks, `role` what they may. Nothing here waits for anything above the line
//! without a bound, and nothing above waits for us: an order is offered, and refused when the queue
//! is full.

pub mod api;
pub mod beside;
pub mod feeding;
pub mod logs;
mod memory;
pub mod peers;
pub mod socket;
pub mod tcp;

mod answer;
mod awaiting;
mod budgets;
mod chains;
mod door;
mod earlier;
mod external;
pub mod history;
mod orders;
mod export;
mod gate;
mod orphans;
mod problem;
mod query;
mod reading;
mod request;
mod rights;
mod role;
pub mod trail;
mod spawned;
mod spawning;
mod statistics;
mod usage;
mod watching;

#[cfg(test)]
pub(in crate::serve) mod example;

use std::sync::Arc;

use tokio::net::UnixStream;
use tokio::sync::{Semaphore, oneshot, watch};

pub use self::chains::saved as saved_chain;
pub use self::orphans::{known as known_of_orphans, told as told_of_orphan};

use self::beside::Beside;
use self::logs::Logs;
use crate::config::plan::{ControlPlan, Plan, ProcessPlan};
use crate::ledger::forget::Whose;
use crate::ledger::request::{Answered, Request};
use crate::ledger::snapshot::Snapshot;
use crate::ledger::veil::Veil;
use crate::secret::keyed::Salt;
use crate::serve::Source;
use crate::serve::connections::Engaged;
use crate::serve::events::Events;
use crate::serve::wire;
use crate::store::reading::reader::Reader;
use crate::supervise::wish::{Reply, Wish};

/// Answers that are streamed at once, over all doors.
const STREAMS: usize = 32;

/// Where the control doors get what they show, and where orders go.
pub struct Sources {
    /// The latest picture.
    pub pictures: watch::Receiver<Arc<Snapshot>>,
    /// Offers an order to the loop; never waits.
    pub orders: Orders,
    /// Asks the ledger; never waits.
    pub requests: Requests,
    /// Reads the configuration anew. It may wait for disks, so that it is called aside.
    pub read_plan: ReadPlan,
    /// How what is asked of a command is read.
    pub read_command: ReadCommand,
    /// What processes wrote.
    pub logs: Arc<dyn Logs>,
    /// Commands beside the plan.
    pub beside: Arc<Beside>,
    /// What happens.
    pub events: Arc<Events>,
    /// What is kept.
    pub history: Reader,
    /// The audit trail.
    pub trail: trail::Trail,
    /// Says whose ended sessions the picture is to lose.
    pub forget: Forget,
    /// What is masked and left out of what is written.
    pub veil: Veil,
    /// The salt of this instance; may wait for a disk, so that it is called aside.
    pub salt: ReadSalt,
    /// Whether the loop that supervises still turns.
    pub alive: Source<bool>,
}

/// How the picture loses ended sessions; `false` where the ledger does not listen.
pub type Forget = Box<dyn Fn(Whose) -> bool + Send + Sync>;

/// How the salt of this instance is read.
pub type ReadSalt = Arc<dyn Fn() -> Salt + Send + Sync>;

/// How an order is offered.
pub type Orders = Box<dyn Fn(Wish) -> Result<oneshot::Receiver<Reply>, Busy> + Send + Sync>;

/// How the ledger is asked.
pub type Requests = Box<dyn Fn(Request) -> Result<oneshot::Receiver<Answered>, Busy> + Send + Sync>;

/// How the configuration is read anew.
pub type ReadPlan = Arc<dyn Fn() -> Result<Arc<Plan>, NotRead> + Send + Sync>;

/// How what is asked of a command is read, with the command as it is without: every fault of it.
pub type ReadCommand =
    Arc<dyn Fn(&wire::SpawnBody, ProcessPlan) -> Result<ProcessPlan, Vec<String>> + Send + Sync>;

/// Why an order was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// Too many wait already.
    Full,
    /// The loop has ended.
    Gone,
}

/// Why there is no plan to change to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotRead {
    /// We were started without a file.
    NoFile,
    /// The file has these faults.
    Faults(Vec<String>),
}

/// What all doors share.
pub(in crate::serve) struct Desk {
    sources: Arc<Sources>,
    /// One for each answer that may be streamed.
    streams: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

/// Opens the doors that the plan asks for and answers until `stop` turns true, or nobody is left to
/// turn it..
pub async fn serve(plan: ControlPlan, sources: Arc<Sources>, stop: watch::Receiver<bool>) {
    let streams = Arc::new(Semaphore::new(STREAMS));
    let desk = Arc::new(Desk { sources, streams, stop });
    let on_socket = async {
        if let Some(path) = plan.socket {
            socket::serve(path, &desk).await;
        }
    };
    let on_tcp = async {
        if let Some(door) = plan.tcp {
            tcp::serve(door, &desk).await;
        }
    };
    tokio::join!(on_socket, on_tcp);
}

/// Answers whoever is at the other end of a stream, until they are done.
pub async fn answer(stream: UnixStream, sources: Arc<Sources>) {
    let streams = Arc::new(Semaphore::new(STREAMS));
    let (_never, stop) = watch::channel(false);
    socket::greet(stream, Arc::new(Desk { sources, streams, stop }), Engaged::default()).await;
}

impl Desk {
    fn picture(&self) -> Arc<Snapshot> {
        Arc::clone(&self.sources.pictures.borrow())
    }

    /// Resolves when we are to stop.
    async fn told_to_stop(&self) {
        let mut stop = self.stop.clone();
        // An error means that the one who would tell us is gone, which is as good as being told.
        let _ = stop.wait_for(|stopping| *stopping).await;
    }
}
