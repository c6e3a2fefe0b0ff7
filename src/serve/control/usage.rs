//! What applications tell of their calls of models, and what was spent in all.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use serde_json::Value;

use super::Desk;
use super::answer::{Answer, json};
use super::api::{Route, What as Any, get, post};
use super::external::{refused, send};
use super::problem::Problem;
use super::query::Query;
use super::role::{Caller, Role};
use super::{reading, request};
use crate::ledger::calls::Called;
use crate::ledger::request::{Answered, Reply, Request as Asked};
use crate::ledger::snapshot::{Snapshot, TokenSeries};
use crate::serve::wire::usage::{
    Call as Told, CallBody, CallTokens, Calls, Counted, RefusedCall, Spending, SpendingTotals,
    TokenReport,
};
use crate::tokens::agents::Extras;
use crate::tokens::call::{Call, LONGEST_NAME};
use crate::tokens::{Cost, TokenCounts, UsageKey, UsageSource};
use crate::units::Wall;

/// The largest body, which has some thousand calls.
const LARGEST: usize = 1024 * 1024;
/// The most calls of one body.
const MOST_CALLS: usize = 1_000;
/// The most tokens of one kind in one call: a thousand times the largest window that there is.
const MOST_TOKENS: u64 = 1_000_000_000;
/// The longest that a call may take, in milliseconds: a day.
const LONGEST_CALL: u64 = 86_400_000;

/// What is answered at the addresses of this file.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Count,
    Calls,
    Report,
}

/// The addresses of this file.
pub(super) const ROUTES: &[Route] = &[
    post("/v1/usage", &[], Any::Usage(What::Count)),
    get("/v1/usage", &["process", "limit"], Any::Usage(What::Calls)),
    get("/v1/tokens", &["process"], Any::Usage(What::Report)),
];

/// The answer to a request of this file.
pub(super) async fn answer(
    desk: &Arc<Desk>,
    caller: &Caller,
    what: What,
    query: &Query,
    request: Request<Incoming>,
) -> Result<Answer, Problem> {
    match what {
        What::Count => count(desk, caller, request).await,
        What::Calls => calls(&desk.picture(), query),
        What::Report => Ok(json(StatusCode::OK, &report(&desk.picture(), query.text("process")))),
    }
}

/// Counts what can be counted, each call by itself, and answers once that is durable.
async fn count(
    desk: &Desk,
    caller: &Caller,
    request: Request<Incoming>,
) -> Result<Answer, Problem> {
    let within = match &caller.role {
        Role::Member { session, .. } => Some(*session),
        role => role.may_order_all().map(|()| None)?,
    };
    let bodies = items(&request::json_text(request, LARGEST).await?)?;
    let (mut calls, mut places, mut answer) = (Vec::new(), Vec::new(), Counted::default());
    for (index, body) in bodies.into_iter().enumerate() {
        match body.and_then(|body| call(body, within.map(|id| id.to_string()).as_deref())) {
            Ok(call) => {
                calls.push(call);
                places.push(index);
            }
            Err((detail, suggestion)) => {
                answer.refused.push(RefusedCall { index, detail, suggestion: Some(suggestion) });
            }
        }
    }
    answer.durable = true;
    if !calls.is_empty() {
        let Answered { reply: Reply::Spent(spent), durable } =
            send(desk, Asked::Count { calls, within, heard: None }, |detail| Problem::full(detail))
                .await?
        else {
            return Err(Problem::no_reply());
        };
        (answer.counted, answer.known, answer.durable) = (spent.counted, spent.known, durable);
        for (place, refusal) in spent.refused {
            let index = places.get(place).copied().unwrap_or(place);
            let (detail, suggestion) = refused(desk, refusal).told();
            answer.refused.push(RefusedCall { index, detail, suggestion });
        }
        answer.refused.sort_by_key(|refused| refused.index);
    }
    match answer.counted + answer.known {
        0 if !answer.refused.is_empty() => Err(none_counted(answer.refused)),
        _ => Ok(json(StatusCode::OK, &answer)),
    }
}

fn none_counted(refused: Vec<RefusedCall>) -> Problem {
    let fault = |it: RefusedCall| {
        let advice = it.suggestion.map(|advice| format!("; {advice}")).unwrap_or_default();
        format!("call {}: {}{advice}", it.index, it.detail)
    };
    Problem::bad_calls(refused.into_iter().map(fault).collect())
}

/// Why a call cannot be counted, and what to do instead.
type Fault = (String, String);

/// The calls of a body, each by itself: one, a list, or one on each line.
fn items(text: &[u8]) -> Result<Vec<Result<CallBody, Fault>>, Problem> {
    let unread = |error: serde_json::Error| {
        let shape = "a call has `model` and `tokens`; see POST /v1/usage in GET /v1/openapi.json";
        (error.to_string(), shape.to_owned())
    };
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    let bodies: Vec<_> = match first {
        None => return Err(Problem::bad_request("the body is empty")),
        Some(b'[') => {
            let values: Vec<Value> = serde_json::from_slice(text)
                .map_err(|error| Problem::bad_request(format!("the body is no list: {error}")))?;
            let values = values.into_iter().take(MOST_CALLS + 1);
            values.map(|one| serde_json::from_value(one).map_err(unread)).collect()
        }
        Some(_) => match serde_json::from_slice(text) {
            Ok(one) => vec![Ok(one)],
            Err(_) => {
                let lines = text.split(|byte| *byte == b'\n');
                let filled = lines.filter(|line| !line.trim_ascii().is_empty());
                filled
                    .take(MOST_CALLS + 1)
                    .map(|line| serde_json::from_slice(line).map_err(unread))
                    .collect()
            }
        },
    };
    if bodies.len() > MOST_CALLS {
        let detail = format!("more than {MOST_CALLS} calls are told at once");
        return Err(Problem::invalid(detail).suggest("send them in several requests"));
    }
    Ok(bodies)
}

fn call(body: CallBody, within: Option<&str>) -> Result<Call, Fault> {
    let CallBody { session, agent, provider, model, conversation, endpoint, .. } = &body;
    let named = [
        ("session", session.as_deref()),
        ("agent", agent.as_deref()),
        ("provider", provider.as_deref()),
        ("model", Some(model.as_str())),
        ("conversation", conversation.as_deref()),
        ("endpoint", endpoint.as_deref()),
        ("idempotency_key", body.idempotency_key.as_deref()),
    ];
    for (what, text) in named.into_iter().filter_map(|(what, text)| Some((what, text?))) {
        check_name(what, text)?;
    }
    let failed = match body.outcome.as_deref() {
        None | Some("ok") => false,
        Some("error") => true,
        Some(other) => {
            let detail = format!("`outcome` cannot be {other:?}");
            return Err((detail, "it is `ok` or `error`".to_owned()));
        }
    };
    let at = body.at.as_deref().map(time).transpose()?;
    // Of two that tell of the same session by the same key, only one can be right.
    let owner = body.session.as_deref().or(within).unwrap_or_default();
    let key = body.idempotency_key.as_deref();
    let key = key.map(|key| UsageKey::of("ingest", format!("{owner}\0{key}").as_bytes()));
    Ok(Call {
        key,
        source: UsageSource::Ingest,
        tokens: counts(&body.tokens)?,
        reasoning: body.tokens.reasoning,
        latency: body.latency_ms.map(latency).transpose()?,
        extras: Extras {
            web_searches: body.web_searches.min(MOST_TOKENS),
            service_tier: body.service_tier,
            ..Extras::default()
        },
        session: body.session,
        agent: body.agent,
        provider: body.provider,
        model: body.model,
        conversation: body.conversation.unwrap_or_default(),
        endpoint: body.endpoint,
        at,
        failed,
    })
}

fn check_name(what: &str, text: &str) -> Result<(), Fault> {
    let fits = !text.is_empty() && text.len() <= LONGEST_NAME && !text.contains(char::is_control);
    let detail = || format!("`{what}` has from 1 to {LONGEST_NAME} bytes, none for control");
    fits.then_some(()).ok_or_else(|| (detail(), "leave it out where it is not known".to_owned()))
}

fn time(text: &str) -> Result<Wall, Fault> {
    let advice = "write it as 2026-11-20T09:30:00Z, or leave it out for now";
    Wall::parse(text).ok_or_else(|| (format!("`at` is no time: {text:?}"), advice.to_owned()))
}

fn latency(millis: u64) -> Result<Duration, Fault> {
    let detail = || format!("`latency_ms` of {millis} is more than a day");
    let fits = (millis <= LONGEST_CALL).then(|| Duration::from_millis(millis));
    fits.ok_or_else(|| (detail(), "it is in milliseconds".to_owned()))
}

fn counts(tokens: &CallTokens) -> Result<TokenCounts, Fault> {
    let CallTokens { input, output, cache_read, cache_write_5m, cache_write_1h, .. } = *tokens;
    let CallTokens { cache_write, reasoning, .. } = *tokens;
    let counts =
        TokenCounts { input, output, cache_read, cache_write_5m, cache_write_1h, cache_write };
    let all = [input, output, cache_read, cache_write_5m, cache_write_1h, cache_write];
    if let Some(count) = all.into_iter().find(|count| *count > MOST_TOKENS) {
        let advice = format!("one call has at most {MOST_TOKENS} tokens of a kind");
        return Err((format!("{count} tokens cannot be those of one call"), advice));
    }
    if reasoning > output {
        let advice = "reasoning is a part of the output".to_owned();
        return Err((
            format!("{reasoning} reasoning tokens are more than {output} output"),
            advice,
        ));
    }
    Ok(counts)
}

fn calls(picture: &Snapshot, query: &Query) -> Result<Answer, Problem> {
    let (process, limit) = (query.text("process"), query.number::<usize>("limit")?);
    let meant = process.map(|name| reading::meant(name, picture));
    let mut found: Vec<&Arc<Called>> = picture
        .calls
        .iter()
        .filter(|(name, _)| meant.clone().is_none_or(|mut meant| meant.any(|it| it == *name)))
        .flat_map(|(_, calls)| calls.iter())
        .collect();
    found.sort_by_key(|call| std::cmp::Reverse(call.usage.at));
    let calls = found.into_iter().take(limit.unwrap_or(usize::MAX)).map(|call| told(call));
    Ok(json(StatusCode::OK, &Calls { calls: calls.collect() }))
}

fn told(called: &Called) -> Told {
    let usage = &called.usage;
    Told {
        at: usage.at.to_string(),
        process: called.process.clone(),
        session: called.session.map(|id| id.to_string()),
        agent: usage.agent.clone(),
        provider: usage.provider.clone(),
        model: usage.model.clone(),
        source: usage.source.as_str().to_owned(),
        endpoint: called.endpoint.clone(),
        latency_ms: called.latency.map(|it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX)),
        outcome: if called.failed { "error" } else { "ok" }.to_owned(),
        tokens: tokens(&usage.tokens, usage.reasoning),
        cost_nano_usd: match usage.cost {
            Cost::Priced(money) => Some(money.0),
            Cost::Unpriced | Cost::Estimated(_) => None,
        },
    }
}

fn tokens(tokens: &TokenCounts, reasoning: u64) -> CallTokens {
    let TokenCounts { input, output, cache_read, cache_write_5m, cache_write_1h, cache_write } =
        *tokens;
    CallTokens { input, output, cache_read, cache_write_5m, cache_write_1h, cache_write, reasoning }
}

fn report(picture: &Snapshot, process: Option<&str>) -> TokenReport {
    let meant = process.map(|name| reading::meant(name, picture));
    let of_process = |series: &&TokenSeries| {
        meant.clone().is_none_or(|mut meant| meant.any(|name| name == series.process))
    };
    let (mut sum, mut reasoning, mut totals) =
        (TokenCounts::default(), 0u64, SpendingTotals::default());
    let mut series = Vec::new();
    for one in picture.tokens.iter().filter(of_process) {
        let of_one = spending(one);
        sum = sum.plus(&one.tokens);
        reasoning = reasoning.saturating_add(one.reasoning);
        totals.responses += of_one.totals.responses;
        totals.cost_nano_usd = totals.cost_nano_usd.saturating_add(of_one.totals.cost_nano_usd);
        totals.unpriced_tokens =
            totals.unpriced_tokens.saturating_add(of_one.totals.unpriced_tokens);
        series.push(of_one);
    }
    totals.total_tokens = sum.total();
    totals.tokens = tokens(&sum, reasoning);
    TokenReport {
        at: picture.at.wall.to_string(),
        since: picture.house.started.to_string(),
        prices_as_of: picture.prices_as_of.map(|day| day.to_string()),
        series,
        totals,
    }
}

fn spending(series: &TokenSeries) -> Spending {
    Spending {
        process: series.process.clone(),
        agent: series.agent.clone(),
        provider: series.provider.clone(),
        model: series.model.clone(),
        totals: SpendingTotals {
            responses: series.responses,
            tokens: tokens(&series.tokens, series.reasoning),
            total_tokens: series.tokens.total(),
            cost_nano_usd: series.cost.0,
            unpriced_tokens: series.unpriced.total(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Result<Call, Fault>> {
        let bodies = items(text.as_bytes()).expect("calls");
        bodies.into_iter().map(|body| body.and_then(|body| call(body, None))).collect()
    }

    #[test]
    fn one_call_a_list_and_lines_are_read_alike() {
        let one = r#"{"model": "m", "tokens": {"input": 3, "output": 4}, "latency_ms": 9}"#;
        let spread = one.replace(", ", ",\n ");
        for text in [one.to_owned(), spread, format!("[{one}]"), format!("\n{one}\n\n")] {
            let [Ok(call)] = &read(&text)[..] else { panic!("{text}") };
            assert_eq!((call.tokens.total(), call.source), (7, UsageSource::Ingest));
            assert_eq!(call.latency, Some(Duration::from_millis(9)));
        }
        assert_eq!(read(&format!("{one}\n{one}")).len(), 2);
        assert_eq!(read("[]"), []);
    }

    #[test]
    fn a_bad_call_spoils_no_other() {
        let good = r#"{"model": "m"}"#;
        for bad in [
            r#"{"model": ""}"#,
            r#"{"tokens": {}}"#,
            r#"{"model": "m", "tokens": {"input": -1}}"#,
            r#"{"model": "m", "tokens": {"input": 1.5}}"#,
            r#"{"model": "m", "tokens": {"input": 1000000001}}"#,
            r#"{"model": "m", "tokens": {"output": 1, "reasoning": 2}}"#,
            r#"{"model": "m", "token": {}}"#,
            r#"{"model": "m", "at": "yesterday"}"#,
            r#"{"model": "m", "outcome": "fine"}"#,
            r#"{"model": "m", "latency_ms": 86400001}"#,
            r#"{"model": "m\u0000"}"#,
            "7",
            "null",
        ] {
            let whole = |calls: &[Result<Call, Fault>]| {
                calls.iter().map(Result::is_ok).collect::<Vec<_>>() == [true, false, true]
            };
            assert!(whole(&read(&format!("[{good}, {bad}, {good}]"))), "{bad}");
            assert!(whole(&read(&format!("{good}\n{bad}\n{good}"))), "{bad}");
        }
    }

    #[test]
    fn a_key_is_of_its_session() {
        let keyed = |session: &str| {
            let text =
                format!(r#"{{"model": "m", "session": "{session}", "idempotency_key": "k"}}"#);
            read(&text).remove(0).expect("a call").key
        };
        assert_eq!(keyed("a"), keyed("a"));
        assert_ne!(keyed("a"), keyed("b"));
        assert_eq!(read(r#"{"model": "m"}"#)[0].as_ref().expect("a call").key, None);
    }

    #[test]
    fn too_many_at_once_and_no_calls_are_refused() {
        let many = vec![r#"{"model": "m"}"#; MOST_CALLS + 1];
        for text in [many.join("\n"), format!("[{}]", many.join(",")), " ".into(), "[1".into()] {
            assert!(items(text.as_bytes()).is_err());
        }
    }
}
