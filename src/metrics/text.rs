//! The Prometheus text format 0.0.4, by the library's own encoder:
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use std::slice;

use prometheus::TextEncoder;
use prometheus::proto::MetricFamily;

/// Exactly what Prometheus 3 insists on.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Writes one family.
pub fn write_family(text: &mut String, family: &MetricFamily) {
    // It refuses only a family without a name or without a series, before it writes anything; such
    // a family has nothing to say.
    let _ = TextEncoder::new().encode_utf8(slice::from_ref(family), text);
}
