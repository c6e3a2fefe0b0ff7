//! The families of budgets.

use crate::ledger::snapshot::{BudgetView, Snapshot};
use crate::metrics::catalogue as row;
use crate::metrics::families::{Families, count};
use crate::units::Wall;

/// Adds them in the order of the catalogue.
pub(super) fn put(families: &mut Families, snapshot: &Snapshot) {
    let each = || snapshot.budgets.iter();
    let tokens = || each().filter(|one| !one.is_money());
    let money = || each().filter(|one| one.is_money());
    families.each(&row::BUDGET_LIMIT_TOKENS, tokens().map(|one| (of(one), count(one.limit))));
    families.each(&row::BUDGET_LIMIT_COST, money().map(|one| (of(one), dollars(one.limit))));
    families.each(&row::BUDGET_SPENT_TOKENS, tokens().map(|one| (of(one), count(one.spent))));
    families.each(&row::BUDGET_SPENT_COST, money().map(|one| (of(one), dollars(one.spent))));
    let unpriced = each().filter_map(|one| Some((of(one), count(one.unpriced?))));
    families.each(&row::BUDGET_UNPRICED, unpriced);
    families.each(&row::BUDGET_USED, each().map(|one| (of(one), one.ratio())));
    families.each(&row::BUDGET_WARNINGS, each().map(|one| (of(one), count(one.warnings))));
    let exceeded = each().flat_map(|one| {
        let name = one.plan.name.as_str();
        one.exceeded.iter().map(move |(action, times)| ([name, *action], count(*times)))
    });
    families.each(&row::BUDGET_EXCEEDED, exceeded);
    let rate = |one: &BudgetView| one.per_hour.map(|rate| rate / 3600.0);
    let burns = tokens().filter_map(|one| Some((of(one), rate(one)?)));
    families.each(&row::BUDGET_BURN_TOKENS, burns);
    let burns = money().filter_map(|one| Some((of(one), rate(one)? / 1e9)));
    families.each(&row::BUDGET_BURN_COST, burns);
    let lasts = each().filter_map(|one| Some((of(one), one.lasts?.as_secs_f64())));
    families.each(&row::BUDGET_EXHAUSTION, lasts);
    let ends = each().filter_map(|one| Some((of(one), one.closes.map(Wall::seconds)?)));
    families.each(&row::BUDGET_WINDOW_END, ends);
}

fn of(budget: &BudgetView) -> [&str; 1] {
    [&budget.plan.name]
}

fn dollars(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}
