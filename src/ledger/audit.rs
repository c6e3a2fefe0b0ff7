//! Who asked for what at the control doors, and what they got: one line of the audit trail.

use serde::{Deserialize, Serialize};

use crate::units::{SessionId, Wall};

/// One line of the audit trail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Its own identity, in the order of time.
    pub id: SessionId,
    /// When it was answered.
    pub at: Wall,
    /// What was asked for: the method and the pattern of the address.
    pub action: String,
    /// Of which process, session or agent; empty where of none.
    pub target: String,
    /// In words, where it was an order.
    pub said: String,
    /// The status of the answer.
    pub outcome: u16,
    /// Why, as whoever asked put it.
    pub reason: Option<String>,
    /// As what they counted.
    pub role: String,
    /// The name of the token, over TCP.
    pub token: Option<String>,
    /// The address that they asked from, over TCP.
    pub remote: Option<String>,
    /// The user id of the process that asked, at the socket.
    pub uid: Option<u32>,
    /// Its pid.
    pub pid: Option<i32>,
    /// Its name.
    pub name: Option<String>,
    /// The session that it ran in, where it ran in one.
    pub session: Option<SessionId>,
}
