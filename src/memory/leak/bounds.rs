//! How sure the second trees have to be before a leak is confirmed, and how long a run may warm up.

/// Above these odds, as the second trees tell them, a leak is confirmed: their logarithms, by the part of the
/// room that the growth has taken. What has taken next to nothing mostly fills and warms up, and there is time
/// to see more; the more it takes, the dearer is each look that is waited for; past a quarter a warning is no
/// early one, and had better be right. Chosen by draws that no tree was grown on, at about one false alarm in
/// 300 hours; `bench/leaks` says what else was in sight.
const CONFIRMED: [(f64, f64); 4] =
    [(LITTLE, CONFIRMED_OF_LITTLE), (MUCH, 3.4), (0.25, 3.2), (f64::INFINITY, 4.2)];
pub(super) const LITTLE: f64 = 0.08;
/// The bound while little is taken.
pub const CONFIRMED_OF_LITTLE: f64 = 4.5;
/// But what takes little is not asked more of for more samples than this, for which the odds have stood above
/// even: what is slow would take next to nothing for ever.
pub(super) const PATIENCE: f64 = 512.0;
/// Until so many seconds have been lived through, nothing is confirmed: caches and heaps fill along a line for as
/// long, and no figure tells which it is.
pub const WARM_UP: f64 = 120.0;
/// But what has taken this part of the room by then reaches the limit within a quarter of an hour.
const MUCH: f64 = 0.15;
/// And what is known for so many samples: before, of the recorded programs that were well, most still warmed up.
const FEW_SAMPLES: u32 = 160;

/// The logarithm of the odds above which a growth is confirmed that has taken this part of the room, after so many
/// samples for which the odds have stood above even.
pub fn needed(of_room: f64, above: f64) -> f64 {
    let waits = above < PATIENCE;
    let mut bounds = CONFIRMED.iter().filter(|(part, _)| waits || *part > LITTLE);
    bounds.find(|(part, _)| of_room < *part).map_or(CONFIRMED_OF_LITTLE, |found| found.1)
}

/// Seconds that have to be lived through before a growth is confirmed that has taken this part of the room in so
/// many samples.
pub fn warm_up(of_room: f64, samples: u32) -> f64 {
    if of_room < MUCH || samples < FEW_SAMPLES { WARM_UP } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_goes_with_the_room_and_patience_ends() {
        let fresh = [0.01, 0.079, 0.08, 0.149, 0.15, 0.25, 0.9].map(|room| needed(room, 0.0));
        assert_eq!(fresh, [4.5, 4.5, 3.4, 3.4, 3.2, 4.2, 4.2]);
        assert_eq!(needed(0.01, PATIENCE), 3.4, "what is slow takes little for ever");
        assert_eq!(needed(0.9, PATIENCE), 4.2);
    }

    #[test]
    fn a_run_warms_up_unless_much_is_taken_and_enough_is_known() {
        assert_eq!(warm_up(0.14, 1000), WARM_UP);
        assert_eq!(warm_up(0.16, 1000), 0.0);
        assert_eq!(warm_up(0.16, FEW_SAMPLES - 1), WARM_UP);
    }
}
