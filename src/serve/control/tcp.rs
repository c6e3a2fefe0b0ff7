//! The door over TCP: the same API, for whoever knows the token. It is closed unless the plan opens
//! it, and it does not open without a token that is worth the name.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::AUTHORIZATION;
use tokio::net::TcpListener;

use super::Desk;
use super::door::{self, CONNECTIONS, Pass};
use super::problem::Problem;
use super::role::{Caller, Limits, Role, Who};
use crate::config::plan::{TcpControl, TokenPlan};
use crate::serve::connections::Connections;

/// A shorter token could be guessed.
const SHORTEST_TOKEN: usize = 16;

/// A longer file holds something else.
const LONGEST_TOKEN: u64 = 4096;

/// Listens until we are to stop.
pub(super) async fn serve(plan: TcpControl, desk: &Arc<Desk>) {
    let TcpControl { listen, tokens } = plan;
    let shown = listen.to_string();
    let attempt = || {
        let tokens = read_tokens(&tokens)?;
        let listener = std::net::TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        Ok((TcpListener::from_std(listener)?, tokens))
    };
    let (listener, tokens) = tokio::select! {
        opened = door::open(&shown, attempt) => opened,
        () = desk.told_to_stop() => return,
    };
    let bound = listener.local_addr().map_or(shown, |bound| bound.to_string());
    tracing::info!(target: "control", "taking orders over TCP at {bound}, in plain text, by token");
    let tokens: Arc<[Token]> = tokens.into();
    let mut connections = Connections::default();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    let _ = stream.set_nodelay(true);
                    let tokens = Arc::clone(&tokens);
                    let admit = move |request: &Request<Incoming>| admitted(request, from, &tokens);
                    let desk = Arc::clone(desk);
                    let conversation = |engaged| door::converse(stream, desk, engaged, admit);
                    connections.admit(conversation, CONNECTIONS).await;
                }
                Err(error) => door::pause(&error).await,
            },
            Some(()) = connections.one_ended() => {}
            () = desk.told_to_stop() => break,
        }
    }
    drop(listener);
    connections.drain().await;
}

/// Somebody's token.
struct Token {
    name: String,
    secret: String,
    role: Role,
}

/// Whoever knows a token comes in as what it says. How long that takes says nothing about which one
/// is nearly right.
fn admitted(request: &Request<Incoming>, from: SocketAddr, tokens: &[Token]) -> Pass {
    let given = request.headers().get(AUTHORIZATION);
    let given = given.and_then(|given| given.to_str().ok()).unwrap_or_default();
    let known = tokens
        .iter()
        .fold(None, |known, token| if knows(given, &token.secret) { Some(token) } else { known });
    if let Some(Token { name, role, .. }) = known {
        let who = Who::Remote { from, token: Some(name.clone()) };
        return Pass::Caller(Caller::new(who, role.clone()));
    }
    tracing::warn!(target: "control", "{from} does not know the token");
    Pass::Refused(Problem::no_token().answer(), Who::Remote { from, token: None })
}

fn read_tokens(plans: &[TokenPlan]) -> io::Result<Vec<Token>> {
    let read = |plan: &TokenPlan| {
        let limits = Limits { users: plan.users.clone(), agents: plan.agents.clone() };
        let role = Role::of_token(plan.role, limits);
        Ok(Token { name: plan.name.clone(), secret: read_token(&plan.file)?, role })
    };
    let tokens: Vec<Token> = plans.iter().map(read).collect::<io::Result<_>>()?;
    for (at, one) in tokens.iter().enumerate() {
        if let Some(other) = tokens[..at].iter().find(|other| other.secret == one.secret) {
            let what = format!("the tokens {} and {} are the same", other.name, one.name);
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
    }
    Ok(tokens)
}

/// The token in a file, without the newline that editors put behind it.
fn read_token(path: &Path) -> io::Result<String> {
    let told = |error: io::Error| {
        io::Error::new(error.kind(), format!("the token file {}: {error}", path.display()))
    };
    let file = File::open(path).map_err(told)?;
    if file.metadata().is_ok_and(|data| data.mode() & 0o077 != 0) {
        tracing::warn!(target: "control", "others may read {}: chmod 600 it", path.display());
    }
    let mut text = String::new();
    file.take(LONGEST_TOKEN).read_to_string(&mut text).map_err(told)?;
    let token = text.trim().to_owned();
    if token.len() < SHORTEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let advice =
            "expected at least 16 printable characters, as `openssl rand -hex 32` makes them";
        return Err(told(io::Error::new(io::ErrorKind::InvalidData, advice)));
    }
    Ok(token)
}

/// Whether the header carries the token. How long that takes says nothing about how much of it is
/// right.
fn knows(header: &str, token: &str) -> bool {
    let Some((scheme, given)) = header.split_once(' ') else { return false };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return false;
    }
    let given = given.trim().as_bytes();
    let differing =
        token.bytes().enumerate().fold(given.len() ^ token.len(), |found, (at, byte)| {
            let other = given.get(at).copied().unwrap_or(0);
            black_box(found | usize::from(byte ^ other))
        });
    differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::plan::TokenRole;

    const TOKEN: &str = "0123456789abcdef";

    #[test]
    fn only_the_token_is_the_token() {
        assert!(knows("Bearer 0123456789abcdef", TOKEN));
        assert!(knows("bearer  0123456789abcdef", TOKEN));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Bearer 0123456789abcdeg",
            "Basic 0123456789abcdef",
            TOKEN,
        ] {
            assert!(!knows(wrong, TOKEN), "{wrong:?}");
        }
    }

    #[test]
    fn one_token_cannot_mean_two_roles() {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = |name: &str, role| {
            let file = folder.path().join(name);
            std::fs::write(&file, TOKEN).expect("a file");
            TokenPlan { name: name.to_owned(), file, role, users: vec![], agents: vec![] }
        };
        let plans = [plan("a", TokenRole::Viewer), plan("b", TokenRole::Admin)];
        assert!(read_tokens(&plans[..1]).is_ok());
        let error = read_tokens(&plans).err().expect("they are the same").to_string();
        assert!(error.contains("a and b"), "{error}");
    }

    #[test]
    fn a_token_that_could_be_guessed_keeps_the_door_closed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let read = |text: &str| {
            std::fs::write(&path, text).expect("a file");
            read_token(&path).map_err(|error| error.to_string())
        };
        assert_eq!(read("0123456789abcdef\n").as_deref(), Ok(TOKEN));
        for weak in ["", "\n", "short", "0123456789 abcdef", "0123456789abcde\u{e9}"] {
            assert!(read(weak).is_err(), "{weak:?}");
        }
        assert!(read_token(&folder.path().join("none")).is_err());
    }
}
