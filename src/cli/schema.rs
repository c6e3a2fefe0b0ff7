//! `procession schema`: the JSON Schema of a configuration, for editors.

use std::io::stdout;

use crate::cli::say;

/// Prints the schema and answers 0.
pub(super) fn schema() -> u8 {
    say(&mut stdout(), &crate::config::schema::schema());
    0
}
