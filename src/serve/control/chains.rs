//! The chains of agents: what they are, what a next conversation needs to know, and what applications
//! tell of them.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{ACCEPT, HeaderMap};
use hyper::{Request, StatusCode};

use super::answer::{Answer, PLAIN, json, whole};
use super::api::{Route, What, get, post, put};
use super::orders::audited;
use super::problem::Problem;
use super::query::Query;
use super::role::{Caller, Role};
use super::{Desk, earlier, external, reading, request, said};
use crate::chains::chain::{Chain, Link};
use crate::chains::continuation::Continuation;
use crate::chains::handover::HandOver;
use crate::chains::interaction::Interaction;
use crate::chains::limits::Fullness;
use crate::ledger::chain_request::{ChainRefusal, ChainReply, ChainRequest, Told};
use crate::ledger::request::{Reply, Request as ToLedger};
use crate::ledger::snapshot::{ProcessView, Snapshot};
use crate::serve::wire::agents as wire;

/// What is answered at the addresses of this subject.
#[derive(Clone, Copy, Debug)]
pub(in crate::serve::control) enum Asked {
    All,
    Chain,
    Conversations,
    Contains,
    Interactions,
    Continuation,
    HandOver,
    Record,
    Replace,
    Reset,
}

/// The longest id of a conversation, in bytes; a UUID has 36.
const LONGEST_ID: usize = 200;
/// The most bytes of what an application says beside an interaction, as JSON.
const LARGEST_METADATA: usize = 4096;
/// The longest name of an agent, as a configuration has it.
const LONGEST_NAME: usize = 63;

const OF_ONE: &[&str] = &["conversation"];

/// The addresses of this subject.
pub(super) const ROUTES: &[Route] = &[
    get("/v1/agents", &[], What::Agents(Asked::All)),
    get("/v1/agents/{agent}", &[], What::Agents(Asked::Chain)),
    get(
        "/v1/agents/{agent}/conversations",
        &["limit", "before", "number"],
        What::Agents(Asked::Conversations),
    ),
    get("/v1/agents/{agent}/contains", &["id"], What::Agents(Asked::Contains)),
    get(
        "/v1/agents/{agent}/interactions",
        &["conversation", "limit", "before"],
        What::Agents(Asked::Interactions),
    ),
    get("/v1/agents/{agent}/continuation", OF_ONE, What::Agents(Asked::Continuation)),
    get("/v1/agents/{agent}/hand-over", &["conversation", "format"], What::Agents(Asked::HandOver)),
    post("/v1/agents/{agent}/interactions", &[], What::Agents(Asked::Record)),
    put("/v1/agents/{agent}/continuation", &[], What::Agents(Asked::Replace)),
    post("/v1/agents/{agent}/reset", &[], What::Agents(Asked::Reset)),
];

/// Answers what is asked of the chains.
pub(super) async fn answer(
    desk: &Desk,
    caller: &Caller,
    asked: Asked,
    agent: &str,
    query: &Query,
    request: Request<Incoming>,
) -> Result<Answer, Problem> {
    let picture = desk.picture();
    if matches!(asked, Asked::All) {
        return Ok(json(StatusCode::OK, &all(&picture)));
    }
    match asked {
        Asked::Record => return record(desk, caller, agent, request::body(request).await?).await,
        Asked::Replace => return replace(desk, caller, agent, request::body(request).await?).await,
        Asked::Reset => return reset(desk, caller, agent).await,
        _ => {}
    }
    let chain = find(&picture, agent)?;
    match asked {
        Asked::Contains => contains(desk, chain, query).await,
        Asked::Interactions => said::page(desk, chain, query).await,
        Asked::Continuation => {
            let link = conversation(desk, chain, query).await?;
            Ok(json(StatusCode::OK, &continuation(chain, &link)))
        }
        Asked::Conversations => earlier::page(desk, chain, query).await,
        Asked::HandOver => {
            let link = conversation(desk, chain, query).await?;
            hand_over(chain, &link, query, request.headers())
        }
        Asked::All | Asked::Chain | Asked::Record | Asked::Replace | Asked::Reset => {
            Ok(json(StatusCode::OK, &shown(chain)))
        }
    }
}

fn all(picture: &Snapshot) -> wire::Agents {
    let agent = |chain: &Arc<Chain>| wire::Agent {
        agent: chain.agent.clone(),
        count: chain.count,
        first: chain.first.clone(),
        last: chain.links.back().map(|link| link.id.clone()),
        current: chain.current().map(|link| shown_link(chain, link)),
        hand_overs_due: chain.hand_overs_due,
    };
    let agents = picture.chains.iter().map(agent).collect();
    wire::Agents { generation: picture.generation, agents }
}

fn shown(chain: &Chain) -> wire::AgentChain {
    wire::AgentChain {
        agent: chain.agent.clone(),
        count: chain.count,
        first: chain.first.clone(),
        current: chain.current.clone(),
        conversations: chain.links.iter().map(|link| shown_link(chain, link)).collect(),
    }
}

pub(super) fn shown_link(chain: &Chain, link: &Link) -> wire::Conversation {
    wire::Conversation {
        number: link.number,
        id: link.id.clone(),
        session: link.session.map(|session| session.to_string()),
        process: link.process.clone(),
        resumes: link.resumes.clone(),
        first: link.first.to_string(),
        last: link.last.to_string(),
        prompts: link.prompts,
        responses: link.responses,
        compactions: link.compactions,
        fill: fill(chain, link),
    }
}

fn fill(chain: &Chain, link: &Link) -> wire::Fill {
    wire::Fill {
        tokens: link.context.as_ref().map(|context| context.tokens),
        window: link.window(&chain.limits),
        ratio: link.ratio(&chain.limits),
        hand_over_due: link.fullness >= Fullness::Due,
        full: link.fullness == Fullness::Full,
    }
}

pub(super) fn continuation(chain: &Chain, link: &Link) -> wire::Continuation {
    let kept = &link.continuation;
    wire::Continuation {
        agent: chain.agent.clone(),
        conversation: link.id.clone(),
        number: link.number,
        fill: fill(chain, link),
        files: kept.files.clone(),
        tools: kept.tools.clone(),
        tasks: kept.tasks.clone(),
    }
}

fn hand_over(
    chain: &Chain,
    link: &Link,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Answer, Problem> {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let text = match query.one_of("format", &["text", "json"])? {
        Some(format) => format == "text",
        None => accepted.trim_start().starts_with("text/plain"),
    };
    if text {
        return Ok(whole(StatusCode::OK, PLAIN, HandOver::of(chain, link).text()));
    }
    Ok(json(StatusCode::OK, &handed_over(chain, link)))
}

fn handed_over(chain: &Chain, link: &Link) -> wire::HandOver {
    let said = HandOver::of(chain, link);
    wire::HandOver {
        text: said.text(),
        agent: said.agent,
        conversation: said.conversation,
        number: said.number,
        fill: fill(chain, link),
        files: said.files,
        tools: said.tools,
        tasks: said.tasks,
    }
}

/// What is written to the file of an agent; nothing where it has had no conversation.
pub fn saved(chain: &Chain) -> Option<wire::Saved> {
    let link = chain.current()?;
    Some(wire::Saved {
        version: 1,
        agent: chain.agent.clone(),
        count: chain.count,
        first: chain.first.clone(),
        continuation: continuation(chain, link),
        hand_over: handed_over(chain, link),
    })
}

pub(super) fn interaction(one: &Interaction) -> wire::Interaction {
    wire::Interaction {
        id: format!("{:016x}", one.key),
        conversation: one.conversation.clone(),
        session: one.session.map(|session| session.to_string()),
        at: one.at.to_string(),
        origin: one.origin.as_str().to_owned(),
        prompt: one.prompt.clone(),
        response: one.response.clone(),
        metadata: one.metadata.clone(),
    }
}

async fn contains(desk: &Desk, chain: &Chain, query: &Query) -> Result<Answer, Problem> {
    let Some(id) = query.text("id").filter(|id| !id.is_empty()) else {
        let problem = Problem::bad_request("which conversation is not said");
        return Err(problem.suggest("add `?id=` with the conversation's id"));
    };
    let number = match chain.get(id) {
        Some(link) => Some(link.number),
        None => earlier::find(desk, chain, id).await?.map(|link| link.number),
    };
    let (agent, id) = (chain.agent.clone(), id.to_owned());
    Ok(json(StatusCode::OK, &wire::Contains { agent, id, contains: number.is_some(), number }))
}

fn find<'p>(picture: &'p Snapshot, agent: &str) -> Result<&'p Arc<Chain>, Problem> {
    let found = picture.chains.iter().find(|chain| chain.agent == agent);
    let unknown = || {
        let names = picture.chains.iter().map(|chain| chain.agent.as_str());
        Problem::unknown("agent", agent, &reading::nearest(agent, names))
    };
    found.ok_or_else(unknown)
}

/// The conversation that is asked for, in memory or in the store; the current one unless said.
async fn conversation(desk: &Desk, chain: &Chain, query: &Query) -> Result<Arc<Link>, Problem> {
    let Some(id) = query.text("conversation").or(chain.current.as_deref()) else {
        let detail = format!("{} has had no conversation yet", chain.agent);
        return Err(Problem::unknown("conversation", "current", &[]).suggest(detail));
    };
    earlier::whole(desk, chain, id).await?.ok_or_else(|| {
        let problem = Problem::unknown("conversation", id, &[]);
        problem.suggest(format!(
            "GET /v1/agents/{}/conversations lists those that are kept",
            chain.agent
        ))
    })
}

/// Records what an application tells of.
async fn record(
    desk: &Desk,
    caller: &Caller,
    agent: &str,
    body: wire::InteractionBody,
) -> Result<Answer, Problem> {
    let said = format!("record an interaction of {agent}");
    let given = async {
        check_name(agent)?;
        check_ids([Some(&body.session), body.id.as_ref(), body.resumes.as_ref()])?;
        let beside = serde_json::to_string(&body.metadata).unwrap_or_default();
        if beside.len() > LARGEST_METADATA {
            let fault = format!("`metadata` may have {LARGEST_METADATA} bytes as JSON");
            return Err(Problem::invalid(fault));
        }
        may_tell(caller, agent, &desk.picture())?;
        let told = Told {
            agent: agent.to_owned(),
            conversation: body.session,
            id: body.id,
            prompt: body.prompt,
            response: body.response,
            resumes: body.resumes,
            metadata: body.metadata,
        };
        ask(desk, ChainRequest::Record(Box::new(told))).await
    };
    match audited(caller, &said, given.await)? {
        ChainReply::Recorded { interaction, known } => {
            let status = if known { StatusCode::OK } else { StatusCode::CREATED };
            Ok(json(status, &self::interaction(&interaction)))
        }
        _ => Err(Problem::no_reply()),
    }
}

/// Puts what an application says in the place of what is known of a conversation.
async fn replace(
    desk: &Desk,
    caller: &Caller,
    agent: &str,
    body: wire::ContinuationBody,
) -> Result<Answer, Problem> {
    let said = format!("replace the continuation of {agent}");
    let given = async {
        check_name(agent)?;
        check_ids([body.conversation.as_ref(), None, None])?;
        if body.window == Some(0) {
            return Err(Problem::invalid("`window` must be at least 1"));
        }
        may_tell(caller, agent, &desk.picture())?;
        let continuation = Continuation { files: body.files, tools: body.tools, tasks: body.tasks };
        let (tokens, window) = (body.tokens, body.window);
        let conversation = body.conversation;
        let agent = agent.to_owned();
        ask(desk, ChainRequest::Replace { agent, conversation, continuation, tokens, window }).await
    };
    match audited(caller, &said, given.await)? {
        ChainReply::Replaced { chain, conversation } => {
            let link = chain.get(&conversation).ok_or_else(Problem::no_reply)?;
            Ok(json(StatusCode::OK, &continuation(&chain, link)))
        }
        _ => Err(Problem::no_reply()),
    }
}

async fn reset(desk: &Desk, caller: &Caller, agent: &str) -> Result<Answer, Problem> {
    let said = format!("reset the chain of {agent}");
    let given = async {
        find(&desk.picture(), agent)?;
        caller.role.may_order_all()?;
        ask(desk, ChainRequest::Reset { agent: agent.to_owned() }).await
    };
    match audited(caller, &said, given.await)? {
        ChainReply::Reset { forgotten } => {
            Ok(json(StatusCode::OK, &wire::Reset { agent: agent.to_owned(), forgotten }))
        }
        _ => Err(Problem::no_reply()),
    }
}

async fn ask(desk: &Desk, request: ChainRequest) -> Result<ChainReply, Problem> {
    match external::ask(desk, ToLedger::Chain(request)).await?.reply {
        Reply::Chain(ChainReply::Refused(refusal)) => Err(refused(refusal)),
        Reply::Chain(reply) => Ok(reply),
        _ => Err(Problem::no_reply()),
    }
}

fn refused(refusal: ChainRefusal) -> Problem {
    match refusal {
        ChainRefusal::TooManyAgents => {
            let detail = "there are as many agents as there can be";
            Problem::conflict("too-many-agents", "too many agents", detail)
                .suggest("name an agent of the configuration, or one that is known")
        }
        ChainRefusal::NoAgent => Problem::conflict("no-agent", "no agent", "it is gone"),
        ChainRefusal::NoConversation => {
            let detail = "the agent has had no conversation yet, and none was named";
            Problem::conflict("no-conversation", "no conversation", detail)
                .suggest("say which one in `conversation`")
        }
    }
}

/// Whoever may order everything may tell of every agent, and who runs inside a run of that of its own
/// process.
fn may_tell(caller: &Caller, agent: &str, picture: &Snapshot) -> Result<(), Problem> {
    let Role::Member { process, .. } = &caller.role else { return caller.role.may_order_all() };
    let of_own = |view: &ProcessView| view.name == *process && view.agent.as_deref() == Some(agent);
    if picture.processes.iter().any(of_own) {
        return caller.may_order(std::slice::from_ref(process), picture);
    }
    caller.role.may_order_all()
}

fn check_name(agent: &str) -> Result<(), Problem> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if !agent.is_empty() && agent.len() <= LONGEST_NAME && agent.bytes().all(fits) {
        return Ok(());
    }
    let fault = format!(
        "an agent's name has 1 to {LONGEST_NAME} letters (a-z, A-Z), digits, `_`, `.` and `-`"
    );
    Err(Problem::invalid(fault))
}

fn check_ids(ids: [Option<&String>; 3]) -> Result<(), Problem> {
    let fits =
        |id: &String| !id.is_empty() && id.len() <= LONGEST_ID && !id.chars().any(char::is_control);
    if ids.into_iter().flatten().all(fits) {
        return Ok(());
    }
    let fault = format!("an id has 1 to {LONGEST_ID} bytes, and no control characters");
    Err(Problem::invalid(fault))
}
