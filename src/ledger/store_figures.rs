//! What is counted of the store: how long it takes, and why it could not do what it was asked for.

use std::time::Duration;

use crate::units::Bytes;

/// Why the store could not do what it was asked for, in the few kinds that call for different
/// answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCategory {
    /// It does not answer, or takes no more connections: look at the server and the way to it.
    Unreachable,
    /// It does not let us in, or not do that: look at users, passwords, certificates and rights.
    Auth,
    /// What is there is not ours to write to: a newer schema, another program's, none at all.
    Schema,
    /// The rows themselves are at fault.
    Constraint,
    /// It took too long, or somebody else holds what is needed.
    Timeout,
    /// Its disk is full.
    DiskFull,
    /// Anything else.
    Other,
}

impl ErrorCategory {
    /// All of them, in the order in which they are counted.
    pub const ALL: [Self; 7] = [
        Self::Unreachable,
        Self::Auth,
        Self::Schema,
        Self::Constraint,
        Self::Timeout,
        Self::DiskFull,
        Self::Other,
    ];

    /// Its name as a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Auth => "auth",
            Self::Schema => "schema",
            Self::Constraint => "constraint",
            Self::Timeout => "timeout",
            Self::DiskFull => "disk_full",
            Self::Other => "other",
        }
    }
}

/// What a store is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// To be there: opened or connected, and brought to the schema of today.
    Open,
    /// To tell what earlier lives left.
    Resume,
    /// To keep rows.
    Commit,
    /// To forget what is old.
    Prune,
    /// To answer what somebody asks of the history.
    Read,
}

impl Operation {
    /// All of them, in the order in which they are counted.
    pub const ALL: [Self; 5] = [Self::Open, Self::Resume, Self::Commit, Self::Prune, Self::Read];

    /// Its name as a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resume => "resume",
            Self::Commit => "commit",
            Self::Prune => "prune",
            Self::Read => "read",
        }
    }
}

/// The upper ends of the buckets of a [`Latency`], in seconds: from a commit to memory to a server
/// that is given up.
pub const BUCKETS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// How often something took how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Times that were at most as long as the bucket's end and longer than the one before.
    pub buckets: [u64; BUCKETS.len()],
    /// All times, those beyond the last bucket included.
    pub count: u64,
    /// The sum of all.
    pub total: Duration,
}

impl Latency {
    /// Counts one more.
    pub fn add(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        if let Some(bucket) = BUCKETS.iter().position(|end| seconds <= *end) {
            self.buckets[bucket] += 1;
        }
        self.count += 1;
        self.total += took;
    }
}

/// What is in the file where history waits for a store that is away, and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolFigures {
    /// Its size.
    pub bytes: Bytes,
    /// Rows in it.
    pub rows: u64,
    /// Rows that found no room in it, in this life; they wait in memory all the same.
    pub dropped: u64,
    /// Rows of earlier lives that were committed from their files, in this life.
    pub replayed: u64,
}

/// What is counted of a store, in this life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreFigures {
    errors: [u64; ErrorCategory::ALL.len()],
    latencies: [Latency; Operation::ALL.len()],
    /// Damaged files that were set aside.
    pub set_aside: u64,
}

impl StoreFigures {
    /// Counts an error.
    pub fn failed(&mut self, category: ErrorCategory) {
        self.errors[category as usize] += 1;
    }

    /// Counts what took so long, whether it worked or not.
    pub fn took(&mut self, operation: Operation, time: Duration) {
        self.latencies[operation as usize].add(time);
    }

    /// Every category with its errors.
    pub fn errors(&self) -> impl Iterator<Item = (ErrorCategory, u64)> {
        ErrorCategory::ALL.into_iter().zip(self.errors)
    }

    /// Every operation with its times.
    pub fn latencies(&self) -> impl Iterator<Item = (Operation, &Latency)> {
        Operation::ALL.into_iter().zip(&self.latencies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_in_the_first_bucket_that_holds_it() {
        let mut latency = Latency::default();
        for millis in [0, 1, 2, 3, 31_000] {
            latency.add(Duration::from_millis(millis));
        }
        assert_eq!(latency.buckets[..3], [2, 1, 1]);
        assert_eq!(latency.buckets.iter().sum::<u64>(), 4, "one is beyond all of them");
        assert_eq!((latency.count, latency.total), (5, Duration::from_millis(31_006)));
    }

    #[test]
    fn everything_is_counted_under_its_own_name() {
        let mut figures = StoreFigures::default();
        for (at, category) in ErrorCategory::ALL.into_iter().enumerate() {
            (0..=at).for_each(|_| figures.failed(category));
        }
        let counted: Vec<_> = figures.errors().collect();
        let expected: Vec<_> = ErrorCategory::ALL.into_iter().zip(1..).collect();
        assert_eq!(counted, expected);
        figures.took(Operation::Read, Duration::ZERO);
        let times: Vec<_> = figures.latencies().map(|(name, time)| (name, time.count)).collect();
        assert_eq!(times.last(), Some(&(Operation::Read, 1)));
        assert_eq!(times.iter().map(|(_, count)| count).sum::<u64>(), 1);
    }
}
