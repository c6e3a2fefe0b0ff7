//! The families of what processes write.

use std::sync::Arc;

use crate::metrics::catalogue::{self as row, Metric};
use crate::metrics::families::{Families, count};
use crate::output::figures::OutputFigures;

/// Adds them in the order of the catalogue.
pub(super) fn put(families: &mut Families, output: &[(Arc<str>, OutputFigures)]) {
    let mut each = |metric: &Metric, figure: fn(&OutputFigures) -> u64| {
        families.each(metric, output.iter().map(|(name, all)| ([&**name], count(figure(all)))));
    };
    each(&row::OUTPUT_LINES, |all| all.lines);
    each(&row::OUTPUT_BYTES, |all| all.bytes);
    each(&row::OUTPUT_DROPPED, |all| all.dropped_lines);
    each(&row::OUTPUT_CUT, |all| all.cut_pieces);
    each(&row::OUTPUT_LEFTOVER, |all| all.leftover_lines);
}
