//! `procession agents`: the chains of agents, and transcripts on disk.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::knock::encoded;
use super::phrase::{NOTHING, harmless, table};
use super::{Door, Failure, print, transcripts};
use crate::serve::wire::agents as wire;

const AGENTS: [&str; 7] =
    ["AGENT", "CONVERSATIONS", "CURRENT", "FIRST", "LAST", "CONTEXT", "HAND OVER"];
const CHAIN: [&str; 8] =
    ["NUMBER", "CONVERSATION", "RESUMES", "FIRST", "LAST", "PROMPTS", "CONTEXT", "HAND OVER"];
const INTERACTIONS: [&str; 5] = ["TIME", "CONVERSATION", "ORIGIN", "PROMPT", "RESPONSE"];

#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the agents with their current conversation and how full it is.
    List(OfAll),
    /// Show the conversations of an agent in order.
    Show(OfOne),
    /// List the conversations of an agent, newest first, page by page.
    Conversations(Paged),
    /// Say whether a conversation is in the chain of an agent: 0 if it is, 1 if not.
    Contains(Contains),
    /// Show what a conversation worked on: files, tools and tasks.
    Continuation(OfConversation),
    /// Say what the next conversation needs to know: to be put in front of it.
    HandOver(OfConversation),
    /// Show what was asked and answered last, and page by page what came before.
    Interactions(Said),
    /// Begin the chain of an agent anew: the next conversation is number 1.
    Reset(OfOne),
    /// Say whether every line of a transcript on disk parses, and which does not.
    Validate(OfFile),
    /// Show how large a transcript on disk is, its messages, and its first and last time.
    Info(OfFile),
}

#[derive(Debug, Args)]
struct OfAll {
    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

#[derive(Debug, Args)]
struct OfOne {
    /// The agent.
    #[arg(value_name = "AGENT")]
    agent: String,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

#[derive(Debug, Args)]
struct Paged {
    /// The agent.
    #[arg(value_name = "AGENT")]
    agent: String,

    /// Only those with a lower number: `next` of the last page.
    #[arg(long, value_name = "NUMBER")]
    before: Option<u64>,

    /// Only the one with this number.
    #[arg(long, value_name = "NUMBER")]
    number: Option<u64>,

    /// How many at most.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 100)]
    limit: u32,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

#[derive(Debug, Args)]
struct Contains {
    /// The agent.
    #[arg(value_name = "AGENT")]
    agent: String,

    /// The conversation's id.
    #[arg(value_name = "ID")]
    id: String,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

#[derive(Debug, Args)]
struct OfConversation {
    /// The agent.
    #[arg(value_name = "AGENT")]
    agent: String,

    /// The conversation; the current one unless said.
    #[arg(long, value_name = "ID")]
    conversation: Option<String>,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

#[derive(Debug, Args)]
struct Said {
    /// The agent.
    #[arg(value_name = "AGENT")]
    agent: String,

    /// Only those of this conversation.
    #[arg(long, value_name = "ID")]
    conversation: Option<String>,

    /// Only those that come before a page: its `next`.
    #[arg(long, value_name = "PLACE")]
    before: Option<String>,

    /// How many at most.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 100)]
    limit: u32,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

#[derive(Debug, Args)]
struct OfFile {
    /// The transcript.
    #[arg(value_name = "PATH")]
    path: PathBuf,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn agents(options: &Options) -> Result<(), Failure> {
    match &options.verb {
        Verb::List(options) => list(options).await,
        Verb::Show(options) => show(options).await,
        Verb::Conversations(options) => conversations(options).await,
        Verb::Contains(options) => contains(options).await,
        Verb::Continuation(options) => continuation(options).await,
        Verb::HandOver(options) => hand_over(options).await,
        Verb::Interactions(options) => interactions(options).await,
        Verb::Reset(options) => reset(options).await,
        Verb::Validate(options) => transcripts::validate(&options.path, options.json),
        Verb::Info(options) => transcripts::info(&options.path, options.json),
    }
}

async fn list(options: &OfAll) -> Result<(), Failure> {
    let found: wire::Agents = options.door.client()?.get("/v1/agents").await?;
    if options.json {
        return print(&as_json(&found));
    }
    let row = |one: &wire::Agent| {
        let current = one.current.as_ref();
        vec![
            harmless(&one.agent),
            one.count.to_string(),
            or_nothing(current.map(|it| it.id.as_str())),
            or_nothing(one.first.as_deref()),
            or_nothing(current.map(|it| it.last.as_str())),
            current.map_or(NOTHING.to_owned(), |it| context(&it.fill)),
            current.map_or(NOTHING.to_owned(), |it| verdict(&it.fill).to_owned()),
        ]
    };
    print(&table(&AGENTS, &found.agents.iter().map(row).collect::<Vec<_>>()))
}

async fn show(options: &OfOne) -> Result<(), Failure> {
    let path = format!("/v1/agents/{}", encoded(&options.agent));
    let found: wire::AgentChain = options.door.client()?.get(&path).await?;
    if options.json {
        return print(&as_json(&found));
    }
    print(&chain_table(&found.conversations, found.current.as_deref()))
}

async fn conversations(options: &Paged) -> Result<(), Failure> {
    let Paged { agent, before, number, limit, .. } = options;
    let number_of = |name: &str, value: &Option<u64>| {
        value.map(|value| format!("&{name}={value}")).unwrap_or_default()
    };
    let path = format!(
        "/v1/agents/{}/conversations?limit={limit}{}{}",
        encoded(agent),
        number_of("before", before),
        number_of("number", number)
    );
    let found: wire::Conversations = options.door.client()?.get(&path).await?;
    if options.json {
        return print(&as_json(&found));
    }
    print(&chain_table(&found.conversations, None))?;
    match found.next {
        Some(next) => print(&format!("more: --before {next}")),
        None => Ok(()),
    }
}

fn chain_table(conversations: &[wire::Conversation], current: Option<&str>) -> String {
    let row = |one: &wire::Conversation| {
        let mark = if current == Some(&one.id) { "*" } else { "" };
        vec![
            format!("{}{mark}", one.number),
            harmless(&one.id),
            or_nothing(one.resumes.as_deref()),
            one.first.clone(),
            one.last.clone(),
            one.prompts.to_string(),
            context(&one.fill),
            verdict(&one.fill).to_owned(),
        ]
    };
    table(&CHAIN, &conversations.iter().map(row).collect::<Vec<_>>())
}

async fn contains(options: &Contains) -> Result<(), Failure> {
    let (agent, id) = (encoded(&options.agent), encoded(&options.id));
    let path = format!("/v1/agents/{agent}/contains?id={id}");
    let found: wire::Contains = options.door.client()?.get(&path).await?;
    let said = match found.number {
        Some(number) => format!("{} is number {number}", harmless(&options.id)),
        None => format!("{} is not in the chain", harmless(&options.id)),
    };
    print(&if options.json { as_json(&found) } else { said })?;
    if found.contains { Ok(()) } else { Err(Failure::Told(super::EXIT_FAILED)) }
}

async fn continuation(options: &OfConversation) -> Result<(), Failure> {
    let found: wire::Continuation = options.ask("continuation").await?;
    if options.json {
        return print(&as_json(&found));
    }
    print(&format!("conversation: {} ({})", harmless(&found.conversation), found.number))?;
    print(&format!("context: {}", context(&found.fill)))?;
    for (heading, names) in
        [("files", &found.files), ("tools", &found.tools), ("tasks", &found.tasks)]
    {
        print(&format!("{heading}: {}", names.len()))?;
        for name in names {
            print(&format!("  {}", harmless(name)))?;
        }
    }
    Ok(())
}

async fn hand_over(options: &OfConversation) -> Result<(), Failure> {
    let found: wire::HandOver = options.ask("hand-over").await?;
    print(&if options.json { as_json(&found) } else { found.text.trim_end().to_owned() })
}

async fn interactions(options: &Said) -> Result<(), Failure> {
    let Said { agent, conversation, before, limit, .. } = options;
    let of = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!("&{name}={}", encoded(value))).unwrap_or_default()
    };
    let path = format!(
        "/v1/agents/{}/interactions?limit={limit}{}{}",
        encoded(agent),
        of("conversation", conversation),
        of("before", before)
    );
    let found: wire::Interactions = options.door.client()?.get(&path).await?;
    if options.json {
        return print(&as_json(&found));
    }
    let row = |one: &wire::Interaction| {
        vec![
            one.at.clone(),
            harmless(&one.conversation),
            one.origin.clone(),
            or_nothing(one.prompt.as_deref()),
            or_nothing(one.response.as_deref()),
        ]
    };
    print(&table(&INTERACTIONS, &found.interactions.iter().map(row).collect::<Vec<_>>()))?;
    match found.next {
        Some(next) => print(&format!("more: --before {next}")),
        None => Ok(()),
    }
}

async fn reset(options: &OfOne) -> Result<(), Failure> {
    let path = format!("/v1/agents/{}/reset", encoded(&options.agent));
    let (body, wait) = (serde_json::Map::new(), Duration::ZERO);
    let (found, text): (wire::Reset, _) = options.door.client()?.post(&path, &body, wait).await?;
    let said = format!("{}: {} conversations forgotten", harmless(&found.agent), found.forgotten);
    print(if options.json { text.trim_end() } else { &said })
}

impl OfConversation {
    async fn ask<T: DeserializeOwned>(&self, what: &str) -> Result<T, Failure> {
        let one = self.conversation.as_deref().map(|id| format!("?conversation={}", encoded(id)));
        let agent = encoded(&self.agent);
        let path = format!("/v1/agents/{agent}/{what}{}", one.unwrap_or_default());
        self.door.client()?.get(&path).await
    }
}

fn as_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn or_nothing(text: Option<&str>) -> String {
    text.map_or_else(|| NOTHING.to_owned(), harmless)
}

/// How full a window is, at a glance.
fn context(fill: &wire::Fill) -> String {
    match (fill.tokens, fill.ratio) {
        (Some(tokens), Some(ratio)) => {
            format!("{tokens}/{} {:.0}%", fill.window, (ratio * 100.0).floor())
        }
        _ => NOTHING.to_owned(),
    }
}

fn verdict(fill: &wire::Fill) -> &'static str {
    match (fill.full, fill.hand_over_due) {
        (true, _) => "now",
        (false, true) => "due",
        (false, false) => "no",
    }
}
