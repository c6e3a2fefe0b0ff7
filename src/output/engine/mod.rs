//! The reader: one thread's work, which empties every pipe and never waits for a target.
//!
//! ```text
//!            listen            obey             round                settle
//!   epoll ──► Ready   orders ──► attach,   Ready ──read──► targets    endings: Drained
//!                               ended,     Ready ──full──► Held       held long enough: Ready
//!                               close      Held ◄─room───► Ready
//! ```
//!
//! Each turn does the four in this order. When nothing is under way there is no deadline, and the
//! turn lasts until the kernel or an order wakes it. A fault of ours in the midst of a pipe makes
//! that pipe mute: it is emptied from then on, so that whoever writes to it is not held up.

mod serve;
mod settle;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use tokio::sync::mpsc;

use crate::clock;
use crate::output::console::Console;
use crate::output::door::{Event, Stream};
use crate::output::ending::Ending;
use crate::output::files::Files;
use crate::output::format::{Colour, Form};
use crate::output::pace::Pace;
use crate::output::pipe::{Aims, Buffers, Parts, Pipe, Stage, make_non_blocking};
use crate::output::pipes::Pipes;
use crate::output::plan::{FileFormat, FilePlan, Limits, SHORTEST_CUT, StreamPlan, Which};
use crate::output::queue::{Chunk, Queue};
use crate::output::shelf::Shelves;
use crate::output::tapes::Tapes;
use crate::units::{Mono, RunId};

/// What is asked of the reader.
pub enum Order {
    /// Read this from now on.
    Attach(Box<Stream>),
    /// The main process of the run was reaped.
    MainEnded(RunId),
    /// Have the pipes of these processes go by other plans from now on.
    Replan(BTreeMap<Arc<str>, StreamPlan>),
    /// Open all files anew, because somebody else moved them.
    ReopenFiles,
    /// Hand on what is left and end.
    Close,
}

/// Events of the kernel taken at once.
const EVENTS: usize = 256;
/// The event that stands for orders and for room, rather than for a pipe.
const WOKEN: u64 = u64::MAX;
/// Read at once from a pipe that has little to say.
const SMALL_READ: usize = 16 << 10;
/// And from one that has much: what an unasked pipe holds. More at once saves some calls, but it
/// does not stay in the processor's own cache, which costs twice as much.
const LARGE_READ: usize = 64 << 10;
/// Large buffers that were not needed for this long are given up.
const TRIM_AFTER: Duration = Duration::from_secs(1);
/// After so many faults of ours there is a pause after each, lest the reader burn a processor.
const FAULTS: u32 = 16;
const PAUSE: Duration = Duration::from_secs(1);

/// What the reader works with.
pub struct Tools {
    /// How long things may take, and how much they may hold.
    pub limits: Limits,
    /// Wakes the reader.
    pub wake: Arc<EventFd>,
    /// What is asked of it.
    pub orders: mpsc::Receiver<Order>,
    /// Standard output and standard error; one twice, where they lead to the same place.
    pub consoles: [Arc<Console>; 2],
    /// Whether a terminal gets colours.
    pub colours: bool,
    /// The files.
    pub files: Arc<Files>,
    /// What is kept of each process.
    pub shelves: Arc<Shelves>,
    /// What runs wrote that are recorded.
    pub tapes: Arc<Tapes>,
    /// Whom news are told.
    pub events: Box<dyn FnMut(Event) + Send>,
}

impl Tools {
    /// The queues in front of all targets.
    fn queues(&self) -> [&Queue; 3] {
        let [out, err] = &self.consoles;
        [&out.queue, &err.queue, &self.files.queue]
    }
}

/// The reader.
pub struct Engine {
    tools: Tools,
    epoll: Epoll,
    pipes: Pipes,
    ready: VecDeque<usize>,
    held: VecDeque<usize>,
    endings: BTreeMap<RunId, Ending>,
    closing: Option<Ending>,
    news: VecDeque<Event>,
    /// The pipe at hand, in case of a fault.
    at_hand: Option<usize>,
    faults: u32,
    scratch: Vec<u8>,
    buffers: Buffers,
    pace: Pace,
    rest: Option<Duration>,
    trim_at: Option<Mono>,
    /// A target lacks its writer.
    unattended: bool,
    attend_at: Option<Mono>,
}

/// What a turn left to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The next turn is due when the kernel says so, or after this long, if that is known.
    WaitAtMost(Option<Duration>),
    /// Everything was handed on, and there will be no next one.
    Over,
}

impl Engine {
    /// A reader of nothing.
    ///
    /// # Errors
    ///
    /// When there is no descriptor left.
    pub fn new(tools: Tools) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&*tools.wake, EpollEvent::new(EpollFlags::EPOLLIN, WOKEN))?;
        Ok(Self {
            tools,
            epoll,
            pipes: Pipes::default(),
            ready: VecDeque::new(),
            held: VecDeque::new(),
            endings: BTreeMap::new(),
            closing: None,
            news: VecDeque::new(),
            at_hand: None,
            faults: 0,
            scratch: Vec::new(),
            buffers: Buffers::default(),
            pace: Pace::default(),
            rest: None,
            trim_at: None,
            unattended: false,
            attend_at: None,
        })
    }

    /// Readable when a turn is due.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }

    /// Works until it is told to close, through all faults of ours.
    pub fn run(mut self) {
        // Who turned it before may have left something due.
        let mut wait = Some(Duration::ZERO);
        loop {
            match self.turn_caught(wait) {
                Turn::WaitAtMost(next) => wait = next,
                Turn::Over => return,
            }
        }
    }

    /// One turn; a panic in it is caught.
    pub fn turn_caught(&mut self, wait: Option<Duration>) -> Turn {
        let turned = catch_unwind(AssertUnwindSafe(|| self.turn(wait)));
        turned.unwrap_or_else(|_| {
            self.recover();
            Turn::WaitAtMost(Some(Duration::ZERO))
        })
    }

    /// One turn that neither waits nor rests.
    pub fn turn_by_hand(&mut self) -> Turn {
        self.rest = None;
        self.turn_caught(Some(Duration::ZERO))
    }

    /// Goes on after a fault of ours.
    fn recover(&mut self) {
        self.faults = self.faults.saturating_add(1);
        self.buffers = Buffers::default();
        if let Some(slot) = self.at_hand.take() {
            self.ready.retain(|ready| *ready != slot);
            self.make_ready(slot);
            if let Some(pipe) = self.pipes.get(slot) {
                pipe.mute = true;
            }
        }
        tracing::error!(target: "output", faults = self.faults, "the reader goes on after a fault");
        if self.faults > FAULTS {
            self.rest = Some(PAUSE);
        }
    }

    fn turn(&mut self, wait: Option<Duration>) -> Turn {
        if let Some(rest) = self.rest.take() {
            std::thread::sleep(rest);
        }
        let all_heard = self.listen(wait);
        let now = clock::now();
        let fill = self.round(now);
        self.rest = self.pace.after(now.mono, fill).filter(|_| self.ready.is_empty());
        if all_heard {
            self.settle(now);
        }
        while let Some(event) = self.news.pop_front() {
            (self.tools.events)(event);
        }
        if self.is_over(now.mono) { self.leave(now) } else { Turn::WaitAtMost(self.wait(now.mono)) }
    }

    /// Asks the kernel which pipes have something. Whether it had no more to say.
    fn listen(&mut self, wait: Option<Duration>) -> bool {
        let timeout = wait.map_or(EpollTimeout::NONE, round_up);
        let mut events = [EpollEvent::empty(); EVENTS];
        let heard = self.epoll.wait(&mut events, timeout).unwrap_or(0);
        let mut woken = false;
        for event in &events[..heard] {
            match usize::try_from(event.data()) {
                Ok(slot) if event.data() != WOKEN => self.heard(slot, event.events()),
                _ => woken = true,
            }
        }
        if woken {
            let _ = self.tools.wake.read();
            self.obey();
            self.ready_all_held();
        }
        heard < EVENTS
    }

    fn heard(&mut self, slot: usize, what: EpollFlags) {
        let Some(pipe) = self.pipes.get(slot) else { return };
        pipe.hung_up |= what.intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR);
        if pipe.stage == Stage::Quiet {
            pipe.stage = Stage::Ready;
            self.ready.push_back(slot);
        }
    }

    fn obey(&mut self) {
        while let Ok(order) = self.tools.orders.try_recv() {
            match order {
                Order::Attach(stream) => self.attach(*stream),
                Order::MainEnded(run) => self.main_ended(run),
                Order::Replan(plans) => self.replan(&plans),
                Order::ReopenFiles => self.tools.files.queue.put(Chunk::default()),
                Order::Close => self.close(),
            }
        }
    }

    fn attach(&mut self, stream: Stream) {
        let run = stream.run;
        let pipe = self.equip(stream);
        let result = make_non_blocking(&pipe.fd).and_then(|()| {
            let slot = self.pipes.next_slot();
            let wanted = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
            self.epoll.add(&pipe.fd, EpollEvent::new(wanted, slot as u64))?;
            self.pipes.insert(pipe);
            Ok(())
        });
        if let Err(error) = result {
            tracing::error!(target: "output", %run, %error, "a pipe cannot be read and was closed");
        }
    }

    /// Makes the pipe of a stream, and sees to it that its targets have writers.
    fn equip(&mut self, stream: Stream) -> Pipe {
        let Stream { run, name, which, fd, plan } = stream;
        let aims = self.aims(&name, which, &plan);
        let tape = plan.tape.map(|keep| self.tools.tapes.record(run, keep));
        let (ready, tap) = (plan.ready, plan.tap);
        let pipe = Pipe::new(Parts { fd, run, name, which, ready, tape, tap, aims });
        self.attend(&pipe);
        pipe
    }

    /// Has all pipes of these processes go by other plans. What is looked for stays: it is what the
    /// run was begun with.
    fn replan(&mut self, plans: &BTreeMap<Arc<str>, StreamPlan>) {
        for slot in self.pipes.slots() {
            let Some(pipe) = self.pipes.peek(slot) else { continue };
            let Some(plan) = plans.get(pipe.name()) else { continue };
            let aims = self.aims(pipe.name(), pipe.which(), plan);
            if let Some(file) = self.pipes.aim(slot, aims) {
                self.close_file(file);
            }
            if let Some(pipe) = self.pipes.get(slot) {
                self.unattended |= !pipe.attend(&self.tools.files);
            }
        }
        for (name, plan) in plans {
            if let Some(shelf) = self.tools.shelves.find(name) {
                shelf.keep(plan.keep);
            }
        }
    }

    fn aims(&self, name: &Arc<str>, which: Which, plan: &StreamPlan) -> Aims {
        let [out, err] = &self.tools.consoles;
        let console = if which == Which::Stdout { out } else { err };
        let coloured = self.tools.colours && console.is_terminal;
        let colour = if coloured { Colour::Nth(plan.colour) } else { Colour::None };
        let shown = Form::of(plan.show, name, which, colour);
        let filed = plan.file.as_ref().map(|file| {
            let form = match file.format {
                FileFormat::Raw => Form::Raw,
                FileFormat::Json => Form::json(name, which),
            };
            (Arc::new(file.clone()), form)
        });
        let longest = usize::try_from(plan.max_line.max(SHORTEST_CUT).0).unwrap_or(usize::MAX);
        Aims {
            shown: shown.map(|form| (Arc::clone(console), form)),
            filed,
            when_full: plan.when_full,
            longest,
            keep: plan.keep,
        }
    }

    /// Sees to it that the targets of a pipe have writers; where no thread can be had for one, what
    /// it should write waits, the oldest dropped, and it is tried again.
    fn attend(&mut self, pipe: &Pipe) {
        self.unattended |= !pipe.attend(&self.tools.files);
    }

    /// Has a file closed behind everything that is written to it still.
    fn close_file(&self, file: Arc<FilePlan>) {
        self.tools.files.queue.put(Chunk { file: Some(file), ..Chunk::default() });
    }

    fn main_ended(&mut self, run: RunId) {
        if self.pipes.of(run).is_empty() {
            self.tell_drained(run);
        } else {
            let Limits { quiet, drain_cap, .. } = self.tools.limits;
            self.endings.insert(run, Ending::new(clock::now().mono, quiet, drain_cap));
        }
    }

    /// All that the run wrote was handed on.
    fn tell_drained(&mut self, run: RunId) {
        self.tools.tapes.finish(run);
        self.news.push_back(Event::Drained { run });
    }

    /// Reads everything once more, until all is empty or it has lasted too long.
    fn close(&mut self) {
        let Limits { quiet, drain_cap, .. } = self.tools.limits;
        self.closing = Some(Ending::new(clock::now().mono, quiet, drain_cap));
        for slot in self.pipes.slots() {
            self.heard(slot, EpollFlags::empty());
        }
    }

    fn ready_all_held(&mut self) {
        while let Some(slot) = self.held.pop_front() {
            self.make_ready(slot);
        }
    }

    fn make_ready(&mut self, slot: usize) {
        if let Some(pipe) = self.pipes.get(slot) {
            pipe.stage = Stage::Ready;
            self.ready.push_back(slot);
        }
    }
}

/// In whole milliseconds, as the kernel wants it, and never too early.
fn round_up(wait: Duration) -> EpollTimeout {
    let millis = i32::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    EpollTimeout::try_from(millis).unwrap_or(EpollTimeout::NONE)
}
