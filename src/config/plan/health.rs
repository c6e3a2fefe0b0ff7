//! How it is learnt whether a process can be used: readiness before its dependents start, health for
//! as long as it runs, and the watchdog that it feeds itself.

use std::net::SocketAddr;
use std::time::Duration;

/// `healthcheck`: asked again and again while a run lives. The words and figures are Compose's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthPlan {
    /// What is asked.
    pub test: Test,
    /// From the end of one test to the next.
    pub interval: Duration,
    /// A test that takes longer has failed.
    pub timeout: Duration,
    /// So many failures in a row make a run unhealthy. Until one test passed, one in an `interval`
    /// counts.
    pub retries: u32,
    /// Failures this soon after the program was executed do not count, until one test passed.
    pub start_period: Duration,
    /// The interval until the first test passed.
    pub start_interval: Duration,
    /// What an unhealthy run leads to.
    pub on_unhealthy: OnUnhealthy,
}

/// What is asked of a process to learn whether it is healthy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// A command that ends with code 0.
    Exec(Vec<String>),
    /// `GET` that is answered with a status from 200 to 399.
    Http {
        /// Where to; a literal address, because nothing here looks names up.
        address: SocketAddr,
        /// The value of the `Host` header.
        host: String,
        /// The path with its query.
        path: String,
    },
    /// A connection that is accepted.
    Tcp(SocketAddr),
}

/// What an unhealthy run leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnUnhealthy {
    /// It is told: an event, a metric, a line in the log.
    Report,
    /// The run is ended, and the restart policy decides what follows, as after a failure.
    Restart,
}

/// `ready`: what must have happened before a run counts as ready, beside a first passed health test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyPlan {
    /// A line of its output that matches this regular expression.
    pub log: Option<String>,
    /// `READY=1` on the socket in `NOTIFY_SOCKET`, as `sd_notify(3)` sends it.
    pub notify: bool,
    /// A run that is not ready by then is ended as failed; `None` waits for ever.
    pub timeout: Option<Duration>,
}
