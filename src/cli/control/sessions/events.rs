//! `procession sessions events ID`: what happened to a session, in order.

use clap::Args;

use crate::cli::control::kept::Kept;
use crate::cli::control::knock::encoded;
use crate::cli::control::phrase::{NOTHING, harmless, table};
use crate::cli::control::{Failure, print};
use crate::serve::wire::history::{SessionEvent, SessionEvents};

const HEADINGS: [&str; 6] = ["#", "TIME", "EVENT", "STATE", "SOURCE", "CAUSE"];

#[derive(Debug, Args)]
pub struct Options {
    /// The session, by its identity or its own id.
    #[arg(value_name = "ID")]
    id: String,

    /// Begin with the event of this number.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    from: u64,

    /// Print a JSON object for each event.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    kept: Kept,
}

pub async fn events(options: &Options) -> Result<(), Failure> {
    let client = options.kept.client().await?;
    let (mut from, mut rows) = (options.from, Vec::new());
    loop {
        let id = encoded(&options.id);
        let page: SessionEvents =
            client.get(&format!("/v1/sessions/{id}/events?limit=1000&from={from}")).await?;
        match options.json {
            true => page
                .events
                .iter()
                .try_for_each(|event| print(&serde_json::to_string(event).unwrap_or_default()))?,
            false => rows.extend(page.events.iter().map(row)),
        }
        match page.next {
            Some(next) => from = next,
            None => break,
        }
    }
    if options.json { Ok(()) } else { print(&table(&HEADINGS, &rows)) }
}

fn row(event: &SessionEvent) -> Vec<String> {
    let subtype = event.subtype.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
    let state = match (&event.previous_state, &event.new_state) {
        (Some(from), Some(to)) => format!("{from} → {to}"),
        (None, Some(to)) => to.clone(),
        _ => NOTHING.to_owned(),
    };
    vec![
        event.sequence.to_string(),
        event.timestamp.clone(),
        format!("{}{subtype}", event.event_type),
        state,
        event.source.clone(),
        harmless(&event.trigger),
    ]
}
