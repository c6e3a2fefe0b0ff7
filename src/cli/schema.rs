//! `procession schema`: the JSON Schema of a configuration, for editors.

use crate::cli::answer;

/// Prints the schema and answers 0, or 1 where it cannot be written.
pub(super) fn schema() -> u8 {
    answer(&crate::config::schema::schema())
}
