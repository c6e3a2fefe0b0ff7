//! One budget from charge to charge.

use super::*;
use crate::config::plan::{BudgetActions, CountedKinds, Zone};
use crate::units::Mono;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A moment so many milliseconds behind a midnight of UTC.
fn at(ms: i64) -> Now {
    let wall = Wall(20_000 * DAY + ms);
    Now { mono: Mono(u64::try_from(DAY + ms).expect("a time") * 1_000_000), wall }
}

fn plan(window: BudgetWindow, most: u64) -> BudgetPlan {
    BudgetPlan {
        name: "b".into(),
        scope: BudgetScope::Container,
        window,
        limit: BudgetLimit::Tokens { most, kinds: CountedKinds::ALL },
        warn: vec![50, 80],
        actions: BudgetActions::default(),
        hook: None,
    }
}

fn account(window: BudgetWindow, most: u64) -> Account {
    Account::new(Arc::new(plan(window, most)), at(0))
}

fn day() -> BudgetWindow {
    BudgetWindow::Day(Zone::default())
}

fn amount(amount: u64) -> Charge {
    Charge { amount, blind: 0 }
}

/// What each of these charges at these minutes reached.
fn through(account: &mut Account, charges: &[(i64, u64)]) -> Vec<Vec<Passed>> {
    let charge = |(minute, tokens): &(i64, u64)| {
        let now = at(minute * MINUTE);
        account.charge(now, now.wall, amount(*tokens))
    };
    charges.iter().map(charge).collect()
}

#[test]
fn each_part_is_told_once_in_a_window_and_anew_in_the_next() {
    use Passed::{Limit, Warning};
    let mut account = account(day(), 100);
    let told = through(&mut account, &[(1, 49), (2, 1), (3, 10), (4, 45), (5, 9)]);
    assert_eq!(told, [vec![], vec![Warning(50)], vec![], vec![Warning(80), Limit], vec![]]);
    assert_eq!((account.sum(), account.is_spent()), (amount(114), true));
    assert_eq!(account.reopens(), Some(at(DAY).wall));
    account.turn(at(DAY - 1).wall);
    assert!(account.is_spent());
    account.turn(at(DAY).wall);
    assert_eq!((account.sum(), account.is_spent()), (amount(0), false));
    let tomorrow = at(DAY + 1);
    let told = account.charge(tomorrow, tomorrow.wall, amount(500));
    assert_eq!(told, [Warning(50), Warning(80), Limit], "all at once");
}

#[test]
fn a_response_belongs_to_the_window_that_it_was_given_in() {
    let mut account = account(day(), 100);
    assert!(account.charge(at(DAY + 5), at(DAY - 5).wall, amount(70)).is_empty());
    assert_eq!(account.sum(), amount(0), "it is of yesterday");
    account.charge(at(DAY + 5), at(9 * DAY).wall, amount(7));
    assert_eq!(account.sum(), amount(7), "what is to come is taken for now");
}

#[test]
fn a_day_begins_and_ends_in_its_zone_also_where_it_has_25_hours() {
    let berlin = Zone::of_rule("CET-1CEST,M3.5.0,M10.5.0/3").expect("a rule");
    let mut account = account(BudgetWindow::Day(berlin), 100);
    let bounds = |opens, closes| (Some(at(opens).wall), Some(at(closes).wall));
    assert_eq!(account.bounds(), bounds(-2 * HOUR, 22 * HOUR), "in summer");
    through(&mut account, &[(60, 30), (22 * 60 - 1, 70)]);
    assert!(account.is_spent());
    assert_eq!(account.reopens(), Some(at(22 * HOUR).wall));
    account.turn(at(22 * HOUR).wall);
    assert_eq!((account.sum(), account.is_spent()), (amount(0), false), "it is tomorrow there");
    // The last Sunday in October, 23 days later.
    account.turn(at(22 * DAY + 22 * HOUR).wall);
    assert_eq!(account.bounds(), bounds(22 * DAY + 22 * HOUR, 23 * DAY + 23 * HOUR));
}

#[test]
fn a_clock_that_is_put_back_over_midnight_forgets_nothing() {
    let mut account = account(day(), 100);
    through(&mut account, &[(24 * 60 + 1, 60), (1, 10)]);
    assert_eq!(account.sum(), amount(70));
    assert_eq!(account.bounds(), (Some(at(0).wall), Some(at(DAY).wall)));
}

#[test]
fn the_last_hour_rolls_and_what_falls_out_opens_it_again() {
    use Passed::{Limit, Warning};
    let mut account = account(BudgetWindow::Hour, 100);
    let told = through(&mut account, &[(0, 60), (30, 40)]);
    assert_eq!(told, [vec![Warning(50)], vec![Warning(80), Limit]]);
    assert_eq!(account.reopens(), Some(at(60 * MINUTE).wall));
    account.turn(at(60 * MINUTE - 1).wall);
    assert!(account.is_spent());
    account.turn(at(60 * MINUTE).wall);
    assert_eq!((account.sum(), account.is_spent()), (amount(40), false));
    // Half is reached again, the limit not yet.
    assert_eq!(through(&mut account, &[(61, 10)]), [vec![Warning(50)]]);
    account.turn(at(10 * HOUR).wall);
    assert_eq!(account.sum(), amount(0));
    // Told late and out of order, it still falls out at its own time.
    account.charge(at(10 * HOUR), at(10 * HOUR - 50 * MINUTE).wall, amount(5));
    account.charge(at(10 * HOUR), at(10 * HOUR - 55 * MINUTE).wall, amount(6));
    account.charge(at(10 * HOUR), at(9 * HOUR).wall, amount(7));
    assert_eq!(account.sum(), amount(11));
    account.turn(at(10 * HOUR + 5 * MINUTE).wall);
    assert_eq!(account.sum(), amount(5));
}

#[test]
fn a_sum_that_breathes_around_a_part_is_told_of_once() {
    let mut account = account(BudgetWindow::Hour, 100);
    assert_eq!(through(&mut account, &[(0, 2), (1, 49)]).concat(), [Passed::Warning(50)]);
    // Two fall out, two come: never below 95 hundredths of the half.
    assert_eq!(through(&mut account, &[(60, 2), (60, 1)]).concat(), []);
}

#[test]
fn what_an_earlier_life_charged_counts_and_is_not_told_again() {
    let mut account = account(day(), 100);
    account.restore(at(HOUR).wall, at(0).wall, amount(85));
    account.restore(at(HOUR).wall, at(-1).wall, amount(1000));
    assert_eq!((account.sum(), account.is_spent()), (amount(85), false));
    assert_eq!(through(&mut account, &[(61, 15)]), [vec![Passed::Limit]]);
    let mut spent = self::account(day(), 100);
    spent.restore(at(HOUR).wall, at(0).wall, amount(100));
    assert!(spent.is_spent(), "it goes on refusing");
    assert_eq!(through(&mut spent, &[(61, 1)]), [vec![]]);
}

#[test]
fn money_is_exact_and_says_what_it_does_not_see() {
    let limit = BudgetLimit::Cost(Money(100));
    let mut account = Account::new(Arc::new(BudgetPlan { limit, ..plan(day(), 1) }), at(0));
    let tokens = TokenCounts { input: 3, output: 4, ..TokenCounts::default() };
    let of = |cost| Charge::of(&limit, &tokens, cost);
    assert_eq!(of(Cost::Priced(Money(33))), amount(33));
    assert_eq!(of(Cost::Unpriced), Charge { amount: 0, blind: 7 });
    assert_eq!(of(Cost::Estimated(Money(50))), Charge { amount: 0, blind: 7 });
    let told = account.charge(at(1), at(1).wall, of(Cost::Unpriced));
    assert_eq!(told, [Passed::Blind]);
    assert!(account.charge(at(2), at(2).wall, of(Cost::Unpriced)).is_empty(), "once");
    for _ in 0..3 {
        account.charge(at(3), at(3).wall, of(Cost::Priced(Money(33))));
    }
    assert_eq!((account.sum(), account.is_spent()), (Charge { amount: 99, blind: 14 }, false));
    account.charge(at(4), at(4).wall, of(Cost::Priced(Money(1))));
    assert!(account.is_spent());
}

#[test]
fn only_the_kinds_that_are_named_count() {
    let words: Vec<&str> = TokenKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(words, CountedKinds::NAMES);
    let tokens = TokenCounts {
        input: 1,
        output: 10,
        cache_read: 100,
        cache_write_5m: 1_000,
        cache_write_1h: 10_000,
        cache_write: 100_000,
    };
    let counted = |kinds| {
        let limit = BudgetLimit::Tokens { most: 1, kinds: CountedKinds(kinds) };
        Charge::of(&limit, &tokens, Cost::Unpriced)
    };
    assert_eq!(counted([true; 6]), amount(111_111));
    assert_eq!(counted([false, true, false, true, false, false]), amount(1_010));
}

#[test]
fn a_reload_keeps_what_was_spent_of_the_same_thing() {
    let mut account = account(day(), 100);
    through(&mut account, &[(1, 85)]);
    let now = at(2 * MINUTE);
    account.follow(Arc::new(plan(day(), 1_000)), now);
    assert_eq!((account.sum(), account.limit()), (amount(85), 1_000));
    assert_eq!(through(&mut account, &[(3, 420)]), [vec![Passed::Warning(50)]], "anew");
    account.follow(Arc::new(plan(day(), 100)), now);
    assert_eq!(through(&mut account, &[(4, 1)]), [vec![Passed::Warning(80), Passed::Limit]]);
    account.follow(Arc::new(plan(BudgetWindow::Life, 100)), now);
    assert_eq!((account.sum(), account.is_spent()), (amount(0), false));
}

#[test]
fn a_run_begins_with_nothing_spent_and_one_of_an_earlier_life_with_what_it_had() {
    let mut account = account(BudgetWindow::Run, 100);
    account.run_began(at(1_000).wall, false);
    account.charge(at(2_000), at(999).wall, amount(50));
    account.charge(at(2_000), at(1_000).wall, amount(40));
    assert_eq!(account.sum(), amount(40));
    account.run_began(at(3_000).wall, true);
    account.charge(at(4_000), at(10).wall, amount(30));
    account.restore(at(5).wall, at(5).wall, amount(60));
    assert_eq!(account.sum(), amount(90));
    assert_eq!(account.reopens(), None);
    let mut other = self::account(day(), 100);
    through(&mut other, &[(1, 10)]);
    other.run_began(at(2 * MINUTE).wall, false);
    assert_eq!(other.sum(), amount(10), "a day has nothing to do with runs");
}

#[test]
fn how_long_it_lasts_is_what_is_left_over_the_rate_or_unknown() {
    let mut account = account(day(), 10_000);
    assert_eq!(account.lasts(at(0)), None);
    let charges: Vec<(i64, u64)> = (0..60).map(|minute| (minute, 100)).collect();
    through(&mut account, &charges);
    let now = at(60 * MINUTE);
    let rate = account.per_hour(now).expect("a rate");
    assert!((5_500.0..6_700.0).contains(&rate), "{rate}");
    let lasts = account.lasts(now).expect("it ends").as_secs_f64();
    assert!((lasts - 4_000.0 / rate * 3_600.0).abs() < 1.0, "{lasts}");
    through(&mut account, &[(60, 4_000)]);
    assert_eq!(account.lasts(now), None, "it is spent");
    // Six thousand an hour never reach a limit of seven thousand in the last hour.
    let mut rolling = self::account(BudgetWindow::Hour, 7_000);
    through(&mut rolling, &charges);
    assert_eq!(rolling.lasts(at(59 * MINUTE)), None);
    let mut rolling = self::account(BudgetWindow::Hour, 5_000);
    through(&mut rolling, &charges[..20]);
    let lasts = rolling.lasts(at(19 * MINUTE)).expect("it ends").as_secs();
    assert!((1_500..=2_000).contains(&lasts), "{lasts}");
}

#[test]
fn nothing_wraps_however_large() {
    let mut account = account(BudgetWindow::Life, u64::MAX);
    through(&mut account, &[(1, u64::MAX), (2, u64::MAX)]);
    assert_eq!(account.sum(), amount(u64::MAX));
    assert!(account.is_spent());
    assert!(account.per_hour(at(HOUR)).is_none_or(f64::is_finite));
}
