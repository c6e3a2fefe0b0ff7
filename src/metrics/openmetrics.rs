//! OpenMetrics 1.0, which the `prometheus` crate does not write: units, a type for information,
//! and an end mark by which a reader tells a whole answer from a torn one.
//! <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>
//!
//! No `_created` samples: Prometheus would store each as a series of its own.

use prometheus::proto::{Histogram, LabelPair, MetricFamily, MetricType};

use crate::metrics::catalogue::{Kind, Metric};
use crate::metrics::line;

/// Exactly what Prometheus 3 insists on.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Names that end in one of these are announced with it as their unit. The longest comes first,
/// because the shorter ones are endings of it.
const UNITS: [&str; 4] = ["bytes_per_second", "seconds", "bytes", "usd"];

/// What stands behind the last family.
pub const END: &str = "# EOF\n";

/// Writes one family. Summaries are not written; there are none.
pub fn write_family(text: &mut String, family: &MetricFamily) {
    let Some(kind) = kind(family).filter(|_| !family.get_metric().is_empty()) else { return };
    head(text, kind, family.name(), family.help());
    for metric in family.get_metric() {
        let labels =
            metric.get_label().iter().map(|label: &LabelPair| (label.name(), label.value()));
        let value = match kind {
            Kind::Counter => metric.get_counter().get_value(),
            Kind::Gauge | Kind::Info => metric.get_gauge().get_value(),
            Kind::Histogram => {
                let labels: Vec<_> = labels.collect();
                write_histogram(text, family.name(), &labels, metric.get_histogram());
                continue;
            }
        };
        line::write(text, family.name(), labels, value);
    }
}

/// A line for each bucket, the last of which has no end, then how many and how much. Its bounds are
/// always written as broken numbers, so that all readers take them for the same label.
fn write_histogram(text: &mut String, name: &str, labels: &[(&str, &str)], of: &Histogram) {
    let (bucket, count) = (format!("{name}_bucket"), of.get_sample_count());
    let ends = of.get_bucket().iter();
    let ends = ends.map(|one| (format!("{:?}", one.upper_bound()), one.cumulative_count()));
    for (end, below) in ends.chain([("+Inf".to_owned(), count)]) {
        let labels = labels.iter().copied().chain([("le", end.as_str())]);
        line::write(text, &bucket, labels, below as f64);
    }
    line::write(text, &format!("{name}_count"), labels.iter().copied(), count as f64);
    line::write(text, &format!("{name}_sum"), labels.iter().copied(), of.get_sample_sum());
}

/// Writes what stands before the series of the metric.
pub fn announce(text: &mut String, metric: &Metric) {
    head(text, metric.kind, metric.name, metric.help);
}

fn head(text: &mut String, kind: Kind, name: &str, help: &str) {
    let (kind, name) = announced(kind, name);
    text.extend(["# TYPE ", name, " ", kind, "\n"]);
    if let Some(unit) = unit(kind, name) {
        text.extend(["# UNIT ", name, " ", unit, "\n"]);
    }
    text.extend(["# HELP ", name, " "]);
    line::push_escaped(text, help);
    text.push('\n');
}

fn kind(family: &MetricFamily) -> Option<Kind> {
    match family.get_field_type() {
        MetricType::COUNTER => Some(Kind::Counter),
        MetricType::GAUGE if family.name().ends_with("_info") => Some(Kind::Info),
        MetricType::GAUGE => Some(Kind::Gauge),
        MetricType::HISTOGRAM => Some(Kind::Histogram),
        _ => None,
    }
}

/// The type, and the family's name without the suffix that the type stands for.
fn announced(kind: Kind, name: &str) -> (&'static str, &str) {
    match kind {
        Kind::Counter => ("counter", name.strip_suffix("_total").unwrap_or(name)),
        Kind::Gauge => ("gauge", name),
        Kind::Histogram => ("histogram", name),
        Kind::Info => ("info", name.strip_suffix("_info").unwrap_or(name)),
    }
}

fn unit(kind: &str, name: &str) -> Option<&'static str> {
    let ends_in = |unit: &&str| name.strip_suffix(*unit).is_some_and(|rest| rest.ends_with('_'));
    UNITS.into_iter().find(ends_in).filter(|_| kind != "info")
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::proto::{Counter, Gauge};

    fn said(families: &[MetricFamily]) -> String {
        let mut text = String::new();
        families.iter().for_each(|family| write_family(&mut text, family));
        text
    }

    fn family(name: &str, kind: MetricType, label: Option<(&str, &str)>) -> MetricFamily {
        let pair = label.map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name(name.to_owned());
            pair.set_value(value.to_owned());
            pair
        });
        let mut metric = prometheus::proto::Metric::from_label(pair.into_iter().collect());
        let mut gauge = Gauge::default();
        gauge.set_value(0.25);
        metric.set_gauge(gauge);
        let mut counter = Counter::default();
        counter.set_value(3.0);
        metric.set_counter(counter);
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help("Says \"so\".".to_owned());
        family.set_field_type(kind);
        family.set_metric(vec![metric]);
        family
    }

    #[test]
    fn counters_units_and_information_are_announced_as_the_standard_says() {
        let said = said(&[
            family("x_read_bytes_total", MetricType::COUNTER, None),
            family("x_build_info", MetricType::GAUGE, Some(("version", "1"))),
            family("x_growth_bytes_per_second", MetricType::GAUGE, None),
            family("x_files", MetricType::GAUGE, None),
        ]);
        let expected = "\
# TYPE x_read_bytes counter
# UNIT x_read_bytes bytes
# HELP x_read_bytes Says \\\"so\\\".
x_read_bytes_total 3
# TYPE x_build info
# HELP x_build Says \\\"so\\\".
x_build_info{version=\"1\"} 0.25
# TYPE x_growth_bytes_per_second gauge
# UNIT x_growth_bytes_per_second bytes_per_second
# HELP x_growth_bytes_per_second Says \\\"so\\\".
x_growth_bytes_per_second 0.25
# TYPE x_files gauge
# HELP x_files Says \\\"so\\\".
x_files 0.25
";
        assert_eq!(said, expected);
    }

    #[test]
    fn a_label_value_is_escaped() {
        let said = said(&[family("x", MetricType::GAUGE, Some(("model", "a\\b\"c")))]);
        assert!(said.contains("x{model=\"a\\\\b\\\"c\"} 0.25\n"), "{said}");
    }
}
