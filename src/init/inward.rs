//! What comes to the body from below the line: orders, each with somebody who waits for an answer,
//! and tidings, which are facts that are learnt there. Both queues are bounded; whoever finds one
//! full is told so at once and never waits.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

use tokio::sync::{mpsc, oneshot};

use crate::supervise::fact::Fact;
use crate::supervise::wish::{Reply, Wish};
use crate::units::RequestId;

/// How many orders may wait for the loop, which takes them within microseconds.
pub const ORDERS: usize = 64;
/// How many tidings may wait. Each wait in the mind has a deadline of its own, so that one that is
/// lost delays and never blocks.
pub const TIDINGS: usize = 1024;

/// How many of each are taken in one turn of the loop.
pub const MOST_PER_TURN: usize = 32;

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

/// What comes from below.
#[derive(Debug)]
pub(super) enum Coming {
    /// Something is wanted.
    Order(Order),
    /// Something was learnt.
    Tiding(Fact),
}

impl Inward {
    /// What came first, orders before tidings. Without anything there the next that comes wakes.
    pub(super) fn take_or_wake(&mut self, waker: &Waker) -> Option<Coming> {
        let mut context = Context::from_waker(waker);
        if let Poll::Ready(Some(order)) = self.orders.poll_recv(&mut context) {
            return Some(Coming::Order(order));
        }
        match self.tidings.poll_recv(&mut context) {
            Poll::Ready(Some(tiding)) => Some(Coming::Tiding(tiding)),
            Poll::Ready(None) | Poll::Pending => None,
        }
    }
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

/// Those who wait for an answer. The mind answers in the turn in which it is asked, so that they are
/// as few as are taken in one turn.
#[derive(Debug, Default)]
pub(super) struct Callers {
    waiting: BTreeMap<RequestId, oneshot::Sender<Reply>>,
    asked: u64,
}

impl Callers {
    /// Gives one more a number.
    pub(super) fn note(&mut self, caller: oneshot::Sender<Reply>) -> RequestId {
        self.asked += 1;
        let request = RequestId(self.asked);
        self.waiting.insert(request, caller);
        request
    }

    /// Answers, unless nobody listens any more.
    pub(super) fn answer(&mut self, request: RequestId, reply: &Reply) {
        if let Some(caller) = self.waiting.remove(&request) {
            let _ = caller.send(reply.clone());
        }
    }
}
