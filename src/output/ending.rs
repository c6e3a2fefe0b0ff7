//! When the output of a run whose main process has ended counts as complete.
//!
//! Its pipes may be held by somebody it left behind, so the end of a pipe may never come; and what
//! it wrote last may lie in the pipe still, so the exit alone is too early. Complete is it when all
//! pipes ended, when nothing came for a while, or when it has lasted too long.

use std::time::Duration;

use crate::units::Mono;

/// A run that has ended and whose output is not complete yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    quiet_at: Mono,
    cap_at: Mono,
    quiet: Duration,
}

impl Ending {
    /// The main process ended.
    pub fn new(now: Mono, quiet: Duration, cap: Duration) -> Self {
        Self { quiet_at: now.after(quiet), cap_at: now.after(cap), quiet }
    }

    /// Something came.
    pub fn heard(&mut self, now: Mono) {
        self.quiet_at = now.after(self.quiet);
    }

    /// Whether it has lasted too long.
    pub fn is_capped(&self, now: Mono) -> bool {
        self.cap_at <= now
    }

    /// When to look again.
    pub fn at(&self) -> Mono {
        self.quiet_at.min(self.cap_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_puts_the_end_off_but_not_for_ever() {
        let ms = Duration::from_millis;
        let at = |n| Mono::default().after(ms(n));
        let mut ending = Ending::new(at(0), ms(100), ms(250));
        assert_eq!(ending.at(), at(100));
        ending.heard(at(90));
        assert_eq!(ending.at(), at(190));
        ending.heard(at(189));
        assert_eq!(ending.at(), at(250));
        assert!(!ending.is_capped(at(249)) && ending.is_capped(at(250)));
    }
}
