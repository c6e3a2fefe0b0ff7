//! The doors for those who give orders.

use std::net::SocketAddr;
use std::path::PathBuf;

/// `control`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlPlan {
    /// The unix socket, mode 0600; `None` opens none.
    pub socket: Option<PathBuf>,
    /// The same API over TCP, for whoever knows the token; closed by default.
    pub tcp: Option<TcpControl>,
}

/// Control over TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpControl {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The file that holds the bearer token, read when the door opens.
    pub token_file: PathBuf,
}
