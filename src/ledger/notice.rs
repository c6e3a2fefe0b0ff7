//! What of a session's history is worth a line in the log: what somebody should look at, or would
//! else wonder why it came.

use serde_json::Value;

use crate::ledger::row::SessionEvent;
use crate::units::{Bytes, Money};

/// A line for the log, without whom it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// How much it matters.
    pub gravity: Gravity,
    /// In words.
    pub text: String,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gravity {
    /// Good to know.
    Note,
    /// Somebody should look.
    Warning,
}

/// What is to be said of an event; of most nothing. Whose it is, is asked for where it is said.
pub fn notice(event: &SessionEvent, process: impl FnOnce() -> String) -> Option<Notice> {
    use Gravity::{Note, Warning};
    let detail = &event.detail;
    let (gravity, text) = match &*event.event_type {
        "memory_warning" => (Warning, above("warning", detail)),
        "memory_critical" => (Warning, above("critical", detail)),
        "memory_normal" => (Note, format!("memory: {}, below its thresholds again", held(detail))),
        "memory_action" => {
            (Warning, format!("memory: its level asks for: {}", text(detail, "action")))
        }
        "leak_suspected" => {
            (Warning, format!("memory: a leak is suspected: {}", growth(detail, &process())))
        }
        "leak_confirmed" => (Warning, format!("memory: it leaks: {}", growth(detail, &process()))),
        "leak_cleared" => (Note, "memory: no leak is suspected any more".to_owned()),
        "leak_recurring" => (Warning, recurring(detail)),
        "budget_warning" => (Warning, format!("{}% of {}", detail["percent"], budget(detail))),
        "budget_exceeded" => (Warning, format!("all of {}", budget(detail))),
        "budget_action" => (Warning, asked_by_budget(detail)),
        "idle_warning" => (Note, resting(detail)),
        "time_out" => (Warning, format!("{}: its end is asked for", event.trigger)),
        "hand_over_due" | "context_full" => (Note, window(&event.trigger, detail)),
        _ => return None,
    };
    Some(Notice { gravity, text })
}

fn above(level: &str, detail: &Value) -> String {
    let bound = bytes(&detail[format!("{level}_bytes")]);
    format!("memory: {}, above its {level} threshold of {bound}", held(detail))
}

fn held(detail: &Value) -> String {
    format!("{} ({})", bytes(&detail["size_bytes"]), text(detail, "basis"))
}

/// How fast it grows and how long that can go on, with whom to ask why.
fn growth(detail: &Value, process: &str) -> String {
    let process = if process.is_empty() { "NAME" } else { process };
    format!("{}: procession memory explain {process} tells why", pace(detail))
}

/// How fast it grows and how long that can go on.
pub(super) fn pace(detail: &Value) -> String {
    let hourly =
        detail["growth_bytes_per_second"].as_f64().map(|rate| Bytes((rate * 3600.0) as u64));
    let rate = hourly.map_or_else(|| "growth".to_owned(), |rate| format!("{rate} an hour"));
    let left = detail["seconds_to_limit"].as_f64();
    let left = left.map(|left| match left > 0.0 {
        true => format!(", {} in {}", limit(detail), span(left)),
        false => format!(", {}", limit(detail)),
    });
    format!("{rate}{}", left.unwrap_or_default())
}

/// Which limit it is, and what it comes to.
fn limit(detail: &Value) -> String {
    let whose = match detail["limit"].as_str() {
        Some("critical") => "the critical threshold",
        Some("container") => "the container's limit",
        Some("machine") => "the machine's memory",
        _ => "the limit",
    };
    match detail["limit_bytes"].as_u64() {
        Some(at) => format!("{whose} of {} is reached", Bytes(at)),
        None => format!("{whose} is reached"),
    }
}

fn recurring(detail: &Value) -> String {
    let rate = detail["growth_bytes_per_second"].as_f64().unwrap_or_default();
    let hourly = Bytes((rate * 3600.0) as u64);
    format!("memory: each of its last {} runs grew alike, by {hourly} an hour", detail["runs"])
}

fn budget(detail: &Value) -> String {
    let is_money = detail["unit"].as_str() == Some("nano_usd");
    let amount = |name: &str| match is_money {
        true => format!("{:.2}", Money(detail[name].as_i64().unwrap_or_default()).dollars()),
        false => detail[name].to_string(),
    };
    let (spent, limit) = (amount("spent"), amount("limit"));
    let unit = if is_money { "USD" } else { "tokens" };
    let until = detail["until"].as_str().map(|at| format!(", until {at}")).unwrap_or_default();
    let (name, window) = (text(detail, "budget"), text(detail, "window"));
    format!("the budget {name} is spent: {spent} of {limit} {unit} ({window}{until})")
}

fn asked_by_budget(detail: &Value) -> String {
    let (name, action) = (text(detail, "budget"), text(detail, "action"));
    format!("the budget {name} asks for: {action}")
}

fn resting(detail: &Value) -> String {
    let left = detail["seconds_left"].as_f64().unwrap_or_default();
    format!("no activity: its end is asked for in {}", span(left))
}

fn window(trigger: &str, detail: &Value) -> String {
    format!("{trigger}: {} of {} tokens", detail["tokens"], detail["window"])
}

fn text<'a>(detail: &'a Value, name: &str) -> &'a str {
    detail[name].as_str().unwrap_or("unknown")
}

fn bytes(value: &Value) -> Bytes {
    Bytes(value.as_u64().unwrap_or_default())
}

/// A span as somebody would say it.
fn span(seconds: f64) -> String {
    const UNITS: [(f64, &str); 3] = [(86_400.0, "days"), (3_600.0, "h"), (60.0, "min")];
    let unit = UNITS.iter().find(|(length, _)| seconds >= 2.0 * length);
    let (length, name) = unit.copied().unwrap_or((1.0, "s"));
    format!("{:.0} {name}", seconds / length)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ledger::row::EventSource;
    use crate::units::{SessionId, Wall};

    fn said(event_type: &'static str, detail: Value) -> Option<String> {
        let event = SessionEvent {
            session: SessionId::new(Wall(1), 1),
            sequence: 0,
            at: Wall(1),
            event_type: event_type.into(),
            subtype: None,
            previous_state: None,
            new_state: None,
            trigger: "no activity for 60 s".to_owned(),
            source: EventSource::Ledger,
            detail,
        };
        notice(&event, || "web-1".to_owned()).map(|notice| notice.text)
    }

    #[test]
    fn what_somebody_should_look_at_is_said_in_words() {
        let check = |event_type, detail, expected: &str| {
            assert_eq!(said(event_type, detail).as_deref(), Some(expected), "{event_type}");
        };
        let size =
            json!({ "size_bytes": 3 << 20, "basis": "proportional", "warning_bytes": 2 << 20 });
        let above = "memory: 3.0 MiB (proportional), above its warning threshold of 2.0 MiB";
        check("memory_warning", size, above);
        let leak = json!({
            "growth_bytes_per_second": 1024.0, "seconds_to_limit": 14_400.0, "limit": "container",
            "limit_bytes": 1u64 << 30,
        });
        let leaks = "memory: it leaks: 3.5 MiB an hour, the container's limit of 1.0 GiB is \
                     reached in 4 h: procession memory explain web-1 tells why";
        check("leak_confirmed", leak, leaks);
        let budget = json!({
            "budget": "day", "unit": "tokens", "spent": 120, "limit": 100, "window": "day",
            "until": "2026-11-23T00:00:00.000Z",
        });
        let spent = "all of the budget day is spent: 120 of 100 tokens (day, until \
                     2026-11-23T00:00:00.000Z)";
        check("budget_exceeded", budget, spent);
        let asks = "the budget day asks for: stop";
        check("budget_action", json!({ "budget": "day", "action": "stop" }), asks);
        let resting = "no activity: its end is asked for in 90 s";
        check("idle_warning", json!({ "seconds_left": 90.0 }), resting);
        check("time_out", json!({}), "no activity for 60 s: its end is asked for");
    }

    #[test]
    fn money_is_told_in_dollars_and_what_is_usual_is_not_told() {
        let budget = json!({
            "budget": "house", "unit": "nano_usd", "spent": 10_500_000_000_i64, "percent": 50,
            "limit": 20_000_000_000_i64, "window": "day",
        });
        let told = said("budget_warning", budget).expect("a line");
        assert_eq!(told, "50% of the budget house is spent: 10.50 of 20.00 USD (day)");
        assert_eq!(said("opened", json!({})), None);
        assert_eq!(said("heartbeat", json!({})), None);
    }
}
