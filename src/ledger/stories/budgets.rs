//! Stories of budgets: who is told, what is asked for at the door, and what is refused.

use super::*;
use crate::ledger::request::{
    Beat, HookCause, Hooked, Knock, Limits, Named, Opening, Refusal, Reply, Request,
};
use crate::ledger::snapshot::BudgetView;
use crate::tokens::call::Call;

const S: u64 = 1_000;

fn budget(name: &str, scope: BudgetScope, most: u64, actions: BudgetActions) -> BudgetPlan {
    BudgetPlan {
        name: name.into(),
        scope,
        window: BudgetWindow::Day(Zone::default()),
        limit: BudgetLimit::Tokens { most, kinds: CountedKinds::ALL },
        warn: vec![50],
        actions,
        hook: None,
    }
}

fn coder(most: u64, actions: BudgetActions) -> BudgetPlan {
    budget("b", BudgetScope::Process("coder".into()), most, actions)
}

fn with(budgets: Vec<BudgetPlan>) -> Ledger {
    let plan = Plan { budgets, ..plan() };
    Ledger::new(&plan, at(0), true, |_| Box::new(Scripted(None)), 7)
}

/// `coder` runs and spends 15 tokens with each response.
fn spend(ledger: &mut Ledger, ms: u64, key: u64) {
    let response = usage(ms, key, "c1", Cost::Priced(Money(2)));
    ledger.fold(read(ms, Some("coder"), vec![response]));
}

fn events(batches: &[Batch]) -> Vec<String> {
    let rows = batches.iter().flat_map(|batch| &batch.rows);
    let budget = |row: &Row| match row {
        Row::Event(event) if event.trigger == "budget" => Some(event.event_type.to_string()),
        _ => None,
    };
    rows.filter_map(budget).collect()
}

fn only(ledger: &Ledger, ms: u64) -> BudgetView {
    ledger.snapshot(1, at(ms)).budgets.first().expect("a budget").clone()
}

#[test]
fn what_is_spent_and_what_follows_is_said_in_the_log() {
    let mut ledger =
        with(vec![coder(40, BudgetActions { stop: true, ..BudgetActions::default() })]);
    ledger.fold(opened(0, 1, CODER, 0));
    let mut said = |ms, key| {
        let response = usage(ms, key, "c1", Cost::Unpriced);
        said_in_the_log(&ledger.fold(read(ms, Some("coder"), vec![response])))
    };
    assert_eq!(said(1, 1), [""; 0]);
    let until = "until 2026-09-22T00:00:00.000Z";
    let half = format!("50% of the budget b is spent: 30 of 40 tokens (day, {until})");
    assert_eq!(said(2, 2), [half]);
    let all = format!("all of the budget b is spent: 45 of 40 tokens (day, {until})");
    assert_eq!(said(3, 3), [all, "the budget b asks for: stop".to_owned()]);
}

#[test]
fn it_is_told_at_its_parts_and_the_action_is_asked_for_once() {
    let actions =
        BudgetActions { signal: Some(Signal::USR1), stop: true, hook: true, refuse: false };
    let mut ledger = with(vec![coder(40, actions)]);
    ledger.fold(opened(0, 1, CODER, 0));
    ledger.fold(opened(0, 2, WEB, 0));
    let spend = |ledger: &mut Ledger, ms, key| {
        let usage = usage(ms, key, "c1", Cost::Unpriced);
        events(&ledger.fold(read(ms, Some("coder"), vec![usage])))
    };
    assert_eq!(spend(&mut ledger, 1, 1), [""; 0]);
    assert_eq!(spend(&mut ledger, 2, 2), ["budget_warning"]);
    assert!(ledger.take_knocks().is_empty());
    assert_eq!(
        spend(&mut ledger, 3, 3),
        ["budget_exceeded", "budget_action", "budget_action", "budget_action"]
    );
    let stop = || Knock::Stop("coder".into());
    let signal = Knock::Signal { process: "coder".into(), signal: Signal::USR1 };
    let cause = HookCause::Budget { name: "b".into(), spent: 45, limit: 40 };
    let hook = Knock::Hook(Hooked { process: Some("coder".into()), cause });
    assert_eq!(ledger.take_knocks(), [signal, hook, stop()]);
    // It goes on spending while it is being stopped: once a minute is enough.
    assert_eq!(spend(&mut ledger, 4, 4), [""; 0]);
    ledger.fold(Entry::TimePassed { at: at(59 * S) });
    assert!(ledger.take_knocks().is_empty());
    ledger.fold(Entry::TimePassed { at: at(61 * S) });
    assert_eq!(ledger.take_knocks(), [stop()]);
    ledger.fold(exited(62 * S, 1, 0));
    ledger.fold(Entry::TimePassed { at: at(200 * S) });
    assert!(ledger.take_knocks().is_empty());
    // Somebody starts it again: what was given before is of the run that is over.
    ledger.fold(opened(300 * S, 3, CODER, 1));
    let late = usage(60 * S, 5, "c1", Cost::Unpriced);
    ledger.fold(read(300 * S + 1, Some("coder"), vec![late]));
    assert!(ledger.take_knocks().is_empty());
    spend(&mut ledger, 301 * S, 6);
    assert_eq!(ledger.take_knocks(), [stop()]);
    let view = only(&ledger, 301 * S);
    assert_eq!((view.spent, view.is_spent, view.warnings), (90, true, 1));
    assert_eq!(view.exceeded, [("event", 1), ("signal", 1), ("hook", 1), ("stop", 1)].into());
}

#[test]
fn one_of_an_agent_or_of_everybody_is_about_those_who_declare_one() {
    let stop = BudgetActions { stop: true, ..BudgetActions::default() };
    for scope in [BudgetScope::Agent("claude".into()), BudgetScope::Container] {
        let mut ledger = with(vec![budget("b", scope.clone(), 10, stop)]);
        ledger.fold(opened(0, 1, CODER, 0));
        ledger.fold(opened(0, 2, WEB, 0));
        // Of whose process it is not known.
        ledger.fold(read(1, None, vec![usage(1, 1, "c", Cost::Unpriced)]));
        assert_eq!(ledger.take_knocks(), [Knock::Stop("coder".into())], "{scope:?}");
    }
    let web = budget("b", BudgetScope::Process("web".into()), 10, stop);
    let mut ledger = with(vec![web]);
    ledger.fold(opened(0, 1, CODER, 0));
    spend(&mut ledger, 1, 1);
    assert_eq!((only(&ledger, 2).spent, ledger.take_knocks()), (0, vec![]));
}

#[test]
fn what_is_spent_refuses_what_is_new_until_its_window_is_over() {
    let refuse = BudgetActions { refuse: true, ..BudgetActions::default() };
    let agent = BudgetScope::Agent("claude".into());
    let mut ledger = with(vec![budget("daily", agent, 15, refuse)]);
    let open = |ledger: &mut Ledger, ms: u64, agent: &str, id: &str| {
        let mut opening = Opening { native_id: Some(id.into()), ..Opening::default() };
        opening.own.agent = Some(agent.into());
        ledger.ask(at(ms), Request::Open(Box::new(opening))).0
    };
    assert!(matches!(open(&mut ledger, 1, "claude", "a"), Reply::Opened { .. }));
    ledger.fold(opened(2, 1, CODER, 0));
    spend(&mut ledger, 3, 1);
    let closes = only(&ledger, 4).closes.expect("a day ends");
    let refused = Refusal::BudgetSpent { budget: "daily".into(), until: Some(closes) };
    assert_eq!(open(&mut ledger, 4, "claude", "b"), Reply::Refused(refused));
    assert!(matches!(open(&mut ledger, 5, "claude", "a"), Reply::Opened { new: false, .. }));
    assert!(matches!(open(&mut ledger, 6, "other", "c"), Reply::Opened { .. }));
    assert_eq!(ledger.ask(at(7), Request::Admit).0, Reply::Admitted);
    let tomorrow = u64::try_from(closes.0 - at(0).wall.0).expect("later");
    assert!(matches!(open(&mut ledger, tomorrow, "claude", "b"), Reply::Opened { .. }));
    assert_eq!(only(&ledger, tomorrow).spent, 0);
    // One of everybody is about commands that are spawned as well.
    let mut ledger = with(vec![budget("all", BudgetScope::Container, 15, refuse)]);
    spend(&mut ledger, 3, 1);
    assert!(matches!(
        ledger.ask(at(7), Request::Admit).0,
        Reply::Refused(Refusal::BudgetSpent { .. })
    ));
}

#[test]
fn a_next_life_goes_on_where_the_last_one_was() {
    let refuse = BudgetActions { refuse: true, ..BudgetActions::default() };
    let mut ledger = with(vec![coder(40, refuse)]);
    let before = |process: &str, minute: Wall, input| SpentBefore {
        process: process.into(),
        agent: "claude".into(),
        minute,
        tokens: TokenCounts { input, ..TokenCounts::default() },
        cost: Cost::Unpriced,
    };
    let today = only(&ledger, 0).opens.expect("a day begins");
    let found = |spent| Entry::CountedFound { at: at(0), counted: vec![], keys: vec![], spent };
    ledger.fold(found(vec![
        before("coder", today, 25),
        before("coder", Wall(today.0 - 60_000), 100),
        before("web", today, 1_000),
    ]));
    assert_eq!(only(&ledger, 1).spent, 25);
    ledger.fold(opened(0, 1, CODER, 0));
    let response = usage(1, 1, "c1", Cost::Unpriced);
    let told = events(&ledger.fold(read(1, Some("coder"), vec![response])));
    assert_eq!(told, ["budget_exceeded"], "the half was told of in the life before");
}

#[test]
fn who_goes_on_spending_behind_its_end_is_told_of_and_looked_for() {
    for ends in [OrphanedSpenders::Report, OrphanedSpenders::End] {
        let tokens = TokensPlan { orphaned_spenders: ends, ..TokensPlan::default() };
        let plan = Plan { tokens, ..plan() };
        let mut ledger = Ledger::new(&plan, at(0), true, |_| Box::new(Scripted(None)), 7);
        ledger.fold(opened(0, 1, CODER, 0));
        ledger.fold(exited(S, 1, 0));
        // One that was on its way.
        spend(&mut ledger, 3 * S, 1);
        let view = |ledger: &Ledger, ms| {
            let coder = ledger.snapshot(1, at(ms)).processes[CODER.0].clone();
            (coder.orphaned_spenders, coder.orphaned_tokens)
        };
        assert_eq!(view(&ledger, 3 * S), (0, 0));
        for (second, key) in [(7, 2), (8, 3), (40, 4)] {
            spend(&mut ledger, second * S, key);
        }
        assert_eq!(view(&ledger, 40 * S), (1, 45));
        let knock = Knock::EndOrphans { process: "coder".into(), session: session(1) };
        let asked = match ends {
            OrphanedSpenders::Report => vec![],
            OrphanedSpenders::End => vec![knock.clone(), knock],
        };
        assert_eq!(ledger.take_knocks(), asked);
        // Who runs is nobody's orphan.
        ledger.fold(opened(50 * S, 2, CODER, 1));
        spend(&mut ledger, 60 * S, 5);
        assert_eq!(view(&ledger, 60 * S), (1, 45));
    }
}

#[test]
fn calls_that_are_told_at_a_door_are_charged_too_and_once() {
    let mut ledger = with(vec![budget("b", BudgetScope::Container, 100, BudgetActions::default())]);
    let call = Call {
        model: "some".into(),
        tokens: TokenCounts { input: 60, ..TokenCounts::default() },
        key: Some(UsageKey(9)),
        source: UsageSource::Ingest,
        ..Call::default()
    };
    let told = || Request::Count { calls: vec![call.clone()], within: None, heard: None };
    ledger.ask(at(1), told());
    ledger.ask(at(2), told());
    let view = only(&ledger, 3);
    assert_eq!((view.spent, view.warnings), (60, 1));
}

#[test]
fn late_corrections_and_heartbeats_are_charged_too() {
    let of_money = BudgetPlan {
        limit: BudgetLimit::Cost(Money(1_000)),
        ..budget("money", BudgetScope::Container, 1, BudgetActions::default())
    };
    let tokens = budget("tokens", BudgetScope::Container, 100, BudgetActions::default());
    let mut ledger = with(vec![tokens, of_money]);
    ledger.fold(opened(0, 1, CODER, 0));
    spend(&mut ledger, 1, 1);
    // Too many stay counted; too few are charged.
    let corrections = vec![tokens::correction(1, -3, 0), tokens::correction(1, 20, 20)];
    let process = Some("coder".to_owned());
    let batch = TokenBatch { process, corrections, ..TokenBatch::default() };
    ledger.fold(Entry::TokensRead { at: at(2), batch });
    let spent = |ledger: &Ledger| {
        ledger.snapshot(1, at(9)).budgets.iter().map(|view| view.spent).collect::<Vec<_>>()
    };
    assert_eq!(spent(&ledger), [35, 16]);
    let mut opening = Opening { native_id: Some("job".into()), ..Opening::default() };
    opening.parent = Some(session(1).to_string());
    ledger.ask(at(3), Request::Open(Box::new(opening)));
    let tokens = TokenCounts { output: 30, ..TokenCounts::default() };
    let beat = Beat { tokens, cost: Some(Money(100)), note: None };
    let job = || Named { id: "job".into(), within: None, limits: Limits::default() };
    let (reply, batches) = ledger.ask(at(4), Request::Beat { session: job(), beat });
    assert!(matches!(reply, Reply::Done(_)), "{reply:?}");
    assert_eq!(
        (spent(&ledger), &events(&batches)[..]),
        (vec![65, 116], &["budget_warning".to_owned()][..])
    );
    let kept = batches.iter().flat_map(|batch| &batch.rows);
    let kept = kept.filter(|row| matches!(row, Row::Usage { process, .. } if process == "coder"));
    assert_eq!(kept.count(), 1, "so that a next life reads it back");
    let shown = ledger.snapshot(1, at(9));
    assert_eq!(shown.process_tokens["coder"].total(), 45, "corrections are apart");
    let series = shown.tokens.iter().find(|series| series.model == "unknown").expect("a series");
    assert_eq!((series.tokens.output, series.cost, series.responses), (30, Money(100), 0));
    let empty = Beat { note: Some("still there".into()), ..Beat::default() };
    let (_, batches) = ledger.ask(at(5), Request::Beat { session: job(), beat: empty });
    assert!(
        !batches.iter().flat_map(|batch| &batch.rows).any(|row| matches!(row, Row::Usage { .. }))
    );
}
