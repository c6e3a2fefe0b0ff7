//! What the samples of one run's tree add up to: peak, mean, and the leak rule's verdict.
//! Says what changed; whom to tell is decided by the fold.

use std::sync::Arc;

use crate::ledger::session::Figures;
use crate::memory::{LeakDetector, LeakState, TreeSample, Verdict};
use crate::units::Bytes;

/// Watches the memory of one run.
pub struct MemoryWatch {
    detector: Box<dyn LeakDetector>,
    sum: u128,
    samples: u64,
    peak: Option<Bytes>,
    /// Shared with the pictures.
    verdict: Option<Arc<Verdict>>,
    last: Option<TreeSample>,
}

/// The part of one processor from which on a tree counts as working: an event loop that only waits
/// uses some thousandths for its timers, and would never rest otherwise.
const BUSY: f64 = 0.01;

/// What one sample changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What the leak rule says from now on, where it is another state.
    pub leak: Option<LeakChange>,
    /// Whether the tree has worked since the sample before, see [`BUSY`].
    pub worked: bool,
}

/// A leak rule that says something else than before.
#[derive(Clone, Debug, PartialEq)]
pub struct LeakChange {
    /// What it said before; a rule that could not say anything suspected nothing either.
    pub from: LeakState,
    /// What it says now.
    pub verdict: Arc<Verdict>,
}

impl LeakChange {
    /// Whether a leak is suspected, or more, that was not before.
    pub fn is_new_suspicion(&self) -> bool {
        self.from < LeakState::Suspected && self.verdict.state >= LeakState::Suspected
    }

    /// Whether a leak is confirmed that was not before.
    pub fn is_new_confirmation(&self) -> bool {
        self.from < LeakState::Confirmed && self.verdict.state == LeakState::Confirmed
    }
}

impl MemoryWatch {
    /// A watch that has seen nothing yet.
    pub fn new(detector: Box<dyn LeakDetector>) -> Self {
        Self { detector, sum: 0, samples: 0, peak: None, verdict: None, last: None }
    }

    /// Takes the next sample.
    pub fn observe(&mut self, sample: &TreeSample) -> Change {
        let cpu_before = self.cpu_seconds().unwrap_or(0.0);
        let span = self.last.map(|last| sample.at.mono.since(last.at.mono)).unwrap_or_default();
        self.sum += u128::from(sample.resident.0);
        self.samples += 1;
        self.peak = self.peak.max(Some(sample.resident));
        // A descendant that nobody waited for takes its CPU time with it; the run's never shrinks.
        self.last = Some(TreeSample { cpu_seconds: sample.cpu_seconds.max(cpu_before), ..*sample });
        Change {
            leak: self.judge(sample),
            worked: sample.cpu_seconds - cpu_before > BUSY * span.as_secs_f64(),
        }
    }

    fn judge(&mut self, sample: &TreeSample) -> Option<LeakChange> {
        self.detector.observe(sample);
        let verdict = Arc::new(self.detector.verdict());
        let before = self.verdict.replace(verdict.clone());
        let from = before.map_or(LeakState::Unknown, |before| before.state);
        // Having learnt enough to say that there is no sign of a leak is no news.
        let quiet = from.max(verdict.state) < LeakState::Suspected;
        (from != verdict.state && !quiet).then_some(LeakChange { from, verdict })
    }

    /// The tree may hold so many bytes from now on.
    pub fn limit(&mut self, limit: Option<Bytes>) {
        self.detector.limit(limit);
    }

    /// A single process of the tree is known to have been as large as this between two samples.
    pub fn peaked(&mut self, largest: Option<Bytes>) {
        self.peak = self.peak.max(largest);
    }

    /// The largest resident size so far.
    pub fn peak(&self) -> Option<Bytes> {
        self.peak
    }

    /// What the leak rule says.
    pub fn verdict(&self) -> Option<&Arc<Verdict>> {
        self.verdict.as_ref()
    }

    /// The last sample; its CPU seconds are the most that was ever sampled.
    pub fn last(&self) -> Option<TreeSample> {
        self.last
    }

    /// The most CPU seconds that were sampled.
    pub fn cpu_seconds(&self) -> Option<f64> {
        self.last.map(|sample| sample.cpu_seconds)
    }

    /// Writes what is known into a session's figures.
    pub fn fill(&self, figures: &mut Figures) {
        figures.peak_memory = self.peak;
        figures.samples = self.samples;
        figures.mean_memory = self
            .sum
            .checked_div(u128::from(self.samples))
            .map(|mean| Bytes(u64::try_from(mean).unwrap_or(u64::MAX)));
        figures.cpu_seconds = self.cpu_seconds();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::leak::evidence::Evidence;
    use crate::memory::leak::growth_count::Counted;
    use crate::units::{Now, RunId};

    /// Says the states one after the other.
    struct Says(Vec<LeakState>);

    impl LeakDetector for Says {
        fn observe(&mut self, _: &TreeSample) {
            self.0.rotate_left(1);
        }
        fn verdict(&self) -> Verdict {
            Verdict {
                state: *self.0.last().expect("one at least"),
                since: Now::default(),
                growth: None,
                growth_range: None,
                to_limit: None,
                evidence: Evidence::GrowthCount(Counted::default()),
            }
        }
        fn limit(&mut self, _: Option<Bytes>) {}
    }

    fn sample(resident: u64, cpu_seconds: f64) -> TreeSample {
        TreeSample {
            run: RunId(1),
            at: Now::default(),
            resident: Bytes(resident),
            anonymous: Bytes(0),
            largest: Bytes(0),
            virtual_size: Bytes(0),
            processes: 1,
            zombies: 0,
            oldest_zombie: None,
            cpu_seconds,
        }
    }

    fn watch() -> MemoryWatch {
        watch_that_says(vec![LeakState::Unknown])
    }

    fn watch_that_says(states: Vec<LeakState>) -> MemoryWatch {
        MemoryWatch::new(Box::new(Says(states)))
    }

    #[test]
    fn a_leak_is_told_when_its_state_becomes_another_and_counted_when_it_begins() {
        use LeakState::{Confirmed, None as No, Suspected, Unknown};
        let states = vec![
            Unknown, No, Suspected, Suspected, Confirmed, Confirmed, No, Confirmed, Suspected,
            Unknown,
        ];
        let mut watch = watch_that_says(states.clone());
        let told: Vec<_> = (0..states.len())
            .filter_map(|_| watch.observe(&sample(1, 0.0)).leak)
            .map(|change| {
                let news = (change.is_new_suspicion(), change.is_new_confirmation());
                (change.from, change.verdict.state, news)
            })
            .collect();
        let expected = [
            (No, Suspected, (true, false)),
            (Suspected, Confirmed, (false, true)),
            (Confirmed, No, (false, false)),
            (No, Confirmed, (true, true)),
            (Confirmed, Suspected, (false, false)),
            (Suspected, Unknown, (false, false)),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn figures_are_of_all_samples_and_cpu_never_shrinks() {
        let mut watch = watch();
        let worked: Vec<_> = [(10, 1.0), (40, 3.0), (10, 2.0)]
            .map(|(n, cpu)| watch.observe(&sample(n, cpu)).worked)
            .into();
        assert_eq!(worked, [true, true, false]);
        let mut figures = Figures::default();
        watch.fill(&mut figures);
        assert_eq!((figures.peak_memory, figures.mean_memory), (Some(Bytes(40)), Some(Bytes(20))));
        assert_eq!((figures.samples, figures.cpu_seconds), (3, Some(3.0)));
        assert_eq!(watch.last().map(|last| last.resident), Some(Bytes(10)));
    }

    #[test]
    fn without_a_sample_nothing_is_claimed() {
        let mut figures = Figures::default();
        watch().fill(&mut figures);
        assert_eq!(figures, Figures::default());
    }
}
