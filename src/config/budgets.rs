//! `budgets`: what may be spent by whom in which time, and what follows when it is spent.

use super::cursor::{Cursor, Fields, did_you_mean};
use super::plan::{
    BudgetActions, BudgetLimit, BudgetPlan, BudgetScope, BudgetWindow, CountedKinds, ProcessPlan,
    Zone,
};
use super::problem::{nearest, quoted, shortened};
use super::process::hooks;
use super::process::zone::zone;
use super::quantity;
use super::read;
use super::surroundings::Surroundings;
use crate::units::{Money, Signal};

/// Each has its own series, and every response is held against all of them.
const MOST: usize = 50;

/// Fractions of one budget that are told of.
const MOST_WARNINGS: usize = 10;

/// What is told of where nothing is said, in hundredths.
const USUAL_WARNINGS: [u8; 3] = [50, 80, 95];

/// The words of what follows, beside signals.
const FOLLOWS: &str = "`event`, `hook`, `stop`, `refuse` or a signal";

/// What people write for the windows.
const OTHER_WINDOWS: [(&str, &str); 5] = [
    ("daily", "day"),
    ("hourly", "hour"),
    ("session", "run"),
    ("conversation", "run"),
    ("total", "life"),
];

/// Whom a budget can be about.
struct Known<'k> {
    /// The keys under `processes`, also of entries that have faults.
    keys: Vec<&'k str>,
    processes: &'k [ProcessPlan],
}

pub(super) fn budgets(
    fields: &mut Fields<'_>,
    processes_at: Option<&Cursor<'_>>,
    processes: &[ProcessPlan],
    around: &Surroundings<'_>,
) -> Vec<BudgetPlan> {
    let Some(at) = fields.get("budgets") else { return Vec::new() };
    let entries = at.entries("a map of budgets by name").unwrap_or_default();
    if entries.len() > MOST {
        at.fault(format!("at most {MOST} budgets can be"), "put some of them together");
        return Vec::new();
    }
    let named = processes_at.filter(|at| at.is_map()).and_then(|at| at.entries("a map"));
    let named = named.unwrap_or_default();
    let keys = named.iter().map(|(entry, _)| &*entry.key).collect();
    let known = Known { keys, processes };
    let mut plans = Vec::new();
    for (entry, value) in entries {
        if let Some(fault) = read::name_fault(&entry.key) {
            let advice = Some("choose another name".to_owned());
            value.sink().fault(entry.place, value.path(), fault.to_owned(), advice);
        }
        plans.extend(budget(&value, &entry.key, &known, around));
    }
    plans
}

fn budget(
    at: &Cursor<'_>,
    name: &str,
    known: &Known<'_>,
    around: &Surroundings<'_>,
) -> Option<BudgetPlan> {
    let mut fields = at.fields("a map with `tokens` or `cost`")?;
    let scope = scope(&mut fields, at, known);
    let window = window(&mut fields, &scope, known, around);
    let limit = limit(&mut fields);
    let warn = fields.read("warn", warnings).unwrap_or(USUAL_WARNINGS.to_vec());
    let actions = fields.read("action", actions).unwrap_or_default();
    let hook = hooks::named(&mut fields, actions.hook, "`action: hook`", None);
    fields.finish(&[
        ("limit", "write `tokens: 5M` or `cost: 20 USD`"),
        ("usd", "did you mean `cost`?"),
        ("scope", "write `process: NAME` or `agent: NAME`; neither is the whole container"),
        ("period", "did you mean `window`?"),
        ("on_exceeded", "did you mean `action`?"),
    ]);
    let (name, window, limit) = (name.to_owned(), window?, limit?);
    Some(BudgetPlan { name, scope, window, limit, warn, actions, hook })
}

/// Whose spending counts: that of everybody where nobody is named.
fn scope(fields: &mut Fields<'_>, at: &Cursor<'_>, known: &Known<'_>) -> BudgetScope {
    let process = fields.read("process", |at| known.process(at));
    let agent = fields.read("agent", |at| known.agent(at));
    match (process, agent) {
        (Some(_), Some(agent)) => {
            at.fault("it is about a process or about an agent", "remove one of them");
            BudgetScope::Agent(agent)
        }
        (Some(process), None) => BudgetScope::Process(process),
        (None, Some(agent)) => BudgetScope::Agent(agent),
        (None, None) => BudgetScope::Container,
    }
}

fn window(
    fields: &mut Fields<'_>,
    scope: &BudgetScope,
    known: &Known<'_>,
    around: &Surroundings<'_>,
) -> Option<BudgetWindow> {
    let zone_at = fields.get("timezone");
    let zone = match &zone_at {
        Some(at) => zone(at, around),
        None => Some(Zone::default()),
    };
    let Some(window_at) = fields.get("window") else {
        return zone.map(BudgetWindow::Day);
    };
    let day = zone.map(BudgetWindow::Day);
    let words = ["day", "hour", "run", "life"];
    let parse = |text: &str| words.contains(&text).then(|| text.to_owned());
    let meant = |text: &str| {
        let other = OTHER_WINDOWS.iter().find(|(word, _)| *word == text).map(|(_, word)| *word);
        other.or_else(|| nearest(text, words)).map(did_you_mean)
    };
    let word = window_at.parsed("`day`, `hour`, `run` or `life`", parse, meant)?;
    if let Some(at) = zone_at.filter(|_| word != "day") {
        at.fault(
            "only a day begins at another time elsewhere",
            "remove it, or write `window: day`",
        );
    }
    match &*word {
        "hour" => Some(BudgetWindow::Hour),
        "life" => Some(BudgetWindow::Life),
        "run" => {
            known.check_run(&window_at, scope);
            Some(BudgetWindow::Run)
        }
        _ => day,
    }
}

fn limit(fields: &mut Fields<'_>) -> Option<BudgetLimit> {
    let tokens_at = fields.get("tokens");
    let cost_at = fields.get("cost");
    let kinds_at = fields.get("kinds");
    let kinds = kinds_at.as_ref().and_then(kinds).unwrap_or(CountedKinds::ALL);
    match (tokens_at, cost_at) {
        (Some(_), Some(cost_at)) => {
            cost_at
                .fault("a budget is in tokens or in money", "write a second budget for the other");
            None
        }
        (Some(at), None) => {
            let parse = |text: &str| quantity::parse_count(text).filter(|count| *count > 0);
            let most = at.parsed("a number of tokens such as `5M`", parse, zero_advice)?;
            Some(BudgetLimit::Tokens { most, kinds })
        }
        (None, Some(at)) => {
            if let Some(at) = kinds_at {
                at.fault("money is of all kinds of tokens", "remove it, or write `tokens`");
            }
            let parse = |text: &str| quantity::parse_money(text).filter(|money| money.0 > 0);
            let what = "an amount in US dollars such as `20 USD`";
            at.parsed(what, parse, zero_advice).map(BudgetLimit::Cost)
        }
        (None, None) => {
            fields.missing("tokens", "write `tokens: 5M` or `cost: 20 USD`", &LIMIT_WORDS);
            None
        }
    }
}

/// Words that stand in place of `tokens` or `cost`, and have a fault of their own.
const LIMIT_WORDS: [(&str, &str); 2] =
    [("limit", "did you mean `tokens`?"), ("usd", "did you mean `tokens`?")];

fn zero_advice(text: &str) -> Option<String> {
    let is_zero = quantity::parse_money(text) == Some(Money(0));
    is_zero.then(|| "nothing at all can be spent then; remove the budget to have none".to_owned())
}

fn kinds(at: &Cursor<'_>) -> Option<CountedKinds> {
    let mut counted = CountedKinds([false; 6]);
    let items = at.one_or_many("a kind of tokens or a list of them")?;
    if items.is_empty() {
        return at.expected("at least one kind of tokens", "remove the key to count all of them");
    }
    for item in items {
        let words: Vec<(&str, usize)> = CountedKinds::NAMES.into_iter().zip(0..).collect();
        if let Some(place) = item.choice(&words) {
            counted.0[place] = true;
        }
    }
    Some(counted)
}

/// `[50%, 80%]`, rising; a list without any tells of none.
fn warnings(at: &Cursor<'_>) -> Option<Vec<u8>> {
    let what = "a part of the limit such as `80%`, or a list of them";
    let items = at.one_or_many(what)?;
    if items.len() > MOST_WARNINGS {
        return at.expected(&format!("at most {MOST_WARNINGS} parts"), "");
    }
    let mut found: Vec<u8> = Vec::new();
    for item in items {
        let parse = |text: &str| {
            let percent: u8 = text.strip_suffix('%')?.trim_end().parse().ok()?;
            (1..=99).contains(&percent).then_some(percent)
        };
        let percent = item.parsed("a part of the limit from `1%` to `99%`", parse, |text| {
            let number = text.parse::<f64>().ok()?;
            let part = if number < 1.0 { number * 100.0 } else { number };
            (1.0..=99.0).contains(&part).then(|| format!("write `{part:.0}%`"))
        });
        match percent {
            Some(percent) if found.contains(&percent) => {
                item.fault("this part stands here twice", "keep one of them");
            }
            percent => found.extend(percent),
        }
    }
    found.sort_unstable();
    Some(found)
}

/// One word or a list of them: `event`, `hook`, `stop`, `refuse`, a signal.
fn actions(at: &Cursor<'_>) -> Option<BudgetActions> {
    let mut actions = BudgetActions::default();
    for item in at.one_or_many(&format!("{FOLLOWS}, or a list of them"))? {
        match (item.text(FOLLOWS)?, &mut actions) {
            ("event", _) => {}
            ("hook", actions) => actions.hook = true,
            ("stop", actions) => actions.stop = true,
            ("refuse", actions) => actions.refuse = true,
            (text, actions) => match (Signal::parse(text), actions.signal) {
                (Some(signal), None) => actions.signal = Some(signal),
                (Some(_), Some(_)) => {
                    item.fault("it can get one signal only", "remove one of them");
                }
                (None, _) => {
                    let meant =
                        nearest(text, ["event", "hook", "stop", "refuse"]).map(did_you_mean);
                    return item.expected(FOLLOWS, meant.unwrap_or_default());
                }
            },
        }
    }
    Some(actions)
}

impl Known<'_> {
    fn process(&self, at: &Cursor<'_>) -> Option<String> {
        let name = at.text("the name of a process")?;
        let is = |one: &ProcessPlan| one.name == name || one.family() == name;
        if !self.processes.iter().any(is) && !self.keys.contains(&name) {
            let advice = match nearest(name, self.keys.iter().copied()) {
                Some(near) => did_you_mean(near),
                None => format!("known: {}", shortened(&self.keys.join(", "))),
            };
            at.fault(format!("there is no process {}", quoted(name)), advice);
        }
        Some(name.to_owned())
    }

    /// One run at a time can be spent for.
    fn check_run(&self, at: &Cursor<'_>, scope: &BudgetScope) {
        let BudgetScope::Process(name) = scope else {
            let advice = "write `process: NAME`, or another window";
            return at.fault("only a process has runs", advice);
        };
        let of_family = self.processes.iter().filter(|one| one.family() == name);
        if of_family.count() > 1 {
            let advice = format!("write a budget for each, as `process: {name}-1`");
            at.fault("each of its replicas has runs of its own", advice);
        }
    }

    /// Applications may tell of agents that no process declares.
    fn agent(&self, at: &Cursor<'_>) -> Option<String> {
        let name = read::name(at)?;
        let declared = || self.processes.iter().filter_map(|one| one.agent.as_ref());
        if declared().all(|agent| agent.name != name) {
            let message = format!("no process declares the agent {}", quoted(&name));
            match nearest(&name, declared().map(|agent| &*agent.name)) {
                Some(near) => at.fault(message, did_you_mean(near)),
                None => at.warn(message, "write `agent: {name: …}` under one, if one runs it"),
            }
        }
        Some(name)
    }
}
