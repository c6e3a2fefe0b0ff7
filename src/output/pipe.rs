//! One pipe that a process writes to: what was read of it on its way to where it is wanted.

use std::io::IsTerminal;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::output::console::Console;
use crate::output::cut::{Cut, Cutter};
use crate::output::files::Files;
use crate::output::format::{Form, Mark, count};
use crate::output::look::Pattern;
use crate::output::pace::Fill;
use crate::output::plan::{FilePlan, WhenFull, Which};
use crate::output::queue::{Chunk, Queue, WORTH_KEEPING};
use crate::output::shelf::{Shelf, Shelves, Tally};
use crate::output::tap::{Lines, Tap};
use crate::output::tapes::Recorder;
use crate::units::{Bytes, Mono, RunId, Wall};

/// What a pipe holds unless it was asked to hold more: 16 pages.
const USUAL_CAPACITY: usize = 64 << 10;
/// What a busy pipe is asked to hold, so that who writes to it need not wait while the reader is
/// elsewhere. An ordinary user may ask for 1 MiB, and may have 64 MiB in all pipes together.
const BUSY_CAPACITY: i32 = 256 << 10;
/// A pipe that was found more than half full so often is busy.
const BUSY_AFTER: u8 = 4;

/// One pipe.
pub struct Pipe {
    /// The read end, non-blocking: nobody shares it.
    pub fd: OwnedFd,
    /// The run that it was made for.
    pub run: RunId,
    /// What is looked for until it was found.
    pub ready: Option<Pattern>,
    /// Where it stands between kernel and targets.
    pub stage: Stage,
    /// All that write to it are gone; what is in it can still be read.
    pub hung_up: bool,
    /// It is our end of a terminal.
    pub is_terminal: bool,
    /// What the main process left behind writes to it.
    pub leftover: bool,
    /// A fault of ours happened here: it is emptied so that nobody blocks, and nothing else.
    pub mute: bool,
    /// Since when it has been waiting for a full target.
    pub held_since: Option<Mono>,
    /// What was read and found no room yet.
    pub pending: Vec<u8>,
    name: Arc<str>,
    which: Which,
    shelf: Option<Arc<Shelf>>,
    tape: Option<Arc<Recorder>>,
    tapped: Option<Lines>,
    aims: Aims,
    cutter: Cutter,
    capacity: usize,
    /// What was read since it was last found empty.
    in_one_go: usize,
    busy: u8,
}

/// Where a pipe stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The kernel will say when there is something.
    Quiet,
    /// In the line of those that have something.
    Ready,
    /// Waits for room in front of a target.
    Held,
}

/// What a pipe is made of, besides what it learns.
pub struct Parts {
    /// The read end.
    pub fd: OwnedFd,
    /// The run that it was made for.
    pub run: RunId,
    /// The process.
    pub name: Arc<str>,
    /// Which output of it.
    pub which: Which,
    /// What is looked for.
    pub ready: Option<Pattern>,
    /// Where the run is recorded.
    pub tape: Option<Arc<Recorder>>,
    /// Who looks at each line.
    pub tap: Option<Tap>,
    /// What becomes of what comes.
    pub aims: Aims,
}

/// What becomes of what a pipe brings.
pub struct Aims {
    /// Where its lines are shown, and how.
    pub shown: Option<(Arc<Console>, Form)>,
    /// The file they go to, and how.
    pub filed: Option<(Arc<FilePlan>, Form)>,
    /// What is done while a target takes no more.
    pub when_full: WhenFull,
    /// Longer lines are cut.
    pub longest: usize,
    /// What is kept of the process for `logs`.
    pub keep: Bytes,
}

/// Where the lines are put into form. One set for all pipes, because it is large.
#[derive(Default)]
pub struct Buffers {
    shown: Vec<u8>,
    filed: Vec<u8>,
}

impl Pipe {
    /// A pipe that nothing was read of.
    pub fn new(parts: Parts) -> Self {
        Self {
            is_terminal: parts.fd.is_terminal(),
            fd: parts.fd,
            run: parts.run,
            ready: parts.ready,
            stage: Stage::Quiet,
            hung_up: false,
            leftover: false,
            mute: false,
            held_since: None,
            pending: Vec::new(),
            name: parts.name,
            which: parts.which,
            shelf: None,
            tape: parts.tape,
            tapped: parts.tap.map(Lines::new),
            aims: parts.aims,
            cutter: Cutter::default(),
            capacity: USUAL_CAPACITY,
            in_one_go: 0,
            busy: 0,
        }
    }

    /// The process.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Which output of it.
    pub fn which(&self) -> Which {
        self.which
    }

    /// Has what comes from now on go elsewhere. What was handed on already stays on its way; of a
    /// line that was begun all goes the new way.
    pub fn aim(&mut self, aims: Aims) {
        self.aims = aims;
        self.held_since = None;
        if let Some(shelf) = &self.shelf {
            shelf.keep(self.aims.keep);
        }
    }

    /// Sees to it that its targets have writers. Whether they have.
    pub fn attend(&self, files: &Files) -> bool {
        let shown = self.aims.shown.as_ref().is_none_or(|(console, _)| console.attend());
        let filed = self.aims.filed.is_none() || files.attend();
        shown && filed
    }

    /// The file that its lines go to.
    pub fn file(&self) -> Option<&Arc<FilePlan>> {
        self.aims.filed.as_ref().map(|(plan, _)| plan)
    }

    /// The queues in front of its targets.
    pub fn queues<'a>(&'a self, files: &'a Files) -> impl Iterator<Item = &'a Arc<Queue>> {
        let shown = self.aims.shown.iter().map(|(console, _)| &console.queue);
        shown.chain(self.aims.filed.iter().map(|_| &files.queue))
    }

    /// How long it waits for a full target: `None` for as long as it takes.
    pub fn patience(&self) -> Option<Duration> {
        match self.aims.when_full {
            WhenFull::WaitAtMost(patience) => Some(patience),
            WhenFull::Wait => None,
        }
    }

    /// How much of what was read goes on at once.
    pub fn portion(&self, read: &[u8]) -> usize {
        let shown = self.aims.shown.as_ref().map_or(read.len(), |(_, form)| form.portion(read));
        self.aims.filed.as_ref().map_or(shown, |(_, form)| form.portion(&read[..shown]))
    }

    /// Notes a read of so many bytes that found the pipe empty afterwards or not, and lets a busy
    /// pipe hold more. How full it was.
    pub fn note_read(&mut self, bytes: usize, emptied: bool) -> Fill {
        self.in_one_go += bytes;
        let much = self.in_one_go * 2 > self.capacity;
        if emptied {
            self.in_one_go = 0;
        }
        if much && emptied {
            self.found_busy();
        }
        if much { Fill::Much } else { Fill::Some }
    }

    /// After some times it is asked to hold more; once, because a refusal stays one: this user has
    /// too many pages in pipes.
    fn found_busy(&mut self) {
        self.busy = self.busy.saturating_add(1);
        if self.busy == BUSY_AFTER
            && let Ok(size) = fcntl(&self.fd, FcntlArg::F_SETPIPE_SZ(BUSY_CAPACITY))
        {
            self.capacity = usize::try_from(size).unwrap_or(USUAL_CAPACITY);
        }
    }

    /// Records what was read, as it is, where the run is recorded, and hands its lines to who looks
    /// at them.
    pub fn record(&mut self, read: &[u8]) {
        if let Some(tape) = &self.tape {
            tape.put(read, self.which);
        }
        if let Some(tapped) = self.tapped.as_mut().filter(|_| !self.mute) {
            tapped.feed(read);
        }
    }

    /// Nothing more is read: what waits for its end is handed to who looks at each line.
    pub fn untap(&mut self) {
        if let Some(tapped) = self.tapped.as_mut().filter(|_| !self.mute) {
            tapped.finish();
        }
    }

    /// Hands on what was read, in order: to where it is shown, to the file, to the shelf. Whether
    /// the line that was looked for came.
    pub fn hand_on(
        &mut self,
        read: &[u8],
        at: Wall,
        shelves: &Shelves,
        buffers: &mut Buffers,
        files: &Files,
    ) -> bool {
        let mut cutter = std::mem::take(&mut self.cutter);
        let shelf = self.shelf(shelves);
        let mut hand = Hand::new(self, at, &shelf, buffers);
        cutter.feed(read, self.aims.longest, |cut| hand.take(cut));
        let (tally, found) = hand.done(read.len());
        self.cutter = cutter;
        self.send(tally, &shelf, buffers, files);
        found
    }

    /// Hands on the line that was begun, because nothing will complete it.
    pub fn finish(
        &mut self,
        at: Wall,
        shelves: &Shelves,
        buffers: &mut Buffers,
        files: &Files,
    ) -> bool {
        let mut cutter = std::mem::take(&mut self.cutter);
        if self.mute || cutter.is_empty() {
            return false;
        }
        let shelf = self.shelf(shelves);
        let mut hand = Hand::new(self, at, &shelf, buffers);
        cutter.finish(|cut| hand.take(cut));
        let (tally, found) = hand.done(0);
        // A last line that lacks its newline was not too long.
        self.send(Tally { pieces: 0, ..tally }, &shelf, buffers, files);
        found
    }

    fn shelf(&mut self, shelves: &Shelves) -> Arc<Shelf> {
        let put_up = || shelves.put_up(&self.name, self.aims.keep);
        Arc::clone(self.shelf.get_or_insert_with(put_up))
    }

    fn send(&self, tally: Tally, shelf: &Arc<Shelf>, buffers: &mut Buffers, files: &Files) {
        if let Some((console, _)) = &self.aims.shown {
            send(&mut buffers.shown, &console.queue, shelf, None);
        }
        if let Some((plan, _)) = &self.aims.filed {
            send(&mut buffers.filed, &files.queue, shelf, Some(plan));
        }
        shelf.add(tally, self.leftover);
        if let Some((keep, together)) = shelf.newly_cramped() {
            tracing::warn!(
                target: "output", name = %self.name, %keep, %together,
                "less than `output.keep` is kept for `logs`: all processes together have too much"
            );
        }
    }
}

/// Sends what is in the buffer: a copy while that is little, else the buffer itself.
fn send(buffer: &mut Vec<u8>, queue: &Queue, from: &Arc<Shelf>, file: Option<&Arc<FilePlan>>) {
    if buffer.is_empty() {
        return;
    }
    let bytes = if buffer.len() < WORTH_KEEPING {
        let bytes = buffer.as_slice().to_vec();
        buffer.clear();
        bytes
    } else {
        std::mem::replace(buffer, queue.buffer())
    };
    queue.put(Chunk { bytes, from: Some(Arc::clone(from)), file: file.map(Arc::clone) });
}

/// One handing on: what is the same for every cut of it.
struct Hand<'a> {
    pipe: &'a Pipe,
    at: Wall,
    shelf: &'a Shelf,
    buffers: &'a mut Buffers,
    tally: Tally,
    found: bool,
}

impl<'a> Hand<'a> {
    fn new(pipe: &'a Pipe, at: Wall, shelf: &'a Shelf, buffers: &'a mut Buffers) -> Self {
        Self { pipe, at, shelf, buffers, tally: Tally::default(), found: false }
    }

    fn take(&mut self, cut: Cut<'_>) {
        let (Cut::Lines(bytes) | Cut::Piece(bytes)) = cut;
        let sought = if self.found { None } else { self.pipe.ready.as_ref() };
        self.found |= sought.is_some_and(|pattern| pattern.is_in(bytes));
        let mark = Mark { partial: false, leftover: self.pipe.leftover };
        if let Some((_, form)) = &self.pipe.aims.shown {
            form.cut(cut, self.at, mark, &mut self.buffers.shown);
        }
        if let Some((_, form)) = &self.pipe.aims.filed {
            form.cut(cut, self.at, mark, &mut self.buffers.filed);
        }
        match cut {
            Cut::Lines(lines) => {
                self.tally.lines += count(lines);
                self.shelf.lines(lines, self.at, self.pipe.which);
            }
            Cut::Piece(piece) => {
                self.tally.lines += 1;
                self.tally.pieces += 1;
                self.shelf.piece(piece, self.at, self.pipe.which);
            }
        }
    }

    fn done(mut self, read: usize) -> (Tally, bool) {
        self.tally.bytes = read as u64;
        (self.tally, self.found)
    }
}

/// Makes the read end of a pipe non-blocking. The other end, which the process has, stays as it is.
pub fn make_non_blocking(fd: &OwnedFd) -> nix::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(drop)
}
