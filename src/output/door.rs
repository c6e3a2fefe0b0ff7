//! The room's door: what is given in, what is asked, and what is told.
//!
//! Everything here is called from other rooms' threads, and only [`Output::close`] waits.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::eventfd::{EfdFlags, EventFd};
use tokio::sync::mpsc;

use crate::output::console::{Console, STACK};
use crate::output::engine::{Engine, Order, Tools, Turn};
use crate::output::figures::OutputFigures;
use crate::output::files::Files;
use crate::output::plan::{Limits, StreamPlan, Which};
use crate::output::queue::{Chunk, Leaving, Queue};
use crate::output::ring::Page;
use crate::output::shelf::Shelves;
use crate::output::tape::{Reel, Wanted};
use crate::output::tapes::Tapes;
use crate::units::RunId;

/// Orders that wait for the reader. At most two for each pipe, and one for each run.
const ORDERS: usize = 1 << 16;

/// What the room is made with.
pub struct Settings {
    /// The bounds.
    pub limits: Limits,
    /// Where standard output is shown. [`console::inherited`] gives our own.
    pub stdout: OwnedFd,
    /// Where standard error is shown.
    pub stderr: OwnedFd,
    /// Whether prefixes have colours where that is a terminal.
    pub colours: bool,
    /// Whom news are told, by the reader's thread: it must not wait.
    pub events: Box<dyn FnMut(Event) + Send>,
}

/// What was learnt of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The line that tells that the process is ready was written. Once for each run.
    Matched {
        /// The run.
        run: RunId,
    },
    /// The main process ended and all that it wrote was handed on. Once for each run that
    /// [`Output::main_ended`] was called for.
    Drained {
        /// The run.
        run: RunId,
    },
}

/// One output of one run, to be read.
#[derive(Debug)]
pub struct Stream {
    /// The run.
    pub run: RunId,
    /// The process, as it is shown.
    pub name: Arc<str>,
    /// Which of its outputs.
    pub which: Which,
    /// The read end of a pipe that nobody else reads.
    pub fd: OwnedFd,
    /// What is wanted of it.
    pub plan: StreamPlan,
}

/// The room's door: cheap to clone, used from any thread.
#[derive(Clone)]
pub struct Output(Arc<Shared>);

struct Shared {
    orders: mpsc::Sender<Order>,
    wake: Arc<EventFd>,
    shelves: Arc<Shelves>,
    tapes: Arc<Tapes>,
    consoles: [Arc<Console>; 2],
    leaving: Arc<Leaving>,
    /// Until a thread takes it. Whoever asks for it meanwhile does not wait for this lock.
    engine: Arc<Mutex<Option<Engine>>>,
    /// The first processes were spawned, so that threads may be started.
    may_start: AtomicBool,
    attached: AtomicBool,
    /// There was no thread to be had for the reader.
    lacking: AtomicBool,
    /// That there was none was said.
    told: AtomicBool,
}

impl Output {
    /// Makes the room, without a thread.
    ///
    /// # Errors
    ///
    /// When there is no descriptor left.
    pub fn open(settings: Settings) -> io::Result<Self> {
        let Settings { limits, stdout, stderr, colours, events } = settings;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake = Arc::new(EventFd::from_value_and_flags(0, flags)?);
        let leaving = Arc::new(Leaving::default());
        let consoles = consoles([stdout, stderr], || queue(&limits, &wake), &leaving);
        let files = Arc::new(Files::new(queue(&limits, &wake), &leaving));
        let shelves = Arc::new(Shelves::new(&limits));
        let tapes = Arc::new(Tapes::new(limits.tapes));
        let (sender, orders) = mpsc::channel(ORDERS);
        let tools = Tools {
            limits,
            wake: Arc::clone(&wake),
            orders,
            consoles: consoles.clone(),
            colours,
            files,
            shelves: Arc::clone(&shelves),
            tapes: Arc::clone(&tapes),
            events,
        };
        let engine = Arc::new(Mutex::new(Some(Engine::new(tools)?)));
        Ok(Self(Arc::new(Shared {
            orders: sender,
            wake,
            shelves,
            tapes,
            consoles,
            leaving,
            engine,
            may_start: AtomicBool::new(false),
            attached: AtomicBool::new(false),
            lacking: AtomicBool::new(false),
            told: AtomicBool::new(false),
        })))
    }

    /// Has a stream read from now on. Never waits.
    ///
    /// # Errors
    ///
    /// Gives the stream back when the room is closed, or when too many orders wait. To close the
    /// pipe would end the process at its next line.
    pub fn attach(&self, stream: Stream) -> Result<(), Box<Stream>> {
        let stream = Box::new(stream);
        match self.0.orders.try_reserve() {
            Ok(permit) => permit.send(Order::Attach(stream)),
            Err(_) => return Err(stream),
        }
        self.0.attached.store(true, Ordering::SeqCst);
        self.wake();
        if self.0.may_start.load(Ordering::SeqCst) {
            // Told to the log; it is tried again with the next stream.
            let _ = self.start();
        }
        Ok(())
    }

    /// Tells that the main process of a run was reaped; [`Event::Drained`] answers. Never waits.
    /// Whether the order was taken.
    pub fn main_ended(&self, run: RunId) -> bool {
        self.order(Order::MainEnded(run))
    }

    /// Has the pipes of these processes, by name, go by other plans from the next line on that is
    /// read. What was read already stays on its way, and no line is lost or divided. What is looked
    /// for stays as it was. Whether the order was taken.
    pub fn replan(&self, plans: BTreeMap<Arc<str>, StreamPlan>) -> bool {
        self.order(Order::Replan(plans))
    }

    /// Opens all files anew at their next line, because somebody else moved them.
    pub fn reopen_files(&self) -> bool {
        self.order(Order::ReopenFiles)
    }

    /// Allows threads from now on: the first processes were spawned. The reader starts when there
    /// is something to read.
    ///
    /// # Errors
    ///
    /// When there is no thread to be had. Then [`crate::output::by_hand::StandIn`] reads.
    pub fn stand(&self) -> io::Result<()> {
        self.0.may_start.store(true, Ordering::SeqCst);
        if self.0.attached.load(Ordering::SeqCst) { self.start() } else { Ok(()) }
    }

    /// The reader as something to be turned for as long as no thread has it.
    pub fn by_hand(&self) -> ByHand {
        ByHand(Arc::clone(&self.0.engine))
    }

    /// Whether there was no thread to be had for the reader when one was last tried for.
    pub(super) fn lacks_thread(&self) -> bool {
        self.0.lacking.load(Ordering::Relaxed)
    }

    /// Hands on all that is in the pipes, and waits up to `patience` until it was written. Whether
    /// it was.
    pub fn close(&self, patience: Duration) -> bool {
        let ordered = self.order(Order::Close);
        if self.start().is_err() {
            let by_hand = self.by_hand();
            while ordered && by_hand.turn().is_some_and(|turn| turn != Turn::Over) {}
        }
        ordered && self.0.leaving.wait(patience)
    }

    /// A way for lines of our own to the same writer.
    pub fn lines(&self, which: Which) -> Lines {
        let [out, err] = &self.0.consoles;
        Lines(Arc::clone(if which == Which::Stdout { out } else { err }))
    }

    /// The figures of all processes that wrote something, by name.
    pub fn figures(&self) -> Vec<(Arc<str>, OutputFigures)> {
        self.0.shelves.figures()
    }

    /// Has the next thing that is written, by whomever, end [`Output::stirred`].
    pub fn await_stir(&self) {
        self.0.shelves.await_stir();
    }

    /// Waits until something was written since [`Output::await_stir`]. For one at a time.
    pub async fn stirred(&self) {
        self.0.shelves.stirred().await;
    }

    /// The last `n` lines of a process; `None` when it wrote nothing so far.
    pub fn tail(&self, name: &str, n: usize) -> Option<Page> {
        self.0.shelves.find(name).map(|shelf| shelf.tail(n))
    }

    /// What a process wrote since `cursor`, 0 for all that is kept. Waits up to `wait` when that is
    /// nothing yet; then the page is empty and its cursor the same.
    pub async fn since(&self, name: &str, cursor: u64, wait: Duration) -> Page {
        self.0.shelves.since(name, cursor, wait).await
    }

    /// What a run wrote that is recorded; waits up to `wait` while there is nothing to read yet.
    /// `None` where nothing of it is kept.
    pub async fn tape(&self, run: RunId, wanted: Wanted, wait: Duration) -> Option<Reel> {
        self.0.tapes.read(run, wanted, wait).await
    }

    /// What is recorded.
    pub fn tapes(&self) -> &Tapes {
        &self.0.tapes
    }

    /// Forgets the lines and the figures of a process that is no longer in the plan.
    pub fn forget(&self, name: &str) {
        self.0.shelves.take_down(name);
    }

    fn order(&self, order: Order) -> bool {
        let sent = self.0.orders.try_send(order).is_ok();
        self.wake();
        sent
    }

    fn wake(&self) {
        let _ = self.0.wake.write(1);
    }

    /// Starts the reader, unless it was started. It takes the engine only when it runs: a thread
    /// that could not be had must not take the pipes down with it.
    fn start(&self) -> io::Result<()> {
        if self.0.engine.try_lock().is_ok_and(|engine| engine.is_none()) {
            return Ok(());
        }
        let (engine, at_work) = (Arc::clone(&self.0.engine), self.0.leaving.enter());
        let thread = std::thread::Builder::new().name("output-read".into()).stack_size(STACK);
        let started = thread.spawn(move || {
            let engine = lock(&engine).take();
            if let Some(engine) = engine {
                engine.run();
            }
            drop(at_work);
        });
        if let Err(error) = &started
            && !self.0.told.swap(true, Ordering::Relaxed)
        {
            tracing::error!(target: "output", %error, "no thread to read what processes write");
        }
        self.0.lacking.store(started.is_err(), Ordering::Relaxed);
        started.map(drop)
    }
}

/// The reader without a thread.
pub struct ByHand(Arc<Mutex<Option<Engine>>>);

impl ByHand {
    /// Readable when a turn is due; the last turn says when one is due in any case.
    ///
    /// # Errors
    ///
    /// When a thread has the reader, or when there is no descriptor left.
    pub fn fd(&self) -> io::Result<OwnedFd> {
        let engine = lock(&self.0);
        let engine = engine.as_ref().ok_or_else(|| io::Error::other("a thread reads"))?;
        engine.fd().try_clone_to_owned()
    }

    /// Does what is to be done, without waiting; `None` once a thread has the reader.
    pub fn turn(&self) -> Option<Turn> {
        lock(&self.0).as_mut().map(Engine::turn_by_hand)
    }
}

/// Lines of our own on their way to standard output or standard error, in one order with those of
/// the processes.
#[derive(Clone)]
pub struct Lines(Arc<Console>);

impl Lines {
    /// Hands on one or more whole lines, each with its newline. Never waits: when too much waits to
    /// be written, the oldest is dropped. Whether there is a writer.
    pub fn put(&self, bytes: Vec<u8>) -> bool {
        let attended = self.0.attend();
        if attended {
            self.0.queue.put(Chunk { bytes, ..Chunk::default() });
        }
        attended
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Output").field("shelves", &self.0.shelves).finish_non_exhaustive()
    }
}

/// The places that lines are shown at: one, when both descriptors lead to the same.
fn consoles(
    [stdout, stderr]: [OwnedFd; 2],
    queue: impl Fn() -> Queue,
    leaving: &Arc<Leaving>,
) -> [Arc<Console>; 2] {
    let out = Arc::new(Console::new(stdout, queue(), leaving));
    if out.leads_to(stderr.as_fd()) {
        return [Arc::clone(&out), out];
    }
    [out, Arc::new(Console::new(stderr, queue(), leaving))]
}

fn queue(limits: &Limits, wake: &Arc<EventFd>) -> Queue {
    let wake = Arc::clone(wake);
    Queue::new(usize::try_from(limits.queue.0).unwrap_or(usize::MAX), move || {
        let _ = wake.write(1);
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
