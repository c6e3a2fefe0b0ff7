//! One budget: what was spent of it in its window, and what of its limit that reaches.
//!
//! Each response is charged once, to the window that the agent's own clock puts it in, so that a
//! next life which reads the store comes to the same sum. Money is summed in whole nano-dollars.

mod burn;
mod hour;

use std::sync::Arc;
use std::time::Duration;

use crate::config::plan::{BudgetLimit, BudgetPlan, BudgetScope, BudgetWindow};
use crate::ledger::budget::burn::Burn;
use crate::ledger::budget::hour::Hour;
use crate::tokens::{Cost, TokenCounts, TokenKind};
use crate::units::{Money, Now, Wall};

/// A part of a rolling window counts as left only when the sum is below this many hundredths of it,
/// so that a sum that breathes around it is not told of with every breath.
const RELEASE_PERCENT: u64 = 95;

/// What is projected beyond this is as good as never.
const FARTHEST: f64 = 10.0 * 366.0 * 86_400.0;

/// What one or many responses take out of a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// Tokens or nano-dollars, as the limit has it.
    pub amount: u64,
    /// Tokens that have no price, where the limit is in money.
    pub blind: u64,
}

impl Charge {
    /// What these tokens at this cost are to a limit.
    pub fn of(limit: &BudgetLimit, tokens: &TokenCounts, cost: Cost) -> Self {
        match (limit, cost) {
            (BudgetLimit::Tokens { kinds, .. }, _) => {
                let counted = TokenKind::ALL.into_iter().zip(kinds.0).filter(|(_, counts)| *counts);
                let add = |sum: u64, (kind, _)| sum.saturating_add(tokens.of(kind));
                Self { amount: counted.fold(0, add), blind: 0 }
            }
            (BudgetLimit::Cost(_), Cost::Priced(Money(nanos))) => {
                Self { amount: u64::try_from(nanos).unwrap_or(0), blind: 0 }
            }
            (BudgetLimit::Cost(_), Cost::Unpriced | Cost::Estimated(_)) => {
                Self { amount: 0, blind: tokens.total() }
            }
        }
    }

    /// The sum, pinned at the largest rather than wrapped.
    pub fn plus(self, other: Self) -> Self {
        Self {
            amount: self.amount.saturating_add(other.amount),
            blind: self.blind.saturating_add(other.blind),
        }
    }
}

/// What a charge brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// So many hundredths of the limit are reached.
    Warning(u8),
    /// All of it is.
    Limit,
    /// The first tokens without a price in this window: the budget does not see them.
    Blind,
}

/// The state of one budget.
#[derive(Clone, Debug)]
pub struct Account {
    plan: Arc<BudgetPlan>,
    window: Window,
    /// Which parts of the limit were told of, each in its place of the plan.
    told: Vec<bool>,
    /// Whether the limit is reached.
    spent: bool,
    burn: Burn,
}

#[derive(Clone, Debug)]
enum Window {
    /// From one moment to another one, or for ever.
    Span { opens: Wall, closes: Option<Wall>, sum: Charge },
    /// The last sixty minutes.
    Rolling(Hour),
}

impl Account {
    /// A budget of which nothing is spent.
    pub fn new(plan: Arc<BudgetPlan>, at: Now) -> Self {
        let told = vec![false; plan.warn.len()];
        let window = Window::of(&plan.window, at.wall);
        Self { plan, window, told, spent: false, burn: Burn::default() }
    }

    /// As the plan has it.
    pub fn plan(&self) -> &Arc<BudgetPlan> {
        &self.plan
    }

    /// Goes on under another plan of the same name: what was spent stays where it means the same.
    ///
    /// A limit that was raised is reached anew, and told of anew; one that was lowered with the next
    /// charge.
    pub fn follow(&mut self, plan: Arc<BudgetPlan>, at: Now) {
        let same = self.plan.scope == plan.scope
            && self.plan.window == plan.window
            && means_the_same(&self.plan.limit, &plan.limit);
        if !same {
            *self = Self::new(plan, at);
            return;
        }
        let told =
            |percent: &u8| self.plan.warn.iter().zip(&self.told).any(|it| it == (percent, &true));
        self.told = plan.warn.iter().map(told).collect();
        self.plan = plan;
        self.leave_what_is_below();
    }

    /// Moves the window on.
    pub fn turn(&mut self, at: Wall) {
        match &mut self.window {
            Window::Span { closes: Some(closes), .. } if at >= *closes => {
                self.window = Window::of(&self.plan.window, at);
            }
            // The clock was put back over midnight: what is spent stays so.
            Window::Span { opens, closes: Some(_), sum } if at < *opens => {
                self.window = Window::of(&self.plan.window, at).with(*sum);
            }
            Window::Span { .. } => {}
            Window::Rolling(hour) => hour.turn(at),
        }
        self.leave_what_is_below();
    }

    /// A run of the process begins; one of an earlier life began before it is known when.
    pub fn run_began(&mut self, at: Wall, adopted: bool) {
        if self.plan.window != BudgetWindow::Run {
            return;
        }
        let opens = if adopted { Wall(i64::MIN) } else { at };
        self.window = Window::Span { opens, closes: None, sum: Charge::default() };
        self.leave_what_is_below();
    }

    /// Charges what a response took that was given at `given`, and says what that reached.
    pub fn charge(&mut self, at: Now, given: Wall, charge: Charge) -> Vec<Passed> {
        self.turn(at.wall);
        let before = self.sum();
        if !self.window.add(at.wall, given, charge) {
            return Vec::new();
        }
        self.burn.add(at.mono, charge.amount);
        let blind = before.blind == 0 && charge.blind > 0;
        blind.then_some(Passed::Blind).into_iter().chain(self.newly_reached()).collect()
    }

    /// Adds what an earlier life charged, of which nothing is told again.
    pub fn restore(&mut self, at: Wall, given: Wall, charge: Charge) {
        self.window.add(at, given, charge);
        self.newly_reached();
    }

    /// What is spent of it in its window.
    pub fn sum(&self) -> Charge {
        match &self.window {
            Window::Span { sum, .. } => *sum,
            Window::Rolling(hour) => hour.sum(),
        }
    }

    /// Whether the limit is reached.
    pub fn is_spent(&self) -> bool {
        self.spent
    }

    /// The limit, in tokens or nano-dollars; never 0.
    pub fn limit(&self) -> u64 {
        limit_of(&self.plan.limit)
    }

    /// When its window began, and when it ends; `None` for what is not bound to the clock.
    pub fn bounds(&self) -> (Option<Wall>, Option<Wall>) {
        match &self.window {
            Window::Span { opens, closes, .. } => (Some(*opens).filter(|at| at.0 > 0), *closes),
            Window::Rolling(_) => (None, None),
        }
    }

    /// When something can be spent again, if nothing is until then; `None` where that is not known,
    /// or where it can now.
    pub fn reopens(&self) -> Option<Wall> {
        match &self.window {
            _ if !self.spent => None,
            Window::Span { closes, .. } => *closes,
            Window::Rolling(hour) => hour.falls_below(release(self.limit(), 100)),
        }
    }

    /// How much is spent in an hour as things go; `None` while that is not known.
    pub fn per_hour(&self, at: Now) -> Option<f64> {
        self.burn.per_hour(at.mono)
    }

    /// How long it lasts if things go on like this; `None` where it lasts for ever, is spent, or
    /// where that is not known.
    pub fn lasts(&self, at: Now) -> Option<Duration> {
        let per_hour = self.per_hour(at).filter(|rate| *rate > 0.0 && !self.spent)?;
        let seconds = match &self.window {
            Window::Span { sum, .. } => {
                // Floats by intent: a projection, of which three digits mean something.
                self.limit().saturating_sub(sum.amount) as f64 / per_hour * 3600.0
            }
            Window::Rolling(hour) => hour.reaches(self.limit(), per_hour)?,
        };
        (seconds < FARTHEST).then(|| Duration::from_secs_f64(seconds))
    }

    /// What is reached by now and was not told of.
    fn newly_reached(&mut self) -> Vec<Passed> {
        let (sum, limit) = (self.sum().amount, self.limit());
        let mut passed = Vec::new();
        for (percent, told) in self.plan.warn.iter().zip(&mut self.told) {
            if !*told && is_reached(sum, limit, *percent) {
                *told = true;
                passed.push(Passed::Warning(*percent));
            }
        }
        if !self.spent && sum >= limit {
            self.spent = true;
            passed.push(Passed::Limit);
        }
        passed
    }

    /// Forgets that parts of the limit were reached that are no longer.
    fn leave_what_is_below(&mut self) {
        let (sum, limit) = (self.sum().amount, self.limit());
        for (percent, told) in self.plan.warn.iter().zip(&mut self.told) {
            *told &= sum >= release(limit, *percent);
        }
        self.spent &= sum >= release(limit, 100);
    }
}

impl Window {
    fn of(window: &BudgetWindow, at: Wall) -> Self {
        let (opens, closes) = match window {
            BudgetWindow::Hour => return Self::Rolling(Hour::default()),
            BudgetWindow::Day(zone) => match zone.day(at) {
                Some((first, next)) => (first, Some(next)),
                None => (at, None),
            },
            BudgetWindow::Run | BudgetWindow::Life => (at, None),
        };
        Self::Span { opens, closes, sum: Charge::default() }
    }

    fn with(self, sum: Charge) -> Self {
        match self {
            Self::Span { opens, closes, .. } => Self::Span { opens, closes, sum },
            rolling => rolling,
        }
    }

    /// Whether it is a time of this window, and so was added. What is to come is taken for now.
    fn add(&mut self, now: Wall, given: Wall, charge: Charge) -> bool {
        match self {
            Self::Span { opens, sum, .. } => {
                let within = given.min(now) >= *opens;
                if within {
                    *sum = sum.plus(charge);
                }
                within
            }
            Self::Rolling(hour) => hour.add(now, given, charge),
        }
    }
}

/// Whether a budget is about a process, or about an agent that it does not declare itself.
pub fn is_about(scope: &BudgetScope, process: &str, family: &str, agent: Option<&str>) -> bool {
    match scope {
        BudgetScope::Process(name) => name == process || name == family,
        BudgetScope::Agent(name) => agent == Some(name),
        BudgetScope::Container => true,
    }
}

/// Whether sums of the one are sums of the other.
fn means_the_same(one: &BudgetLimit, other: &BudgetLimit) -> bool {
    match (one, other) {
        (BudgetLimit::Tokens { kinds, .. }, BudgetLimit::Tokens { kinds: others, .. }) => {
            kinds == others
        }
        (BudgetLimit::Cost(_), BudgetLimit::Cost(_)) => true,
        _ => false,
    }
}

fn limit_of(limit: &BudgetLimit) -> u64 {
    match limit {
        BudgetLimit::Tokens { most, .. } => *most,
        BudgetLimit::Cost(Money(nanos)) => u64::try_from(*nanos).unwrap_or(0),
    }
    .max(1)
}

fn is_reached(sum: u64, limit: u64, percent: u8) -> bool {
    u128::from(sum) * 100 >= u128::from(limit) * u128::from(percent)
}

/// Below this a part of the limit counts as left.
fn release(limit: u64, percent: u8) -> u64 {
    let hundredths = u128::from(limit) * u128::from(percent) * u128::from(RELEASE_PERCENT);
    u64::try_from(hundredths.div_ceil(10_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
