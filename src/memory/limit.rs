//! What a tree that grows runs into first: the least of its critical threshold, the limit of the
//! container and the memory of the machine.

use crate::memory::container::ContainerFigures;
use crate::units::Bytes;

/// Whose limit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitOf {
    /// The critical threshold of the process.
    Critical,
    /// The container's control group, or one above it.
    Container,
    /// The machine, where no control group bounds us.
    Machine,
}

impl LimitOf {
    /// The value of the `limit` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Container => "container",
            Self::Machine => "machine",
        }
    }
}

/// What a growth is measured against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many bytes a tree may come to hold.
    pub bytes: Bytes,
    /// By whose word.
    pub of: LimitOf,
}

impl Limit {
    /// The least that is known; of two that are alike, the one that can be changed most easily.
    pub fn least(critical: Option<Bytes>, container: Option<&ContainerFigures>) -> Option<Self> {
        let own = critical.map(|bytes| Self { bytes, of: LimitOf::Critical });
        let bounded = container.and_then(|figures| {
            let bytes = figures.limit?;
            let of_machine = figures.machine.is_some_and(|machine| bytes >= machine);
            let of = if of_machine { LimitOf::Machine } else { LimitOf::Container };
            Some(Self { bytes, of })
        });
        own.into_iter().chain(bounded).min_by_key(|limit| limit.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_counts_and_says_whose_it_is() {
        let figures = |limit: Option<u64>| ContainerFigures {
            limit: limit.map(Bytes),
            machine: Some(Bytes(1000)),
            ..ContainerFigures::default()
        };
        for (critical, limit, expected) in [
            (None, None, None),
            (Some(500), None, Some((500, LimitOf::Critical))),
            (Some(500), Some(600), Some((500, LimitOf::Critical))),
            (Some(500), Some(500), Some((500, LimitOf::Critical))),
            (Some(500), Some(400), Some((400, LimitOf::Container))),
            (Some(5000), Some(1000), Some((1000, LimitOf::Machine))),
            (None, Some(1000), Some((1000, LimitOf::Machine))),
            (None, Some(999), Some((999, LimitOf::Container))),
        ] {
            let found = Limit::least(critical.map(Bytes), Some(&figures(limit)));
            let found = found.map(|limit| (limit.bytes.0, limit.of));
            assert_eq!(found, expected, "{critical:?} {limit:?}");
        }
        assert_eq!(Limit::least(None, None), None);
    }
}
