//! Budgets as they are written.

use serde::Serialize;

use super::plain;
use super::process::{ShownHook, hook};
use crate::config::plan::{
    BudgetActions, BudgetLimit, BudgetPlan, BudgetScope, BudgetWindow, CountedKinds,
};
use crate::config::quantity::{print_count, print_money};

/// One entry below `budgets`.
#[derive(Serialize)]
pub(super) struct Budget {
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    window: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kinds: Vec<&'static str>,
    warn: Vec<String>,
    action: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hook: Option<ShownHook>,
}

pub(super) fn budget(plan: &BudgetPlan) -> Budget {
    let (process, agent) = match &plan.scope {
        BudgetScope::Process(name) => (Some(plain(name)), None),
        BudgetScope::Agent(name) => (None, Some(plain(name))),
        BudgetScope::Container => (None, None),
    };
    let (tokens, cost, kinds) = match plan.limit {
        BudgetLimit::Tokens { most, kinds } => (Some(print_count(most)), None, some(kinds)),
        BudgetLimit::Cost(money) => (None, Some(print_money(money)), Vec::new()),
    };
    Budget {
        process,
        agent,
        window: plan.window.as_str(),
        timezone: match &plan.window {
            BudgetWindow::Day(zone) => Some(plain(zone.name())),
            _ => None,
        },
        tokens,
        cost,
        kinds,
        warn: plan.warn.iter().map(|percent| format!("{percent}%")).collect(),
        action: actions(plan.actions),
        hook: plan.hook.as_ref().map(hook),
    }
}

fn some(kinds: CountedKinds) -> Vec<&'static str> {
    if kinds == CountedKinds::ALL { Vec::new() } else { kinds.names().collect() }
}

fn actions(actions: BudgetActions) -> Vec<String> {
    let BudgetActions { signal, stop, refuse, hook } = actions;
    let words =
        [("hook", hook), ("stop", stop), ("refuse", refuse)].into_iter().filter(|(_, on)| *on);
    let words = words.map(|(word, _)| word.to_owned());
    let said: Vec<String> =
        signal.map(|signal| signal.to_string()).into_iter().chain(words).collect();
    if said.is_empty() { vec!["event".to_owned()] } else { said }
}
