//! Other agents' files, followed live: rollouts that are gone on with after a restart, documents that
//! are written anew, and a database.

use std::fs;
use std::path::Path;

use crate::chains::step::Deed;
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

const PARENT: &str = "0b0f3c52-5d0a-4b1e-9a37-6d0c9b3f1a11";
const FORK: &str = "7c1d9e80-2f44-4c55-8d21-0a9b8c7d6e5f";

const SECOND: &str = "9e8d7c6b-1a2b-4c3d-8e4f-5a6b7c8d9e0f";

/// A rollout's row at this second.
fn row(second: u64, kind: &str, payload: &str) -> String {
    let at = format!("2026-10-01T10:{:02}:{:02}Z", second / 60, second % 60);
    format!("{{\"timestamp\":\"{at}\",\"type\":\"{kind}\",\"payload\":{payload}}}\n")
}

/// The rows of a thread whose ids tell no time: its head, and turns with their totals.
fn thread(begin: u64, head: &str, totals: &[u64]) -> String {
    let mut text = row(begin, "session_meta", head);
    for (number, total) in totals.iter().enumerate() {
        let second = begin + 10 * number as u64;
        let turn = format!("{{\"turn_id\":\"turn-{number}\",\"model\":\"gpt-5.5\"}}");
        text += &row(second + 1, "turn_context", &turn);
        let spent = format!("{{\"input_tokens\":{total},\"output_tokens\":{total}}}");
        let info = format!("{{\"total_token_usage\":{spent}}}");
        let count = format!("{{\"type\":\"token_count\",\"info\":{info}}}");
        text += &row(second + 6, "event_msg", &count);
    }
    text
}

#[test]
fn a_fork_whose_ids_tell_no_time_counts_what_its_parent_did_not() {
    let head = |id: &str| format!("{{\"id\":\"{id}\"}}");
    let fork = format!("{{\"id\":\"{FORK}\",\"forked_from_id\":\"{PARENT}\"}}");
    let path = |id: &str| format!("2026/10/01/rollout-2026-10-01T10-00-00-{id}.jsonl");
    let mut stage = Stage::new(Dialect::Codex, EARLY, |_| {});
    append(&stage.dir.path().join(path(PARENT)), thread(0, &head(PARENT), &[10, 30]).as_bytes());
    assert_eq!(stage.quiet(), [10, 20]);
    // The parent's rows with new times, as far apart as if somebody had waited for answers.
    let copied = thread(300, &fork, &[10, 30, 70]);
    append(&stage.dir.path().join(path(FORK)), copied.as_bytes());
    assert_eq!(stage.quiet(), [10, 20, 40], "only what is its own");
    assert_eq!(stage.usages[2].conversation, FORK);
    // Both go on.
    let on = |total: u64| {
        let spent = format!("{{\"input_tokens\":{total},\"output_tokens\":{total}}}");
        let info = format!("{{\"total_token_usage\":{spent}}}");
        row(900, "event_msg", &format!("{{\"type\":\"token_count\",\"info\":{info}}}"))
    };
    append(&stage.dir.path().join(path(PARENT)), on(35).as_bytes());
    append(&stage.dir.path().join(path(FORK)), on(71).as_bytes());
    let mut last = stage.quiet().split_off(3);
    last.sort_unstable();
    assert_eq!(last, [1, 5]);
    // One that begins right behind what its parent just wrote, both seen at one look.
    let second = format!("{{\"id\":\"{SECOND}\",\"forked_from_id\":\"{PARENT}\"}}");
    append(&stage.dir.path().join(path(PARENT)), on(95).as_bytes());
    let copied = thread(1_000, &second, &[10, 30, 35, 95, 99]);
    append(&stage.dir.path().join(path(SECOND)), copied.as_bytes());
    assert_eq!(stage.quiet().split_off(5), [60, 4]);
    let found = crate::tokens::tail::offline::scan(&[stage.dir.path().to_owned()]);
    assert_eq!(found.tally.len(), 7, "the same when it is summed up");
}

#[test]
fn parts_in_files_of_their_own_tell_what_was_asked_and_used() {
    let dir = tempfile::tempdir().expect("a folder");
    let put = |path: &str, text: &str| append(&dir.path().join(path), text.as_bytes());
    put("storage/part/msg_1/prt_1.json", r#"{"type":"text","text":"look at it"}"#);
    put("storage/message/ses_1/msg_1.json", r#"{"id":"msg_1","role":"user","time":{"created":1}}"#);
    put(
        "storage/part/msg_2/prt_2.json",
        r#"{"type":"tool","tool":"read","state":{"input":{"filePath":"/src/a"}}}"#,
    );
    put("storage/part/msg_2/prt_3.json", r#"{"type":"text","text":"done"}"#);
    put("storage/part/msg_2/prt_4.json", &"x".repeat(2 << 20));
    std::os::unix::fs::symlink("/dev/zero", dir.path().join("storage/part/msg_2/prt_5.json"))
        .expect("a link");
    put(
        "storage/message/ses_1/msg_2.json",
        r#"{"role":"assistant","modelID":"m","time":{"created":2,"completed":3},"tokens":{"input":5,"output":7}}"#,
    );
    let start = Start {
        at: EARLY,
        resume: TokenResume::default(),
        count_history: false,
        prices: Prices::embedded(),
        excerpts: Some(crate::secret::masker::Masker::default()),
    };
    let root = (dir.path().to_owned(), Dialect::Opencode, owner("agent", None));
    let batches = Follower::new(Source::merged([root]), start).finish(clock::now());
    let told: Vec<&Usage> = batches.iter().flat_map(|batch| &batch.usages).collect();
    assert_eq!((told.len(), told[0].conversation.as_str()), (1, "ses_1"));
    let deeds: Vec<&Deed> = batches.iter().flat_map(|b| &b.steps).map(|step| &step.deed).collect();
    let [Deed::Prompted { excerpt: asked, .. }, Deed::Answered { calls, excerpt: said, .. }] =
        &deeds[..]
    else {
        panic!("{deeds:?}")
    };
    assert_eq!((asked.as_deref(), said.as_deref()), (Some("look at it"), Some("done")));
    assert_eq!(
        (&calls.tools[..], &calls.files[..]),
        (&["read".to_owned()][..], &["/src/a".to_owned()][..])
    );
}
