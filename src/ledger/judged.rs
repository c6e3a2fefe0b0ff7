//! What is kept of a leak rule's verdict: enough to explain it when its run, or we, are long gone.

use serde_json::{Value, json};

use crate::memory::Verdict;
use crate::memory::leak::evidence::Criterion;
use crate::memory::limit::Limit;

/// A verdict as its events tell it, with each figure that the rule looked at. The names are those of the
/// API, which tells of a run that lives.
pub(super) fn judged(verdict: &Verdict, limit: Option<Limit>) -> Value {
    let explanation = verdict.evidence.explain();
    json!({
        "state": verdict.state.as_str(),
        "since": verdict.since.wall.to_string(),
        "growth_bytes_per_second": verdict.growth,
        "growth_between": verdict.growth_range.map(|range| [range.low, range.high]),
        "seconds_to_limit": verdict.to_limit.map(|span| span.as_secs_f64().round()),
        "limit_bytes": limit.map(|limit| limit.bytes),
        "limit": limit.map(|limit| limit.of.as_str()),
        "evidence": explanation.sentence,
        "explained": explanation.criteria.iter().map(figure).collect::<Vec<_>>(),
    })
}

/// A figure, without what cannot be said of it.
fn figure(criterion: &Criterion) -> Value {
    let mut told = json!({
        "name": criterion.name,
        "unit": criterion.unit.as_str(),
        "sign": criterion.bound.sign(),
    });
    if let Some(value) = criterion.value.filter(|value| value.is_finite()) {
        told["value"] = value.into();
    }
    if let Some(bound) = criterion.bound.value() {
        told["bound"] = bound.into();
        told["met"] = criterion.is_met().into();
    }
    told
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::memory::leak::evidence::Evidence;
    use crate::memory::leak::growth_count::Counted;
    use crate::memory::limit::LimitOf;
    use crate::memory::{LeakState, Range};
    use crate::units::{Bytes, Mono, Now, Wall};

    #[test]
    fn a_verdict_is_kept_with_every_figure_and_nothing_that_is_not_known() {
        let counted = Counted { samples: 4, ..Counted::default() };
        let verdict = Verdict {
            state: LeakState::Confirmed,
            since: Now { mono: Mono(0), wall: Wall(0) },
            growth: Some(2.5),
            growth_range: Some(Range { low: 2.0, high: 3.0 }),
            to_limit: Some(Duration::from_millis(2_600)),
            evidence: Evidence::GrowthCount(counted),
        };
        let limit = Limit { bytes: Bytes(7), of: LimitOf::Container };
        let samples = json!({
            "name": "samples", "unit": "", "sign": "≥", "value": 4.0, "bound": 10.0, "met": false,
        });
        let share = json!({
            "name": "share of steps that rise", "unit": "ratio", "sign": ">", "bound": 0.8, "met": false,
        });
        let expected = json!({
            "state": "confirmed",
            "since": "1970-01-01T00:00:00.000Z",
            "growth_bytes_per_second": 2.5,
            "growth_between": [2.0, 3.0],
            "seconds_to_limit": 3.0,
            "limit_bytes": 7,
            "limit": "container",
            "evidence": "4 of the 10 samples that the rule needs",
            "explained": [samples, share],
        });
        assert_eq!(judged(&verdict, Some(limit)), expected);
    }
}
