//! What reading the costlier figures may take of a processor: in any few seconds, and not only in the
//! long run.
//!
//! Pure: what was spent has to be earned back at [`SHARE`] of the time. Whoever reads a tree reads all of
//! it at once, so that what its members share is counted as it was at one moment, unless it alone costs
//! more than [`BURST`]. Then it is read in pieces, and so no more than [`BURST`] is ever spent twice, and
//! one process beyond, before somebody has to wait.
//!
//! **In any ten seconds no more than a hundredth of them is spent**, where no single process costs more
//! than is earned meanwhile: 25 ms of a tree, 25 ms of the one after it, and 50 ms that ten seconds earn.

use std::time::Duration;

use crate::units::Mono;

/// Of this many parts of the time one may be spent: half a hundredth of one processor.
const SHARE: u32 = 200;

/// What may be spent at once: what five seconds earn.
const BURST: Duration = Duration::from_millis(25);

/// What is about to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The first process of a tree.
    Tree,
    /// Another one of the same tree.
    Member,
}

/// What was spent and is not earned back yet, as the moment at which it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    whole: Mono,
}

impl Allowance {
    /// Notes what was spent until now.
    pub fn spend(&mut self, cost: Duration, now: Mono) {
        self.whole = self.whole.max(now).after(cost * SHARE);
    }

    /// When all that was spent is earned back.
    pub fn whole(&self) -> Mono {
        self.whole
    }

    /// Until when the next reading has to wait, if it has to. Whoever waits does so until all is earned
    /// back, so that it is woken seldom.
    pub fn wait(&self, next: Next, now: Mono) -> Option<Mono> {
        let most = match next {
            Next::Tree => BURST,
            Next::Member => BURST * 2,
        };
        (self.whole.since(now) >= most * SHARE).then_some(self.whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// How long it is read.
    const LASTS: u64 = 1200;

    /// Reads trees whose members cost this much, one after the other and round about, as fast as that is
    /// allowed. Answers with every reading: when it began and what it took.
    fn readings(trees: &[&[Duration]]) -> Vec<(u64, Duration)> {
        let (mut allowance, mut now, mut read) = (Allowance::default(), Mono(SECOND), vec![]);
        while now < Mono(LASTS * SECOND) {
            for tree in trees {
                for (nth, cost) in tree.iter().enumerate() {
                    let next = if nth == 0 { Next::Tree } else { Next::Member };
                    now = allowance.wait(next, now).unwrap_or(now);
                    read.push((now.0, *cost));
                    now = now.after(*cost);
                    allowance.spend(*cost, now);
                }
            }
        }
        read
    }

    /// The most that was spent in any ten seconds, in thousandths of them.
    fn most(read: &[(u64, Duration)]) -> f64 {
        let (mut first, mut within, mut most) = (0, Duration::ZERO, Duration::ZERO);
        for (at, cost) in read {
            within += *cost;
            while at - read[first].0 >= 10 * SECOND {
                within -= read[first].1;
                first += 1;
            }
            most = most.max(within);
        }
        most.as_secs_f64() * 100.0
    }

    #[test]
    fn no_ten_seconds_take_more_than_a_hundredth_whatever_is_read() {
        let of = |micros: u64, count: usize| vec![Duration::from_micros(micros); count];
        let (small, many, large) = (of(300, 1), of(90, 1000), of(20_000, 1));
        let crowd = vec![small.as_slice(); 400];
        for trees in [
            vec![small.as_slice()],
            crowd.clone(),
            vec![many.as_slice()],
            vec![many.as_slice(), small.as_slice(), large.as_slice(), large.as_slice()],
            vec![large.as_slice(); 30],
        ] {
            let read = readings(&trees);
            let spent: f64 = read.iter().map(|(_, cost)| cost.as_secs_f64()).sum();
            assert!(most(&read) <= 10.0, "{} thousandths", most(&read));
            let lasted = read.last().map_or(0.0, |(at, _)| *at as f64 / 1e9);
            assert!(spent <= lasted / 200.0 + 0.1, "{spent} s in {lasted} s");
        }
        assert!(most(&readings(&crowd)) > 5.0, "what may be spent is spent");
    }

    #[test]
    fn a_tree_is_read_at_once_unless_it_alone_costs_too_much() {
        let (mut allowance, now) = (Allowance::default(), Mono(SECOND));
        assert_eq!(allowance.wait(Next::Tree, now), None, "nothing was spent");
        allowance.spend(BURST - Duration::from_millis(1), now);
        assert_eq!(allowance.wait(Next::Tree, now), None);
        allowance.spend(Duration::from_millis(1), now);
        assert_eq!(allowance.wait(Next::Member, now), None, "the tree is not torn");
        let whole = now.after(Duration::from_secs(5));
        assert_eq!(allowance.wait(Next::Tree, now), Some(whole));
        assert_eq!(allowance.wait(Next::Tree, whole), None, "all is earned back");
        allowance.spend(BURST, now);
        assert_eq!(allowance.wait(Next::Member, now), Some(now.after(Duration::from_secs(10))));
        assert_eq!(allowance.whole(), now.after(Duration::from_secs(10)));
    }

    #[test]
    fn one_process_that_costs_much_is_paid_for_before_anything_else_is_read() {
        let (mut allowance, now) = (Allowance::default(), Mono(SECOND));
        allowance.spend(Duration::from_secs(1), now);
        let later = now.after(Duration::from_secs(200));
        assert_eq!(allowance.wait(Next::Member, now), Some(later));
        assert_eq!(allowance.wait(Next::Tree, now.after(Duration::from_secs(196))), None);
    }
}
