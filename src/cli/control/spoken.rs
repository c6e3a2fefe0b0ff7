//! Speaking to a command that was spawned, and waiting for its end.

use std::io::{Read, stdin};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::Failure;
use super::knock::{Client, encoded};
use crate::serve::wire::spawned::{Command, Fed};

/// What is read at once.
const PART: usize = 32 << 10;
/// Before a part is sent again that found no room.
const PAUSE: Duration = Duration::from_millis(50);

/// Sends it all that comes on our standard input, and closes its own behind it.
pub(super) async fn send_all(client: &Client, session: &str) -> Result<(), Failure> {
    loop {
        let part = spawn_blocking(|| {
            let mut part = vec![0; PART];
            let length = stdin().lock().read(&mut part).unwrap_or(0);
            part.truncate(length);
            part
        });
        match part.await {
            Ok(part) if !part.is_empty() => send(client, session, &part, false).await?,
            _ => return send(client, session, &[], true).await,
        }
    }
}

/// Sends it this, as soon as there is room for it.
pub(super) async fn send(
    client: &Client,
    session: &str,
    bytes: &[u8],
    closes: bool,
) -> Result<(), Failure> {
    let close = if closes { "?close=true" } else { "" };
    let path = format!("/v1/sessions/{}/stdin{close}", encoded(session));
    while client.post_bytes::<Fed>(&path, bytes.to_vec()).await?.is_none() {
        sleep(PAUSE).await;
    }
    Ok(())
}

/// The command once it has ended, or as it is when time is up.
pub(super) async fn end_of(
    client: &Client,
    session: &str,
    wait: Duration,
) -> Result<Command, Failure> {
    let path = format!("/v1/sessions/{}/wait?timeout={}", encoded(session), wait.as_secs_f64());
    client.get_later(&path, wait).await
}
