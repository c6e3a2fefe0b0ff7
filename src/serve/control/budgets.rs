//! Budgets: what may be spent, what was, and whether it is enough for what is ordered.

use hyper::StatusCode;

use super::answer::{Answer, json};
use super::api::{Route, What as Any, get};
use super::problem::Problem;
use super::{Desk, reading};
use crate::clock;
use crate::config::plan::{BudgetLimit, BudgetScope, BudgetWindow};
use crate::ledger::snapshot::{BudgetView, ProcessView, Snapshot};
use crate::serve::wire::budgets as wire;
use crate::units::Wall;

/// What is answered at the addresses of this file.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    All,
    One,
}

/// The addresses of this file.
pub(super) const ROUTES: &[Route] = &[
    get("/v1/budgets", &[], Any::Budgets(What::All)),
    get("/v1/budgets/{name}", &[], Any::Budgets(What::One)),
];

/// The answer to a request of this file.
pub(super) fn answer(desk: &Desk, what: What, name: &str) -> Result<Answer, Problem> {
    let picture = desk.picture();
    Ok(match what {
        What::All => json(
            StatusCode::OK,
            &wire::Budgets {
                generation: picture.generation,
                at: picture.at.wall.to_string(),
                budgets: picture.budgets.iter().map(budget).collect(),
            },
        ),
        What::One => json(StatusCode::OK, &budget(find(&picture, name)?)),
    })
}

fn find<'p>(picture: &'p Snapshot, name: &str) -> Result<&'p BudgetView, Problem> {
    let all = || picture.budgets.iter();
    all().find(|budget| budget.plan.name == name).ok_or_else(|| {
        let known = all().map(|budget| budget.plan.name.as_str());
        Problem::unknown("budget", name, &reading::nearest(name, known))
    })
}

/// Whether no spent budget refuses to begin one of these processes. Who begins by itself, at the start
/// of the house or after an end, is not asked.
pub(super) fn afford(picture: &Snapshot, names: &[String]) -> Result<(), Problem> {
    let now = clock::now().wall;
    let is_named = |process: &&ProcessView| {
        names.iter().any(|name| *name == process.name || *name == process.family)
    };
    for process in picture.processes.iter().filter(is_named) {
        let spent = picture.budgets.iter().find(|budget| refuses(budget, process, now));
        if let Some(budget) = spent {
            return Err(Problem::budget_spent(&budget.plan.name, budget.reopens));
        }
    }
    Ok(())
}

/// One of everybody is about those that declare an agent: what spends nothing is not kept from running.
fn refuses(budget: &BudgetView, process: &ProcessView, now: Wall) -> bool {
    let plan = &budget.plan;
    let is_about = match &plan.scope {
        BudgetScope::Process(name) => *name == process.name || *name == process.family,
        BudgetScope::Agent(name) => process.agent.as_ref() == Some(name),
        BudgetScope::Container => process.agent.is_some(),
    };
    let opened = budget.reopens.is_some_and(|until| until <= now);
    plan.actions.refuse && budget.is_spent && is_about && !opened
}

fn budget(view: &BudgetView) -> wire::Budget {
    let plan = &view.plan;
    let (process, agent) = match &plan.scope {
        BudgetScope::Process(name) => (Some(name.clone()), None),
        BudgetScope::Agent(name) => (None, Some(name.clone())),
        BudgetScope::Container => (None, None),
    };
    let time = |at: Option<Wall>| at.map(|at| at.to_string());
    let kinds = match plan.limit {
        BudgetLimit::Tokens { kinds, .. } => kinds.names().map(str::to_owned).collect(),
        BudgetLimit::Cost(_) => Vec::new(),
    };
    let actions = view.exceeded.iter().map(|(action, times)| ((*action).to_owned(), *times));
    wire::Budget {
        name: plan.name.clone(),
        process,
        agent,
        window: plan.window.as_str().to_owned(),
        timezone: match &plan.window {
            BudgetWindow::Day(zone) => Some(zone.name().to_owned()),
            _ => None,
        },
        unit: if view.is_money() { "nano_usd" } else { "tokens" }.to_owned(),
        kinds,
        limit: view.limit,
        spent: view.spent,
        used_ratio: view.ratio(),
        unpriced_tokens: view.unpriced,
        is_spent: view.is_spent,
        opens: time(view.opens),
        closes: time(view.closes),
        reopens: time(view.reopens),
        per_hour: view.per_hour.map(|rate| rate.round() as u64),
        seconds_to_limit: view.lasts.map(|span| span.as_secs_f64().round()),
        warn_percent: plan.warn.clone(),
        warnings: view.warnings,
        signal: plan.actions.signal.map(|signal| signal.to_string()),
        exceeded: actions.collect(),
    }
}
