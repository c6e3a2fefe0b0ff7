//! The alert rules: their names, their texts, their tests, and the runbook behind them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_yaml::Value;

use super::{Known, promql, run};
use crate::support::{ours, text};

const RULES: &str = "alerts/procession.rules.yml";
const RUNBOOK: &str = "alerts/RUNBOOK.md";

/// A rule of the file: a recording rule without annotations, or an alert.
pub struct Rule {
    /// The name of the alert, or of the series that is recorded.
    pub name: String,
    /// Its expression.
    pub expression: String,
    alert: bool,
    yaml: Value,
}

impl Rule {
    fn text(&self, section: &str, key: &str) -> &str {
        self.yaml[section][key].as_str().unwrap_or_else(|| panic!("{} has no {key}", self.name))
    }
}

fn yaml(path: &str) -> Value {
    serde_yaml::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_sequence().into_iter().flatten()
}

fn rules() -> Vec<Rule> {
    let file = yaml(RULES);
    let rules = list(&file["groups"]).flat_map(|group| list(&group["rules"])).map(|rule| {
        let alert = rule["alert"].as_str();
        let name = alert.or(rule["record"].as_str()).expect("a name").to_owned();
        let expression = rule["expr"].as_str().expect("an expression").to_owned();
        Rule { name, expression, alert: alert.is_some(), yaml: rule.clone() }
    });
    rules.collect()
}

/// The alerts, in the order of the file; a pair of warning and critical is two.
pub fn alerts() -> Vec<Rule> {
    rules().into_iter().filter(|rule| rule.alert).collect()
}

/// What may be named besides the catalogue: the series that the rules record.
pub fn known() -> Known {
    let mut known = Known::promised();
    for rule in rules().iter().filter(|rule| !rule.alert) {
        known.record(&rule.name, &rule.expression);
    }
    known
}

fn tests() -> Vec<(PathBuf, Value)> {
    let files = std::fs::read_dir(ours("alerts/tests")).expect("a folder of tests").flatten();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a file");
        (path, serde_yaml::from_str(&text).expect("YAML"))
    };
    files.map(|file| read(file.path())).collect()
}

#[test]
fn rules_name_only_what_is_promised() {
    let mut known = Known::promised();
    for rule in rules() {
        known.check(&rule.name, &rule.expression);
        if !rule.alert {
            known.record(&rule.name, &rule.expression);
        }
    }
}

#[test]
fn recording_rules_are_named_by_level_metric_and_operations() {
    for rule in rules().iter().filter(|rule| !rule.alert) {
        let parts: Vec<_> = rule.name.split(':').collect();
        assert!(
            matches!(parts[..], [_, metric, _] if metric.starts_with("procession_")),
            "{parts:?}"
        );
    }
}

#[test]
fn alerts_say_what_they_mean_and_where_to_read_on() {
    let sections = sections();
    let mut summaries = BTreeMap::new();
    for alert in alerts() {
        let name = &alert.name;
        assert!(name.starts_with("Procession"), "{name}");
        let severity = alert.text("labels", "severity");
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");

        let summary = alert.text("annotations", "summary").to_owned();
        assert!(summary.ends_with('.') && summary.matches('.').count() == 1, "{name}: {summary}");
        assert!(!summary.contains("{{"), "{name}: the summary is not static");
        let first = summaries.entry(name.clone()).or_insert_with(|| summary.clone());
        assert_eq!(*first, summary, "{name} has two summaries");

        let link = alert.text("annotations", "runbook_url");
        assert_eq!(link, format!("{RUNBOOK}#{}", name.to_lowercase()), "{name}");
        assert!(sections.contains(name), "{RUNBOOK} has no section {name}");
    }
    let named: BTreeSet<_> = summaries.into_keys().collect();
    assert_eq!(sections, named, "sections of {RUNBOOK} and alerts");
}

/// The alerts that the runbook has a section for.
fn sections() -> BTreeSet<String> {
    text(RUNBOOK).lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect()
}

#[test]
fn descriptions_use_labels_that_the_alert_has() {
    let known = known();
    for alert in alerts() {
        let labels = known.labels(&promql::names(&alert.expression));
        let description = alert.text("annotations", "description");
        assert!(description.contains("$labels.instance"), "{} does not say where", alert.name);
        for used in description.split("$labels.").skip(1) {
            let used = used.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next();
            assert!(labels.contains(used.unwrap_or("")), "{} has no {used:?}", alert.name);
        }
    }
}

#[test]
fn every_alert_is_tested_to_fire_and_to_be_silent() {
    let mut fires = BTreeSet::new();
    let mut is_silent = BTreeSet::new();
    for (_, file) in tests() {
        for case in list(&file["tests"]).flat_map(|test| list(&test["alert_rule_test"])) {
            let name = case["alertname"].as_str().expect("a name").to_owned();
            let expected = list(&case["exp_alerts"]);
            let severities = expected.filter_map(|alert| alert["exp_labels"]["severity"].as_str());
            let severities: Vec<_> = severities.collect();
            fires.extend(severities.iter().map(|severity| format!("{name} {severity}")));
            if severities.is_empty() {
                is_silent.insert(name);
            }
        }
    }
    let alerts = alerts();
    let kinds = alerts.iter().map(|it| format!("{} {}", it.name, it.text("labels", "severity")));
    assert_eq!(fires, kinds.collect(), "alerts that a test sees firing");
    assert_eq!(is_silent, alerts.iter().map(|alert| alert.name.clone()).collect());
}

#[test]
fn tests_of_alerts_feed_only_what_is_promised() {
    let known = Known::promised();
    for (path, file) in tests() {
        for test in list(&file["tests"]) {
            for series in list(&test["input_series"]) {
                let series = series["series"].as_str().expect("a series");
                known.check(&path.display().to_string(), series);
            }
        }
    }
}

#[test]
fn promtool_and_amtool_are_content() {
    run("promtool", &["check", "rules", "--lint=all", "--lint-fatal"], &[ours(RULES)]);
    run("amtool", &["check-config"], &[ours("alerts/alertmanager.example.yml")]);
    let files: Vec<_> = tests().into_iter().map(|(path, _)| path).collect();
    assert!(!files.is_empty());
    run("promtool", &["test", "rules"], &files);
}
