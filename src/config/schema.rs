//! The JSON Schema of a configuration, for editors that complete and check as one writes.
//!
//! It is made from one table of keys, in [`keys`], and not derived from types: the reader is our own
//! pass over a tree, so mirror types would be a third copy that nothing but a test holds, and a
//! derived schema cannot say that any value may be a variable. A test asks the reader for every map
//! of `everything.yaml` which keys it knows, and compares that with the table.

mod budget_keys;
mod form;
mod keys;
mod session_keys;
mod token_keys;

use serde_json::{Value, json};

use self::form::Form;

/// The dialect that is written.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The whole file.
const FILE: Form = Form::Map(&keys::FILE, &["processes"]);

/// The schema as JSON text.
pub fn schema() -> String {
    let mut whole = json!({
        "$schema": DIALECT,
        "title": "procession",
        "description": "What procession runs, and how: the words are those of Docker Compose wherever Compose has one.",
    });
    if let (Value::Object(whole), Value::Object(file)) = (&mut whole, FILE.schema()) {
        whole.extend(file);
    }
    format!("{whole:#}")
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod validate;
