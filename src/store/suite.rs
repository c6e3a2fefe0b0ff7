//! The promises that every store keeps, tried on each of them: SQLite in a file, PostgreSQL on a real
//! server.

mod budgets;
pub mod chains;
mod output;
mod reading;
mod rights;

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::config::plan::RetentionPlan;
use crate::context::Context;
use crate::ledger::entry::OpenSession;
use crate::ledger::row::{Batch, Row, SessionEvent};
use crate::ledger::session::{Session, SessionEnd, SessionKind, SessionState};
use crate::ledger::store_figures::ErrorCategory;
use crate::store::examples::{AT, bare, batch, end, event, event_of, id, sample, session, usage};
use crate::store::{Store, StoreError};
use crate::tokens::{Cost, CountedBefore, FileProgress, MOST_FILES, UsageKey, UsageSource};
use crate::units::{ExitStatus, Signal, Wall};

/// A place that holds one history and is empty at first.
pub trait Place {
    /// Opens it for a new life; the lives before are over.
    fn open(&self) -> Box<dyn Store>;

    /// What a statement finds while nobody has it open: a line for each row, fields apart by a space,
    /// `-` for NULL.
    fn query(&self, sql: &str) -> Result<Vec<String>, String>;

    /// How the database would look for what a query asks for.
    fn plan(&self, sql: &str) -> String;
}

/// What is tried on a place.
pub type Case = fn(&mut History<'_>);

/// Every case with its name. Each gets a place of its own.
pub const CASES: &[(&str, Case)] = &[
    ("every column of a session is kept", columns),
    ("every way to end is told apart", ends),
    ("a later life that knows little closes a session without loss", later_life),
    ("every other row is kept and counts once however often it comes", counts_once),
    ("a new life reads what it must know", resumes),
    ("what was spent of late is read by the next life", budgets::spent_of_late),
    ("what ended runs held is read by the next life", held_before),
    ("a gap and a changed line are refused and nothing of their batch is kept", refusals),
    ("a gap is taken where it is told", told_gap),
    ("history cannot be rewritten", append_only),
    ("a session that ended is closed no second time", closed_once),
    ("text of every kind is kept", texts),
    ("whose row it is, and of which user, is kept", owners),
    ("ended sessions leave after their time with all that is theirs", leave),
    ("how far a log was read is kept for as long as it may lie there", progress_stays),
    ("pruning takes many short steps", short_steps),
    ("what is looked for has an index", indexes),
    ("the whole shape of an event is kept", reading::whole_events),
    ("a session is read back as it was kept", reading::read_back),
    ("sessions are found by what they are, newest first, page by page", reading::found),
    ("sessions are counted by what they have in common", reading::counted),
    ("what is kept is held against the events, and repaired by them", reading::compared),
    ("each question has an index for its order", reading::asked_by_index),
    ("an outline says who, when and how, and no more", rights::outline),
    ("what somebody wants forgotten goes with all its parts", rights::forgotten),
    ("what is purged by age and state goes", rights::purged),
    ("the audit trail is kept, found and not changed", rights::audited),
    ("a history that was not brought up is brought up once", brought_up_once),
    ("what is known of chains comes back in a next life", chains::kept),
    ("what a conversation works on later is added to what memory let go of", chains::added_to),
    ("of chains the newest come back and the rest can be asked for", chains::bounded),
    ("chains are forgotten on request and when they are old", chains::forgotten),
    ("what a command wrote last is kept and read back", output::kept),
    ("of what commands wrote that of the newest is kept", output::bounded),
    ("what a command wrote goes with its history", output::leaves),
];

/// Runs every case, and says which one failed.
pub fn run(place: impl Fn() -> Box<dyn Place>) {
    for (name, case) in CASES {
        let place = place();
        let tried = || case(&mut History { place: &*place, store: None });
        assert!(catch_unwind(AssertUnwindSafe(tried)).is_ok(), "not so: {name}");
    }
}

/// A place with the store that has it open, if one has.
pub struct History<'p> {
    place: &'p dyn Place,
    store: Option<Box<dyn Store>>,
}

impl History<'_> {
    fn store(&mut self) -> &mut dyn Store {
        self.store.get_or_insert_with(|| self.place.open()).as_mut()
    }

    fn close(&mut self) {
        self.store = None;
    }

    fn commit(&mut self, rows: Vec<Row>) {
        self.store().commit(&[batch(rows)]).expect("it commits");
    }

    fn refuses(&mut self, batches: &[Batch]) -> StoreError {
        let error = self.store().commit(batches).expect_err("it is refused");
        assert!(error.refused && error.category == ErrorCategory::Constraint, "{error:?}");
        error
    }

    fn query(&mut self, sql: &str) -> Vec<String> {
        self.close();
        self.place.query(sql).unwrap_or_else(|why| panic!("{sql}: {why}"))
    }

    fn count(&mut self, table: &str) -> String {
        self.query(&format!("SELECT count(*) FROM {table}")).remove(0)
    }

    fn prune(&mut self, now: Wall) -> u32 {
        let mut steps = 1;
        while self.store().prune(now, &RetentionPlan::default()).expect("pruned") {
            steps += 1;
        }
        steps
    }
}

fn ended(number: u128, state: SessionState, at: Wall) -> Row {
    let end = Some(SessionEnd { at, ..end() });
    Row::Session(Box::new(Session { state, end, ..bare(number) }))
}

fn days_later(days: i64) -> Wall {
    Wall(AT.0 + days * 24 * 60 * 60 * 1000)
}

fn columns(history: &mut History<'_>) {
    history.commit(vec![session(1)]);
    let kept = history.query(
        "SELECT kind, process, agent, native_id, state, started_ms, last_activity_ms, pid, \
         start_ticks, context -> 'git' ->> 'branch', events, peak_memory_bytes, \
         mean_memory_bytes, memory_samples, cpu_seconds, tokens_input, tokens_output, \
         tokens_cache_read, cost_nanodollars, unpriced_tokens, ended_ms FROM sessions",
    );
    let expected = "process web claude native active 1790000000000 1790000000005 42 4294967296 \
                    main 2 200 100 4 1.5 1 2 3 77 6 -";
    assert_eq!(kept, [expected]);
    let ids = history.query("SELECT id, parent FROM sessions");
    assert_eq!(ids, [format!("{} {}", id(1), id(99))]);
}

fn ends(history: &mut History<'_>) {
    for (status, columns) in [
        (Some(ExitStatus::Code(3)), "code 3 -"),
        (Some(ExitStatus::Signal(Signal::TERM)), "signal - 15"),
        (Some(ExitStatus::Unknown), "unknown - -"),
        (None, "- - -"),
    ] {
        let mut session = bare(1);
        session.end = Some(SessionEnd { status, ..end() });
        history.commit(vec![Row::Session(Box::new(session))]);
        let sql = "SELECT exit_status, exit_code, exit_signal, duration_ms, reason FROM sessions";
        let expected = format!("{columns} 10000 it ended by itself");
        assert_eq!(history.query(sql), [expected]);
        history.query("DELETE FROM sessions");
    }
}

fn later_life(history: &mut History<'_>) {
    history.commit(vec![session(1)]);
    history.close();
    history.commit(vec![ended(1, SessionState::Lost, AT)]);
    let sql = "SELECT state, agent, pid, context -> 'git' ->> 'branch', \
               peak_memory_bytes, tokens_output, cost_nanodollars FROM sessions";
    assert_eq!(history.query(sql), ["lost claude 42 main 200 2 77"]);
    history.commit(vec![session(1)]);
    assert_eq!(history.query("SELECT state FROM sessions"), ["lost"], "an end stays");
}

fn counts_once(history: &mut History<'_>) {
    let Row::Usage { session, process, usage: mut last } = usage(u64::MAX) else { unreachable!() };
    last.cost = Cost::Unpriced;
    let rows = vec![
        event(0),
        event(1),
        sample(0),
        usage(1),
        Row::Usage { session, process, usage: last },
        Row::Seen(UsageKey(7)),
    ];
    history.commit(rows.clone());
    history.commit(rows.clone());
    history.commit(rows.iter().chain(&rows).cloned().collect());
    let sql = "SELECT sequence, at_ms, event_type, previous_state, new_state, cause, detail \
               FROM session_events ORDER BY sequence";
    let line = |at| format!("{at} {} started initializing active executed {{\"attempt\":1}}", AT.0);
    assert_eq!(history.query(sql), [line(0), line(1)]);
    let sql = "SELECT at_ms, label, resident_bytes, anonymous_bytes, processes FROM memory_samples";
    assert_eq!(history.query(sql), [format!("{} interval 4096 1024 3", AT.0)]);
    let sql = "SELECT key, process, agent, provider, model, conversation, tokens_input, \
               tokens_output, reasoning, cost_nanodollars FROM token_usage ORDER BY key";
    let usages = [
        "-1 web claude anthropic a-model native 10 20 5 -",
        "1 web claude anthropic a-model native 10 20 5 1000",
    ];
    assert_eq!(history.query(sql), usages);
    assert_eq!(history.query("SELECT key FROM seen_responses"), ["7"]);
}

/// Of sessions that ended, oldest first, whatever else their events tell.
fn held_before(history: &mut History<'_>) {
    let held = |session: u128, sequence| {
        let Row::Event(event) = event_of(session, sequence) else { panic!("an event") };
        let detail = serde_json::json!({ "start_bytes": session });
        Row::Event(SessionEvent { event_type: "memory_history".into(), detail, ..event })
    };
    for number in 1..=3 {
        history.commit(vec![event_of(number, 0), held(number, 1), session(number)]);
    }
    assert_eq!(history.store().held_before().expect("read"), [], "none has ended");
    history.commit(vec![ended(2, SessionState::Completed, Wall(AT.0 + 20))]);
    history.commit(vec![ended(1, SessionState::Completed, Wall(AT.0 + 10))]);
    history.close();
    let found = history.store().held_before().expect("read");
    let starts: Vec<_> = found.iter().map(|(_, detail)| detail["start_bytes"].as_u64()).collect();
    assert_eq!(starts, [Some(1), Some(2)]);
    assert!(found.iter().all(|(process, _)| process == "web"), "{found:?}");
}

fn resumes(history: &mut History<'_>) {
    use std::os::unix::ffi::OsStringExt;
    let odd = std::ffi::OsString::from_vec(b"/log/\xff.jsonl".to_vec());
    let file = FileProgress { path: odd.into(), device: u64::MAX, inode: 1 << 63, offset: 5 };
    let mut further = file.clone();
    further.offset = 9;
    history.commit(vec![event(0), event(1), session(1)]);
    history.commit(vec![event_of(2, 0), ended(2, SessionState::Completed, AT)]);
    history.commit(vec![usage(u64::MAX), Row::Seen(UsageKey(7)), Row::Progress(file)]);
    history.commit(vec![Row::Progress(further.clone())]);
    let open = OpenSession {
        id: id(1),
        kind: SessionKind::Process,
        state: SessionState::Active,
        process: "web".into(),
        started: AT,
        // Its row says so, or an event that is later.
        last_activity: Wall(AT.0 + 5),
        events: 2,
        ours: true,
        kept: None,
    };
    for life in ["the next", "the one after it"] {
        history.close();
        assert_eq!(
            history.store().open_sessions().expect("read"),
            std::slice::from_ref(&open),
            "{life}"
        );
        let mut resume = history.store().token_resume().expect("read");
        resume.seen.sort();
        assert_eq!(resume.seen, [UsageKey(7), UsageKey(u64::MAX)], "{life}");
        assert_eq!(resume.progress, std::slice::from_ref(&further), "{life}");
        assert_eq!(resume.elsewhere, [UsageKey(u64::MAX)], "{life}");
        let counted = CountedBefore {
            conversation: "native".into(),
            source: UsageSource::OtlpLogs,
            tokens: 30,
            withheld: 3,
            latest: AT,
        };
        assert_eq!(resume.counted, [counted], "{life}");
    }
}

fn refusals(history: &mut History<'_>) {
    history.commit(vec![event(0)]);
    let Row::Event(mut changed) = event(0) else { unreachable!() };
    changed.event_type = "ended".into();
    for bad in [event(2), Row::Event(changed)] {
        history.refuses(&[batch(vec![usage(1), bad])]);
        assert_eq!(history.count("token_usage"), "0");
    }
    history.refuses(&[batch(vec![event(1)]), batch(vec![event(3)])]);
    assert_eq!(history.count("session_events"), "1", "all of a commit, or none");
    history.commit(vec![event(1)]);
}

fn told_gap(history: &mut History<'_>) {
    history.commit(vec![event(0)]);
    let Row::Event(mut gap) = event(6) else { unreachable!() };
    gap.event_type = crate::store::spool::EVENTS_LOST.into();
    history.commit(vec![Row::Event(gap), event(7)]);
    let sql = "SELECT sequence, event_type, detail ->> 'missing' FROM session_events \
               ORDER BY sequence";
    assert_eq!(history.query(sql), ["0 started -", "6 events_lost 6", "7 started -"]);
}

fn append_only(history: &mut History<'_>) {
    history.commit(vec![event(0), session(1)]);
    history.close();
    for sql in ["UPDATE session_events SET cause = ''", "DELETE FROM session_events"] {
        let error = history.place.query(sql).expect_err(sql);
        assert!(error.contains("append-only"), "{error}");
    }
}

fn closed_once(history: &mut History<'_>) {
    use crate::ledger::row::SessionClose;
    let close = |state, events| {
        let end = SessionEnd { status: None, ..end() };
        Row::Close(Box::new(SessionClose { session: id(1), state, events, end }))
    };
    history.commit(vec![session(1), close(SessionState::Lost, 3)]);
    history.commit(vec![close(SessionState::Completed, 4)]);
    // What was learnt behind its end is one more event of it.
    assert_eq!(history.query("SELECT state, events FROM sessions"), ["lost 4"]);
}

fn texts(history: &mut History<'_>) {
    let Row::Event(mut odd) = event(0) else { unreachable!() };
    odd.trigger = "ä 字 🦀 ' \" \\ \t".into();
    odd.detail = serde_json::json!({ "text": "\u{0}\u{1f980}'\\" });
    let mut empty = bare(1);
    empty.process = String::new();
    history.commit(vec![Row::Event(odd.clone()), Row::Session(Box::new(empty))]);
    let kept = history.query("SELECT cause, detail FROM session_events");
    assert_eq!(kept, [format!("{} {}", odd.trigger, odd.detail)]);
    let Row::Event(mut nul) = event(1) else { unreachable!() };
    nul.trigger = "a\0b".into();
    history.commit(vec![Row::Event(nul)]);
    assert_eq!(history.count("session_events"), "2", "it costs nothing else");
}

fn owners(history: &mut History<'_>) {
    let user = |number, user: &str| {
        let context = Context { user: Some(user.to_owned()), ..Context::default() };
        let session = Session { context: Some(Arc::new(context)), ..bare(number) };
        Row::Session(Box::new(session))
    };
    history.commit(vec![user(1, "ann"), usage(1)]);
    // Of another life, and without what is known of it.
    history.close();
    history.commit(vec![user(2, "bob"), ended(1, SessionState::Lost, AT), usage(2)]);
    let sql = "SELECT user_name, state FROM sessions ORDER BY id";
    assert_eq!(history.query(sql), ["ann lost", "bob active"]);
    let sql =
        "SELECT count(DISTINCT supervisor) FROM sessions JOIN supervisors ON supervisor = life";
    assert_eq!(history.query(sql), ["2"], "it stays that of who opened it");
    let sql = "SELECT count(*) FROM token_usage JOIN supervisors ON supervisor = life";
    assert_eq!(history.query(sql), ["2"]);
}

fn leave(history: &mut History<'_>) {
    for (number, state) in [(1, SessionState::Completed), (2, SessionState::Failed)] {
        history.commit(vec![event_of(number, 0), ended(number, state, AT)]);
    }
    history.commit(vec![event_of(3, 0), session(3), sample(0), usage(1)]);
    let mut left_after = |days| {
        history.prune(days_later(days));
        ["sessions", "session_events", "memory_samples"].map(|table| history.count(table))
    };
    assert_eq!(left_after(5), ["3", "3", "1"]);
    assert_eq!(left_after(29), ["3", "3", "0"]);
    assert_eq!(left_after(31), ["3", "2", "0"], "an outline stays");
    assert_eq!(left_after(91), ["3", "1", "0"]);
    assert_eq!(left_after(181), ["1", "1", "0"], "what has not ended stays");
}

fn progress_stays(history: &mut History<'_>) {
    let row = |inode: u64| {
        let path = PathBuf::from(format!("/logs/{inode}"));
        Row::Progress(FileProgress { path, device: 1, inode, offset: 7 })
    };
    history.commit(vec![row(0)]);
    let years_later = Wall(clock::now().wall.0 + 1_000 * 24 * 60 * 60 * 1000);
    history.prune(years_later);
    assert_eq!(history.count("file_progress"), "1");
    std::thread::sleep(Duration::from_millis(2));
    history.commit((1..=MOST_FILES as u64).map(row).collect());
    history.prune(years_later);
    let kept = history.store().token_resume().expect("readable").progress;
    assert_eq!(kept.len(), MOST_FILES);
    assert!(kept.iter().all(|row| row.inode > 0), "the oldest goes");
}

fn short_steps(history: &mut History<'_>) {
    let many = (0..350).flat_map(|n| [event_of(n, 0), ended(n, SessionState::Completed, AT)]);
    history.commit(many.collect());
    assert_eq!(history.prune(days_later(40)), 4);
    assert_eq!(history.count("session_events"), "0");
    assert_eq!(history.prune(days_later(190)), 4);
    assert_eq!(
        (history.count("sessions"), history.count("session_events")),
        ("0".into(), "0".into())
    );
}

/// Enough rows that reading all of them is no good plan.
fn indexes(history: &mut History<'_>) {
    let session = |number: u128| {
        let context = Context { user: Some(format!("u{}", number % 100)), ..Context::default() };
        let at = Wall(AT.0 + number as i64 * 1000);
        let context = Some(Arc::new(context));
        Row::Session(Box::new(Session { context, started: at, ..bare(number) }))
    };
    history.commit((0..3_000).map(session).collect());
    let event = |sequence: u64| {
        let Row::Event(mut event) = event(sequence) else { unreachable!() };
        event.at = Wall(AT.0 + sequence as i64 * 1000);
        Row::Event(event)
    };
    history.commit((0..3_000).map(event).collect());
    history.query("ANALYZE");
    let late = AT.0 + 2_990_000;
    for (sql, index) in [
        (
            "SELECT id FROM sessions WHERE user_name = 'u7' AND state = 'active'".to_owned(),
            "sessions_by_user",
        ),
        (
            format!("SELECT id FROM sessions WHERE started_ms > {late} ORDER BY started_ms"),
            "sessions_by_start",
        ),
        (
            "SELECT id, kind FROM sessions ORDER BY started_ms DESC LIMIT 20".to_owned(),
            "sessions_by_start",
        ),
        (
            format!(
                "SELECT event_type, cause FROM session_events WHERE session_id = '{}' \
                 AND at_ms > {late}",
                id(1)
            ),
            "session_events_by_time",
        ),
    ] {
        let plan = history.place.plan(&sql);
        assert!(plan.contains(index), "{sql}\n{plan}");
    }
}

fn brought_up_once(history: &mut History<'_>) {
    let mut said = String::new();
    for life in 0..3 {
        history.close();
        write!(said, "{}", history.store().open_sessions().expect("read").len()).expect("text");
        history.commit(vec![event_of(life, 0), ended(life, SessionState::Completed, AT)]);
    }
    assert_eq!((said.as_str(), history.count("sessions")), ("000", "3".into()));
}
