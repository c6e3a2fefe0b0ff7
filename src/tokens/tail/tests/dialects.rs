//! Other agents' files, followed live: rollouts that are gone on with after a restart, documents that
//! are written anew, and a database.

use std::fs;
use std::path::Path;

use crate::clock;
use crate::config::plan::Dialect;
use crate::tokens::price::Prices;
use crate::tokens::source::Source;
use crate::tokens::tail::corpus::append;
use crate::tokens::tail::scene::{EARLY, LATE, owner};
use crate::tokens::tail::{Follower, Start};
use crate::tokens::{TokenBatch, TokenResume, Usage};
use crate::units::{Mono, Now, Wall};

/// One life after another over a folder of one dialect.
struct Stage {
    dir: tempfile::TempDir,
    dialect: Dialect,
    follower: Follower,
    stored: TokenResume,
    usages: Vec<Usage>,
    ms: u64,
}

fn follower(root: &Path, dialect: Dialect, at: Wall, resume: TokenResume) -> Follower {
    let sources = Source::merged([(root.to_owned(), dialect, owner("agent", None))]);
    let prices = Prices::embedded();
    Follower::new(sources, Start { at, resume, count_history: false, prices, excerpts: None })
}

impl Stage {
    fn new(dialect: Dialect, at: Wall, before: impl FnOnce(&Path)) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        before(dir.path());
        let follower = follower(dir.path(), dialect, at, TokenResume::default());
        let stored = TokenResume::default();
        Self { dir, dialect, follower, stored, usages: Vec::new(), ms: 1_000 }
    }

    fn restart(&mut self) {
        self.follower = follower(self.dir.path(), self.dialect, LATE, self.stored.clone());
    }

    /// Polls until what is open is closed.
    fn quiet(&mut self) -> Vec<u64> {
        for _ in 0..2 {
            self.poll();
            self.ms += 3_000;
        }
        self.usages.iter().map(|usage| usage.tokens.output).collect()
    }

    /// Polls until there is nothing more to read: folders within folders take a poll each.
    fn poll(&mut self) {
        loop {
            let now = Now { mono: Mono(self.ms * 1_000_000), wall: clock::now().wall };
            self.follower.poll(now).into_iter().for_each(|batch| self.store(batch));
            if !self.follower.is_behind() {
                return;
            }
        }
    }

    fn store(&mut self, batch: TokenBatch) {
        self.stored.seen.extend(&batch.seeded);
        self.stored.seen.extend(batch.usages.iter().map(|usage| usage.key));
        for row in batch.progress {
            self.stored.progress.retain(|known| known.path != row.path);
            self.stored.progress.push(row);
        }
        self.usages.extend(batch.usages);
    }
}

const ROLLOUT: &str = "2026/10/01/rollout-2026-10-01T10-00-00-thread.jsonl";

fn turn(model: &str) -> String {
    format!(
        "{{\"timestamp\":\"2026-10-01T10:00:00Z\",\"type\":\"turn_context\",\"payload\":{{\"model\":\"{model}\"}}}}\n"
    )
}

fn count(total: u64) -> String {
    format!(
        "{{\"timestamp\":\"2026-10-01T10:00:09Z\",\"type\":\"event_msg\",\"payload\":{{\"type\":\"token_count\",\"info\":{{\"total_token_usage\":{{\"input_tokens\":{total},\"output_tokens\":{total}}}}}}}}}\n"
    )
}

#[test]
fn a_rollout_goes_on_after_a_restart_where_it_was() {
    let mut stage = Stage::new(Dialect::Codex, EARLY, |_| {});
    let path = stage.dir.path().join(ROLLOUT);
    append(&path, format!("{}{}", turn("gpt-5.5"), count(10)).as_bytes());
    assert_eq!(stage.quiet(), [10]);
    for (life, total) in [(1, 15), (2, 22)] {
        stage.restart();
        append(&path, count(total).as_bytes());
        assert_eq!(stage.quiet().len(), life + 1);
    }
    assert_eq!(stage.quiet(), [10, 5, 7]);
    assert!(stage.usages.iter().all(|usage| usage.model == "gpt-5.5"));
    assert!(stage.usages.iter().all(|usage| usage.provider == "openai"));
}

#[test]
fn a_rollout_that_was_there_before_us_counts_from_where_it_was() {
    let mut stage = Stage::new(Dialect::Codex, LATE, |root| {
        append(&root.join(ROLLOUT), format!("{}{}", turn("m"), count(10)).as_bytes());
    });
    assert!(stage.quiet().is_empty());
    append(&stage.dir.path().join(ROLLOUT), count(16).as_bytes());
    assert_eq!(stage.quiet(), [6]);
}

#[test]
fn a_document_that_is_written_anew_tells_only_what_is_new() {
    let message = |id: u64| {
        format!(
            "{{\"id\":\"m{id}\",\"type\":\"gemini\",\"model\":\"g\",\"tokens\":{{\"input\":1,\"output\":{id}}}}}"
        )
    };
    let document = |count: u64| {
        let all: Vec<_> = (1..=count).map(message).collect();
        format!("{{\n \"sessionId\": \"g1\",\n \"messages\": [\n{}\n]}}", all.join(",\n"))
    };
    let mut stage = Stage::new(Dialect::Gemini, LATE, |root| {
        append(&root.join("p/chats/session-a.json"), document(1).as_bytes());
    });
    let path = stage.dir.path().join("p/chats/session-a.json");
    assert!(stage.quiet().is_empty(), "history");
    stage.restart();
    fs::write(&path, document(2)).expect("written");
    assert_eq!(stage.quiet(), [2]);
    // By a new file in its place, and torn in between.
    fs::write(&path, &document(3)[..40]).expect("written");
    assert_eq!(stage.quiet(), [2]);
    let aside = path.with_extension("tmp");
    fs::write(&aside, document(3)).expect("written");
    fs::rename(&aside, &path).expect("renamed");
    assert_eq!(stage.quiet(), [2, 3]);
    assert_eq!(stage.usages[1].conversation, "g1");
}

#[cfg(feature = "sqlite")]
mod databases {
    use rusqlite::Connection;

    use super::*;

    fn database(root: &Path) -> Connection {
        let db = Connection::open(root.join("opencode.db")).expect("a database");
        db.execute_batch(
            "PRAGMA journal_mode = wal;
             CREATE TABLE IF NOT EXISTS message (id text PRIMARY KEY, session_id text NOT NULL,
               time_created integer, time_updated integer, data text NOT NULL);
             CREATE TABLE IF NOT EXISTS part (id text PRIMARY KEY, message_id text, data text);",
        )
        .expect("tables");
        db
    }

    fn put(db: &Connection, id: &str, created: i64, updated: i64, output: u64) {
        // What is still to come has no tokens at all.
        let input = if output > 0 { 5 } else { 0 };
        let data = format!(
            r#"{{"role":"assistant","modelID":"claude-sonnet-5","providerID":"anthropic","time":{{"created":{created}}},"tokens":{{"input":{input},"output":{output},"reasoning":0,"cache":{{"read":0,"write":0}}}}}}"#
        );
        db.execute(
            "INSERT OR REPLACE INTO message VALUES (?1, 'ses_1', ?2, ?3, ?4)",
            (id, created, updated, data),
        )
        .expect("a row");
    }

    #[test]
    fn rows_count_once_while_they_are_written_and_after_a_restart() {
        let mut stage = Stage::new(Dialect::Opencode, EARLY, |_| {});
        let db = database(stage.dir.path());
        put(&db, "msg_1", 1_000, 1_000, 0);
        put(&db, "msg_2", 2_000, 2_000, 7);
        assert_eq!(stage.quiet(), [7]);
        put(&db, "msg_1", 1_000, 3_000, 9);
        put(&db, "msg_3", 3_000, 3_000, 4);
        assert_eq!(stage.quiet(), [7, 9, 4]);
        stage.restart();
        assert_eq!(stage.quiet(), [7, 9, 4]);
        put(&db, "msg_4", 4_000, 4_000, 2);
        assert_eq!(stage.quiet(), [7, 9, 4, 2]);
        assert_eq!(stage.usages[0].conversation, "ses_1");
        // We never write: what the writer left beside the database stays there.
        assert!(stage.dir.path().join("opencode.db-wal").exists());
    }

    #[test]
    fn rows_that_were_there_before_us_are_history_and_a_file_that_is_no_database_is_none() {
        let mut stage = Stage::new(Dialect::Opencode, LATE, |root| {
            put(&database(root), "msg_1", 1_000, 1_000, 7);
            append(&root.join("deep/opencode.db"), b"no database at all");
        });
        assert!(stage.quiet().is_empty());
        assert_eq!(stage.stored.seen.len(), 1);
    }
}
