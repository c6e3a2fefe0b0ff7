//! The shapes of agents' chains.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The chains of all agents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agents {
    /// The number of the picture.
    pub generation: u64,
    /// By name.
    pub agents: Vec<Agent>,
}

/// The chain of one agent at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agent {
    /// Its name.
    pub agent: String,
    /// Conversations so far: the number of the newest.
    pub count: u64,
    /// The id of the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// The id of the newest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// The one that was last heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Conversation>,
    /// Times that a hand-over began to be due, in this life.
    pub hand_overs_due: u64,
}

/// The chain of one agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AgentChain {
    /// Its name.
    pub agent: String,
    /// Conversations so far: the number of the newest.
    pub count: u64,
    /// The id of the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// The id of the one that was last heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// The newest hundred, by number.
    pub conversations: Vec<Conversation>,
}

/// One conversation of a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// From 1, in the order in which they were first heard of.
    pub number: u64,
    /// The agent's own id.
    pub id: String,
    /// Its session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The process that it is held in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// The conversation that it goes on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<String>,
    /// When it was first heard of, ISO 8601.
    pub first: String,
    /// When it was last heard of, ISO 8601.
    pub last: String,
    /// Prompts so far.
    pub prompts: u64,
    /// Responses so far.
    pub responses: u64,
    /// Times that its window was emptied into a summary.
    pub compactions: u64,
    /// How full its window is.
    #[serde(flatten)]
    pub fill: Fill,
}

/// How full a window is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fill {
    /// Tokens in it after the last response; left out while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Tokens that it holds.
    pub window: u64,
    /// The part of it that is used; left out while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<f64>,
    /// Whether the next conversation should take over.
    pub hand_over_due: bool,
    /// Whether it is full.
    pub full: bool,
}

/// `GET /v1/agents/{agent}/conversations`: a page of a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conversations {
    /// The agent.
    pub agent: String,
    /// Conversations so far: the number of the newest.
    pub count: u64,
    /// Newest first.
    pub conversations: Vec<Conversation>,
    /// `before` of the next page, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// Whether a conversation is in a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contains {
    /// The agent.
    pub agent: String,
    /// The conversation's id.
    pub id: String,
    /// Whether it is.
    pub contains: bool,
    /// Its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
}

/// What was asked and answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interactions {
    /// The agent.
    pub agent: String,
    /// The newest of those that are asked for, oldest first.
    pub interactions: Vec<Interaction>,
    /// `before` of the page with those that come before them, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A prompt with its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// What it is known by.
    pub id: String,
    /// The conversation's id.
    pub conversation: String,
    /// The session of that conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// When it began, ISO 8601.
    pub at: String,
    /// `transcript` or `api`.
    pub origin: String,
    /// The masked beginning of the prompt, where excerpts are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The masked beginning of the last answer, where excerpts are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// What an application said beside.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// What a next conversation needs to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Continuation {
    /// The agent.
    pub agent: String,
    /// The conversation's id.
    pub conversation: String,
    /// Its number.
    pub number: u64,
    /// How full its window is.
    #[serde(flatten)]
    pub fill: Fill,
    /// Files, oldest first.
    pub files: Vec<String>,
    /// Tools, oldest first.
    pub tools: Vec<String>,
    /// Tasks, oldest first.
    pub tasks: Vec<String>,
}

/// What the next conversation is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandOver {
    /// The agent.
    pub agent: String,
    /// The conversation's id.
    pub conversation: String,
    /// Its number.
    pub number: u64,
    /// How full its window is.
    #[serde(flatten)]
    pub fill: Fill,
    /// The last files, newest first.
    pub files: Vec<String>,
    /// The last tools, newest first.
    pub tools: Vec<String>,
    /// The tasks that were worked on.
    pub tasks: Vec<String>,
    /// All of it in words.
    pub text: String,
}

/// `agents/NAME.json` in the state folder: what the next conversation needs to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// The version of this shape.
    pub version: u32,
    /// The agent.
    pub agent: String,
    /// Conversations so far: the number of the newest.
    pub count: u64,
    /// The id of the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// What the one that was last heard of worked on.
    pub continuation: Continuation,
    /// And what the next one is told.
    pub hand_over: HandOver,
}

/// An interaction that an application tells of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InteractionBody {
    /// The conversation: the agent's own id, or the id of its session.
    pub session: String,
    /// By which a second telling is known; its own unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<String>,
    /// The conversation that this one goes on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<String>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// What is put in the place of a continuation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContinuationBody {
    /// The conversation's id; the current one unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// Tokens in its window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Tokens that it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u64>,
    /// Files, oldest first.
    #[serde(default)]
    pub files: Vec<String>,
    /// Tools, oldest first.
    #[serde(default)]
    pub tools: Vec<String>,
    /// Tasks, oldest first.
    #[serde(default)]
    pub tasks: Vec<String>,
}

/// A chain began anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reset {
    /// The agent.
    pub agent: String,
    /// Conversations that were in the chain.
    pub forgotten: u64,
}
