//! `procession budgets`: what may be spent, what was, and how long that lasts.

use clap::Args;

use super::knock::encoded;
use super::phrase::{NOTHING, harmless, span, table};
use super::{Door, Failure, print};
use crate::serve::wire::budgets::{Budget, Budgets};
use crate::units::grouped;

const HEADINGS: [&str; 8] = ["NAME", "OF", "WINDOW", "SPENT", "LIMIT", "USED", "PER HOUR", "LASTS"];

#[derive(Debug, Args)]
pub struct Options {
    /// Only this budget, with everything that is known of it; all of them at a glance when not given.
    #[arg(value_name = "NAME")]
    name: Option<String>,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

pub(super) async fn budgets(options: &Options) -> Result<(), Failure> {
    let path = match &options.name {
        Some(name) => format!("/v1/budgets/{}", encoded(name)),
        None => "/v1/budgets".to_owned(),
    };
    let text = options.door.client()?.get_text(&path).await?;
    if options.json {
        return print(text.trim_end());
    }
    let failed = |error: serde_json::Error| Failure::Failed(error.to_string());
    if options.name.is_some() {
        return print(&told(&serde_json::from_str(&text).map_err(failed)?));
    }
    let found: Budgets = serde_json::from_str(&text).map_err(failed)?;
    let rows: Vec<Vec<String>> = found.budgets.iter().map(row).collect();
    print(&table(&HEADINGS, &rows))
}

fn row(budget: &Budget) -> Vec<String> {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let of = budget.process.as_ref().or(budget.agent.as_ref());
    vec![
        budget.name.clone(),
        of.map_or_else(|| "everybody".to_owned(), |name| harmless(name)),
        budget.window.clone(),
        amount(budget, budget.spent),
        amount(budget, budget.limit),
        used(budget),
        or_nothing(budget.per_hour.map(|rate| amount(budget, rate))),
        or_nothing(lasts(budget)),
    ]
}

fn used(budget: &Budget) -> String {
    format!("{:.0} %", (budget.used_ratio * 100.0).floor())
}

/// How long it lasts, or until when nothing is left.
fn lasts(budget: &Budget) -> Option<String> {
    match &budget.reopens {
        _ if !budget.is_spent => budget.seconds_to_limit.map(span),
        Some(until) => Some(format!("spent until {until}")),
        None => Some("spent".to_owned()),
    }
}

/// Tokens in groups of three digits, or dollars to the cent and finer where there are no cents.
fn amount(budget: &Budget, amount: u64) -> String {
    if budget.unit == "tokens" {
        return grouped(amount);
    }
    let places = if amount < 1_000_000_000 && !amount.is_multiple_of(10_000_000) { 6 } else { 2 };
    let fraction = format!("{:09}", amount % 1_000_000_000);
    format!("{}.{} USD", grouped(amount / 1_000_000_000), &fraction[..places])
}

/// One budget for people.
fn told(budget: &Budget) -> String {
    let mut lines = vec![harmless(&budget.name)];
    let mut tell = |name: &str, text: Option<String>| {
        if let Some(text) = text {
            lines.push(format!("{name:>12}  {text}"));
        }
    };
    let zone = budget.timezone.as_ref().map(|zone| format!(" in {}", harmless(zone)));
    tell("process", budget.process.as_deref().map(harmless));
    tell("agent", budget.agent.as_deref().map(harmless));
    tell("window", Some(budget.window.clone() + &zone.unwrap_or_default()));
    tell("began", budget.opens.clone());
    tell("ends", budget.closes.clone());
    tell("limit", Some(amount(budget, budget.limit)));
    tell("spent", Some(format!("{}, {}", amount(budget, budget.spent), used(budget))));
    let blind = budget.unpriced_tokens.filter(|tokens| *tokens > 0);
    tell("not seen", blind.map(|tokens| format!("{} tokens without a price", grouped(tokens))));
    tell("per hour", budget.per_hour.map(|rate| amount(budget, rate)));
    tell("lasts", lasts(budget));
    let warn: Vec<String> = budget.warn_percent.iter().map(|it| format!("{it} %")).collect();
    tell("warns at", (!warn.is_empty()).then(|| warn.join(", ")));
    let follows = budget.exceeded.iter().map(|(action, times)| match &budget.signal {
        Some(signal) if action == "signal" => format!("{signal} ({times} times)"),
        _ => format!("{action} ({times} times)"),
    });
    tell("when spent", Some(follows.collect::<Vec<_>>().join(", ")));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        Budget {
            name: "daily".into(),
            window: "day".into(),
            timezone: Some("Europe/Berlin".into()),
            unit: "nano_usd".into(),
            limit: 20_000_000_000,
            spent: 1_234_567_891,
            used_ratio: 0.0617,
            unpriced_tokens: Some(12_345),
            per_hour: Some(500_000_000),
            seconds_to_limit: Some(3_700.0),
            warn_percent: vec![50, 80],
            exceeded: [("event".to_owned(), 0), ("signal".to_owned(), 2)].into(),
            signal: Some("SIGUSR1".into()),
            ..Budget::default()
        }
    }

    #[test]
    fn a_budget_is_told_in_its_unit() {
        assert_eq!(
            row(&budget()),
            ["daily", "everybody", "day", "1.23 USD", "20.00 USD", "6 %", "0.50 USD", "1h 1m"]
        );
        let tokens = Budget {
            unit: "tokens".into(),
            is_spent: true,
            reopens: Some("tomorrow".into()),
            ..budget()
        };
        assert_eq!(row(&tokens)[3..5], ["1,234,567,891", "20,000,000,000"]);
        assert_eq!(row(&tokens)[7], "spent until tomorrow");
        assert_eq!(amount(&budget(), 1_500), "0.000001 USD");
    }

    #[test]
    fn one_is_told_with_what_it_does_not_see() {
        assert_eq!(
            told(&budget()),
            "daily\n      window  day in Europe/Berlin\n       limit  20.00 USD\n       \
             spent  1.23 USD, 6 %\n    not seen  12,345 tokens without a price\n    \
             per hour  0.50 USD\n       lasts  1h 1m\n    warns at  50 %, 80 %\n  \
             when spent  event (0 times), SIGUSR1 (2 times)"
        );
    }
}
