//! `control`: the doors for those who give orders.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::cursor::{Cursor, Fields};
use super::plan::{ControlPlan, TcpControl, TokenPlan, TokenRole};
use super::read;
use super::surroundings::Surroundings;

/// The name of the socket in the state folder.
const SOCKET: &str = "control.sock";

/// The longest path of a unix socket: `sun_path` of `unix(7)` with its closing NUL holds 108 bytes.
const LONGEST_SOCKET: usize = 107;

/// The most tokens: each is compared with what everybody says.
const MAX_TOKENS: usize = 64;

/// The doors of a file: a socket in the state folder, unless it says otherwise.
pub(super) fn control(
    at: Option<&Cursor<'_>>,
    state_dir: &Path,
    around: &Surroundings<'_>,
) -> ControlPlan {
    let usual = || Some(state_dir.join(SOCKET));
    let at_socket = |socket| ControlPlan { socket, tcp: None };
    let Some(at) = at else { return at_socket(usual()) };
    match at.scalar() {
        Some("false") => ControlPlan::default(),
        Some("true") => at_socket(usual()),
        Some(_) => at_socket(socket(at, around)),
        None => doors(at, usual(), around).unwrap_or_default(),
    }
}

fn doors(
    at: &Cursor<'_>,
    usual: Option<PathBuf>,
    around: &Surroundings<'_>,
) -> Option<ControlPlan> {
    let mut fields = at.fields("`true`, `false`, the path of a socket or a map")?;
    let socket = match fields.get("socket") {
        Some(at) => read::unless_off(&at, |at| socket(at, around)).flatten(),
        None => usual,
    };
    let tcp = tcp(&mut fields, around);
    fields.finish(&[
        ("path", "did you mean `socket`?"),
        ("token", "a token in this file would be read by many; write `token_file: FILE`"),
        ("port", "write `listen: 127.0.0.1:PORT`"),
    ]);
    Some(ControlPlan { socket, tcp })
}

fn socket(at: &Cursor<'_>, around: &Surroundings<'_>) -> Option<PathBuf> {
    let path = read::path(at, around)?;
    if path.as_os_str().len() > LONGEST_SOCKET {
        let what = format!("a path of at most {LONGEST_SOCKET} bytes");
        let length = path.as_os_str().len();
        return at.expected(&what, format!("the whole path has {length}; write a shorter one"));
    }
    Some(path)
}

/// A TCP door: whoever can reach it can give orders, so it needs a token.
fn tcp(fields: &mut Fields<'_>, around: &Surroundings<'_>) -> Option<TcpControl> {
    let listen_at = fields.get("listen");
    let (token_at, tokens_at) = (fields.get("token_file"), fields.get("tokens"));
    let only = token_at.as_ref().and_then(|at| read::path(at, around)).map(TokenPlan::only);
    let mut tokens: Vec<TokenPlan> = only.into_iter().collect();
    tokens.extend(tokens_at.as_ref().map(|at| self::tokens(at, around)).unwrap_or_default());
    let listen: Option<SocketAddr> = listen_at.as_ref().and_then(read::address);
    match (listen_at.filter(|_| listen.is_some()), token_at.or(tokens_at)) {
        (Some(at), None) => at.fault(
            "whoever reaches this address could stop every process",
            "write `token_file: FILE` beside it, a file that holds a secret",
        ),
        (None, Some(at)) => at.warn(
            "this has no effect, because orders are not taken over TCP",
            "write `listen: 127.0.0.1:9918` beside it",
        ),
        _ => {}
    }
    Some(TcpControl { listen: listen?, tokens }).filter(|door| !door.tokens.is_empty())
}

fn tokens(at: &Cursor<'_>, around: &Surroundings<'_>) -> Vec<TokenPlan> {
    let items = at.items("a list of tokens").unwrap_or_default();
    if items.is_empty() || items.len() > MAX_TOKENS {
        at.expected::<()>(&format!("1 to {MAX_TOKENS} tokens"), "");
        return vec![];
    }
    let tokens: Vec<TokenPlan> = items.iter().filter_map(|at| token(at, around)).collect();
    for (place, one) in tokens.iter().enumerate() {
        if one.name == TokenPlan::ONLY || tokens[..place].iter().any(|it| it.name == one.name) {
            at.fault(
                format!("two tokens are called `{}`", one.name),
                "give each a name of its own",
            );
        }
    }
    tokens
}

fn token(at: &Cursor<'_>, around: &Surroundings<'_>) -> Option<TokenPlan> {
    let mut fields = at.fields("a map with `name`, `file` and `role`")?;
    let words = TokenRole::ALL.map(|known| (known.as_str(), known));
    let (name, file) = (fields.get("name"), fields.get("file"));
    let role_at = fields.get("role");
    for (key, found, advice) in [
        ("name", &name, "write `name: NAME`; the audit trail says it"),
        ("file", &file, "write `file: FILE`, a file that holds a secret"),
        ("role", &role_at, "write `role: viewer`, `operator` or `admin`"),
    ] {
        if found.is_none() {
            fields.missing(key, advice, &[("token_file", "did you mean `file`?")]);
        }
    }
    let mut names = |key| {
        let listed = fields.get(key)?.one_or_many("a name, or a list of names")?;
        let name = |at: &Cursor<'_>| at.text("a name").map(str::to_owned);
        Some(listed.iter().filter_map(name).collect::<Vec<String>>())
    };
    let users = names("users").unwrap_or_default();
    let agents = names("agents").unwrap_or_default();
    fields.finish(&[
        ("token", "a token in this file would be read by many; write `file: FILE`"),
        ("user", "did you mean `users`?"),
        ("agent", "did you mean `agents`?"),
    ]);
    let role = role_at?.choice(&words)?;
    Some(TokenPlan {
        name: read::name(&name?)?,
        file: read::path(&file?, around)?,
        role,
        users,
        agents,
    })
}
