//! A leak rule's verdict in words: what it says, since when, how fast, and how long that can go on.

use crate::cli::control::phrase::{NOTHING, harmless, size, span, table};
use crate::serve::wire::memory::{Explained, Held, Leak};

/// The state as it is said.
pub(super) fn state(leak: &Leak) -> String {
    harmless(leak.in_words())
}

/// Whether somebody should look.
pub(super) fn is_news(leak: &Leak) -> bool {
    matches!(leak.state.as_str(), "suspected" | "confirmed")
}

/// What it says, and since when.
pub(super) fn verdict(leak: &Leak) -> String {
    let ago = leak.age_seconds.map(|age| format!(" {} ago", span(age))).unwrap_or_default();
    let since = leak.since.split('.').next().unwrap_or_default();
    let since = if since.ends_with('Z') { since.to_owned() } else { format!("{since}Z") };
    match leak.state.as_str() {
        "suspected" => format!("suspected{ago} ({since})"),
        "confirmed" => format!("it leaks, confirmed{ago} ({since})"),
        "none" => state(leak),
        _ => format!("too early to say: {}", harmless(&leak.evidence)),
    }
}

/// How fast it grows, and how sure that is.
pub(super) fn growth(leak: &Leak) -> Option<String> {
    let growth = leak.growth_bytes_per_second?;
    let between = leak.growth_between.map(|[low, high]| {
        format!(", nineteen times in twenty between {} and {}", rate(low), rate(high))
    });
    let hourly = if growth.abs() < 1.0 {
        String::new()
    } else {
        format!(", {}{} an hour", sign(growth), size(Some((growth.abs() * 3600.0) as u64)))
    };
    Some(format!("{}{hourly}{}", rate(growth), between.unwrap_or_default()))
}

/// How long it takes to which limit.
pub(super) fn left(leak: &Leak) -> Option<String> {
    let left = leak.seconds_to_limit?;
    let limit = limit(leak);
    Some(if is_at_limit(leak) { limit } else { format!("{}, until {limit}", span(left)) })
}

/// How long that is, at a glance.
pub(super) fn soon(seconds: f64) -> String {
    if seconds <= 0.0 { "reached".to_owned() } else { span(seconds) }
}

/// What becomes of it.
pub(super) fn outlook(leak: &Leak) -> Option<String> {
    let left = left(leak)?;
    let begins = if is_at_limit(leak) { "limit" } else { "if it goes on like this" };
    Some(format!("{begins}: {left}"))
}

fn is_at_limit(leak: &Leak) -> bool {
    leak.seconds_to_limit.is_some_and(|left| left <= 0.0)
}

/// Which limit it is, and what it comes to.
fn limit(leak: &Leak) -> String {
    let whose = match leak.limit.as_deref() {
        Some("critical") => "the critical threshold",
        Some("container") => "the container's limit",
        Some("machine") => "the machine's memory",
        _ => return "the limit is reached".to_owned(),
    };
    let at = leak.limit_bytes.map(|at| format!(" of {}", size(Some(at)))).unwrap_or_default();
    format!("{whose}{at} is reached")
}

/// Bytes per second, with a sign where it shrinks.
pub(super) fn rate(growth: f64) -> String {
    format!("{}{}/s", sign(growth), size(Some(growth.abs() as u64)))
}

/// Of what is told in whole bytes.
fn sign(growth: f64) -> &'static str {
    if growth <= -1.0 { "-" } else { "" }
}

/// The thresholds that a size is held against.
pub(super) fn against(held: &Held) -> String {
    let (Some(bytes), Some(basis)) = (held.size_bytes, &held.basis) else { return String::new() };
    let (warning, critical) = (size(held.warning_bytes), size(held.critical_bytes));
    format!(": {} ({basis}), warning at {warning}, critical at {critical}", size(Some(bytes)))
}

/// Every figure that the rule looked at, with what it is held against, and what that means.
pub(super) fn figures(leak: &Leak) -> String {
    let rows: Vec<Vec<String>> = leak.explained.iter().map(figure).collect();
    let mut text = table(&["WHAT", "VALUE", "FOR A LEAK", "MET"], &rows);
    if leak.explained.iter().any(|one| one.bound.is_none()) {
        text += "\nweighed: counts together with the others, and alone decides nothing";
    }
    if is_news(leak) && leak.explained.iter().any(|one| one.met == Some(false)) {
        text += match leak.state.as_str() {
            "suspected" => "\nnot all is met: it is suspected, and nothing is confirmed",
            _ => {
                "\nnot all is met any more: a verdict is given up when a leak stays unlikely for a while"
            }
        };
    }
    text
}

fn figure(one: &Explained) -> Vec<String> {
    let told = |value: f64| match one.unit.as_str() {
        "bytes" => format!("{}{}", sign(value), size(Some(value.abs() as u64))),
        "bytes/s" => rate(value),
        "s" => span(value),
        _ => number(value),
    };
    vec![
        harmless(&one.name),
        one.value.map_or_else(|| NOTHING.to_owned(), told),
        one.bound
            .map_or_else(|| "weighed".to_owned(), |bound| format!("{} {}", one.sign, told(bound))),
        one.met.map_or("", |met| if met { "yes" } else { "no" }).to_owned(),
    ]
}

/// With so many digits that something is told from nothing, and from one.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text {
        "1" if value < 1.0 => "over 0.999".to_owned(),
        "0" | "-0" => "0".to_owned(),
        text => text.to_owned(),
    }
}

/// What to do about it.
pub(super) fn advice(name: &str, leak: &Leak) -> Option<String> {
    let name = harmless(name);
    Some(match leak.state.as_str() {
        "confirmed" => format!(
            "what to do: take a heap profile while it holds what it leaked, then `procession restart {name}`; \
             a cache without a bound is a leak: bound it"
        ),
        "suspected" => format!(
            "what to do: watch it (`procession memory {name}`), and have a heap profile taken before it ends"
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leak(state: &str) -> Leak {
        Leak { state: state.into(), since: "2026-01-01T00:00:00.123Z".into(), ..Leak::default() }
    }

    #[test]
    fn a_verdict_says_what_since_when_how_fast_and_how_long() {
        let leaks = Leak {
            age_seconds: Some(245.0),
            growth_bytes_per_second: Some(2048.0),
            growth_between: Some([1024.0, 4096.0]),
            seconds_to_limit: Some(3700.0),
            limit_bytes: Some(512 << 20),
            limit: Some("container".into()),
            ..leak("confirmed")
        };
        assert_eq!(verdict(&leaks), "it leaks, confirmed 4m 5s ago (2026-01-01T00:00:00Z)");
        let grows =
            "2.0 KiB/s, 7.0 MiB an hour, nineteen times in twenty between 1.0 KiB/s and 4.0 KiB/s";
        assert_eq!(growth(&leaks).as_deref(), Some(grows));
        let until = "1h 1m, until the container's limit of 512.0 MiB is reached";
        assert_eq!(left(&leaks).as_deref(), Some(until));
        let reached = Leak { seconds_to_limit: Some(0.0), ..leaks.clone() };
        let told = "limit: the container's limit of 512.0 MiB is reached";
        assert_eq!((outlook(&reached).as_deref(), soon(0.0)), (Some(told), "reached".to_owned()));
        let machine = Leak { limit: Some("machine".into()), limit_bytes: None, ..leaks.clone() };
        let until = "1h 1m, until the machine's memory is reached";
        assert_eq!(left(&machine).as_deref(), Some(until));
        assert!(advice("web", &leaks).is_some_and(|text| text.contains("procession restart web")));
    }

    #[test]
    fn what_is_well_or_too_young_is_said_in_plain_words() {
        assert_eq!(verdict(&leak("none")), "none");
        let young = Leak { evidence: "6 of 160 samples".into(), ..leak("unknown") };
        assert_eq!(verdict(&young), "too early to say: 6 of 160 samples");
        assert_eq!((state(&young), state(&leak("none"))), ("too early".into(), "none".into()));
        assert_eq!((growth(&young), left(&young), advice("web", &young)), (None, None, None));
        assert!(!is_news(&young) && !is_news(&leak("none")) && is_news(&leak("suspected")));
    }

    #[test]
    fn rates_have_a_sign_only_where_it_shrinks() {
        for (growth, told) in
            [(-0.3, "0 B/s"), (0.0, "0 B/s"), (-2048.0, "-2.0 KiB/s"), (7.0, "7 B/s")]
        {
            assert_eq!(rate(growth), told);
        }
    }

    #[test]
    fn numbers_are_short_and_never_round_to_all_of_it() {
        for (value, told) in [
            (0.889, "0.889"),
            (160.0, "160"),
            (0.9999, "over 0.999"),
            (1.0, "1"),
            (-0.0001, "0"),
            (-0.204, "-0.204"),
        ] {
            assert_eq!(number(value), told);
        }
    }

    #[test]
    fn a_verdict_that_stands_though_not_all_is_met_says_so() {
        let one = |met, bound| Explained {
            name: "likelihood".into(),
            value: Some(0.5),
            unit: "ratio".into(),
            sign: ">".into(),
            bound,
            met,
        };
        let told = |state: &str, explained| figures(&Leak { explained, ..leak(state) });
        let bare = "WHAT        VALUE  FOR A LEAK  MET\nlikelihood  0.5    > 0.8       no";
        let unmet = || vec![one(Some(false), Some(0.8))];
        assert_eq!(told("none", unmet()), bare);
        assert!(told("confirmed", unmet()).contains("given up when"));
        assert!(told("suspected", unmet()).contains("nothing is confirmed"));
        assert!(told("confirmed", vec![one(None, None)]).ends_with("alone decides nothing"));
    }
}
