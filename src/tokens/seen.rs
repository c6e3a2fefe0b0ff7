//! The keys of every response that is known: counted, or there before we were.
//!
//! Owns what deduplication remembers, and its bound. Refuses to forget the newest: when it is
//! full, the older half goes at once.

use std::collections::HashSet;

use crate::tokens::UsageKey;

/// Keys in one of two generations. 7/8 of 2^20 is what a hash table of 2^20 buckets (9 MiB) takes
/// before it doubles. At 1,000 responses a day the newest generation alone is two and a half
/// years.
const GENERATION: usize = 7 << 17;

/// A set that holds at least the newest [`GENERATION`] keys, and at most twice as many: 9 bytes
/// each, 18 MiB at most.
#[derive(Debug, Default)]
pub struct Seen {
    young: HashSet<UsageKey>,
    old: HashSet<UsageKey>,
}

impl Seen {
    /// Whether the key is known.
    pub fn has(&self, key: UsageKey) -> bool {
        self.young.contains(&key) || self.old.contains(&key)
    }

    /// Makes the key known; whether it was not before.
    pub fn add(&mut self, key: UsageKey) -> bool {
        self.add_within(key, GENERATION)
    }

    fn add_within(&mut self, key: UsageKey, generation: usize) -> bool {
        if self.has(key) {
            return false;
        }
        if self.young.len() >= generation {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key)
    }
}

impl Extend<UsageKey> for Seen {
    fn extend<I: IntoIterator<Item = UsageKey>>(&mut self, keys: I) {
        for key in keys {
            self.add(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_new_once() {
        let mut seen = Seen::default();
        assert!(seen.add(UsageKey(1)));
        assert!(!seen.add(UsageKey(1)));
        assert!(seen.has(UsageKey(1)) && !seen.has(UsageKey(2)));
    }

    #[test]
    fn a_full_set_forgets_the_oldest() {
        let mut seen = Seen::default();
        for key in 0..35 {
            seen.add_within(UsageKey(key), 10);
        }
        let known: Vec<u64> = (0..35).filter(|key| seen.has(UsageKey(*key))).collect();
        assert_eq!(known, (20..35).collect::<Vec<_>>());
    }
}
