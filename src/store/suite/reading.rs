//! What every store answers, and by which index.

use super::*;
use crate::context::GitState;
use crate::ledger::row::SessionEvent;
use crate::ledger::session::SessionState;
use crate::store::reading::place::Place as Behind;
use crate::store::reading::statement::{self, Statement, Value};
use crate::store::reading::statistics::By;
use crate::store::reading::wanted::{Standing, Wanted};
use crate::store::reading::{Answer, Page, Question};

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

pub fn whole_events(history: &mut History<'_>) {
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

pub fn read_back(history: &mut History<'_>) {
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

pub fn found(history: &mut History<'_>) {
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
    let question = Question::Descendants { root: id(9), limit: 3 };
    let Answer::Sessions(tree) = ask(history, question) else { panic!("another answer") };
    let ids: Vec<_> = tree.items.iter().map(|it| it.id).collect();
    assert_eq!((ids, tree.more), (vec![id(9), id(10), id(11)], true));
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
pub fn asked_by_index(history: &mut History<'_>) {
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
        (Question::Output(id(7)), "session_output"),
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

/// Three sessions that came and went, of which something else is kept of the second.
pub fn compared(history: &mut History<'_>) {
    let row = |number,
               sequence,
               event_type: &'static str,
               from: Option<&'static str>,
               to: &'static str,
               detail: serde_json::Value| {
        let Row::Event(event) = event_of(number, sequence) else { unreachable!() };
        let event_type = event_type.into();
        let (previous_state, new_state) = (from.map(Into::into), Some(to.into()));
        Row::Event(SessionEvent { event_type, previous_state, new_state, detail, ..event })
    };
    let first = serde_json::json!({ "kind": "process", "process": "web" });
    let last = serde_json::json!({
        "reason": "it ended by itself", "duration_seconds": 10.0, "exit_status": "code",
        "exit_code": 3,
    });
    for number in 1..=3 {
        let end = Some(SessionEnd { at: AT, ..end() });
        let session = Session { state: SessionState::Failed, events: 2, end, ..bare(number) };
        let rows = vec![
            row(number, 0, "opened", None, "initializing", first.clone()),
            row(number, 1, "ended", Some("initializing"), "failed", last.clone()),
            Row::Session(Box::new(session)),
        ];
        history.commit(rows);
    }
    let compare = |history: &mut History<'_>| {
        let answer =
            crate::store::reading::answer(history.store(), &Question::Compare { after: None });
        let Ok(Answer::Compared(compared)) = answer else { panic!("another answer") };
        compared
    };
    assert_eq!(compare(history).same, 3);
    history.query(&format!(
        "UPDATE sessions SET state = 'completed', exit_code = 0, ended_ms = NULL WHERE id = '{}'",
        id(2)
    ));
    let compared = compare(history);
    assert_eq!((compared.same, compared.different.len()), (2, 1));
    let different = &compared.different[0];
    assert_eq!(different.id, id(2));
    let fields: Vec<_> = different.differences.iter().map(|one| one.field).collect();
    assert_eq!(fields, ["duration", "ended", "reason", "state", "status"]);
    let told = different.told.clone().expect("it has events");
    history.store().repair(&told).expect("repaired");
    assert_eq!(compare(history).same, 3);
    let sql = "SELECT state, exit_code, ended_ms FROM sessions";
    let whole = format!("failed 3 {}", AT.0);
    assert_eq!(history.query(sql), [whole.as_str(); 3]);
}

pub fn counted(history: &mut History<'_>) {
    dozen(history);
    let mut count = |by, since| {
        let question = Question::Statistics { by, since, until: Some(Wall(AT.0 + 12_000)) };
        let Answer::Statistics(groups) = ask(history, question) else { panic!("another answer") };
        groups
    };
    let users = count(By::User, None);
    let names: Vec<_> = users.iter().map(|(name, it)| (name.as_deref(), it.sessions())).collect();
    assert_eq!(names, [(Some("bob"), 6), (Some("ann"), 5)], "the twelfth is too late");
    let ann = &users[1].1;
    assert_eq!((ann.of(SessionState::Failed), ann.ended(), ann.lasted), (5, 5, 50_000));
    assert_eq!(ann.durations, [((SessionState::Failed, 1), 5)].into());
    assert_eq!(ann.opened, Some((Wall(AT.0 + 2_000), Wall(AT.0 + 10_000))));
    assert_eq!((users[0].1.ended(), users[0].1.durations.len()), (0, 0));
    let agents = count(By::Agent, Some(Wall(AT.0 + 4_000)));
    let names: Vec<_> = agents.iter().map(|(name, it)| (name.as_deref(), it.sessions())).collect();
    assert_eq!(names, [(None, 6), (Some("claude"), 2)]);
    // None of them told of a tool.
    for by in By::ALL.into_iter().filter(|by| *by != By::Tool) {
        assert_eq!(count(by, None).iter().map(|(_, group)| group.sessions()).sum::<u64>(), 11);
    }
}
