//! Which lines of the audit trail are asked for.

use crate::ledger::audit::AuditRow;
use crate::units::{SessionId, Wall};

/// Which lines of the audit trail are asked for, newest first, and from where on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditWanted {
    /// Written then or later.
    pub since: Option<Wall>,
    /// Written before.
    pub until: Option<Wall>,
    /// Whose action has this in it, in capitals or not.
    pub action: Option<String>,
    /// Of this process, session or agent.
    pub target: Option<String>,
    /// By somebody who counted as this.
    pub role: Option<String>,
    /// By a process of this user.
    pub uid: Option<u32>,
    /// Only what was refused.
    pub refused: bool,
    /// Behind this line.
    pub after: Option<(Wall, SessionId)>,
    /// How many at most.
    pub limit: u32,
}

impl AuditWanted {
    /// Whether a line is among those.
    pub fn admits(&self, row: &AuditRow) -> bool {
        let has =
            |part: &String| row.action.to_ascii_lowercase().contains(&part.to_ascii_lowercase());
        self.since.is_none_or(|since| row.at >= since)
            && self.until.is_none_or(|until| row.at < until)
            && self.action.as_ref().is_none_or(has)
            && self.target.as_ref().is_none_or(|target| row.target == *target)
            && self.role.as_ref().is_none_or(|role| row.role == *role)
            && self.uid.is_none_or(|uid| row.uid == Some(uid))
            && (!self.refused || row.outcome >= 400)
            && self.after.is_none_or(|after| (row.at, row.id) < after)
    }
}
