//! How one command is accompanied: the manners of tini and dumb-init, as plain values.

use crate::units::Signal;

/// What the flags of tini and dumb-init ask for; the default is what tini does without any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passing {
    /// Who gets a signal that we get.
    pub scope: PassingScope,
    /// Signals that are sent as another one (`-r 15:2`), or not at all (`-r 15:0`). The first match
    /// counts.
    pub rewrite: Vec<(Signal, Option<Signal>)>,
    /// Exit codes of the command that become 0 (`-e 143`).
    pub forgiven: Vec<u8>,
    /// What we are sent when our own parent dies (`-p SIGTERM`).
    pub parent_death: Option<Signal>,
    /// Whether the command gets a session of its own, with our terminal (dumb-init's `setsid`).
    pub own_session: bool,
    /// Whether every reaped stranger is told about (`-w`).
    pub warn_on_reap: bool,
}

/// Who gets a signal that we pass on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassingScope {
    /// The command alone.
    Main,
    /// The command's whole process group (`-g`).
    Group,
}

impl Passing {
    /// What a signal that we get is sent as; `None` when it is not passed on.
    pub fn sent_as(&self, signal: Signal) -> Option<Signal> {
        let rule = self.rewrite.iter().find(|(from, _)| *from == signal);
        rule.map_or(Some(signal), |(_, to)| *to)
    }
}

impl Default for Passing {
    fn default() -> Self {
        Self {
            scope: PassingScope::Main,
            rewrite: Vec::new(),
            forgiven: Vec::new(),
            parent_death: None,
            own_session: false,
            warn_on_reap: false,
        }
    }
}
