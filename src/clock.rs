//! The one reader of clocks. Everything that thinks is told the time as an argument.

#![allow(clippy::disallowed_methods)]

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::units::{Mono, Now, Wall};

/// Reads the monotonic and the wall clock together.
pub fn now() -> Now {
    Now { mono: mono(Instant::now()), wall: wall(SystemTime::now()) }
}

/// The processor time that the thread which asks has used; where the kernel does not tell, all time.
pub fn thread_cpu() -> Duration {
    let used = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    used.map_or_else(|_| origin().elapsed(), Duration::from)
}

/// The monotonic clock as tokio's timers read it, for pauses inside a task. Tests can stop it.
pub fn instant() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// The tokio instant at which the monotonic clock will show `at`.
pub fn instant_of(at: Mono) -> tokio::time::Instant {
    (origin() + Duration::from_nanos(at.0)).into()
}

fn mono(instant: Instant) -> Mono {
    Mono(u64::try_from(instant.duration_since(origin()).as_nanos()).unwrap_or(u64::MAX))
}

/// Where the monotonic clock starts to count: its first reading.
fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// Milliseconds since 1970, negative before.
pub fn wall(time: SystemTime) -> Wall {
    let millis = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()),
        Err(before) => i64::try_from(before.duration().as_millis()).map(|ms| -ms),
    };
    Wall(millis.unwrap_or(i64::MAX))
}
