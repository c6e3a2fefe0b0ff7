//! What can stand behind a key, and how a JSON Schema says so.

use serde_json::{Map, Value, json};

use crate::config::cursor::EXTENSION;

/// A key, what can stand behind it, and what it means.
pub(super) type Key = (&'static str, Form, &'static str);

/// What can stand behind a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// Text; YAML's numbers and booleans are text too.
    Text,
    /// `true` or `false`.
    Flag,
    /// `false`, where that turns something off.
    Off,
    /// `postgres://user@host/database`.
    Database,
    /// `1h30m`.
    Duration,
    /// `4000MiB`.
    Size,
    /// `80%`.
    Percent,
    /// A whole number inside bounds.
    Whole(i64, i64),
    /// A number inside bounds.
    Number(f64, f64),
    /// One of a few words.
    Words(&'static [&'static str]),
    /// One of these.
    Either(&'static [Self]),
    /// A list.
    List(&'static Self),
    /// One, or a list of them.
    Many(&'static Self),
    /// Values by names that a person chooses.
    Named(&'static Self),
    /// As `Named`, where a name may have no value.
    NamedOrBare(&'static Self),
    /// A map of these keys, and those of them that are needed.
    Map(&'static [Key], &'static [&'static str]),
}

/// A whole value or a part of it can be a variable, whatever it stands for.
const VARIABLE: &str = r"\$";

impl Form {
    /// The schema of a value.
    pub(super) fn schema(&self) -> Value {
        match self {
            Self::Text => json!({"type": ["string", "number", "boolean"]}),
            Self::Flag => variable_or(json!({"type": "boolean"})),
            Self::Off => json!({"const": false}),
            Self::Database => json!({
                "type": "string",
                "pattern": r"^postgres(ql)?://|\$",
                "examples": ["postgres://procession@db.internal/history?sslmode=verify-full"],
            }),
            Self::Duration => json!({
                "type": ["string", "integer"],
                "pattern": r"^([0-9]+(\.[0-9]+)?(h|m|s|ms|us|µs|ns))+$|^0$|\$",
                "minimum": 0,
                "maximum": 0,
                "examples": ["10s", "1h30m"],
            }),
            Self::Size => json!({
                "type": ["string", "integer"],
                "pattern": r"^[0-9]+(\.[0-9]+)? *([kKmMgGtT]([iI]?[bB])?|[bB])?$|\$",
                "minimum": 0,
                "examples": ["512MiB", "2GiB"],
            }),
            Self::Percent => json!({
                "type": "string",
                "pattern": r"^([1-9][0-9]?|100) *%$|\$",
                "examples": ["80%"],
            }),
            Self::Whole(least, most) => {
                variable_or(json!({"type": "integer", "minimum": least, "maximum": most}))
            }
            Self::Number(least, most) => {
                variable_or(json!({"type": "number", "minimum": least, "maximum": most}))
            }
            Self::Words(words) => variable_or(json!({"enum": words})),
            Self::Either(forms) => {
                json!({"anyOf": forms.iter().map(Self::schema).collect::<Vec<Value>>()})
            }
            Self::List(one) => json!({"type": "array", "items": one.schema()}),
            Self::Many(one) => {
                json!({"anyOf": [one.schema(), {"type": "array", "items": one.schema()}]})
            }
            Self::Named(one) => json!({"type": "object", "additionalProperties": one.schema()}),
            Self::NamedOrBare(one) => json!({
                "type": "object",
                "additionalProperties": {"anyOf": [one.schema(), {"type": "null"}]},
            }),
            Self::Map(keys, needed) => map(keys, needed),
        }
    }
}

/// A map of keys with their meanings.
fn map(keys: &[Key], needed: &[&str]) -> Value {
    let property = |(key, form, meaning): &Key| {
        let mut schema = form.schema();
        schema["description"] = json!(meaning);
        ((*key).to_owned(), schema)
    };
    let properties: Map<String, Value> = keys.iter().map(property).collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "patternProperties": {(format!("^{EXTENSION}")): true},
        "additionalProperties": false,
    });
    if !needed.is_empty() {
        schema["required"] = json!(needed);
    }
    schema
}

fn variable_or(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "string", "pattern": VARIABLE}]})
}
