//! A history held against its events while nobody supervises with it.

use crate::config::plan::StorePlan;
use crate::serve::control::history;
use crate::serve::wire::history::Replayed;
use crate::store::life::Beginnings;
use crate::store::opening::open_once;
use crate::store::reading::compare::compare;

use super::archive::onlooker;

/// Compares what is kept of every session with what its events tell, and makes it so where that is
/// asked for; then what was different is told all the same.
///
/// # Errors
///
/// Why the history cannot be read, in a line; a file that a supervisor holds is such a reason.
pub fn replay(plan: &StorePlan, repair: bool) -> Result<Replayed, String> {
    let begins = Beginnings { only_looks: !repair, ..onlooker() };
    let mut store = open_once(plan, begins).map_err(|error| error.to_string())?;
    let (mut all, mut after) = (Replayed::default(), None);
    loop {
        let compared = compare(&mut *store, after).map_err(|error| error.to_string())?;
        for told in compared.different.iter().filter_map(|one| one.told.as_ref()) {
            if repair {
                store.repair(told).map_err(|error| error.to_string())?;
            }
        }
        all.add(history::replayed(&compared));
        after = compared.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}
