//! What the follower's tests act on.

use std::path::{Path, PathBuf};

use crate::clock;
use crate::config::plan::Dialect;
use crate::secret::masker::Masker;
use crate::tokens::price::Prices;
use crate::tokens::source::{Owner, Source, Whose};
use crate::tokens::tail::corpus::{Truth, append};
use crate::tokens::tail::{Follower, Start};
use crate::tokens::{Cost, LineCounts, TokenBatch, TokenCounts, TokenResume, Usage};
use crate::units::{Mono, Now, Wall};

/// A folder of transcripts, one life of a follower after another, and what they handed on: what is
/// in `stored` survives a life.
pub struct Scene {
    pub dir: tempfile::TempDir,
    pub follower: Follower,
    pub stored: TokenResume,
    pub usages: Vec<Usage>,
    pub corrections: i64,
    pub lines: LineCounts,
    pub files: u64,
    pub ms: u64,
    /// Output of what is being told.
    pub telling: Vec<u64>,
}

/// All that was there before us.
pub const LATE: Wall = Wall(i64::MAX);
/// Nothing was there before us.
pub const EARLY: Wall = Wall(0);

pub fn owner(process: &str, dir: Option<&str>) -> Owner {
    let whose = Whose { process: Some(process.into()), agent: "claude".into() };
    Owner { whose, working_dir: dir.map(PathBuf::from) }
}

/// That `owner` may write Claude Code's transcripts to a folder.
pub fn claim(root: &Path, owner: Owner) -> (PathBuf, Dialect, Owner) {
    (root.to_owned(), Dialect::Claude, owner)
}

pub fn follower(root: &Path, at: Wall, resume: TokenResume) -> Follower {
    let sources = Source::merged([claim(root, owner("agent", None))]);
    let start = Start {
        at,
        resume,
        count_history: false,
        prices: Prices::embedded(),
        excerpts: Some(Masker::default()),
    };
    Follower::new(sources, start)
}

impl Scene {
    pub fn new(at: Wall) -> Self {
        Self::after(at, |_| {})
    }

    /// A scene in which `before` wrote something before we came.
    pub fn after(at: Wall, before: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        before(dir.path());
        Self {
            follower: follower(dir.path(), at, TokenResume::default()),
            dir,
            stored: TokenResume::default(),
            usages: Vec::new(),
            corrections: 0,
            lines: LineCounts::default(),
            files: 0,
            ms: 1_000,
            telling: Vec::new(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn append(&self, name: &str, text: &str) {
        append(&self.path(name), text.as_bytes());
    }

    pub fn now(&self) -> Now {
        Now { mono: Mono(self.ms * 1_000_000), wall: clock::now().wall }
    }

    /// Polls until there is nothing more to read, and stores what is handed on.
    pub fn poll(&mut self) {
        loop {
            let batches = self.follower.poll(self.now());
            for batch in batches {
                self.store(batch);
            }
            if !self.follower.is_behind() {
                return;
            }
        }
    }

    /// Lets everything that is open close.
    pub fn quiet(&mut self) {
        self.poll();
        self.ms += 3_000;
        self.poll();
    }

    /// As the ledger and the store do, in one transaction.
    pub fn store(&mut self, batch: TokenBatch) {
        self.stored.seen.extend(&batch.seeded);
        self.stored.seen.extend(batch.usages.iter().map(|usage| usage.key));
        for row in batch.progress {
            self.stored.progress.retain(|known| known.path != row.path);
            self.stored.progress.push(row);
        }
        self.usages.extend(batch.usages);
        if let Some(open) = batch.telling {
            self.telling = open.iter().map(|usage| usage.tokens.output).collect();
        }
        self.files = batch.files.unwrap_or(self.files);
        self.corrections += batch.corrections.iter().map(|c| c.tokens).sum::<i64>();
        let (sum, more) = (&mut self.lines, batch.lines);
        sum.counted += more.counted;
        sum.duplicate += more.duplicate;
        sum.ignored += more.ignored;
        sum.malformed += more.malformed;
        sum.oversized += more.oversized;
        sum.bytes += more.bytes;
    }

    /// `kill -9`, and a new life.
    pub fn restart(&mut self) {
        self.follower = follower(self.dir.path(), LATE, self.stored.clone());
    }

    pub fn outputs(&self) -> Vec<u64> {
        self.usages.iter().map(|usage| usage.tokens.output).collect()
    }

    pub fn offset(&self, name: &str) -> Option<u64> {
        let path = self.path(name);
        self.stored.progress.iter().find(|row| row.path == path).map(|row| row.offset)
    }

    pub fn truth(&self) -> Truth {
        let nanos = |usage: &Usage| match usage.cost {
            Cost::Priced(money) => money.0,
            Cost::Unpriced | Cost::Estimated(_) => panic!("{} has a price", usage.model),
        };
        Truth {
            tokens: self.usages.iter().fold(TokenCounts::default(), |sum, u| sum.plus(&u.tokens)),
            responses: self.usages.len() as u64,
            nanos: self.usages.iter().map(nanos).sum(),
        }
    }
}

pub fn line(id: &str, output: u64) -> String {
    line_of(id, output, "s1", "/src")
}

pub fn line_of(id: &str, output: u64, session: &str, cwd: &str) -> String {
    format!(
        r#"{{"type":"assistant","sessionId":"{session}","cwd":"{cwd}","timestamp":"2026-10-01T10:00:00Z","message":{{"id":"{id}","model":"claude-sonnet-5","usage":{{"input_tokens":1,"output_tokens":{output}}}}}}}{}"#,
        "\n"
    )
}
