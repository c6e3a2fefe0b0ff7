//! Refusals: what is wrong, and what to do instead, as RFC 9457 has it.

use hyper::StatusCode;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};

use super::answer::{Answer, json};
use crate::clock;
use crate::serve::wire;
use crate::units::Wall;

const PROBLEM_JSON: &str = "application/problem+json";

/// What an answer is when there is no better one.
#[derive(Debug)]
pub(super) struct Problem {
    said: Box<wire::Problem>,
    header: Option<(HeaderName, String)>,
}

impl Problem {
    fn new(status: StatusCode, kind: &str, title: &str, detail: impl Into<String>) -> Self {
        let said = Box::new(wire::Problem {
            kind: format!("urn:procession:problem:{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            suggestion: None,
            faults: Vec::new(),
        });
        Self { said, header: None }
    }

    pub(super) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.said.suggestion = Some(suggestion.into());
        self
    }

    /// The request itself cannot be understood.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-request",
            "the request cannot be understood",
            detail,
        )
    }

    /// There is no such address.
    pub(super) fn no_route(path: &str) -> Self {
        let detail = format!("there is nothing at {path}");
        Self::new(StatusCode::NOT_FOUND, "no-such-path", "no such path", detail)
            .suggest("GET /v1/openapi.json describes every path")
    }

    /// Nothing is called so; `similar` are names that may have been meant.
    pub(super) fn unknown(what: &str, name: &str, similar: &[String]) -> Self {
        let detail = format!("no {what} is called {name:?}");
        let title = format!("unknown {what}");
        let problem = Self::new(StatusCode::NOT_FOUND, "unknown-name", &title, detail);
        match similar {
            [] => problem,
            [one] => problem.suggest(format!("did you mean {one:?}?")),
            several => problem.suggest(format!("did you mean one of {several:?}?")),
        }
    }

    /// Another method is answered here.
    pub(super) fn wrong_method(method: &str, path: &str, allowed: &str) -> Self {
        let detail = format!("{method} is not answered at {path}");
        let status = StatusCode::METHOD_NOT_ALLOWED;
        let problem = Self::new(status, "wrong-method", "wrong method", detail);
        Self { header: Some((ALLOW, allowed.to_owned())), ..problem }
            .suggest(format!("allowed: {allowed}"))
    }

    /// The body is not said to be JSON.
    pub(super) fn wrong_type() -> Self {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let detail = "the body must be JSON and say so";
        Self::new(status, "wrong-content-type", "wrong content type", detail)
            .suggest("send the header `Content-Type: application/json`")
    }

    /// The body is not said to be bytes.
    pub(super) fn not_raw() -> Self {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        let detail = "the body is taken as it is, and must say so";
        Self::new(status, "wrong-content-type", "wrong content type", detail)
            .suggest("send the header `Content-Type: application/octet-stream`")
    }

    /// The body is larger than any that makes sense.
    pub(super) fn too_large(limit: usize) -> Self {
        let detail = format!("a body may have {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "the body is too large", detail)
    }

    /// The body did not arrive.
    pub(super) fn too_slow() -> Self {
        let detail = "the body did not arrive in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "the request took too long", detail)
    }

    /// The body or a parameter has these faults.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(status, "invalid", "the order makes no sense", detail)
    }

    /// Not one of the calls that were told could be counted.
    pub(super) fn bad_calls(faults: Vec<String>) -> Self {
        let mut problem = Self::invalid("no call could be counted");
        problem.said.faults = faults;
        problem
    }

    /// The configuration has faults, and nothing was changed.
    pub(super) fn bad_configuration(faults: Vec<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let detail = "the configuration has faults; nothing was changed";
        let mut problem = Self::new(status, "bad-configuration", "the file has faults", detail)
            .suggest("`procession check` shows them as well");
        problem.said.faults = faults;
        problem
    }

    /// What is asked of a command has faults, and nothing was started.
    pub(super) fn bad_command(faults: Vec<String>) -> Self {
        let mut problem = Self::invalid("what is asked of the command has faults");
        problem.said.faults = faults;
        problem
    }

    /// The asker may not.
    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "not allowed", detail)
    }

    /// The asker does not know the token.
    pub(super) fn no_token() -> Self {
        let detail = "this door asks for the bearer token";
        let problem = Self::new(StatusCode::UNAUTHORIZED, "no-token", "who are you?", detail);
        Self { header: Some((WWW_AUTHENTICATE, "Bearer".to_owned())), ..problem }
            .suggest("send the header `Authorization: Bearer TOKEN`, from the file `token_file`")
    }

    /// It cannot be done as things are.
    pub(super) fn conflict(kind: &str, title: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, kind, title, detail)
    }

    /// It was here, and is not any more.
    pub(super) fn gone(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "gone", "not kept any more", detail)
    }

    /// The one who is to take it has too much already.
    pub(super) fn full(detail: impl Into<String>) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let problem = Self::new(status, "full", "too much waits already", detail);
        Self { header: Some((RETRY_AFTER, "1".to_owned())), ..problem }
    }

    /// As many sessions are open as may be.
    pub(super) fn too_many_sessions(limit: u32) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let detail = format!(
            "{limit} sessions of applications and spawned commands are open, and no more may be"
        );
        let problem = Self::new(status, "too-many-sessions", "too many sessions", detail);
        Self { header: Some((RETRY_AFTER, "5".to_owned())), ..problem }.suggest(
            "close one, or raise `sessions.max_concurrent` in the file (SESSION_MAX_CONCURRENT in \
             the environment where the file is silent)",
        )
    }

    /// A budget that is spent refuses what is new, until then where that is known.
    pub(super) fn budget_spent(budget: &str, until: Option<Wall>) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let detail = match until {
            Some(until) => format!("the budget {budget:?} is spent; it opens again at {until}"),
            None => format!("the budget {budget:?} is spent"),
        };
        let problem = Self::new(status, "budget-spent", "a budget is spent", detail);
        let seconds = until.map(|until| until.0.saturating_sub(clock::now().wall.0).max(0));
        let header = seconds.map(|left| (RETRY_AFTER, (left / 1000 + 1).to_string()));
        let look = format!("`procession budgets {budget}` tells of it; raise it in the file");
        Self { header, ..problem }.suggest(look)
    }

    /// It may be possible in a moment.
    pub(super) fn busy(detail: &str) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let problem = Self::new(status, "busy", "too much at once", detail);
        Self { header: Some((RETRY_AFTER, "1".to_owned())), ..problem }
    }

    /// The store does not answer; supervision goes on.
    pub(super) fn unanswered(detail: &str) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let problem = Self::new(status, "no-history", "the store does not answer", detail);
        Self { header: Some((RETRY_AFTER, "5".to_owned())), ..problem }
    }

    /// We leave.
    pub(super) fn going_down() -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "going-down", "going down", "everything is being stopped")
    }

    /// The loop did not say what became of an order.
    pub(super) fn no_reply() -> Self {
        let detail = "the loop that supervises did not answer in time; the order may still be \
                      carried out";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "no-reply", "no answer", detail)
    }

    /// What is wrong, and what to do instead.
    pub(super) fn told(self) -> (String, Option<String>) {
        (self.said.detail, self.said.suggestion)
    }

    pub(super) fn has_suggestion(&self) -> bool {
        self.said.suggestion.is_some()
    }

    pub(super) fn status(&self) -> u16 {
        self.said.status
    }

    pub(super) fn title(&self) -> &str {
        &self.said.title
    }

    pub(super) fn answer(self) -> Answer {
        let status = StatusCode::from_u16(self.said.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = json(status, &self.said);
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some((name, value)) = self.header
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            answer.headers_mut().insert(name, value);
        }
        answer
    }
}
