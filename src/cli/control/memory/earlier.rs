//! Verdicts of runs that are over, out of their events.

use serde_json::Value;

use super::words::is_news;
use crate::cli::control::Failure;
use crate::cli::control::knock::{Client, encoded};
use crate::serve::wire::Session;
use crate::serve::wire::history::{SessionEvent, SessionEvents, Sessions};
use crate::serve::wire::memory::Leak;

/// The newest runs of a process that are looked through.
const RUNS: u32 = 20;

/// The last verdict of a run, as its history holds it.
pub(super) struct Earlier {
    /// Whose verdict it is.
    pub(super) session: Session,
    /// When it was kept, ISO 8601.
    pub(super) at: String,
    pub(super) leak: Leak,
}

/// The last verdict of the newest run that has one; with `news`, that leaked or was suspected to. The
/// run of `but` is passed over.
pub(super) async fn earlier(
    client: &Client,
    name: &str,
    news: bool,
    but: Option<&str>,
) -> Result<Option<Earlier>, Failure> {
    let path = format!("/v1/sessions?limit={RUNS}&kind=process&process={}", encoded(name));
    let runs: Sessions = client.get(&path).await?;
    for session in runs.sessions.into_iter().filter(|session| Some(session.id.as_str()) != but) {
        let last = events(client, &session.id).await?.iter().rev().find_map(verdict);
        if let Some((at, leak)) = last.filter(|(_, leak)| !news || is_news(leak)) {
            return Ok(Some(Earlier { session, at, leak }));
        }
    }
    Ok(None)
}

async fn events(client: &Client, session: &str) -> Result<Vec<SessionEvent>, Failure> {
    let (mut from, mut all) = (0, Vec::new());
    loop {
        let path = format!("/v1/sessions/{}/events?limit=1000&from={from}", encoded(session));
        let page: SessionEvents = client.get(&path).await?;
        all.extend(page.events);
        match page.next {
            Some(next) => from = next,
            None => return Ok(all),
        }
    }
}

/// What an event tells of a verdict; an older version told less, and nothing that can be explained.
fn verdict(event: &SessionEvent) -> Option<(String, Leak)> {
    let told: &Value = match event.event_type.as_str() {
        "leak_suspected" | "leak_confirmed" | "leak_cleared" => &event.context,
        "memory_history" => event.context.get("leak")?,
        _ => return None,
    };
    Some((event.timestamp.clone(), serde_json::from_value(told.clone()).ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(event_type: &str, context: Value) -> SessionEvent {
        SessionEvent {
            session_id: "a".into(),
            sequence: 0,
            timestamp: "then".into(),
            event_type: event_type.into(),
            subtype: None,
            previous_state: None,
            new_state: None,
            trigger: "leak rule".into(),
            source: "probe".into(),
            version: 1,
            context,
        }
    }

    #[test]
    fn a_verdict_is_read_from_its_change_and_from_the_end_of_its_run() {
        let told = json!({
            "state": "confirmed", "since": "before", "evidence": "it grows", "explained": [],
            "growth_bytes_per_second": null, "history": [[0, 1, 2]], "resident_bytes": 7,
        });
        let expected = Leak {
            state: "confirmed".into(),
            since: "before".into(),
            evidence: "it grows".into(),
            ..Leak::default()
        };
        let read = |event_type, context| verdict(&event(event_type, context));
        let expected = Some(("then".to_owned(), expected));
        assert_eq!(read("leak_confirmed", told.clone()), expected);
        assert_eq!(read("memory_history", json!({ "leak": told.clone() })), expected);
        assert_eq!(read("memory_history", json!({ "leak": null })), None);
        assert_eq!(read("leak_confirmed", json!({ "evidence": "of an older version" })), None);
        assert_eq!(read("opened", told), None);
    }
}
