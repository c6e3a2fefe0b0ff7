//! What a rollout tells of the limits of a subscription.

use super::row::{Payload, RateLimit};
use crate::tokens::agents::Line;
use crate::tokens::quota::{Quota, Window};
use crate::units::Wall;

/// A limit of no more minutes than a year has; more is no limit.
const LONGEST: f64 = 525_600.0;

/// Calls `each` for each limit of which is told how much of it is used, and when.
pub fn told(payload: &Payload, at: Option<Wall>, each: &mut impl FnMut(Line)) {
    let Some(limits) = payload.rate_limits.0 else { return };
    for limit in [limits.primary.0, limits.secondary.0].into_iter().flatten() {
        if let Some(quota) = at.and_then(|at| quota(&limit, at)) {
            each(Line::Limit(Box::new(quota)));
        }
    }
}

fn quota(limit: &RateLimit, at: Wall) -> Option<Quota> {
    let used = limit.used_percent.0.filter(|used| *used >= 0.0)? / 100.0;
    let minutes = limit.window_minutes.0.filter(|minutes| (0.0..LONGEST).contains(minutes));
    let moment = |seconds: f64| (0.0..1e11).contains(&seconds).then_some((seconds * 1000.0) as i64);
    let then = limit.resets_at.0.and_then(moment).map(Wall);
    let later = || limit.resets_in_seconds.0.and_then(moment).map(|ms| Wall(at.0 + ms));
    let window = minutes.map_or(Window::Other, |minutes| Window::of_minutes(minutes as u64));
    Some(Quota { agent: String::new(), window, used, resets: then.or_else(later), at })
}
