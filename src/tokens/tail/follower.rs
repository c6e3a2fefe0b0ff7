//! The follower: one poll after another, from what is on the disk to what is handed on.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use crate::chains::step::Step;
use crate::secret::masker::Masker;
use crate::tokens::agents::{self, Decoder, Shape};
use crate::tokens::book::{Book, Closed, FileId};
use crate::tokens::price::Prices;
use crate::tokens::quota::Quota;
use crate::tokens::source::Source;
use crate::tokens::tail::Start;
use crate::tokens::tail::bell::{self, Bell};
use crate::tokens::tail::ears::Ears;
use crate::tokens::tail::file::{self, Change, Identity, Look, Tracked};
use crate::tokens::tail::plain::{self, Links};
use crate::tokens::tail::read::{Position, Reader};
use crate::tokens::tail::scan::{HOT, Tree};
use crate::tokens::tail::shelf::{Put, Shelf};
use crate::tokens::tail::telling::{Telling, Told};
use crate::tokens::tail::turn;
use crate::tokens::talks::Talks;
use crate::tokens::{FileProgress, Lag, LineCounts, TokenBatch, TokenResume, UsageKey};
use crate::units::{Now, Wall};

/// Read in one poll, so that what is found is handed on in portions: some 30 ms of work.
const BYTES_AT_ONCE: u64 = 8 << 20;

/// A file born this much before us is ours nonetheless: file systems keep coarse times.
const BIRTH_SLACK_MS: i64 = 100;

/// At the end, what was appended is still read, for this many polls.
const LAST_POLLS: usize = 16;

/// The follower of all sources.
pub struct Follower {
    begun: Wall,
    roots: Vec<Root>,
    /// Whether what is there already is counted in folders that were never seen.
    count_history: bool,
    shelf: Shelf,
    /// Files with something to read.
    dirty: VecDeque<FileId>,
    /// Files whose offset may have to be told.
    moved: BTreeSet<FileId>,
    resume: HashMap<PathBuf, FileProgress>,
    reader: Option<Reader>,
    bell: Bell,
    book: Book,
    talks: Talks,
    excerpts: Option<Masker>,
    lines: LineCounts,
    seeded: Vec<UsageKey>,
    quotas: Vec<Quota>,
    lag: Lag,
    /// The number of files that was told last.
    files: u64,
    telling: Telling,
}

/// How long to wait for the next poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// There is more to read.
    None,
    /// Something is to be looked at by the clock.
    Short,
    /// The kernel tells when there is something.
    UntilTold,
}

struct Root {
    source: Source,
    tree: Tree,
    /// Whether what is there is history.
    first_sight: bool,
    /// Whether it is stored that its history is known.
    settled: bool,
}

impl Follower {
    /// A follower that has not looked at anything yet.
    pub fn new(sources: Vec<Source>, start: Start) -> Self {
        let TokenResume { progress, seen, told, .. } = start.resume;
        let resume: HashMap<_, _> =
            progress.into_iter().map(|row| (row.path.clone(), row)).collect();
        let mut follower = Self {
            begun: start.at,
            roots: Vec::new(),
            count_history: start.count_history,
            shelf: Shelf::default(),
            dirty: VecDeque::new(),
            moved: BTreeSet::new(),
            resume,
            reader: Some(Reader::new()),
            bell: Bell::new(),
            book: Book::new(start.prices, seen),
            talks: Talks::new(told),
            excerpts: start.excerpts,
            lines: LineCounts::default(),
            seeded: Vec::new(),
            quotas: Vec::new(),
            lag: Lag::default(),
            files: 0,
            telling: Telling::default(),
        };
        follower.follow(&sources);
        follower
    }

    /// Follows these as well: folders that are new, and more owners of those that are known. What
    /// lies in a new folder is looked at as if it had been followed from the beginning of our life.
    /// Nothing is given up, because a process that is out of the plan may still have a run.
    pub fn follow(&mut self, sources: &[Source]) {
        for source in sources {
            let known = |root: &&mut Root| root.source.is_of(source);
            match self.roots.iter_mut().find(known) {
                Some(root) => {
                    let known = &mut root.source.owners;
                    let new = source.owners.iter().filter(|owner| !known.contains(owner));
                    known.extend(new.cloned().collect::<Vec<_>>());
                }
                None => {
                    let settled = self.resume.contains_key(&source.root);
                    let first_sight = !settled && !self.count_history;
                    let tree = Tree::new(source.dialect, &source.root);
                    self.roots.push(Root { tree, source: source.clone(), first_sight, settled });
                }
            }
        }
    }

    /// Takes back what a follower before this one was telling, of which nobody knows any more.
    pub fn after_a_panic(mut self) -> Self {
        let owners = self.roots.iter().flat_map(|root| &root.source.owners);
        let processes: Vec<_> = owners.map(|owner| owner.whose.process.clone()).collect();
        self.telling.forget(processes.into_iter().chain([None]));
        self
    }

    /// Uses these prices from now on: what was counted keeps its cost.
    pub fn reprice(&mut self, prices: Prices) {
        self.book.reprice(prices);
    }

    /// The places of all roots, those within others first so that they win.
    fn inner_first(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.roots.len()).collect();
        let depth = |place: &usize| self.roots[*place].source.root.components().count();
        places.sort_by_key(|place| std::cmp::Reverse(depth(place)));
        places
    }

    /// Looks for changes, reads some of what was appended, and gives what is to be handed on, in
    /// the order in which it must be stored.
    pub fn poll(&mut self, now: Now) -> Vec<TokenBatch> {
        self.listen(now);
        let fresh = self.look(now);
        self.check(now);
        // Behind what was written to the others until they were found, since a fork may copy that.
        for id in fresh {
            if !self.dirty.contains(&id) {
                self.dirty.push_back(id);
            }
        }
        self.read_some(now);
        self.book.settle(now);
        self.collect(now)
    }

    /// Reads what is left, and closes every response.
    pub fn finish(&mut self, now: Now) -> Vec<TokenBatch> {
        let mut batches = Vec::new();
        for _ in 0..LAST_POLLS {
            batches.extend(self.poll(now));
            if !self.is_behind() {
                self.book.close_all(now);
                batches.extend(self.collect(now));
                break;
            }
        }
        batches
    }

    /// Whether there is more to read at once.
    pub fn is_behind(&self) -> bool {
        !self.dirty.is_empty() || self.roots.iter().any(|root| !root.tree.is_complete())
    }

    /// How long to wait for the next poll.
    pub fn pause(&self) -> Pause {
        match (self.is_behind(), self.bell.hears_all() && !self.book.is_telling()) {
            (true, _) => Pause::None,
            (false, false) => Pause::Short,
            (false, true) => Pause::UntilTold,
        }
    }

    /// A descriptor that is readable when the kernel told of something.
    pub fn bell(&self) -> Option<OwnedFd> {
        self.bell.descriptor()
    }

    /// Has what the kernel told of looked at: files that are known, and the folders of others.
    fn listen(&mut self, now: Now) {
        let rung = self.bell.rung();
        if rung.lost {
            self.shelf.warm_all();
        }
        for path in rung.paths {
            if self.shelf.warm(&bell::meant(&path)) {
                continue;
            }
            let folder = path.parent().unwrap_or(&path);
            self.roots.iter_mut().for_each(|root| root.tree.warm(folder, now.mono));
        }
    }

    /// Finds new files, oldest first, since a fork's copies come after their origin.
    fn look(&mut self, now: Now) -> Vec<FileId> {
        let mut adopted = Vec::new();
        for source in self.inner_first() {
            let found = self.roots[source].tree.look(now, self.bell.hears_all());
            let bell = &mut self.bell;
            self.roots[source].tree.fresh().iter().for_each(|folder| bell.watch(folder));
            let fresh = found.into_iter().filter(|path| !self.shelf.has(path));
            let mut fresh: Vec<_> = fresh
                .filter_map(|path| file::stat(&path).ok()?.map(|(id, look)| (id, look, path)))
                .collect();
            fresh.sort_by(|(a, x, p), (b, y, q)| {
                (a.born, x.written, p).cmp(&(b.born, y.written, q))
            });
            for (identity, look, path) in fresh {
                adopted.extend(self.adopt(source, path, identity, look, now));
            }
            if self.roots[source].tree.is_known() {
                self.roots[source].first_sight = false;
            }
        }
        adopted
    }

    /// Begins to follow a file; which it is, if it is to be read.
    fn adopt(
        &mut self,
        source: usize,
        path: PathBuf,
        identity: Identity,
        look: Look,
        now: Now,
    ) -> Option<FileId> {
        let resumed = self.resume.get(&path).filter(|row| row.inode == identity.inode);
        let offset = resumed.map(|row| row.offset);
        let is_database =
            agents::shape(self.roots[source].source.dialect, &path) == Some(Shape::Database);
        let offset = offset.filter(|offset| is_database || *offset <= look.size);
        let begun = Wall(self.begun.0.saturating_sub(BIRTH_SLACK_MS));
        let ours = identity.born.is_some_and(|born| born >= begun);
        let history = self.roots[source].first_sight && resumed.is_none() && !ours;
        let dialect = self.roots[source].source.dialect;
        let shape = agents::shape(dialect, &path)?;
        let end = if shape == Shape::Database { self.begun.0.cast_unsigned() } else { look.size };
        let tracked = Tracked {
            source,
            path,
            identity,
            shape,
            decoder: None,
            position: Position::at(offset.unwrap_or(0)),
            history: if history { end } else { 0 },
            told: offset,
            look: Some(look),
            hot_until: if look.is_recent(now.wall) { now.mono.after(HOT) } else { now.mono },
            complained: false,
        };
        self.resume.remove(&tracked.path);
        let put = self.shelf.put(tracked, now.mono);
        if let Put::New(id) | Put::Renamed(id) = put {
            self.moved.insert(id);
        }
        if let Put::New(id) = put { Some(id) } else { None }
    }

    /// Looks for changes in the files that are followed.
    fn check(&mut self, now: Now) {
        for (id, change) in self.shelf.check(now, self.bell.hears_all()) {
            if matches!(change, Change::Gone | Change::Replaced) {
                self.book.forget(id);
                self.talks.forget(id);
            }
            if change == Change::Gone {
                self.dirty.retain(|known| *known != id);
            } else if !self.dirty.contains(&id) {
                self.dirty.push_back(id);
            }
        }
    }

    /// Reads the files that have something to read in turn, until a portion is read.
    fn read_some(&mut self, now: Now) {
        let Some(mut reader) = self.reader.take() else { return };
        let until = self.lines.bytes + BYTES_AT_ONCE;
        while self.lines.bytes < until
            && let Some(id) = self.dirty.pop_front()
        {
            match self.read_one(&mut reader, id, now) {
                Ok(true) => {}
                Ok(false) => self.dirty.push_back(id),
                Err(error) => self.complain(id, &error),
            }
        }
        self.reader = Some(reader);
    }

    /// Reads one file in its turn; whether its end was reached.
    fn read_one(&mut self, reader: &mut Reader, id: FileId, now: Now) -> io::Result<bool> {
        let Some(tracked) = self.shelf.get_mut(id) else { return Ok(true) };
        let file = plain::open(&tracked.path, Links::Refuse)?;
        let meta = file.metadata()?;
        if !meta.is_file() || file::identity(&meta) != tracked.identity {
            // Replaced since we looked: the next look will tell.
            tracked.look = None;
            return Ok(true);
        }
        if tracked.shape == Shape::Lines && !tracked.position.continues(&file)? {
            tracked.restart();
            self.book.forget(id);
            self.talks.forget(id);
        }
        let root = &self.roots[tracked.source];
        let mut decoder = match tracked.decoder.take() {
            Some(decoder) => decoder,
            None => {
                let fresh = Decoder::new(root.source.dialect, &tracked.path);
                turn::decoder(reader, &file, tracked, fresh)?
            }
        };
        let mut ears = Ears {
            book: &mut self.book,
            talks: &mut self.talks,
            excerpts: self.excerpts.as_ref(),
            source: &root.source,
            file: id,
            decoder: &mut decoder,
            retold: tracked.shape != Shape::Lines,
            history: tracked.history,
            begun: self.begun,
            now,
            lines: &mut self.lines,
            seeded: &mut self.seeded,
            quotas: &mut self.quotas,
        };
        let (bytes, ended) = turn::read(reader, &file, tracked, &mut ears)?;
        tracked.decoder = Some(decoder);
        self.lines.bytes += bytes;
        if ended {
            // A last line that is completed later is no history.
            tracked.history = tracked.history.min(tracked.position.line);
        }
        self.moved.insert(id);
        tracked.complained = false;
        Ok(ended)
    }

    /// Says once that a file cannot be read; it is tried again whenever it is looked at.
    fn complain(&mut self, id: FileId, error: &io::Error) {
        let Some(tracked) = self.shelf.get_mut(id) else { return };
        tracked.look = None;
        if error.kind() != io::ErrorKind::NotFound && !tracked.complained {
            tracked.complained = true;
            let path = tracked.path.display();
            tracing::warn!(target: "tokens", "cannot read {path}: {error}; its tokens are not counted");
        }
    }

    /// What is to be handed on: a batch for each process that used something, and the offsets in
    /// the last, so that they are never stored before what they stand for.
    fn collect(&mut self, now: Now) -> Vec<TokenBatch> {
        let behind = self.is_behind();
        // Reading what was missed opens thousands at once, which are closed as soon.
        let telling = if behind { Vec::new() } else { self.book.telling(now.wall) };
        let mut batches = by_process(self.book.take(), self.telling.news(telling));
        let mut last = batches.pop().unwrap_or_else(|| TokenBatch {
            process: self.only_process(),
            ..TokenBatch::default()
        });
        let holds = self.book.holds();
        last.progress = self.progress(&holds);
        last.steps = self.steps(&holds);
        last.seeded = std::mem::take(&mut self.seeded);
        last.lines = std::mem::take(&mut self.lines);
        last.lines.reused = self.book.take_reused();
        last.quotas = newest(std::mem::take(&mut self.quotas));
        last.lag = self.new_lag(now);
        let files = self.shelf.len() as u64;
        last.files = (std::mem::replace(&mut self.files, files) != files).then_some(files);
        let empty = TokenBatch { process: last.process.clone(), ..TokenBatch::default() };
        if last != empty {
            batches.push(last);
        }
        batches
    }

    /// How far behind reading is, where that is another figure than the one before.
    fn new_lag(&mut self, now: Now) -> Option<Lag> {
        let left = self.dirty.iter().filter_map(|id| self.shelf.get(*id));
        let bytes = left.map(Tracked::unread).sum();
        let since = self.is_behind().then(|| self.lag.since.unwrap_or(now.wall));
        let lag = Lag { bytes, since };
        (std::mem::replace(&mut self.lag, lag) != lag).then_some(lag)
    }

    /// What happened before the offsets that are told: in one batch with them, since it has no key
    /// by which a second telling would be known.
    fn steps(&mut self, holds: &HashMap<FileId, u64>) -> Vec<Step> {
        for id in self.talks.waiting() {
            let read = self.shelf.get_mut(id).map_or(u64::MAX, |tracked| tracked.position.line);
            let hold = holds.get(&id).copied().unwrap_or(u64::MAX);
            self.talks.pass(id, read.min(hold));
        }
        self.talks.take()
    }

    fn progress(&mut self, holds: &HashMap<FileId, u64>) -> Vec<FileProgress> {
        let mut rows = Vec::new();
        let shelf = &mut self.shelf;
        self.moved.retain(|id| {
            let Some(tracked) = shelf.get_mut(*id) else { return false };
            let hold = holds.get(id).copied();
            rows.extend(tracked.progress(hold));
            hold.is_some()
        });
        for source in 0..self.roots.len() {
            rows.extend(self.settle_root(source));
        }
        rows
    }

    /// The row that says that the history of a folder is known, once it is.
    fn settle_root(&mut self, source: usize) -> Option<FileProgress> {
        let root = &mut self.roots[source];
        let mut files = self.shelf.all().filter(|file| file.source == source);
        if root.settled || !root.tree.is_known() || files.any(Tracked::in_history) {
            return None;
        }
        let identity = file::identity(&std::fs::metadata(root.tree.root()).ok()?);
        root.settled = true;
        let Identity { device, inode, .. } = identity;
        Some(FileProgress { path: root.source.root.clone(), device, inode, offset: 0 })
    }

    /// The process, if there is but one that could have used anything.
    fn only_process(&self) -> Option<String> {
        let mut owners = self.roots.iter().flat_map(|root| &root.source.owners);
        let first = owners.next()?.whose.process.as_ref()?;
        owners.all(|owner| owner.whose.process.as_ref() == Some(first)).then(|| first.to_string())
    }
}

/// The newest of each agent and limit; a history tells thousands.
fn newest(quotas: Vec<Quota>) -> Vec<Quota> {
    let mut newest: BTreeMap<_, Quota> = BTreeMap::new();
    for quota in quotas {
        let key = (quota.agent.clone(), quota.window);
        if newest.get(&key).is_none_or(|known| known.at <= quota.at) {
            newest.insert(key, quota);
        }
    }
    newest.into_values().collect()
}

fn by_process(closed: Closed, telling: Told) -> Vec<TokenBatch> {
    let mut batches: BTreeMap<Option<Arc<str>>, TokenBatch> = BTreeMap::new();
    for (process, told) in telling {
        batches.entry(process).or_default().telling = Some(told);
    }
    for (whose, usage) in closed.usages {
        batches.entry(whose.process).or_default().usages.push(usage);
    }
    for (whose, correction) in closed.corrections {
        batches.entry(whose.process).or_default().corrections.push(correction);
    }
    let named = |(process, batch): (Option<Arc<str>>, TokenBatch)| TokenBatch {
        process: process.as_deref().map(str::to_owned),
        ..batch
    };
    batches.into_iter().map(named).collect()
}
