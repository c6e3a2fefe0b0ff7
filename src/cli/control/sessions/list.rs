//! `procession sessions list`: sessions, live and ended, newest first.

use clap::Args;

use super::since::{Moment, moment};
use crate::cli::control::kept::Kept;
use crate::cli::control::knock::{Client, encoded};
use crate::cli::control::phrase::{NOTHING, harmless, span, table};
use crate::cli::control::ps::only_known;
use crate::cli::control::{Failure, note, print};
use crate::serve::wire::Session;
use crate::serve::wire::history::Sessions;

/// The most that one answer holds.
const PAGE: u32 = 1000;

const HEADINGS: [&str; 8] =
    ["ID", "KIND", "PROCESS", "AGENT", "STATE", "STARTED", "DURATION", "REASON"];

#[derive(Debug, Args)]
pub struct Options {
    /// Only those in these states: active, idle, completed, failed, …
    #[arg(short, long, value_name = "STATE", value_delimiter = ',')]
    state: Vec<String>,

    /// Only those of these kinds: process, conversation or external.
    #[arg(short, long, value_name = "KIND", value_delimiter = ',')]
    kind: Vec<String>,

    /// Only those of these processes.
    #[arg(short, long, value_name = "NAME", value_delimiter = ',')]
    process: Vec<String>,

    /// Only those of these users.
    #[arg(short, long, value_name = "NAME", value_delimiter = ',')]
    user: Vec<String>,

    /// Only those of these agents.
    #[arg(short, long, value_name = "NAME", value_delimiter = ',')]
    agent: Vec<String>,

    /// Only the parts of this session.
    #[arg(long, value_name = "ID")]
    parent: Option<String>,

    /// Only those in this checkout or folder.
    #[arg(long, value_name = "PATH")]
    project: Option<String>,

    /// Only those that were opened then or later: 2026-11-20T09:30:00Z, or 2h for two hours ago.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Moment>,

    /// Only those that were opened before.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Moment>,

    /// Only those that live.
    #[arg(long, conflicts_with = "ended")]
    live: bool,

    /// Only those that have ended.
    #[arg(long)]
    ended: bool,

    /// Only those whose id, or own id, begins so.
    #[arg(value_name = "ID")]
    prefix: Option<String>,

    /// How many at most.
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,

    /// Go on behind an earlier answer: its `next`.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<String>,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    kept: Kept,
}

pub async fn list(options: &Options) -> Result<(), Failure> {
    let client = options.kept.client().await?;
    let found = gather(&client, options).await?;
    // A process of an earlier life is no fault, and a slip of the pen is worth a word.
    if found.sessions.is_empty()
        && !options.kept.is_archive()
        && let Err(Failure::Failed(why)) = only_known(&client, &options.process).await
    {
        note(&why);
    }
    if options.json {
        return print(&serde_json::to_string(&found).unwrap_or_default());
    }
    print(&table(&HEADINGS, &found.sessions.iter().map(row).collect::<Vec<_>>()))?;
    if let Some(why) = &found.incomplete {
        note(&format!("older sessions may be missing: {}", harmless(why)));
    }
    let open = found.sessions.iter().filter(|session| session.end.is_none()).count();
    if options.kept.is_archive() && open > 0 {
        note(&format!(
            "{open} had not ended when this was written; the next start says what became of them"
        ));
    }
    if let Some(next) = &found.next {
        note(&format!("there are more: --cursor {next}"));
    }
    Ok(())
}

/// Page after page, until there are as many as were asked for.
async fn gather(client: &Client, options: &Options) -> Result<Sessions, Failure> {
    let mut cursor = options.cursor.clone();
    let mut all: Option<Sessions> = None;
    loop {
        let have = all.as_ref().map_or(0, |all| all.sessions.len());
        let left = options.limit.saturating_sub(u32::try_from(have).unwrap_or(u32::MAX));
        let path = options.path(cursor.as_deref(), left.min(PAGE));
        let page: Sessions = client.get(&path).await?;
        let page = match all.take() {
            Some(mut all) => {
                all.sessions.extend(page.sessions);
                Sessions { sessions: all.sessions, ..page }
            }
            None => page,
        };
        cursor = page.next.clone();
        if cursor.is_none() || page.sessions.len() >= options.limit as usize {
            return Ok(page);
        }
        all = Some(page);
    }
}

impl Options {
    fn path(&self, cursor: Option<&str>, limit: u32) -> String {
        let mut path = format!("/v1/sessions?limit={limit}");
        let mut ask = |name: &str, words: &[String]| {
            let words: Vec<String> = words.iter().map(|word| encoded(word)).collect();
            if !words.is_empty() {
                path.push_str(&format!("&{name}={}", words.join(",")));
            }
        };
        ask("state", &self.state);
        ask("kind", &self.kind);
        ask("process", &self.process);
        ask("user", &self.user);
        ask("agent", &self.agent);
        ask("parent", self.parent.as_slice());
        ask("project", self.project.as_slice());
        ask("since", self.since.as_ref().map(Moment::told).as_slice());
        ask("until", self.until.as_ref().map(Moment::told).as_slice());
        ask("id", self.prefix.as_slice());
        let standing = [(self.live, "live"), (self.ended, "ended")];
        let standing = standing.into_iter().find(|(is_asked, _)| *is_asked);
        ask("standing", standing.map(|(_, word)| word.to_owned()).as_slice());
        ask("cursor", cursor.map(str::to_owned).as_slice());
        path
    }
}

pub(super) fn row(session: &Session) -> Vec<String> {
    let or_nothing = |text: Option<&str>| text.map_or_else(|| NOTHING.to_owned(), harmless);
    let end = session.end.as_ref();
    vec![
        session.id.clone(),
        session.kind.clone(),
        or_nothing(Some(session.process.as_str()).filter(|process| !process.is_empty())),
        or_nothing(session.agent.as_deref()),
        session.state.clone(),
        session.started.clone(),
        end.map_or_else(|| NOTHING.to_owned(), |end| span(end.duration_seconds)),
        end.map(|end| harmless(&end.reason)).unwrap_or_default(),
    ]
}
