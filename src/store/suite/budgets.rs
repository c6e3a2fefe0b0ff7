//! What a next life must know of what was spent, for budgets that go on.

use super::*;
use crate::tokens::{SPENT_OF_LATE, SpentBefore, TokenCounts, Usage};
use crate::units::Money;

fn spent_at(key: u64, agent: &str, at: Wall, cost: Cost) -> Row {
    let Row::Usage { session, process, usage } = usage(key) else { unreachable!() };
    let tokens = TokenCounts {
        input: key,
        output: 2,
        cache_read: 3,
        cache_write_5m: 4,
        cache_write_1h: 5,
        cache_write: 6,
    };
    let usage = Box::new(Usage { at, cost, agent: agent.into(), tokens, ..*usage });
    Row::Usage { session, process, usage }
}

/// Minute by minute, the newest first, the priced apart from the rest, and nothing that no window
/// reaches back to.
pub fn spent_of_late(history: &mut History<'_>) {
    let now = clock::now().wall;
    let minute = |back: i64| Wall((now.0 / 60_000 - back) * 60_000);
    let late = i64::try_from(SPENT_OF_LATE.as_millis()).expect("hours");
    let priced = |nanos| Cost::Priced(Money(nanos));
    history.commit(vec![event(0), event(1), session(1)]);
    history.commit(vec![
        spent_at(10, "a", minute(2), priced(1)),
        spent_at(20, "a", Wall(minute(2).0 + 59_999), priced(2)),
        spent_at(31, "a", minute(2), Cost::Unpriced),
        spent_at(40, "b", minute(2), priced(4)),
        spent_at(50, "a", minute(90), priced(8)),
        spent_at(60, "a", Wall(now.0 - late - 60_000), priced(16)),
    ]);
    // Told once more: it counts once.
    history.commit(vec![spent_at(10, "a", minute(2), priced(1))]);
    history.close();
    let mut spent = history.store().token_resume().expect("read").spent;
    let newest_first = spent.is_sorted_by(|one, next| one.minute >= next.minute);
    assert!(newest_first, "{spent:?}");
    let place = |one: &SpentBefore| (one.minute, one.agent.clone(), one.tokens.input);
    spent.sort_by_key(place);
    let found: Vec<_> = spent
        .iter()
        .map(|it| (it.minute, it.agent.as_str(), it.tokens.input, it.tokens.total(), it.cost))
        .collect();
    assert_eq!(
        found,
        [
            (minute(90), "a", 50, 70, priced(8)),
            (minute(2), "a", 30, 70, priced(3)),
            (minute(2), "a", 31, 51, Cost::Unpriced),
            (minute(2), "b", 40, 60, priced(4)),
        ]
    );
    assert!(spent.iter().all(|one| one.process == "web"), "{spent:?}");
}
