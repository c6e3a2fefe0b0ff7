//! The protocol's messages as JSON: names in lower camel case, large numbers as text or not, and
//! fields that are unknown or null as if they were not there.

use serde::de::{Deserializer, IgnoredAny};
use serde::{Deserialize, de};

use super::attributes::{Attributes, Value};
use super::{Malformed, Point, Reading, Record};

/// A list that may be null.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metrics {
    #[serde(default, deserialize_with = "list")]
    resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceMetrics {
    resource: Option<Resource>,
    #[serde(default, deserialize_with = "list")]
    scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Default, Deserialize)]
struct Resource {
    #[serde(default, deserialize_with = "list")]
    attributes: Vec<KeyValue>,
}

#[derive(Deserialize)]
struct ScopeMetrics {
    #[serde(default, deserialize_with = "list")]
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    #[serde(default)]
    name: String,
    sum: Option<Data>,
    histogram: Option<Data>,
    gauge: Option<Unused>,
    exponential_histogram: Option<Unused>,
    summary: Option<Unused>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    #[serde(default, deserialize_with = "list")]
    data_points: Vec<NumberPoint>,
    aggregation_temporality: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Unused {
    #[serde(default, deserialize_with = "list")]
    data_points: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NumberPoint {
    #[serde(default, deserialize_with = "list")]
    attributes: Vec<KeyValue>,
    start_time_unix_nano: Option<Whole>,
    time_unix_nano: Option<Whole>,
    as_double: Option<Number>,
    as_int: Option<Number>,
    sum: Option<Number>,
}

#[derive(Deserialize)]
struct KeyValue {
    #[serde(default)]
    key: String,
    value: Option<AnyValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyValue {
    string_value: Option<String>,
    bool_value: Option<bool>,
    int_value: Option<Number>,
    double_value: Option<Number>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Logs {
    #[serde(default, deserialize_with = "list")]
    resource_logs: Vec<ResourceLogs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs {
    resource: Option<Resource>,
    #[serde(default, deserialize_with = "list")]
    scope_logs: Vec<ScopeLogs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs {
    #[serde(default, deserialize_with = "list")]
    log_records: Vec<LogRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogRecord {
    time_unix_nano: Option<Whole>,
    observed_time_unix_nano: Option<Whole>,
    #[serde(default)]
    event_name: String,
    body: Option<AnyValue>,
    #[serde(default, deserialize_with = "list")]
    attributes: Vec<KeyValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Traces {
    #[serde(default, deserialize_with = "list")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans {
    #[serde(default, deserialize_with = "list")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Deserialize)]
struct ScopeSpans {
    #[serde(default, deserialize_with = "list")]
    spans: Vec<IgnoredAny>,
}

/// A number, or text that is one: `NaN` and `Infinity` are text always.
#[derive(Clone, Copy)]
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(from)? {
            serde_json::Value::Number(number) => Ok(Self(number.as_f64().unwrap_or(f64::NAN))),
            serde_json::Value::String(text) => Ok(Self(text.parse().unwrap_or(f64::NAN))),
            _ => Err(de::Error::custom("expected a number")),
        }
    }
}

/// A whole number of 64 bits, as text or not.
#[derive(Clone, Copy)]
struct Whole(u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let whole = match serde_json::Value::deserialize(from)? {
            serde_json::Value::Number(number) => number.as_u64(),
            serde_json::Value::String(text) => text.parse().ok(),
            _ => None,
        };
        whole.map(Self).ok_or_else(|| de::Error::custom("expected a whole number, or text of one"))
    }
}

pub(super) fn metrics(body: &[u8], reading: &mut Reading) -> Result<(), Malformed> {
    let told: Metrics = parse(body)?;
    for of_resource in told.resource_metrics {
        let resource = attributes(of_resource.resource.unwrap_or_default().attributes);
        for metric in of_resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics) {
            metric.read(&resource, reading);
        }
    }
    Ok(())
}

pub(super) fn logs(body: &[u8], reading: &mut Reading) -> Result<(), Malformed> {
    let told: Logs = parse(body)?;
    for of_resource in told.resource_logs {
        let resource = attributes(of_resource.resource.unwrap_or_default().attributes);
        for record in of_resource.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
            record.read(&resource, reading);
        }
    }
    Ok(())
}

pub(super) fn traces(body: &[u8], reading: &mut Reading) -> Result<(), Malformed> {
    let told: Traces = parse(body)?;
    let scopes = told.resource_spans.into_iter().flat_map(|of_resource| of_resource.scope_spans);
    reading.figures.unused += scopes.map(|scope| scope.spans.len() as u64).sum::<u64>();
    Ok(())
}

impl Metric {
    fn read(self, resource: &Attributes, reading: &mut Reading) {
        let others = [self.gauge, self.exponential_histogram, self.summary].into_iter().flatten();
        reading.figures.unused += others.map(|data| data.data_points.len() as u64).sum::<u64>();
        let wanted = Reading::wants(&self.name);
        for data in [self.sum, self.histogram].into_iter().flatten() {
            if !wanted {
                reading.figures.unused += data.data_points.len() as u64;
                continue;
            }
            let cumulative = match &data.aggregation_temporality {
                Some(serde_json::Value::Number(number)) => number.as_u64() == Some(2),
                Some(serde_json::Value::String(word)) => word.ends_with("CUMULATIVE"),
                _ => false,
            };
            for point in data.data_points {
                let value = point.as_double.or(point.as_int).or(point.sum);
                let whole = |number: Option<Whole>| number.map_or(0, |Whole(number)| number);
                reading.point(&Point {
                    resource,
                    name: &self.name,
                    start: whole(point.start_time_unix_nano),
                    time: whole(point.time_unix_nano),
                    value: value.map_or(f64::NAN, |Number(value)| value),
                    attributes: &attributes(point.attributes),
                    cumulative,
                });
            }
        }
    }
}

impl LogRecord {
    fn read(self, resource: &Attributes, reading: &mut Reading) {
        let attributes = attributes(self.attributes);
        let body = self.body.and_then(|body| body.string_value).unwrap_or_default();
        let told = attributes.word("event.name").map(str::to_owned);
        let name = super::event_name(&self.event_name, told.as_deref(), &body);
        let time = self.time_unix_nano.filter(|Whole(time)| *time > 0);
        let time = time.or(self.observed_time_unix_nano).map_or(0, |Whole(time)| time);
        reading.record(&Record { resource, name, attributes: &attributes, time });
    }
}

fn attributes(pairs: Vec<KeyValue>) -> Attributes {
    let mut attributes = Attributes::default();
    for KeyValue { key, value } in pairs {
        let value = value.and_then(AnyValue::value);
        let raw = format!("{key}\0{value:?}");
        attributes.add(key.as_bytes(), raw.as_bytes(), || value);
    }
    attributes
}

impl AnyValue {
    fn value(self) -> Option<Value> {
        let text = self.string_value.map(Value::Text);
        let int = self.int_value.map(|Number(number)| Value::Double(number));
        let double = self.double_value.map(|Number(number)| Value::Double(number));
        text.or(self.bool_value.map(Value::Bool)).or(int).or(double)
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Malformed> {
    let broken = |error| Malformed(format!("the body is no message of the protocol: {error}"));
    serde_json::from_slice(body).map_err(broken)
}
