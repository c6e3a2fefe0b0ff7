//! What the body has others do, below the line: whatever could wait for a disk, a network or a
//! reader. Everything here is handed over at once or not at all.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use crate::config::plan::{Plan, Test};
use crate::init::telemetry::Telemetry;
use crate::units::{ProcessIx, RunId};

/// How many health tests may wait to be made: one of each of a thousand processes.
pub const PROBES: usize = 1024;

/// A health test that needs no command; answered by [`crate::supervise::fact::Fact::Probed`].
#[derive(Debug)]
pub struct ProbeOrder {
    /// Whose health.
    pub run: RunId,
    /// Comes back with the answer.
    pub test: u64,
    /// What is asked; a command is none of the prober's business.
    pub target: Test,
    /// A test that takes longer has failed.
    pub timeout: Duration,
    /// Resolves when nobody waits for the answer any more: the run is over, or another test of it
    /// is to be made.
    pub given_up: oneshot::Receiver<()>,
}

/// The end of a pipe that a child writes to.
#[derive(Debug)]
pub struct Inlet {
    /// Whose output.
    pub process: ProcessIx,
    /// The run that writes, or that a command is run for.
    pub run: RunId,
    /// What becomes of it is said in here.
    pub plan: Arc<Plan>,
    /// Which of the child's descriptors it is.
    pub channel: Channel,
    /// The end to read from.
    pub fd: OwnedFd,
}

/// The two descriptors that a program writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

/// Reads what children write. Both are called on the loop, and so never wait.
pub trait Outlet: Send {
    /// Reads this from now on.
    fn attach(&mut self, inlet: Inlet);
    /// Speaks to the run by this pipe from now on, where it is asked to, until its main process is
    /// gone.
    fn feed(&mut self, run: RunId, fd: OwnedFd);
    /// The main process of the run was reaped: what is written from now on is another's.
    fn main_ended(&mut self, run: RunId);
    /// Reads for a moment where no thread can be had for it, and says how long the loop may sleep
    /// then; `None` where the loop has nothing to do with it.
    fn stand_in(&mut self) -> Option<Duration>;
    /// Another plan holds.
    fn plan_changed(&mut self, plan: &Arc<Plan>);
}

/// The body's ends of what it has others do.
pub struct Downward {
    /// Health tests. A full queue is a failed test.
    pub probes: mpsc::Sender<ProbeOrder>,
    /// Asks for the configuration to be read. One place: who is asked twice reads the newest.
    pub readings: mpsc::Sender<()>,
    /// The plan that holds.
    pub plans: watch::Sender<Arc<Plan>>,
    /// Where pipes go; without it children write where we do.
    pub output: Option<Box<dyn Outlet>>,
    /// Where agents are to send what they spend.
    pub telemetry: Option<Telemetry>,
}

/// The other ends.
pub struct Tasks {
    /// Health tests.
    pub probes: mpsc::Receiver<ProbeOrder>,
    /// To read the configuration.
    pub readings: mpsc::Receiver<()>,
    /// The plan that holds.
    pub plans: watch::Receiver<Arc<Plan>>,
}

/// Both ends, for this plan.
pub fn queues(
    plan: &Arc<Plan>,
    output: Option<Box<dyn Outlet>>,
    telemetry: Option<Telemetry>,
) -> (Downward, Tasks) {
    let (probes, probe) = mpsc::channel(PROBES);
    let (readings, reading) = mpsc::channel(1);
    let (plans, current) = watch::channel(Arc::clone(plan));
    let ends = Tasks { probes: probe, readings: reading, plans: current };
    (Downward { probes, readings, plans, output, telemetry }, ends)
}
