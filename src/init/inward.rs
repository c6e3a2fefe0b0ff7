//! What comes to the body from below the line: orders, each with somebody who waits for an answer,
//! and tidings, which are facts that are learnt there. Both queues are bounded; whoever finds one
//! full is told so at once and never waits.

use tokio::sync::{mpsc, oneshot};

use crate::supervise::fact::Fact;
use crate::supervise::wish::{Reply, Wish};

/// How many orders may wait for the loop, which takes them within microseconds.
pub const ORDERS: usize = 64;
/// How many tidings may wait. Each wait in the mind has a deadline of its own, so that one that is
/// lost delays and never blocks.
pub const TIDINGS: usize = 1024;

/// An order on its way to the mind.
#[derive(Debug)]
pub struct Order {
    /// What is wanted.
    pub wish: Wish,
    /// Where the answer goes; nobody may listen any more.
    pub reply: oneshot::Sender<Reply>,
}

/// The body's ends of both queues.
#[derive(Debug)]
pub struct Inward {
    /// Orders.
    pub orders: mpsc::Receiver<Order>,
    /// Facts that are learnt below: probes, lines, notices, files.
    pub tidings: mpsc::Receiver<Fact>,
}

/// The other ends, for what is below.
#[derive(Clone, Debug)]
pub struct Doors {
    /// Orders.
    pub orders: mpsc::Sender<Order>,
    /// Facts.
    pub tidings: mpsc::Sender<Fact>,
}

/// Both queues.
pub fn queues() -> (Doors, Inward) {
    let (orders, order) = mpsc::channel(ORDERS);
    let (tidings, tiding) = mpsc::channel(TIDINGS);
    (Doors { orders, tidings }, Inward { orders: order, tidings: tiding })
}
