//! What is spent of budgets, and what follows: an event always, an end or a signal asked for at the
//! control door like any operator would, and a refusal of what is new.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::config::plan::{BudgetActions, BudgetLimit, BudgetPlan, BudgetScope, BudgetWindow};
use crate::ledger::budget::{Account, Charge, Passed, is_about};
use crate::ledger::fold::{Ledger, Process};
use crate::ledger::request::{HookCause, Hooked, Knock, Refusal};
use crate::ledger::row::{EventSource, Row};
use crate::ledger::session::Session;
use crate::ledger::sessions::Note;
use crate::ledger::snapshot::BudgetView;
use crate::tokens::{Correction, Cost, SpentBefore, TokenCounts, Usage};
use crate::units::{Mono, Now, ProcessIx, SessionId, Wall};

/// Between two times that the stop of one run is asked for: an order may have been lost, and who is
/// stopping is not helped by being asked every second.
const ASKED_APART: Duration = Duration::from_secs(60);

/// Every budget, in the order of the plan.
#[derive(Debug, Default)]
pub(super) struct Budgets(Vec<Budget>);

#[derive(Debug)]
struct Budget {
    account: Account,
    /// Times that a part of the limit was told of.
    warnings: u64,
    /// Times that it was spent, by what followed.
    exceeded: BTreeMap<&'static str, u64>,
    /// The live runs whose stop was asked for because it is spent, and when last.
    asked: BTreeMap<SessionId, Mono>,
}

/// What was spent at once.
pub(super) struct Spending<'a> {
    agent: &'a str,
    /// When, by the agent's clock.
    given: Wall,
    tokens: &'a TokenCounts,
    cost: Cost,
}

impl<'a> Spending<'a> {
    /// What a response took.
    pub(super) fn of(usage: &'a Usage) -> Self {
        let Usage { agent, at, tokens, cost, .. } = usage;
        Self { agent, given: *at, tokens, cost: *cost }
    }

    /// What a response took beyond what it was counted for. What it was counted for too much stays
    /// spent, as counters have it.
    pub(super) fn more(correction: &'a Correction) -> Self {
        let Correction { agent, at, more, cost, .. } = correction;
        Self { agent, given: *at, tokens: more, cost: *cost }
    }
}

impl Budgets {
    pub(super) fn new(plans: &[BudgetPlan], at: Now) -> Self {
        Self(plans.iter().map(|plan| Budget::new(plan, at)).collect())
    }

    /// Goes on under another plan: what was spent of a budget stays with its name.
    pub(super) fn follow(&mut self, plans: &[BudgetPlan], at: Now) {
        let mut before = std::mem::take(&mut self.0);
        let next = |plan: &BudgetPlan| {
            let known = before.iter().position(|one| one.account.plan().name == plan.name);
            let Some(mut budget) = known.map(|place| before.swap_remove(place)) else {
                return Budget::new(plan, at);
            };
            budget.account.follow(Arc::new(plan.clone()), at);
            for action in actions(plan.actions) {
                budget.exceeded.entry(action).or_default();
            }
            budget
        };
        self.0 = plans.iter().map(next).collect();
    }

    pub(super) fn views(&self, at: Now) -> Vec<BudgetView> {
        self.0.iter().map(|budget| budget.view(at)).collect()
    }
}

impl Budget {
    fn new(plan: &BudgetPlan, at: Now) -> Self {
        let exceeded = actions(plan.actions).map(|action| (action, 0)).collect();
        let account = Account::new(Arc::new(plan.clone()), at);
        Self { account, warnings: 0, exceeded, asked: BTreeMap::new() }
    }

    /// As it is now, although nothing may have happened for long.
    fn view(&self, at: Now) -> BudgetView {
        let mut account = self.account.clone();
        account.turn(at.wall);
        let (sum, (opens, closes)) = (account.sum(), account.bounds());
        let is_money = matches!(account.plan().limit, BudgetLimit::Cost(_));
        BudgetView {
            limit: account.limit(),
            spent: sum.amount,
            unpriced: is_money.then_some(sum.blind),
            is_spent: account.is_spent(),
            opens,
            closes,
            reopens: account.reopens(),
            per_hour: account.per_hour(at),
            lasts: account.lasts(at),
            warnings: self.warnings,
            exceeded: self.exceeded.clone(),
            plan: Arc::clone(account.plan()),
        }
    }

    /// Whether the stop of a run is asked for now, for the first time or once more.
    fn asks(&mut self, run: SessionId, now: Mono) -> bool {
        let due = self.asked.get(&run).is_none_or(|last| now.since(*last) >= ASKED_APART);
        if due {
            self.asked.insert(run, now);
        }
        due
    }
}

impl Ledger {
    /// Charges what `process` spent to every budget that is about it.
    pub(super) fn charged(&mut self, at: Now, process: &str, spending: &Spending<'_>) -> Vec<Row> {
        if self.budgets.0.is_empty() {
            return Vec::new();
        }
        let ix = self.named(process);
        let family = self.family(process).to_owned();
        let mut rows = Vec::new();
        for place in 0..self.budgets.0.len() {
            let account = &mut self.budgets.0[place].account;
            let plan = Arc::clone(account.plan());
            if !is_about(&plan.scope, process, &family, Some(spending.agent)) {
                continue;
            }
            let charge = Charge::of(&plan.limit, spending.tokens, spending.cost);
            for passed in account.charge(at, spending.given, charge) {
                rows.extend(self.passed(at, place, ix, passed));
            }
            rows.extend(self.goes_on(at, place, ix, spending.given));
        }
        rows
    }

    /// Tells what was reached, and does what follows.
    fn passed(
        &mut self,
        at: Now,
        place: usize,
        spender: Option<ProcessIx>,
        passed: Passed,
    ) -> Vec<Row> {
        let budget = &mut self.budgets.0[place];
        let plan = Arc::clone(budget.account.plan());
        let mut detail = told(&budget.view(at));
        let event_type = match passed {
            Passed::Warning(percent) => {
                budget.warnings += 1;
                detail["percent"] = percent.into();
                "budget_warning"
            }
            Passed::Limit => {
                for action in actions(plan.actions) {
                    *budget.exceeded.entry(action).or_default() += 1;
                }
                "budget_exceeded"
            }
            Passed::Blind => "budget_blind",
        };
        let meant = self.meant(&plan, spender);
        let witness = spender.or(meant.first().copied());
        let mut rows = self.witnessed(at, witness, event_type, detail);
        if passed != Passed::Limit {
            return rows;
        }
        if let Some(signal) = plan.actions.signal {
            for ix in &meant {
                let process = self.processes[ix.0].view.name.clone();
                let detail = json!({
                    "budget": plan.name, "action": "signal", "signal": signal.to_string(),
                });
                rows.extend(self.witnessed(at, Some(*ix), "budget_action", detail));
                self.knocks.push(Knock::Signal { process, signal });
            }
        }
        if plan.actions.hook {
            rows.extend(self.hook_for_budget(at, place, witness));
        }
        if plan.actions.stop {
            for ix in meant {
                rows.extend(self.stop_for_budget(at, place, ix));
            }
        }
        rows
    }

    /// Who goes on spending what is spent is stopped: started anew by an order, or never reached by the
    /// first one.
    fn goes_on(
        &mut self,
        at: Now,
        place: usize,
        spender: Option<ProcessIx>,
        given: Wall,
    ) -> Vec<Row> {
        let account = &self.budgets.0[place].account;
        if !(account.is_spent() && account.plan().actions.stop) {
            return Vec::new();
        }
        // A response is closed later than it was given: maybe by a run that is over.
        let run = spender.and_then(|ix| self.processes[ix.0].run.as_ref());
        match (spender, run) {
            (Some(ix), Some(run)) if run.started <= given => self.stop_for_budget(at, place, ix),
            _ => Vec::new(),
        }
    }

    /// Asks for the command of a budget that is spent to be run.
    fn hook_for_budget(&mut self, at: Now, place: usize, witness: Option<ProcessIx>) -> Vec<Row> {
        let view = self.budgets.0[place].view(at);
        let (name, spent, limit) = (view.plan.name.clone(), view.spent, view.limit);
        let detail = json!({ "budget": name, "action": "hook" });
        let process = witness.map(|ix| self.processes[ix.0].view.name.clone());
        let cause = HookCause::Budget { name, spent, limit };
        self.knocks.push(Knock::Hook(Hooked { process, cause }));
        self.witnessed(at, witness, "budget_action", detail)
    }

    fn stop_for_budget(&mut self, at: Now, place: usize, ix: ProcessIx) -> Vec<Row> {
        let process = &self.processes[ix.0];
        let Some(session) = process.run.as_ref().map(|run| run.session) else { return Vec::new() };
        let name = process.view.name.clone();
        let budget = &mut self.budgets.0[place];
        if !budget.asks(session, at.mono) {
            return Vec::new();
        }
        let detail = json!({ "budget": budget.account.plan().name, "action": "stop" });
        self.knocks.push(Knock::Stop(name));
        self.sessions.note(session, at, note("budget_action", detail))
    }

    /// Asks once more for stops that were asked for a while ago, and forgets runs that are over.
    pub(super) fn budgets_turned(&mut self, at: Now) -> Vec<Row> {
        let mut again = Vec::new();
        let live: Vec<(SessionId, ProcessIx)> = (0..self.processes.len())
            .filter(|_| self.budgets.0.iter().any(|budget| !budget.asked.is_empty()))
            .filter_map(|ix| Some((self.processes[ix].run.as_ref()?.session, ProcessIx(ix))))
            .collect();
        for (place, budget) in self.budgets.0.iter_mut().enumerate() {
            budget.account.turn(at.wall);
            let lives = |run: &SessionId| live.iter().find(|(session, _)| session == run);
            budget.asked.retain(|run, _| lives(run).is_some());
            if !budget.account.is_spent() {
                budget.asked.clear();
            }
            again.extend(budget.asked.keys().filter_map(lives).map(|(_, ix)| (place, *ix)));
        }
        again.into_iter().flat_map(|(place, ix)| self.stop_for_budget(at, place, ix)).collect()
    }

    /// The live processes that a budget is about: for one of everybody, those that declare an agent,
    /// and who spent.
    fn meant(&self, plan: &BudgetPlan, spender: Option<ProcessIx>) -> Vec<ProcessIx> {
        let is_meant = |(ix, process): &(ProcessIx, &Process)| {
            let view = &process.view;
            let agent = view.agent.as_deref();
            let by_name = is_about(&plan.scope, &view.name, &view.family, agent);
            let everybody = plan.scope == BudgetScope::Container;
            process.run.is_some()
                && (spender == Some(*ix) || by_name && (!everybody || agent.is_some()))
        };
        let all = self.processes.iter().enumerate().map(|(ix, process)| (ProcessIx(ix), process));
        all.filter(is_meant).map(|(ix, _)| ix).collect()
    }

    /// Puts an event to the live run of a process, or to its last one.
    fn witnessed(
        &mut self,
        at: Now,
        ix: Option<ProcessIx>,
        event_type: &'static str,
        detail: Value,
    ) -> Vec<Row> {
        let process = ix.and_then(|ix| self.processes.get(ix.0));
        let live = process.and_then(|process| process.run.as_ref()).map(|run| run.session);
        let last = || process.and_then(|process| process.last.as_ref()).map(|last| last.session);
        match live.or_else(last) {
            Some(session) => self.sessions.note(session, at, note(event_type, detail)),
            None => Vec::new(),
        }
    }

    fn family(&self, process: &str) -> &str {
        let known = self.named(process).map(|ix| &self.processes[ix.0].view);
        known.map_or("", |view| &view.family)
    }

    /// Whether a budget that is spent refuses what is new of a process or an agent.
    pub(super) fn affords(
        &self,
        at: Now,
        process: &str,
        agent: Option<&str>,
    ) -> Result<(), Refusal> {
        let family = self.family(process);
        let refuses = |budget: &&Budget| {
            let plan = budget.account.plan();
            plan.actions.refuse && is_about(&plan.scope, process, family, agent)
        };
        let views = self.budgets.0.iter().filter(refuses).map(|budget| budget.view(at));
        match views.into_iter().find(|view| view.is_spent) {
            Some(view) => {
                let budget = view.plan.name.clone();
                Err(Refusal::BudgetSpent { budget, until: view.reopens })
            }
            None => Ok(()),
        }
    }

    /// Adds what earlier lives spent of late; what a run of theirs spent comes with its session.
    pub(super) fn spent_before(&mut self, at: Now, spent: &[SpentBefore]) {
        for one in spent {
            let family = self.family(&one.process).to_owned();
            for budget in &mut self.budgets.0 {
                let plan = Arc::clone(budget.account.plan());
                let goes_on = matches!(plan.window, BudgetWindow::Day(_) | BudgetWindow::Hour);
                if !goes_on || !is_about(&plan.scope, &one.process, &family, Some(&one.agent)) {
                    continue;
                }
                let charge = Charge::of(&plan.limit, &one.tokens, one.cost);
                budget.account.restore(at.wall, one.minute, charge);
            }
        }
    }

    /// A budget of one run begins with it.
    pub(super) fn budget_of_run(&mut self, at: Now, ix: ProcessIx, adopted: bool) {
        let Some(process) = self.processes.get(ix.0) else { return };
        for budget in &mut self.budgets.0 {
            let (view, plan) = (&process.view, Arc::clone(budget.account.plan()));
            if is_about(&plan.scope, &view.name, &view.family, None) {
                budget.account.run_began(at.wall, adopted);
            }
        }
    }

    /// A run that was taken over had spent something already.
    pub(super) fn run_spent_before(&mut self, kept: &Session) {
        let (family, figures) = (self.family(&kept.process).to_owned(), &kept.figures);
        for budget in &mut self.budgets.0 {
            let plan = Arc::clone(budget.account.plan());
            let is_of_run = plan.window == BudgetWindow::Run;
            if is_of_run && is_about(&plan.scope, &kept.process, &family, None) {
                let charge = Charge::of(&plan.limit, &figures.tokens, Cost::Priced(figures.cost));
                let blind = match plan.limit {
                    BudgetLimit::Cost(_) => figures.unpriced_tokens,
                    BudgetLimit::Tokens { .. } => 0,
                };
                let started = kept.started;
                budget.account.restore(started, started, Charge { blind, ..charge });
            }
        }
    }
}

/// What follows when it is spent, as counters have it.
fn actions(actions: BudgetActions) -> impl Iterator<Item = &'static str> {
    let BudgetActions { signal, stop, refuse, hook } = actions;
    let on = |word, follows| (word, follows);
    let all = [
        on("event", true),
        on("signal", signal.is_some()),
        on("hook", hook),
        on("stop", stop),
        on("refuse", refuse),
    ];
    all.into_iter().filter(|(_, follows)| *follows).map(|(action, _)| action)
}

fn note(event_type: &'static str, detail: Value) -> Note {
    Note::new(event_type, "budget", detail).from(EventSource::Ledger)
}

fn told(view: &BudgetView) -> Value {
    let unit = if view.is_money() { "nano_usd" } else { "tokens" };
    json!({
        "budget": view.plan.name,
        "unit": unit,
        "limit": view.limit,
        "spent": view.spent,
        "unpriced_tokens": view.unpriced,
        "window": view.plan.window.as_str(),
        "until": view.reopens.or(view.closes).map(|at| at.to_string()),
    })
}
