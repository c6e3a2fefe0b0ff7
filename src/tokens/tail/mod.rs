//! Follows the transcripts: finds them, reads what was appended, and hands on what it means.
//!
//! Owns the files and what is read of them. Polls, because that works on every file system that a
//! container can have; a poll reads only what was appended, opens one file at a time, and looks
//! often only at what changed lately. What is handed on is enough to start again after a crash:
//! the offset of a file is where its first open response begins, and what was closed since is
//! known by key, so that nothing is lost and nothing counted twice. Refuses to drop anything: when
//! the queue is full it waits, for the file is the real queue.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::clock;
use crate::tokens::agents::{Line, claude};
use crate::tokens::book::{Book, Closed, FileId, Heard, Place};
use crate::tokens::price::Prices;
use crate::tokens::source::Source;
use crate::tokens::tail::file::{Change, Identity, Look, Tracked};
use crate::tokens::tail::read::{Found, Position, Reader};
use crate::tokens::tail::scan::{HOT, Tree};
use crate::tokens::{FileProgress, LineCounts, TokenBatch, TokenResume, UsageKey};
use crate::units::{Now, Wall};

#[cfg(test)]
mod corpus;
mod file;
mod read;
mod scan;
#[cfg(test)]
mod tests;

/// Between two polls when all is read.
const INTERVAL: Duration = Duration::from_millis(500);

/// Read in one poll, so that what is found is handed on in portions: some 60 ms of work.
const BYTES_AT_ONCE: u64 = 8 << 20;

/// Read of one file before the next has its turn.
const BYTES_IN_TURN: u64 = 4 << 20;

/// Files that are followed at most, over all sources: some 10 MiB of memory.
const MOST_FILES: usize = 20_000;

/// Files that did not change for a while and are looked at nonetheless, in one poll: with 500 files
/// each is seen within a second, with 10,000 within 20, at 0.1 % of a core.
const COLD_AT_ONCE: usize = 256;

/// A file born this much before us is ours nonetheless: file systems keep coarse times.
const BIRTH_SLACK_MS: i64 = 100;

/// At the end, what was appended is still read, for this many polls.
const LAST_POLLS: usize = 16;

/// How to begin.
#[derive(Clone, Debug)]
pub struct Start {
    /// When this life began: what was written before is history.
    pub at: Wall,
    /// What earlier lives left.
    pub resume: TokenResume,
    /// Whether history is counted too when a folder is first seen.
    pub count_history: bool,
    /// What tokens cost.
    pub prices: Prices,
}

/// The follower of all sources.
pub struct Follower {
    begun: Wall,
    roots: Vec<Root>,
    files: HashMap<FileId, Tracked>,
    paths: HashMap<PathBuf, FileId>,
    inodes: HashMap<(u64, u64), FileId>,
    next: u64,
    /// Files that changed lately.
    hot: BTreeSet<FileId>,
    /// All files, in the order in which they are looked at.
    round: VecDeque<FileId>,
    /// Files with something to read.
    dirty: VecDeque<FileId>,
    /// Files whose offset may have to be told.
    moved: BTreeSet<FileId>,
    resume: HashMap<PathBuf, FileProgress>,
    reader: Option<Reader>,
    book: Book,
    lines: LineCounts,
    seeded: Vec<UsageKey>,
    full: bool,
}

struct Root {
    source: Source,
    tree: Tree,
    /// Whether what is there is history.
    first_sight: bool,
    /// Whether it is stored that its history is known.
    settled: bool,
}

/// Follows until `stop` is ready or nobody receives any more, then reads what is left once more and
/// closes every response.
pub async fn follow(
    mut follower: Follower,
    sender: mpsc::Sender<TokenBatch>,
    stop: impl Future<Output = ()>,
) {
    let mut stop = pin!(stop);
    loop {
        let batches;
        (follower, batches) = on_a_thread(follower, Follower::poll).await;
        if !send(&sender, batches).await {
            return;
        }
        let pause = if follower.is_behind() { Duration::ZERO } else { INTERVAL };
        tokio::select! {
            biased;
            () = &mut stop => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    let (_, batches) = on_a_thread(follower, Follower::finish).await;
    send(&sender, batches).await;
}

async fn on_a_thread(
    mut follower: Follower,
    work: fn(&mut Follower, Now) -> Vec<TokenBatch>,
) -> (Follower, Vec<TokenBatch>) {
    let task = tokio::task::spawn_blocking(move || {
        let batches = work(&mut follower, clock::now());
        (follower, batches)
    });
    match task.await {
        Ok(done) => done,
        // Our caller restarts what panics; what was cancelled, was so with the whole runtime.
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}

async fn send(sender: &mpsc::Sender<TokenBatch>, batches: Vec<TokenBatch>) -> bool {
    for batch in batches {
        if sender.send(batch).await.is_err() {
            return false;
        }
    }
    true
}

impl Follower {
    /// A follower that has not looked at anything yet.
    pub fn new(sources: Vec<Source>, start: Start) -> Self {
        let TokenResume { progress, seen } = start.resume;
        let resume: HashMap<_, _> =
            progress.into_iter().map(|row| (row.path.clone(), row)).collect();
        let root = |source: Source| {
            let settled = resume.contains_key(&source.root);
            let first_sight = !settled && !start.count_history;
            Root { tree: Tree::new(&source.root), source, first_sight, settled }
        };
        Self {
            begun: start.at,
            roots: sources.into_iter().map(root).collect(),
            files: HashMap::new(),
            paths: HashMap::new(),
            inodes: HashMap::new(),
            next: 0,
            hot: BTreeSet::new(),
            round: VecDeque::new(),
            dirty: VecDeque::new(),
            moved: BTreeSet::new(),
            resume,
            reader: Some(Reader::new()),
            book: Book::new(start.prices, seen),
            lines: LineCounts::default(),
            seeded: Vec::new(),
            full: false,
        }
    }

    /// Looks for changes, reads some of what was appended, and gives what is to be handed on, in
    /// the order in which it must be stored.
    pub fn poll(&mut self, now: Now) -> Vec<TokenBatch> {
        self.look(now);
        self.check(now);
        self.read_some(now);
        self.book.settle(now);
        self.collect()
    }

    /// Reads what is left, and closes every response.
    pub fn finish(&mut self, now: Now) -> Vec<TokenBatch> {
        let mut batches = Vec::new();
        for _ in 0..LAST_POLLS {
            batches.extend(self.poll(now));
            if !self.is_behind() {
                self.book.close_all(now);
                batches.extend(self.collect());
                break;
            }
        }
        batches
    }

    /// Whether there is more to read at once.
    pub fn is_behind(&self) -> bool {
        !self.dirty.is_empty() || self.roots.iter().any(|root| !root.tree.is_complete())
    }

    /// Files that are followed.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// Responses whose id had been given to another one before.
    pub fn reused_ids(&self) -> u64 {
        self.book.reused()
    }

    /// Known responses that were forgotten because there were too many.
    pub fn forgotten_keys(&self) -> u64 {
        self.book.forgotten()
    }

    /// Finds new files, oldest first, since a fork's copies come after their origin.
    fn look(&mut self, now: Now) {
        for source in 0..self.roots.len() {
            let found = self.roots[source].tree.look(now);
            let mut fresh: Vec<_> = found
                .into_iter()
                .filter(|path| !self.paths.contains_key(path))
                .filter_map(|path| {
                    let (identity, look) = file::stat(&path).ok()??;
                    Some((identity, look, path))
                })
                .collect();
            fresh.sort_by(|(a, x, p), (b, y, q)| {
                (a.born, x.written, p).cmp(&(b.born, y.written, q))
            });
            for (identity, look, path) in fresh {
                self.adopt(source, path, identity, look, now);
            }
            if self.roots[source].tree.is_known() {
                self.roots[source].first_sight = false;
            }
        }
    }

    /// Begins to follow a file, or follows one to its new name.
    fn adopt(&mut self, source: usize, path: PathBuf, identity: Identity, look: Look, now: Now) {
        let inode = (identity.device, identity.inode);
        if let Some(id) = self.inodes.get(&inode).copied() {
            return self.rename(id, path, identity);
        }
        if self.files.len() >= MOST_FILES {
            return self.refuse(&path);
        }
        let id = FileId(self.next);
        self.next += 1;
        let tracked = self.begin(source, path.clone(), identity, look, now);
        if tracked.hot_until > now.mono {
            self.hot.insert(id);
        }
        self.files.insert(id, tracked);
        self.paths.insert(path, id);
        self.inodes.insert(inode, id);
        self.round.push_back(id);
        self.dirty.push_back(id);
        self.moved.insert(id);
    }

    /// Follows a file to its new name; its old one may be given to another. A file that has but
    /// the inode in common is left to the look that finds the old one gone.
    fn rename(&mut self, id: FileId, path: PathBuf, identity: Identity) {
        let Some(known) = self.files.get_mut(&id) else { return };
        if known.identity != identity {
            return;
        }
        let old = std::mem::replace(&mut known.path, path.clone());
        known.told = None;
        self.moved.insert(id);
        self.paths.insert(path, id);
        let linked = file::stat(&old).is_ok_and(|at| at.is_some_and(|(at, _)| at == identity));
        if !linked {
            self.paths.remove(&old);
        }
    }

    fn begin(
        &mut self,
        source: usize,
        path: PathBuf,
        identity: Identity,
        look: Look,
        now: Now,
    ) -> Tracked {
        let resumed = self.resume.remove(&path).filter(|row| row.inode == identity.inode);
        let offset = resumed.as_ref().map(|row| row.offset).filter(|offset| *offset <= look.size);
        let begun = Wall(self.begun.0.saturating_sub(BIRTH_SLACK_MS));
        let ours = identity.born.is_some_and(|born| born >= begun);
        let history = self.roots[source].first_sight && resumed.is_none() && !ours;
        Tracked {
            source,
            path,
            identity,
            position: Position::at(offset.unwrap_or(0)),
            history: if history { look.size } else { 0 },
            told: offset,
            look: Some(look),
            hot_until: if look.is_recent(now.wall) { now.mono.after(HOT) } else { now.mono },
            complained: false,
        }
    }

    fn refuse(&mut self, path: &Path) {
        if !std::mem::replace(&mut self.full, true) {
            tracing::warn!(
                target: "tokens",
                "cannot follow {}: {MOST_FILES} transcripts are followed already; remove old ones",
                path.display()
            );
        }
    }

    /// Looks at the files that changed lately, and at some of the others.
    fn check(&mut self, now: Now) {
        let mut due: BTreeSet<FileId> = self.hot.clone();
        let some = COLD_AT_ONCE.min(self.round.len());
        due.extend(self.round.iter().take(some));
        self.round.rotate_left(some);
        for id in due {
            self.check_one(id, now);
        }
    }

    fn check_one(&mut self, id: FileId, now: Now) {
        let Some(tracked) = self.files.get_mut(&id) else { return };
        let before = (tracked.identity.device, tracked.identity.inode);
        match tracked.check() {
            Change::None if tracked.hot_until < now.mono => {
                self.hot.remove(&id);
            }
            Change::None => {}
            Change::Gone => self.drop(id),
            change @ (Change::Written | Change::Replaced) => {
                tracked.hot_until = now.mono.after(HOT);
                let after = (tracked.identity.device, tracked.identity.inode);
                self.hot.insert(id);
                if change == Change::Replaced {
                    self.book.forget(id);
                    self.inodes.remove(&before);
                    self.inodes.insert(after, id);
                }
                if !self.dirty.contains(&id) {
                    self.dirty.push_back(id);
                }
            }
        }
    }

    fn drop(&mut self, id: FileId) {
        let Some(tracked) = self.files.remove(&id) else { return };
        let inode = (tracked.identity.device, tracked.identity.inode);
        if self.inodes.get(&inode) == Some(&id) {
            self.inodes.remove(&inode);
        }
        self.paths.retain(|_, known| *known != id);
        self.hot.remove(&id);
        self.round.retain(|known| *known != id);
        self.dirty.retain(|known| *known != id);
        self.moved.remove(&id);
        self.book.forget(id);
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
        let Some(tracked) = self.files.get_mut(&id) else { return Ok(true) };
        let file = File::open(&tracked.path)?;
        let meta = file.metadata()?;
        if !meta.is_file() || file::identity(&meta) != tracked.identity {
            // Replaced since we looked: the next look will tell.
            tracked.look = None;
            return Ok(true);
        }
        if !tracked.position.continues(&file)? {
            tracked.restart();
            self.book.forget(id);
        }
        let before = tracked.position.read;
        let mut ears = Ears {
            book: &mut self.book,
            source: &self.roots[tracked.source].source,
            file: id,
            history: tracked.history,
            begun: self.begun,
            now,
            lines: &mut self.lines,
            seeded: &mut self.seeded,
        };
        let ended = reader.read(&file, &mut tracked.position, BYTES_IN_TURN, |found| {
            ears.take_in(found);
        })?;
        self.lines.bytes += tracked.position.read - before;
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
        let Some(tracked) = self.files.get_mut(&id) else { return };
        tracked.look = None;
        if error.kind() != io::ErrorKind::NotFound && !tracked.complained {
            tracked.complained = true;
            let path = tracked.path.display();
            tracing::warn!(target: "tokens", "cannot read {path}: {error}; its tokens are not counted");
        }
    }

    /// What is to be handed on: a batch for each process that used something, and the offsets in
    /// the last, so that they are never stored before what they stand for.
    fn collect(&mut self) -> Vec<TokenBatch> {
        let mut batches = by_process(self.book.take());
        let mut last = batches.pop().unwrap_or_else(|| TokenBatch {
            process: self.only_process(),
            ..TokenBatch::default()
        });
        last.progress = self.progress();
        last.seeded = std::mem::take(&mut self.seeded);
        last.lines = std::mem::take(&mut self.lines);
        let empty = TokenBatch { process: last.process.clone(), ..TokenBatch::default() };
        if last != empty {
            batches.push(last);
        }
        batches
    }

    fn progress(&mut self) -> Vec<FileProgress> {
        let holds = self.book.holds();
        let mut rows = Vec::new();
        let files = &mut self.files;
        self.moved.retain(|id| {
            let Some(tracked) = files.get_mut(id) else { return false };
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
        let mut files = self.files.values().filter(|file| file.source == source);
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

fn by_process(closed: Closed) -> Vec<TokenBatch> {
    let mut batches: BTreeMap<Option<Arc<str>>, TokenBatch> = BTreeMap::new();
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

/// Takes in the lines of one file.
struct Ears<'a> {
    book: &'a mut Book,
    source: &'a Source,
    file: FileId,
    history: u64,
    begun: Wall,
    now: Now,
    lines: &'a mut LineCounts,
    seeded: &'a mut Vec<UsageKey>,
}

impl Ears<'_> {
    fn take_in(&mut self, found: Found) {
        match found {
            Found::Oversized => self.lines.oversized += 1,
            Found::Line(offset, line) => claude::decode(line, |told| self.hear(offset, told)),
        }
    }

    fn hear(&mut self, offset: u64, line: Line) {
        match line {
            Line::Ignored => self.lines.ignored += 1,
            Line::Malformed => self.lines.malformed += 1,
            Line::Told(told) => {
                let ours = told.at.is_some_and(|at| self.begun <= at && at <= self.now.wall);
                if offset < self.history && !ours {
                    self.lines.duplicate += 1;
                    self.seeded.extend(self.book.seed(&told));
                    return;
                }
                let whose = self.source.whose(told.cwd.as_deref());
                let place = Place { file: self.file, offset };
                match self.book.hear(*told, whose, place, self.now) {
                    Heard::Counted => self.lines.counted += 1,
                    Heard::Duplicate => self.lines.duplicate += 1,
                }
            }
        }
    }
}
