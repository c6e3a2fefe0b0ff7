//! Stories of tokens: whose they are, and that each is counted once.

use super::*;
use crate::chains::step::{Deed, Step};
use crate::tokens::Lag;
use crate::tokens::quota::{Quota, Window};
use crate::tokens::stdout::{self, Spoken};
use crate::units::RunId;

pub(super) fn correction(ms: u64, tokens: i64, input: u64) -> Correction {
    let more = TokenCounts { input, ..TokenCounts::default() };
    let (agent, model) = ("claude".to_owned(), "opus".to_owned());
    Correction { agent, model, at: at(ms).wall, tokens, more, cost: Cost::Priced(Money(7)) }
}

#[test]
fn usage_opens_a_conversation_inside_its_run_in_one_batch() {
    let batch = TokenBatch {
        process: Some("coder".into()),
        usages: vec![
            usage(5, 1, "c1", Cost::Priced(Money(40))),
            usage(6, 2, "c1", Cost::Unpriced),
            usage(7, 3, "c2", Cost::Priced(Money(2))),
        ],
        corrections: vec![correction(10, -3, 0)],
        progress: vec![FileProgress { path: "log".into(), device: 1, inode: 2, offset: 77 }],
        seeded: vec![UsageKey(9)],
        lines: LineCounts { counted: 3, ..LineCounts::default() },
        files: Some(4),
        ..TokenBatch::default()
    };
    let snapshot = check(
        vec![opened(0, 1, CODER, 0), ready(1, 1), Entry::TokensRead { at: at(10), batch }],
        &[
            "S1.0 opened >initializing | =initializing",
            "S1.1 started initializing>active | =active",
            "S2.0 opened >active | =active | usage coder S2 | usage coder S2 \
             | S3.0 opened >active | =active | usage coder S3 \
             | =active | =active | =active | claude#1 c1 | claude#2 c2 | progress 77 | seen 9",
        ],
    );
    let talk = |native: &str| {
        let is = |session: &&std::sync::Arc<_>| {
            let session: &crate::ledger::session::Session = session;
            session.native_id.as_deref() == Some(native)
        };
        snapshot.sessions.iter().find(is).expect("it lives")
    };
    let first = talk("c1");
    assert_eq!((first.parent, first.agent.as_deref()), (Some(session(1)), Some("claude")));
    assert_eq!(first.figures.tokens.total(), 30);
    assert_eq!((first.figures.cost, first.figures.unpriced_tokens), (Money(40), 15));
    let run = snapshot.sessions.iter().find(|s| s.id == session(1)).expect("it lives");
    assert_eq!((run.figures.tokens.total(), run.figures.cost), (45, Money(42)));
    let series = &snapshot.tokens[0];
    assert_eq!((series.responses, series.reasoning, series.cost), (3, 6, Money(42)));
    assert_eq!((series.tokens.total(), series.unpriced.total()), (45, 15));
    assert_eq!(snapshot.process_tokens["coder"].total(), 45);
    assert_eq!(snapshot.corrections[&("claude".into(), "opus".into())], (0, 3));
    assert_eq!((snapshot.lines.counted, snapshot.files), (3, 4));
}

#[test]
fn a_conversation_ends_with_its_run_and_late_usage_still_counts_for_it() {
    let mut ledger = ledger();
    let priced = Cost::Priced(Money(1));
    let lines = told(
        &mut ledger,
        vec![
            opened(0, 1, CODER, 0),
            read(10, Some("coder"), vec![usage(9, 1, "c1", priced)]),
            exited(20, 1, 0),
            read(30, Some("coder"), vec![usage(15, 2, "c1", priced)]),
            opened(40, 2, CODER, 1),
            read(50, Some("coder"), vec![usage(16, 3, "c2", priced)]),
            read(60, Some("coder"), vec![usage(55, 4, "c1", priced)]),
        ],
    );
    let expected = [
        "S1.0 opened >initializing | =initializing",
        "S2.0 opened >active | =active | usage coder S2 | =initializing | =active | claude#1 c1",
        "S2.1 ended active>completed | =completed | S1.1 ended initializing>completed | =completed",
        "usage coder S2 | S1.2 tokens_late | =completed | S2.2 tokens_late | =completed \
         | claude#1 c1",
        "S3.0 opened >initializing | =initializing",
        "S4.0 opened >active | =active | S4.1 ended active>completed | =completed \
         | usage coder S4 | S1.3 tokens_late | =completed | \
             S4.2 tokens_late | =completed | claude#2 c2",
        "S5.0 opened >active | =active | S5.1 resumed_from | =active | usage coder S5 \
         | =initializing | =active | claude#1 c1",
    ];
    assert_eq!(lines, expected);
    let snapshot = ledger.snapshot(1, at(70));
    let of_first = snapshot.ended.iter().find(|session| session.id == self::session(1));
    assert_eq!(of_first.expect("it ended").figures.tokens.total(), 45);
}

#[test]
fn a_conversation_rests_after_an_hour_and_wakes_with_use() {
    const HOUR: u64 = 3_600_000;
    let priced = Cost::Priced(Money(1));
    let snapshot = check(
        vec![
            opened(0, 1, CODER, 0),
            ready(1, 1),
            read(10, Some("coder"), vec![usage(9, 1, "c1", priced)]),
            sampled(&[sample(HOUR, 1, 1, 0)]),
            sampled(&[sample(HOUR + 20_000, 1, 1, 0)]),
            sampled(&[sample(HOUR + 40_000, 1, 1, 0)]),
            read(HOUR + 50_000, Some("coder"), vec![usage(9, 2, "c1", priced)]),
        ],
        &[
            "S1.0 opened >initializing | =initializing",
            "S1.1 started initializing>active | =active",
            "S2.0 opened >active | =active | usage coder S2 | =active | =active | claude#1 c1",
            "S1.2 snapshot | =active",
            "interval 1",
            "S2.1 idle active>idle | =idle",
            "interval 1",
            "interval 1",
            "S2.2 resumed idle>active | =active | usage coder S2 | =active | =active \
             | claude#1 c1",
        ],
    );
    assert_eq!(snapshot.sessions.len(), 2);
}

#[test]
fn tokens_of_nobody_are_counted_as_unknown() {
    let usages = |key| vec![usage(1, key, "c", Cost::Unpriced)];
    let snapshot = check(
        vec![
            read(1, None, usages(1)),
            read(2, Some("ghost"), usages(2)),
            read(3, Some("coder"), usages(3)),
        ],
        &[
            "usage unknown - | claude#1 c",
            "usage unknown - | claude#1 c",
            "usage coder - | claude#1 c",
        ],
    );
    assert_eq!(snapshot.process_tokens["unknown"].total(), 30);
    assert_eq!(snapshot.process_tokens["coder"].total(), 15);
    assert!(snapshot.sessions.is_empty());
}

#[test]
fn beyond_the_bound_models_share_one_series() {
    let mut ledger = ledger();
    let named = |n: u64, model: &str, provider: &str, agent: &str| Usage {
        model: model.into(),
        provider: provider.into(),
        agent: agent.into(),
        ..usage(1, n, "c", Cost::Unpriced)
    };
    for n in 0..100 {
        let (model, provider, agent) = (format!("m{n}"), format!("p{n}"), format!("a{n}"));
        ledger.fold(read(1, Some("coder"), vec![named(n, &model, &provider, &agent)]));
    }
    let snapshot = ledger.snapshot(1, at(2));
    let distinct = |of: fn(&crate::ledger::snapshot::TokenSeries) -> &String| {
        snapshot.tokens.iter().map(of).collect::<std::collections::BTreeSet<_>>().len()
    };
    assert_eq!(distinct(|series| &series.model), 31);
    // The configured one holds its place without having spent anything.
    assert_eq!(distinct(|series| &series.agent), 10);
    assert_eq!(distinct(|series| &series.provider), 11);
    assert_eq!(snapshot.tokens.iter().map(|series| series.tokens.total()).sum::<u64>(), 1500);
}

#[test]
fn two_sources_of_one_conversation_are_counted_once_also_after_a_restart() {
    let told = |ms, key, source| Usage { source, ..usage(ms, key, "c", Cost::Unpriced) };
    let story = |keys: [u64; 2]| {
        let batch = vec![
            told(11, keys[0], UsageSource::OtlpLogs),
            told(12, keys[1], UsageSource::Transcript),
        ];
        vec![opened(0, 1, CODER, 0), ready(1, 1), read(20, Some("coder"), batch)]
    };
    let mut ledger = ledger();
    told_by(&mut ledger, story([1, 2]));
    let tokens = |ledger: &Ledger| ledger.snapshot(1, at(30)).process_tokens["coder"].total();
    assert_eq!(tokens(&ledger), 15, "a response of 15, told twice");
    let row = CountedBefore {
        conversation: "c".into(),
        source: UsageSource::Transcript,
        tokens: 0,
        withheld: 15,
        latest: at(12).wall,
    };
    let found = Entry::CountedFound {
        at: at(0),
        counted: vec![row],
        keys: vec![UsageKey(1)],
        spent: vec![],
    };
    let mut next = self::ledger();
    told_by(&mut next, std::iter::once(found).chain(story([3, 4])).collect());
    assert_eq!(tokens(&next), 15, "the transcript alone");
}

fn told_by(ledger: &mut Ledger, entries: Vec<Entry>) {
    entries.into_iter().for_each(|entry| drop(ledger.fold(entry)));
}

#[test]
fn what_agents_say_of_their_limits_and_windows_is_shown_as_long_as_it_holds() {
    let quota = |used: f64, told: i64, resets: i64| Quota {
        agent: "claude".into(),
        window: Window::FiveHours,
        used,
        resets: Some(Wall(at(0).wall.0 + resets)),
        at: Wall(at(0).wall.0 + told),
    };
    let compacted = |conversation: &str| Step {
        agent: "claude".into(),
        process: Some("coder".into()),
        conversation: conversation.into(),
        at: at(1).wall,
        resumes: None,
        deed: Deed::Compacted,
    };
    let lag = Lag { bytes: 7, since: Some(at(3).wall) };
    let batch = TokenBatch {
        steps: vec![compacted("c1"), compacted("c2")],
        quotas: vec![quota(0.5, 9, 5_000), quota(0.4, 8, 4_000)],
        lag: Some(lag),
        ..TokenBatch::default()
    };
    let mut ledger = ledger();
    let before = ledger.snapshot(1, at(5));
    assert_eq!(before.compactions, [("claude".to_owned(), 0)].into(), "from 0");
    ledger.fold(Entry::TokensRead { at: at(10), batch });
    let quiet = TokenBatch::default();
    ledger.fold(Entry::TokensRead { at: at(11), batch: quiet });
    let shown = ledger.snapshot(2, at(20));
    assert_eq!((shown.compactions["claude"], shown.lag), (2, lag));
    let of = ("claude".to_owned(), Window::FiveHours);
    assert_eq!(shown.quotas[&of].used, 0.5, "the newer one");
    assert!(ledger.snapshot(3, at(5_000)).quotas.is_empty(), "it began anew");
}

#[test]
fn what_is_printed_is_put_to_its_run_and_is_silent_beside_a_transcript() {
    let printed = |key: u64, conversation: &str, response: bool| Spoken {
        usage: Usage { source: UsageSource::Stdout, ..usage(5, key, conversation, Cost::Unpriced) },
        response,
        step: None,
    };
    let spoken = |ms: u64, run: u64, spoken: Vec<Spoken>| Entry::StdoutRead {
        at: at(ms),
        batch: stdout::Batch {
            run: Some(RunId(run)),
            process: "coder".into(),
            spoken,
            ..Default::default()
        },
    };
    let mut ledger = ledger();
    let story = vec![
        opened(0, 1, CODER, 0),
        read(10, Some("coder"), vec![usage(9, 1, "c1", Cost::Unpriced)]),
        spoken(
            11,
            1,
            vec![printed(2, "c1", true), printed(3, "c2", true), printed(4, "c2", false)],
        ),
        spoken(12, 1, vec![printed(3, "c2", true)]),
    ];
    told(&mut ledger, story);
    let shown = ledger.snapshot(1, at(20));
    let series = &shown.tokens[0];
    assert_eq!((series.responses, series.tokens.total()), (2, 45), "c1 once, and all of c2 once");
    assert_eq!(shown.process_tokens["coder"].total(), 45);
}

#[test]
fn what_is_being_told_is_shown_and_neither_counted_nor_kept_before_it_is_over() {
    let mut ledger = ledger();
    let telling = |ms, telling: Vec<Usage>, usages: Vec<Usage>| {
        let telling = Some(telling);
        let process = Some("coder".to_owned());
        let batch = TokenBatch { process, usages, telling, ..TokenBatch::default() };
        Entry::TokensRead { at: at(ms), batch }
    };
    let one = || usage(5, 1, "c1", Cost::Priced(Money(40)));
    let two = || usage(6, 2, "c1", Cost::Unpriced);
    let story =
        vec![opened(0, 1, CODER, 0), ready(1, 1), telling(10, vec![one(), two()], Vec::new())];
    let rows = told(&mut ledger, story);
    assert!(rows.iter().all(|row| !row.contains("usage")), "{rows:?}");
    let open = |ledger: &Ledger| ledger.snapshot(1, at(11));
    let shown = open(&ledger);
    let (id, figures) = shown.telling.first_key_value().expect("it is told");
    let talk = shown.sessions.iter().find(|session| session.id == *id).expect("it is open");
    assert_eq!((talk.native_id.as_deref(), talk.figures.tokens.total()), (Some("c1"), 0));
    assert_eq!((figures.tokens.total(), figures.cost), (30, Money(40)));
    assert_eq!(figures.unpriced_tokens, 15);
    assert_eq!((shown.tokens.len(), shown.process_tokens["coder"].total()), (0, 0));
    ledger.fold(telling(20, vec![two()], vec![one()]));
    let shown = open(&ledger);
    let talk = shown.sessions.iter().find(|session| session.id == *id).expect("it is open");
    assert_eq!((talk.figures.tokens.total(), shown.telling[id].tokens.total()), (15, 15));
    ledger.fold(telling(30, Vec::new(), vec![two()]));
    let shown = open(&ledger);
    assert!(shown.telling.is_empty());
    assert_eq!(shown.process_tokens["coder"].total(), 30);
}
