//! The Prometheus text format 0.0.4: families that are few by the library's own encoder, those that
//! grow with the processes as it writes them, which the tests hold against it:
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::slice;

use prometheus::TextEncoder;
use prometheus::proto::MetricFamily;

use crate::metrics::catalogue::{Kind, Metric};

/// Exactly what Prometheus 3 insists on.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes one family.
pub fn write_family(text: &mut String, family: &MetricFamily) {
    // It refuses only a family without a name or without a series, before it writes anything; such
    // a family has nothing to say.
    let _ = TextEncoder::new().encode_utf8(slice::from_ref(family), text);
}

/// Writes what stands before the series of the metric.
pub fn announce(text: &mut String, metric: &Metric) {
    text.extend(["# HELP ", metric.name, " "]);
    // Unlike a label's value, a help text keeps its quotes.
    text.push_str(&metric.help.replace('\\', "\\\\").replace('\n', "\\n"));
    text.extend(["\n# TYPE ", metric.name, " ", kind(metric.kind), "\n"]);
}

/// There is no type for information here.
fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge | Kind::Info => "gauge",
        Kind::Histogram => "histogram",
    }
}
