//! The contract between what we export and what is built upon it: every metric and label that a
//! dashboard, an alert, a test of an alert or a page for people names stands in the catalogue.
//! `promtool` and `amtool` are run over the real files; where they are missing, the test fails.

mod alerts;
mod dashboards;
mod pages;
mod promql;

use std::collections::{BTreeMap, BTreeSet};

use procession::metrics::catalogue::{self, Kind, Metric};

use promql::Names;

/// Labels that a scrape adds to every series.
const TARGET: [&str; 2] = ["job", "instance"];
/// Series that Prometheus itself makes, with their labels.
const MADE: [(&str, &[&str]); 2] =
    [("up", &[]), ("ALERTS", &["alertname", "alertstate", "severity"])];

/// Every metric that may be named, with its labels, those of the target included.
#[derive(Clone)]
struct Known(BTreeMap<String, BTreeSet<String>>);

impl Known {
    /// What the catalogue promises, and what Prometheus makes.
    fn promised() -> Self {
        let series = |metric: &'static Metric| {
            let bound: &[&str] = if metric.kind == Kind::Histogram { &["le"] } else { &[] };
            let labels = move || metric.labels.iter().chain(bound).copied();
            metric.suffixes().iter().map(move |suffix| {
                (format!("{}{suffix}", metric.name), labels().collect::<Vec<_>>())
            })
        };
        let promised = catalogue::ALL.iter().flat_map(series);
        let made = MADE.map(|(name, labels)| (name.to_owned(), labels.to_vec()));
        let with_target = |(name, labels): (String, Vec<&str>)| {
            (name, labels.iter().chain(&TARGET).map(|label| (*label).to_owned()).collect())
        };
        Self(promised.chain(made).map(with_target).collect())
    }

    /// Adds the result of a recording rule, which can only have labels of what it is made of.
    fn record(&mut self, name: &str, expression: &str) {
        let labels = self.labels(&promql::names(expression));
        self.0.insert(name.to_owned(), labels);
    }

    /// The labels that the metrics of an expression have, all together.
    fn labels(&self, names: &Names) -> BTreeSet<String> {
        names.metrics.keys().filter_map(|metric| self.0.get(metric)).flatten().cloned().collect()
    }

    /// Every name in the expression that stands for nothing.
    fn faults(&self, expression: &str) -> Vec<String> {
        let names = promql::names(expression);
        let mut faults = Vec::new();
        for (metric, matched) in &names.metrics {
            match self.0.get(metric) {
                None => faults.push(format!("{metric} is not in the catalogue")),
                Some(labels) => faults.extend(
                    matched.difference(labels).map(|label| format!("{metric} has no {label}")),
                ),
            }
        }
        let labels = self.labels(&names);
        faults
            .extend(names.grouping.difference(&labels).map(|label| format!("nothing has {label}")));
        faults
    }

    /// Demands that `expression`, which stands at `place`, names only what there is.
    fn check(&self, place: &str, expression: &str) {
        let faults = self.faults(expression);
        assert!(faults.is_empty(), "{place}: {}\n{expression}", faults.join("; "));
    }
}

#[test]
fn a_name_that_stands_for_nothing_is_a_fault() {
    let known = Known::promised();
    for (expression, faults) in [
        (r#"sum by (process) (procession_process_up{job="dev"})"#, vec![]),
        ("procession_process_upp", vec!["procession_process_upp is not in the catalogue"]),
        (r#"procession_process_up{pid="1"}"#, vec!["procession_process_up has no pid"]),
        ("sum by (state) (procession_process_up)", vec!["nothing has state"]),
    ] {
        assert_eq!(known.faults(expression), faults, "{expression}");
    }
}

/// Runs a checker of Prometheus' own and demands that it is content.
fn run(program: &str, arguments: &[&str], files: &[std::path::PathBuf]) {
    let output = std::process::Command::new(program).args(arguments).args(files).output();
    let output = output.unwrap_or_else(|error| {
        panic!("cannot start {program}: {error}; run tests/setup, which installs it")
    });
    let said = [output.stdout, output.stderr].map(|out| String::from_utf8_lossy(&out).into_owned());
    assert!(output.status.success(), "{program} {}: {}", arguments.join(" "), said.concat());
}
