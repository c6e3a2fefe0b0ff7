//! A validator for the part of JSON Schema that our schema is written in; the libraries for all of
//! it bring forty crates. A keyword that it does not know is a fault of the schema.

use serde_json::Value;

/// Keywords that say nothing about a value.
const SILENT: [&str; 6] =
    ["$schema", "title", "description", "examples", "properties", "patternProperties"];

/// Whether the schema allows the value, or what it does not allow.
pub(super) fn validate(schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    let keywords = schema.as_object().expect("a schema");
    keywords.iter().try_for_each(|(keyword, said)| {
        let allowed = match (keyword.as_str(), value) {
            ("anyOf", _) => return any(said, value, path),
            ("items", Value::Array(all)) => {
                return all.iter().try_for_each(|one| validate(said, one, path));
            }
            ("additionalProperties", Value::Object(_)) => return members(schema, value, path),
            ("required", Value::Object(map)) => {
                list(said).iter().all(|key| map.contains_key(key.as_str().unwrap_or_default()))
            }
            ("type", _) => types(said).any(|name| is(name, value)),
            ("enum", _) => list(said).contains(value),
            ("const", _) => said == value,
            ("pattern", Value::String(text)) => {
                regex_lite::Regex::new(said.as_str().unwrap_or_default())
                    .expect("a pattern")
                    .is_match(text)
            }
            ("minimum", Value::Number(_)) => value.as_f64() >= said.as_f64(),
            ("maximum", Value::Number(_)) => value.as_f64() <= said.as_f64(),
            (
                "items" | "additionalProperties" | "required" | "pattern" | "minimum" | "maximum",
                _,
            ) => true,
            (other, _) => SILENT.contains(&other),
        };
        if allowed { Ok(()) } else { Err(format!("{path}: {value} against {keyword} {said}")) }
    })
}

fn any(said: &Value, value: &Value, path: &str) -> Result<(), String> {
    let tried: Vec<_> = list(said).iter().map(|one| validate(one, value, path)).collect();
    let faults: Vec<String> = tried.iter().filter_map(|one| one.clone().err()).collect();
    if faults.len() < tried.len() { Ok(()) } else { Err(faults.join("\n")) }
}

/// The values of a map: by the schema of their key, else by that for all others. Of keys by pattern
/// anything is allowed.
fn members(schema: &Value, value: &Value, path: &str) -> Result<(), String> {
    let others = &schema["additionalProperties"];
    value.as_object().expect("a map").iter().try_for_each(|(key, member)| {
        let path = format!("{path}.{key}");
        match (schema["properties"].get(key), others) {
            (Some(own), _) => validate(own, member, &path),
            (None, _) if has_pattern(&schema["patternProperties"], key) => Ok(()),
            (None, Value::Bool(allowed)) if *allowed => Ok(()),
            (None, Value::Bool(_)) => Err(format!("{path}: unknown")),
            (None, others) => validate(others, member, &path),
        }
    })
}

fn has_pattern(said: &Value, key: &str) -> bool {
    let patterns = said.as_object().into_iter().flatten();
    patterns
        .map(|(pattern, _)| regex_lite::Regex::new(pattern).expect("a pattern"))
        .any(|it| it.is_match(key))
}

fn list(said: &Value) -> &[Value] {
    said.as_array().map_or(&[], Vec::as_slice)
}

fn types(said: &Value) -> impl Iterator<Item = &str> {
    said.as_str().into_iter().chain(list(said).iter().filter_map(Value::as_str))
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}
