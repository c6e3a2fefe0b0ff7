//! The description of the API, and a check of JSON against its schemas: as much of JSON Schema as
//! they use.

use procession::serve::control::api::OPENAPI;
use serde_json::Value;

/// The description.
pub fn description() -> Value {
    serde_json::from_str(OPENAPI).expect("openapi.json is JSON")
}

/// The schema of this name.
pub fn schema(name: &str) -> Value {
    let schema = description()["components"]["schemas"][name].clone();
    assert!(schema.is_object(), "no schema is called {name}");
    schema
}

/// Complaints about a value that is not as its schema says.
pub fn complaints(value: &Value, schema: &Value, place: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return complaints(value, &self::schema(name), place);
    }
    let mut found = Vec::new();
    if !is_of_type(value, schema["type"].as_str()) {
        found.push(format!("{place}: {value} is no {}", schema["type"]));
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.contains(value)
    {
        found.push(format!("{place}: {value} is none of {words:?}"));
    }
    if let (Some(number), Some(most)) = (value.as_f64(), schema["maximum"].as_f64())
        && number > most
    {
        found.push(format!("{place}: {number} is above {most}"));
    }
    if let (Some(items), Some(of)) = (value.as_array(), schema.get("items")) {
        let each = items.iter().enumerate();
        found.extend(each.flat_map(|(at, item)| complaints(item, of, &format!("{place}[{at}]"))));
    }
    found.extend(of_object(value, schema, place));
    found
}

fn is_of_type(value: &Value, kind: Option<&str>) -> bool {
    match kind {
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    }
}

fn of_object(value: &Value, schema: &Value, place: &str) -> Vec<String> {
    let Some(object) = value.as_object() else { return Vec::new() };
    let required = schema["required"].as_array().into_iter().flatten();
    let missing = required.filter_map(Value::as_str).filter(|name| !object.contains_key(*name));
    let mut found: Vec<String> = missing.map(|name| format!("{place}: no {name}")).collect();
    for (name, value) in object {
        let place = format!("{place}.{name}");
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => found.push(format!("{place}: not described")),
            (Value::Null, of @ Value::Object(_)) => found.extend(complaints(value, of, &place)),
            (Value::Null, _) => {}
            (of, _) => found.extend(complaints(value, of, &place)),
        }
    }
    found
}

#[test]
fn what_is_not_described_is_seen() {
    let exit = schema("Exit");
    let check = |text: &str, faults: usize| {
        let found = complaints(&serde_json::from_str(text).expect("JSON"), &exit, "exit");
        assert_eq!(found.len(), faults, "{text}: {found:?}");
    };
    check(r#"{"code": 3, "text": "exit code 3"}"#, 0);
    check(r#"{"code": 3}"#, 1);
    check(r#"{"code": "3", "text": "", "more": 1}"#, 2);
    check(r#"{"code": 300, "text": ""}"#, 1);
}
