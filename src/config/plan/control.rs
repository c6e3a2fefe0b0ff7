//! The doors for those who give orders.

use std::net::SocketAddr;
use std::path::PathBuf;

/// `control`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlPlan {
    /// The unix socket, mode 0600; `None` opens none.
    pub socket: Option<PathBuf>,
    /// The same API over TCP, for whoever knows a token; closed by default.
    pub tcp: Option<TcpControl>,
}

/// Control over TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpControl {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Who may come in; never empty.
    pub tokens: Vec<TokenPlan>,
}

impl TcpControl {
    /// A door for whoever knows the token in this file (`token_file`), who may do everything.
    pub fn by_token(listen: SocketAddr, file: PathBuf) -> Self {
        Self { listen, tokens: vec![TokenPlan::only(file)] }
    }
}

/// A token, and what whoever knows it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPlan {
    /// Its name, for the audit trail.
    pub name: String,
    /// The file that holds it, read when the door opens.
    pub file: PathBuf,
    /// What they count as.
    pub role: TokenRole,
    /// Only sessions of these users; of all when empty.
    pub users: Vec<String>,
    /// Only sessions of these agents; of all when empty.
    pub agents: Vec<String>,
}

impl TokenPlan {
    /// The name of the token of `token_file`.
    pub const ONLY: &str = "token_file";

    /// The token of `token_file`.
    pub fn only(file: PathBuf) -> Self {
        let name = Self::ONLY.to_owned();
        Self { name, file, role: TokenRole::Admin, users: vec![], agents: vec![] }
    }
}

/// What whoever knows a token counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRole {
    /// May look.
    Viewer,
    /// May give orders to processes and sessions as well.
    Operator,
    /// May do everything.
    Admin,
}

impl TokenRole {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// Its word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}
