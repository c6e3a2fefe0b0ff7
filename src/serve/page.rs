//! The landing page: the latest picture for people, made here whole. It needs no script and loads
//! nothing, and it shows no command line, no environment and no log, because whoever can scrape
//! can read it. Pure.

use std::time::Duration;

use crate::ledger::session::{Session, SessionState};
use crate::ledger::snapshot::{ProcessView, RunView, Snapshot};
use crate::memory::level::Basis;
use crate::memory::limit::LimitOf;
use crate::memory::{LeakState, MemoryLevel, Verdict};
use crate::serve::phrase::{Escaped, NOTHING, ago, counted, dollars, span};
use crate::serve::sparkline::drawn;
use crate::serve::table::{Column, table};
use crate::supervise::lifecycle::PhaseName;
use crate::units::{Bytes, Money, Wall, grouped};

/// The page with its places to fill in.
const TEMPLATE: &str = include_str!("page.html");

/// Live sessions on the page, the newest ones.
const LIVE_SHOWN: usize = 64;
/// Budgets on the page, the first of the file.
const BUDGETS_SHOWN: usize = 8;
/// Ended sessions on the page, the newest ones.
const ENDED_SHOWN: usize = 20;

/// The page for a picture.
pub fn render(snapshot: &Snapshot) -> String {
    fill(TEMPLATE, |place| content(place, snapshot).unwrap_or_default())
}

/// What belongs in a place of the template.
fn content(place: &str, snapshot: &Snapshot) -> Option<String> {
    Some(match place {
        "title" => title(snapshot),
        "version" => env!("CARGO_PKG_VERSION").to_owned(),
        "facts" => facts(snapshot),
        "budgets" => budgets(snapshot),
        "banner" => banner(snapshot).to_owned(),
        "processes" => processes(snapshot),
        "live_count" => shown(snapshot.sessions.len(), LIVE_SHOWN),
        "live" => live(snapshot),
        "ended_count" => shown(snapshot.ended.len(), ENDED_SHOWN),
        "ended" => ended(snapshot),
        "generation" => snapshot.generation.to_string(),
        "at" => snapshot.at.wall.to_string(),
        _ => return None,
    })
}

/// The template with each `{{place}}` filled in, once: what is filled in is not looked at again.
fn fill(template: &str, content: impl Fn(&str) -> String) -> String {
    let mut page = String::with_capacity(template.len() * 2);
    for (at, part) in template.split("{{").enumerate() {
        match part.split_once("}}") {
            Some((place, rest)) if at > 0 => {
                page.push_str(&content(place));
                page.push_str(rest);
            }
            _ => page.push_str(part),
        }
    }
    page
}

fn title(snapshot: &Snapshot) -> String {
    format!("{} of {} ready · procession", ready(snapshot), snapshot.processes.len())
}

fn ready(snapshot: &Snapshot) -> usize {
    snapshot.processes.iter().filter(|process| process.phase == PhaseName::Ready).count()
}

fn facts(snapshot: &Snapshot) -> String {
    let house = &snapshot.house;
    let role = if house.pid1 { "PID 1" } else { "subreaper" };
    let store = match house.store {
        None => "history in memory".to_owned(),
        Some(store) if store.up => "history kept".to_owned(),
        Some(store) => format!(
            "<span class=\"bad\">history cannot be kept, {} waiting</span>",
            counted(store.pending, "row")
        ),
    };
    format!(
        "<b>{} of {}</b> processes ready · {role}, started {} · {} and {} reaped · {store}",
        ready(snapshot),
        snapshot.processes.len(),
        ago(house.started, snapshot.at.wall),
        counted(house.reaped_runs, "run"),
        counted(house.reaped_orphans, "orphan"),
    )
}

/// A line for those that there are.
fn budgets(snapshot: &Snapshot) -> String {
    let told = snapshot.budgets.iter().take(BUDGETS_SHOWN).map(|budget| {
        let name = Escaped(&budget.plan.name);
        let percent = (budget.ratio() * 100.0).floor();
        let limit = match budget.is_money() {
            true => dollars(Money(i64::try_from(budget.limit).unwrap_or(i64::MAX))),
            false => format!("{} tokens", grouped(budget.limit)),
        };
        let window = budget.plan.window.as_str();
        let text = format!("<b>{name}</b> {percent} % of {limit} a {window}");
        if budget.is_spent { format!("<span class=\"bad\">{text}</span>") } else { text }
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() {
        told.concat()
    } else {
        format!("<p class=\"facts\">budgets: {}</p>", told.join(" · "))
    }
}

fn banner(snapshot: &Snapshot) -> &'static str {
    if snapshot.house.stopping {
        "<p class=\"banner\">Everything is being stopped.</p>"
    } else {
        ""
    }
}

fn shown(all: usize, limit: usize) -> String {
    if all > limit { format!("the newest {limit} of {all}") } else { all.to_string() }
}

/// A word with a colour: `good`, `busy`, `bad` or `calm`.
fn tag(class: &str, word: &str) -> String {
    format!("<span class=\"tag {class}\">{word}</span>")
}

const PROCESSES: [Column; 10] = [
    Column::name("Process"),
    Column::words("State"),
    Column::words("Started"),
    Column::figure("Restarts"),
    Column::figure("Resident"),
    Column::figure("Peak"),
    Column::words("Level"),
    Column::text("Leak"),
    Column::figure("Tokens"),
    Column::figure("Cost"),
];

fn processes(snapshot: &Snapshot) -> String {
    let rows = snapshot.processes.iter().map(|process| process_row(process, snapshot));
    table(&PROCESSES, &rows.collect::<Vec<_>>(), "No process is known yet.")
}

fn process_row(process: &ProcessView, snapshot: &Snapshot) -> Vec<String> {
    let now = snapshot.at.wall;
    let run = process.run.as_ref();
    vec![
        Escaped(&process.name).to_string(),
        state(process, now),
        run.map_or_else(nothing, |run| ago(run.started, now)),
        restarts(process),
        run.map_or_else(nothing, |run| resident(process, run)),
        run.and_then(|run| run.peak_resident).map_or_else(nothing, |peak| peak.to_string()),
        run.map_or_else(nothing, level),
        leak(process, now),
        process_tokens(process, snapshot),
        process_cost(process, snapshot),
    ]
}

fn nothing() -> String {
    NOTHING.to_owned()
}

fn state(process: &ProcessView, now: Wall) -> String {
    let class = match process.phase {
        PhaseName::Ready => "good",
        PhaseName::Waiting | PhaseName::Done => "calm",
        PhaseName::Starting | PhaseName::Stopping | PhaseName::Resting => "busy",
        PhaseName::Failed | PhaseName::CrashLooped => "bad",
    };
    let word = tag(class, process.phase.as_str());
    match (process.last_status, process.last_exit) {
        (Some(status), Some(at)) => {
            format!("{word}<small>last: {status}, {}</small>", ago(at, now))
        }
        _ => word,
    }
}

fn restarts(process: &ProcessView) -> String {
    let crash_loops = match process.crash_loops {
        0 => "",
        _ => "<small class=\"bad\">gave up</small>",
    };
    format!("{}{crash_loops}", grouped(process.restarts))
}

/// The tree's size, with a bar from nothing to the critical threshold.
fn resident(process: &ProcessView, run: &RunView) -> String {
    let Some(sample) = &run.sample else { return nothing() };
    let (Some(warning), Some(critical)) = (process.bounds.warning, process.bounds.critical) else {
        return sample.resident.to_string();
    };
    // Shared pages are in the one figure and not in the other.
    let (Bytes(size), _) = run.size.unwrap_or((sample.anonymous, Basis::Anonymous));
    format!(
        "{}<meter min=\"0\" max=\"{}\" low=\"{}\" high=\"{}\" optimum=\"0\" value=\"{size}\" \
         title=\"warning at {warning}, critical at {critical}\"></meter>",
        sample.resident, critical.0, warning.0, critical.0,
    )
}

fn level(run: &RunView) -> String {
    if run.sample.is_none() {
        return nothing();
    }
    let class = match run.level {
        MemoryLevel::Normal => "good",
        MemoryLevel::Warning => "busy",
        MemoryLevel::Critical => "bad",
    };
    tag(class, run.level.as_str())
}

/// What the leak rule says, with the line of what was held, and what its runs have in common.
fn leak(process: &ProcessView, now: Wall) -> String {
    let alike = process.recurring.map(|found| {
        let hourly = Bytes((found.slope.max(0.0) * 3600.0) as u64);
        let said = format!("each of its last {} runs leaked, {hourly} an hour", found.runs);
        format!("<small class=\"busy\">{said}</small>")
    });
    let said = process.run.as_ref().map_or_else(nothing, |run| judged(run, now));
    format!("{said}{}", alike.unwrap_or_default())
}

fn judged(run: &RunView, now: Wall) -> String {
    let Some(verdict) = &run.verdict else { return nothing() };
    let words = verdict.evidence.to_string();
    let evidence = Escaped(&words);
    let class = match verdict.state {
        LeakState::Unknown => "calm",
        LeakState::Suspected => "busy",
        LeakState::Confirmed => "bad",
        LeakState::None => "good",
    };
    let word = verdict.state.in_words();
    let line = drawn(&run.history.points(), class);
    match verdict.state {
        // What is well takes one line, and says why to whoever points at it.
        LeakState::None => format!("<span title=\"{evidence}\">{}</span>{line}", tag(class, word)),
        LeakState::Unknown => format!("{}{line}<small>{evidence}</small>", tag(class, word)),
        _ => format!(
            "{}{line}<small>{}</small><small>{evidence}</small>",
            tag(class, word),
            pace(verdict, run, now)
        ),
    }
}

/// Since when it is said, how fast it grows, and how long that can go on.
fn pace(verdict: &Verdict, run: &RunView, now: Wall) -> String {
    let growth = verdict.growth.filter(|growth| *growth > 0.0);
    let growth = growth.map(|growth| format!("{} an hour", Bytes((growth * 3600.0) as u64)));
    let whose = run.limit.map(|limit| match limit.of {
        LimitOf::Critical => format!("its critical threshold of {}", limit.bytes),
        LimitOf::Container => format!("the container's limit of {}", limit.bytes),
        LimitOf::Machine => format!("the machine's memory of {}", limit.bytes),
    });
    let left = verdict.to_limit.zip(whose);
    let left = left.map(|(left, whose)| match left.is_zero() {
        true => format!("<b>at</b> {whose}"),
        false => format!("<b>{}</b> to {whose}", span(left)),
    });
    let since = Some(ago(verdict.since.wall, now));
    since.into_iter().chain(growth).chain(left).collect::<Vec<_>>().join(" · ")
}

fn process_tokens(process: &ProcessView, snapshot: &Snapshot) -> String {
    match snapshot.process_tokens.get(&process.name) {
        Some(tokens) => grouped(tokens.total()),
        None if process.agent.is_some() => "0".to_owned(),
        None => nothing(),
    }
}

fn process_cost(process: &ProcessView, snapshot: &Snapshot) -> String {
    let mut tokens = 0u64;
    let mut unpriced = 0u64;
    let mut amount = Money::default();
    for series in snapshot.tokens.iter().filter(|series| series.process == process.name) {
        tokens = tokens.saturating_add(series.tokens.total());
        unpriced = unpriced.saturating_add(series.unpriced.total());
        amount = amount.saturating_add(series.cost);
    }
    cost(tokens, unpriced, amount)
}

/// An amount, and how many tokens it leaves out. No amount where no token has a price.
fn cost(tokens: u64, unpriced: u64, amount: Money) -> String {
    let amount = if tokens > unpriced { dollars(amount) } else { nothing() };
    match unpriced {
        0 => amount,
        _ => format!("{amount}<small>{} tokens unpriced</small>", grouped(unpriced)),
    }
}

const LIVE: [Column; 8] = [
    Column::words("Session"),
    Column::words("Kind"),
    Column::name("Process"),
    Column::words("State"),
    Column::words("Opened"),
    Column::words("Last active"),
    Column::figure("Tokens"),
    Column::figure("Cost"),
];

fn live(snapshot: &Snapshot) -> String {
    let newest = snapshot.sessions.iter().rev().take(LIVE_SHOWN);
    let rows: Vec<_> = newest.map(|session| live_row(session, snapshot.at.wall)).collect();
    table(&LIVE, &rows, "No session is open.")
}

fn live_row(session: &Session, now: Wall) -> Vec<String> {
    let class = match session.state {
        SessionState::Active => "good",
        SessionState::Idle => "calm",
        _ => "busy",
    };
    let mut row = Vec::from(who(session));
    row.push(tag(class, session.state.as_str()));
    row.push(ago(session.started, now));
    row.push(ago(session.last_activity, now));
    row.extend(spent(session));
    row
}

const ENDED: [Column; 10] = [
    Column::words("Session"),
    Column::words("Kind"),
    Column::name("Process"),
    Column::text("Outcome"),
    Column::words("Ended"),
    Column::figure("Lasted"),
    Column::figure("Peak"),
    Column::figure("CPU"),
    Column::figure("Tokens"),
    Column::figure("Cost"),
];

fn ended(snapshot: &Snapshot) -> String {
    let newest = snapshot.ended.iter().take(ENDED_SHOWN);
    let rows: Vec<_> = newest.map(|session| ended_row(session, snapshot.at.wall)).collect();
    table(&ENDED, &rows, "No session has ended.")
}

fn ended_row(session: &Session, now: Wall) -> Vec<String> {
    let end = session.end.as_ref();
    let figures = &session.figures;
    let mut row = Vec::from(who(session));
    row.push(outcome(session));
    row.push(end.map_or_else(nothing, |end| ago(end.at, now)));
    row.push(end.map_or_else(nothing, |end| span(end.duration)));
    row.push(figures.peak_memory.map_or_else(nothing, |peak| peak.to_string()));
    row.push(figures.cpu_seconds.map_or_else(nothing, cpu));
    row.extend(spent(session));
    row
}

fn outcome(session: &Session) -> String {
    let class = match session.state {
        SessionState::Completed => "good",
        SessionState::TimedOut | SessionState::Lost => "busy",
        _ => "bad",
    };
    let reason = session.end.as_ref().map(|end| end.reason.as_str()).unwrap_or_default();
    format!("{}<small>{}</small>", tag(class, session.state.as_str()), Escaped(reason))
}

fn cpu(seconds: f64) -> String {
    span(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// The cells that say which session it is.
fn who(session: &Session) -> [String; 3] {
    let agent = session.agent.as_ref();
    let agent = agent.map(|agent| format!("<small>{}</small>", Escaped(agent)));
    [
        format!("<code>{}</code>", session.id),
        session.kind.as_str().to_owned(),
        format!("{}{}", Escaped(&session.process), agent.unwrap_or_default()),
    ]
}

/// The cells that say what it spent.
fn spent(session: &Session) -> [String; 2] {
    let figures = &session.figures;
    let total = figures.tokens.total();
    let tokens = if total == 0 { nothing() } else { grouped(total) };
    [tokens, cost(total, figures.unpriced_tokens, figures.cost)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_filled_in_is_not_filled_in_again() {
        let page = fill("a {{x}} b {{y}} }} c", |place| match place {
            "x" => "{{y}}".to_owned(),
            _ => "Y".to_owned(),
        });
        assert_eq!(page, "a {{y}} b Y }} c");
    }

    #[test]
    fn every_place_of_the_template_has_a_content() {
        let places: Vec<&str> = TEMPLATE
            .split("{{")
            .skip(1)
            .filter_map(|part| part.split_once("}}").map(|(place, _)| place))
            .collect();
        assert!(places.len() > 9, "{places:?}");
        for place in places {
            assert!(content(place, &Snapshot::default()).is_some(), "{place}");
        }
    }

    #[test]
    fn a_cost_is_not_claimed_where_no_token_has_a_price() {
        assert_eq!(cost(0, 0, Money(0)), NOTHING);
        assert_eq!(cost(30, 30, Money(0)), "–<small>30 tokens unpriced</small>");
        assert_eq!(cost(40, 30, Money(0)), "$0.00<small>30 tokens unpriced</small>");
        assert_eq!(cost(40, 0, Money(2_500_000_000)), "$2.50");
    }
}
