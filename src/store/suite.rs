//! The promises that every store keeps, tried on each of them: SQLite in a file, PostgreSQL on a real
//! server.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::context::{Context, GitState};
use crate::ledger::entry::OpenSession;
use crate::ledger::row::{Batch, Row};
use crate::ledger::session::{Session, SessionEnd, SessionKind, SessionState};
use crate::ledger::store_figures::ErrorCategory;
use crate::store::examples::{AT, bare, batch, end, event, event_of, id, sample, session, usage};
use crate::store::reading::place::Place as Behind;
use crate::store::reading::statement::{self, Statement, Value};
use crate::store::reading::wanted::{Standing, Wanted};
use crate::store::reading::{Answer, Page, Question};
use crate::store::{Store, StoreError};
use crate::tokens::{Cost, FileProgress, MOST_FILES, UsageKey};
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
    ("the whole shape of an event is kept", whole_events),
    ("a session is read back as it was kept", read_back),
    ("sessions are found by what they are, newest first, page by page", found),
    ("each question has an index for its order", asked_by_index),
    ("a history that was not brought up is brought up once", brought_up_once),
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
        while self.store().prune(now).expect("pruned") {
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
        events: 2,
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
    }
}

fn refusals(history: &mut History<'_>) {
    history.commit(vec![event(0)]);
    let Row::Event(mut changed) = event(0) else { unreachable!() };
    changed.event_type = "ended";
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
    gap.event_type = crate::store::spool::EVENTS_LOST;
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
    assert_eq!(history.query("SELECT state, events FROM sessions"), ["lost 3"]);
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
    assert_eq!(left_after(31), ["2", "2", "0"]);
    assert_eq!(left_after(91), ["1", "1", "0"], "what has not ended stays");
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
        (format!("SELECT id, kind FROM sessions WHERE started_ms > {late}"), "sessions_by_start"),
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

/// What is answered to a question.
fn ask(history: &mut History<'_>, question: Question) -> Answer {
    history.store().answer(&question).expect("it answers")
}

fn list(history: &mut History<'_>, wanted: Wanted) -> Page<Session> {
    let limit = if wanted.limit == 0 { 100 } else { wanted.limit };
    let question = Question::Sessions(Box::new(Wanted { limit, ..wanted }));
    let Answer::Sessions(page) = ask(history, question) else { panic!("another answer") };
    page
}

fn whole_events(history: &mut History<'_>) {
    history.commit((0..5).map(event).collect());
    let mut read = |from, limit| {
        let question = Question::Events { session: id(1), from, limit };
        let Answer::Events(page) = ask(history, question) else { panic!("another answer") };
        page
    };
    let page = read(1, 2);
    let numbers: Vec<u64> = page.items.iter().map(|event| event.sequence).collect();
    assert_eq!((numbers, page.more), (vec![1, 2], true));
    let page = read(3, 2);
    assert!(!page.more && page.items.len() == 2);
    let last = &page.items[1];
    let words = [&last.event_type, &last.trigger, &last.source, &last.session];
    assert_eq!(words, ["started", "executed", "init", &id(1).to_string()]);
    assert_eq!(last.subtype.as_deref(), Some("anew"));
    assert_eq!(last.previous_state.as_deref(), Some("initializing"));
    assert_eq!(last.new_state.as_deref(), Some("active"));
    assert_eq!((last.at, last.version), (AT, 1));
    assert_eq!(last.context, serde_json::json!({"attempt": 1}));
    assert_eq!(read(5, 2), Page { items: Vec::new(), more: false });
}

fn read_back(history: &mut History<'_>) {
    let Row::Session(whole) = session(1) else { unreachable!() };
    let mut rows = vec![session(1)];
    let statuses = [
        Some(ExitStatus::Code(3)),
        Some(ExitStatus::Signal(Signal::TERM)),
        Some(ExitStatus::Unknown),
        None,
    ];
    let ends: Vec<Session> = (2..)
        .zip(statuses)
        .map(|(number, status)| Session {
            end: Some(SessionEnd { status, ..end() }),
            ..bare(number)
        })
        .collect();
    rows.extend(ends.iter().map(|session| Row::Session(Box::new(session.clone()))));
    history.commit(rows);
    history.close();
    let mut read = |name: &str| {
        let Answer::Session(found) = ask(history, Question::Session(name.to_owned())) else {
            panic!("another answer")
        };
        found
    };
    assert_eq!(read(&id(1).to_string()), Some(whole.clone()));
    assert_eq!(read(&id(1).to_string().to_lowercase()), Some(whole.clone()));
    assert_eq!(read("native"), Some(whole), "by the name that the agent has for it");
    for session in ends {
        assert_eq!(read(&session.id.to_string()).as_deref(), Some(&session));
    }
    assert_eq!(read("nobody' OR 1=1 --\0"), None);
}

/// Twelve sessions, one a second: even ones of ann and ended, those that three divides of an agent,
/// each a child of the one before it.
fn dozen(history: &mut History<'_>) {
    let row = |number: u128| {
        let even = number.is_multiple_of(2);
        let user = Some(if even { "ann" } else { "bob" }.to_owned());
        let folder = Some(PathBuf::from(format!("/src/{}", number % 4)));
        let root = (number == 9).then(|| "/src".to_owned());
        let git = root.map(|root| GitState { root: Some(root), ..GitState::default() });
        let context = Context { user, working_dir: folder, git, ..Context::default() };
        Row::Session(Box::new(Session {
            kind: if number.is_multiple_of(3) {
                SessionKind::Conversation
            } else {
                SessionKind::Process
            },
            parent: (number > 1).then(|| id(number - 1)),
            process: format!("p{}", number % 2),
            agent: number.is_multiple_of(3).then(|| "claude".to_owned()),
            native_id: number.is_multiple_of(3).then(|| format!("talk-{number}")),
            started: Wall(AT.0 + number as i64 * 1000),
            state: if even { SessionState::Failed } else { SessionState::Active },
            context: Some(Arc::new(context)),
            end: even.then(end),
            ..bare(number)
        }))
    };
    history.commit((1..=12).map(row).collect());
}

fn found(history: &mut History<'_>) {
    dozen(history);
    let all: Vec<u128> = (1..=12).rev().collect();
    let only =
        |keep: fn(u128) -> bool| all.iter().copied().filter(|n| keep(*n)).collect::<Vec<_>>();
    let words = |word: &str| vec![word.to_owned()];
    let at = |number: i64| Some(Wall(AT.0 + number * 1000));
    let none = Wanted::default;
    let both = vec![SessionState::Failed, SessionState::Active];
    let cases: [(Wanted, Vec<u128>); 16] = [
        (none(), all.clone()),
        (Wanted { states: vec![SessionState::Failed], ..none() }, only(|n| n % 2 == 0)),
        (Wanted { states: both, ..none() }, all.clone()),
        (Wanted { kinds: vec![SessionKind::Conversation], ..none() }, only(|n| n % 3 == 0)),
        (Wanted { processes: words("p1"), ..none() }, only(|n| n % 2 == 1)),
        (Wanted { users: words("ann"), ..none() }, only(|n| n % 2 == 0)),
        (Wanted { agents: words("claude"), ..none() }, only(|n| n % 3 == 0)),
        (Wanted { parent: Some(id(4)), ..none() }, vec![5]),
        (Wanted { project: Some("/src/1".into()), ..none() }, vec![5, 1]),
        (Wanted { project: Some("/src".into()), ..none() }, vec![9]),
        (Wanted { since: at(10), ..none() }, vec![12, 11, 10]),
        (Wanted { until: at(3), ..none() }, vec![2, 1]),
        (Wanted { standing: Some(Standing::Live), ..none() }, only(|n| n % 2 == 1)),
        (Wanted { standing: Some(Standing::Ended), ..none() }, only(|n| n % 2 == 0)),
        (Wanted { prefix: Some("talk-1".into()), ..none() }, vec![12]),
        (Wanted { prefix: Some(id(7).to_string().to_lowercase()), ..none() }, vec![7]),
    ];
    for (wanted, expected) in cases {
        let page = list(history, wanted.clone());
        let expected: Vec<_> = expected.into_iter().map(id).collect();
        let ids: Vec<_> = page.items.iter().map(|session| session.id).collect();
        assert_eq!(ids, expected, "{wanted:?}");
        assert!(page.items.iter().all(|session| wanted.admits(session)), "{wanted:?}");
        pages(history, &wanted, &ids);
    }
    let question = Question::Children { parent: id(4), limit: 5 };
    let Answer::Sessions(children) = ask(history, question) else { panic!("another answer") };
    assert_eq!(children.items.iter().map(|it| it.id).collect::<Vec<_>>(), [id(5)]);
}

/// The same, a few at a time.
fn pages(history: &mut History<'_>, wanted: &Wanted, all: &[crate::units::SessionId]) {
    let (mut after, mut ids) = (None, Vec::new());
    loop {
        let page = list(history, Wanted { after, limit: 5, ..wanted.clone() });
        ids.extend(page.items.iter().map(|session| session.id));
        after = page.items.last().map(Behind::of);
        if !page.more {
            break;
        }
    }
    assert_eq!(ids, all, "page by page: {wanted:?}");
}

/// With statistics and without: whoever has one user for all would else sort everything that is kept.
fn asked_by_index(history: &mut History<'_>) {
    let row = |number: u128| {
        let user = Some("root".to_owned());
        let context = Context { user, working_dir: Some("/src".into()), ..Context::default() };
        let end = (number < 2_990).then(end);
        Row::Session(Box::new(Session {
            started: Wall(AT.0 + number as i64 * 1000),
            context: Some(Arc::new(context)),
            parent: Some(id(number / 100)),
            agent: Some("claude".into()),
            native_id: Some(format!("talk-{number}")),
            end,
            ..bare(number)
        }))
    };
    history.commit((0..3_000).map(row).collect());
    let wanted = |wanted| Question::Sessions(Box::new(Wanted { limit: 50, ..wanted }));
    let none = Wanted::default;
    let word = || vec!["root".to_owned()];
    let questions = [
        (wanted(none()), "sessions_by_start"),
        (wanted(Wanted { users: word(), ..none() }), "sessions_by_"),
        (wanted(Wanted { processes: vec!["web".into()], ..none() }), "sessions_by_"),
        (wanted(Wanted { project: Some("/src".into()), ..none() }), "sessions_by_"),
        (wanted(Wanted { agents: vec!["claude".into()], ..none() }), "sessions_by_"),
        (wanted(Wanted { states: vec![SessionState::Active], ..none() }), "sessions_by_"),
        (wanted(Wanted { parent: Some(id(7)), ..none() }), "sessions_by_parent"),
        (Question::Session("talk-8".into()), "sessions_by_native_id"),
        (Question::Children { parent: id(7), limit: 9 }, "sessions_by_parent"),
        (Question::Events { session: id(7), from: 3, limit: 9 }, "session_events"),
    ];
    for analysed in [false, true] {
        if analysed {
            history.query("ANALYZE");
        }
        history.close();
        for (question, index) in &questions {
            let Statement { text, values } = statement::of(question);
            let mut text = text;
            for (at, value) in values.iter().enumerate().rev() {
                let value = match value {
                    Value::Text(text) => format!("'{text}'"),
                    Value::Number(number) => number.to_string(),
                };
                text = text.replace(&format!("${}", at + 1), &value);
            }
            let plan = history.place.plan(&text);
            assert!(plan.contains(index), "{text}\n{plan}");
            let orders = !matches!(question, Question::Session(_)) && !analysed;
            let sorts = plan.contains("TEMP B-TREE");
            assert!(!(orders && sorts), "it is sorted: {text}\n{plan}");
        }
    }
}
