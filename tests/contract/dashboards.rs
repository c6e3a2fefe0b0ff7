//! The dashboards: the rules of grafana/dashboard-linter that apply, the names in every expression,
//! thresholds that agree with the alerts, and figures that a real Prometheus yields for them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use procession::memory::LeakState;
use serde_json::Value;

use super::alerts;
use super::{Known, promql};
use crate::support::listener::Listener;
use crate::support::prometheus::Prometheus;
use crate::support::{ours, text, wait_for};

/// Panels that every Grafana since 9 has, and that Grafana's own component library can draw.
const TYPES: [&str; 4] = ["stat", "timeseries", "table", "bargauge"];
/// Ids of Grafana's units that we use; it takes an unknown one for a suffix.
const UNITS: [&str; 8] =
    ["none", "short", "bytes", "binBps", "percentunit", "currencyUSD", "dateTimeFromNow", "s"];
/// Counters may be looked at only through these.
const OVER_TIME: [&str; 3] = ["rate(", "increase(", "irate("];

/// A dashboard with the name of its file.
struct Dashboard {
    file: String,
    json: Value,
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn dashboards() -> Vec<Dashboard> {
    let files = std::fs::read_dir(ours("dashboards")).expect("a folder of dashboards").flatten();
    let files = files.map(|file| file.path());
    let read = |path: PathBuf| {
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        let json = serde_json::from_str(&text(&format!("dashboards/{file}")));
        Dashboard { json: json.unwrap_or_else(|error| panic!("{file}: {error}")), file }
    };
    let read: Vec<_> =
        files.filter(|it| it.extension().is_some_and(|e| e == "json")).map(read).collect();
    assert!(!read.is_empty());
    read
}

impl Dashboard {
    /// Every panel that shows something.
    fn panels(&self) -> impl Iterator<Item = &Value> {
        list(&self.json["panels"]).filter(|panel| panel["type"] != "row")
    }

    /// Every expression, with the title of what it belongs to.
    fn expressions(&self) -> Vec<(String, String)> {
        let targets = self.panels().flat_map(|panel| {
            list(&panel["targets"]).map(|target| (&panel["title"], &target["expr"]))
        });
        let annotations =
            list(&self.json["annotations"]["list"]).map(|it| (&it["name"], &it["expr"]));
        let both = targets.chain(annotations);
        both.map(|(title, expression)| (string(title), string(expression))).collect()
    }

    /// The expressions of tables whose rows Grafana merges where all that they share is the same.
    fn merged(&self) -> Vec<(String, String)> {
        let merges = |panel: &&Value| list(&panel["transformations"]).any(|it| it["id"] == "merge");
        let targets = self.panels().filter(merges).flat_map(|panel| {
            list(&panel["targets"]).map(|target| (&panel["title"], &target["expr"]))
        });
        targets.map(|(title, expression)| (string(title), string(expression))).collect()
    }

    fn variables(&self) -> impl Iterator<Item = &Value> {
        list(&self.json["templating"]["list"])
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// The form in which Grafana's file provisioning finds a data source that the user chooses.
fn is_variable_source(value: &Value) -> bool {
    value["type"] == "prometheus" && value["uid"] == "${datasource}"
}

#[test]
fn a_dashboard_can_be_provisioned_anywhere() {
    for Dashboard { file, json } in dashboards() {
        assert!(json.get("__inputs").is_none(), "{file}: file provisioning knows no __inputs");
        assert!(
            json["id"].is_null() && json.get("version").is_none(),
            "{file}: Grafana gives these"
        );
        let uid = string(&json["uid"]);
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!((8..=40).contains(&uid.len()) && uid.chars().all(fits), "{file}: uid {uid}");
        assert_eq!(json["editable"], false, "{file}");
        assert_eq!(json["graphTooltip"], 1, "{file}: one crosshair for all panels");
    }
}

#[test]
fn variables_find_their_values_and_start_with_everything() {
    let known = Known::promised();
    for dashboard in dashboards() {
        let file = &dashboard.file;
        let names: Vec<_> = dashboard.variables().map(|it| string(&it["name"])).collect();
        assert_eq!(names, ["datasource", "job", "instance", "process"], "{file}");
        for variable in dashboard.variables() {
            let name = string(&variable["name"]);
            if name == "datasource" {
                assert_eq!(variable["type"], "datasource", "{file}");
                assert_eq!(variable["query"], "prometheus", "{file}");
                continue;
            }
            assert!(is_variable_source(&variable["datasource"]), "{file}: {name}");
            assert_eq!(variable["refresh"], 2, "{file}: {name} follows the time range");
            assert_eq!(variable["multi"], true, "{file}: {name}");
            assert_eq!(variable["includeAll"], true, "{file}: {name}");
            assert_eq!(variable["allValue"], ".+", "{file}: {name}");
            assert_eq!(variable["current"]["value"][0], "$__all", "{file}: {name}");
            assert!(variable["label"].is_string(), "{file}: {name}");
            let query = string(&variable["query"]["query"]);
            let inner = query.strip_prefix("label_values(").and_then(|it| it.strip_suffix(')'));
            let (series, label) = inner.and_then(|it| it.rsplit_once(", ")).expect("a query");
            known.check(file, series);
            known.check(file, &format!("count by ({label}) ({series})"));
        }
    }
}

#[test]
fn panels_explain_themselves() {
    for dashboard in dashboards() {
        let file = &dashboard.file;
        let mut ids = BTreeSet::new();
        for panel in list(&dashboard.json["panels"]) {
            assert!(
                ids.insert(panel["id"].as_i64().expect("an id")),
                "{file}: two {}",
                panel["id"]
            );
        }
        for panel in dashboard.panels() {
            let title = string(&panel["title"]);
            let place = format!("{file}: {title}");
            assert!(!title.is_empty(), "{place}");
            assert!(TYPES.contains(&string(&panel["type"]).as_str()), "{place}: {}", panel["type"]);
            assert!(string(&panel["description"]).ends_with('.'), "{place}: a description");
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(UNITS.contains(&string(&defaults["unit"]).as_str()), "{place}: {defaults}");
            assert!(!string(&defaults["noValue"]).is_empty(), "{place}: what is nothing called?");
            assert!(is_variable_source(&panel["datasource"]), "{place}: data source");
            assert!(list(&panel["targets"]).count() > 0, "{place}: shows nothing");
            for target in list(&panel["targets"]) {
                assert!(is_variable_source(&target["datasource"]), "{place}: a target's source");
            }
        }
    }
}

#[test]
fn panels_lie_beside_each_other_and_in_a_known_row() {
    for dashboard in dashboards() {
        let rows = list(&dashboard.json["panels"]).filter(|panel| panel["type"] == "row");
        let titles: Vec<_> = rows.map(|row| string(&row["title"])).collect();
        let wanted = [
            "Overview",
            "Sessions",
            "Memory & leaks",
            "Tokens & cost",
            "Care: health, stops and output",
            "Supervisor itself",
        ];
        assert_eq!(titles, wanted);
        let mut taken = BTreeSet::new();
        for panel in list(&dashboard.json["panels"]) {
            let [x, y, w, h] =
                ["x", "y", "w", "h"].map(|it| panel["gridPos"][it].as_u64().expect("a place"));
            assert!(x + w <= 24, "{} is too wide", panel["title"]);
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(taken.insert(cell), "{} lies on another panel", panel["title"]);
            }
        }
    }
}

#[test]
fn expressions_name_only_what_is_promised_and_what_is_chosen() {
    let known = Known::promised();
    for dashboard in dashboards() {
        for (title, expression) in dashboard.expressions() {
            let place = format!("{}: {title}", dashboard.file);
            known.check(&place, &expression);
            for matcher in [r#"job=~"$job""#, r#"instance=~"$instance""#] {
                let series = expression.matches('{').count();
                assert_eq!(expression.matches(matcher).count(), series, "{place}: {matcher}");
            }
            for (metric, labels) in promql::names(&expression).metrics {
                assert!(labels.contains("job"), "{place}: {metric} is not matched at all");
                let is_chosen = labels.contains("process");
                let can_be = known.0[&metric].contains("process");
                assert_eq!(is_chosen, can_be, "{place}: {metric} and the variable process");
                // `process_…` is what every client library exports, not only ours.
                let of_others = metric.starts_with("process_");
                let joined = expression.contains("procession_build_info");
                assert!(!of_others || joined, "{place}: {metric} of other programs too");
            }
        }
    }
}

#[test]
fn counters_are_shown_over_the_interval_that_grafana_chooses() {
    for dashboard in dashboards() {
        for (title, expression) in dashboard.expressions() {
            let place = format!("{}: {title}: {expression}", dashboard.file);
            let counters = promql::names(&expression).metrics;
            let counters = counters.keys().filter(|name| name.ends_with("_total")).count();
            let over_time: usize = OVER_TIME.iter().map(|it| expression.matches(it).count()).sum();
            assert!(over_time >= counters, "{place}: a bare counter");
        }
        for target in dashboard.panels().flat_map(|panel| list(&panel["targets"])) {
            // A line has a point for each step; a figure or a row sums up what is on the screen.
            let of_one_moment = target["instant"] == true;
            let chosen = if of_one_moment { "[$__range]" } else { "[$__rate_interval]" };
            let expression = string(&target["expr"]);
            let ranges = expression.matches('[').count();
            assert_eq!(expression.matches(chosen).count(), ranges, "{expression}");
        }
    }
}

#[test]
fn legends_use_labels_that_the_series_have() {
    let known = Known::promised();
    for dashboard in dashboards() {
        for panel in dashboard.panels() {
            for target in list(&panel["targets"]) {
                let names = promql::names(&string(&target["expr"]));
                let labels = known.labels(&names);
                for used in string(&target["legendFormat"]).split("{{").skip(1) {
                    let used = used.split("}}").next().unwrap_or("").trim();
                    assert!(labels.contains(used), "{}: {used}", panel["title"]);
                }
            }
        }
    }
}

/// A dashed line is the threshold of the alert that the panel's description names.
#[test]
fn dashed_lines_lie_where_the_alerts_begin() {
    let alerts = alerts::alerts();
    let mut lines = 0;
    for dashboard in dashboards() {
        for panel in dashboard.panels() {
            let description = string(&panel["description"]);
            let words = description.split(|c: char| !c.is_ascii_alphanumeric());
            let named: Vec<_> = words.filter(|word| word.starts_with("Procession")).collect();
            for word in &named {
                assert!(alerts.iter().any(|alert| alert.name == *word), "there is no alert {word}");
            }
            let defaults = &panel["fieldConfig"]["defaults"];
            if defaults["custom"]["thresholdsStyle"]["mode"] != "dashed" {
                continue;
            }
            let of_panel = alerts.iter().filter(|alert| named.contains(&alert.name.as_str()));
            let wanted: Vec<f64> = of_panel
                .map(|it| it.expression.rsplit('>').next().and_then(|it| it.trim().parse().ok()))
                .map(|number| number.expect("the alert ends with its threshold"))
                .collect();
            let steps = list(&defaults["thresholds"]["steps"]);
            let steps: Vec<_> = steps.filter_map(|step| step["value"].as_f64()).collect();
            assert_eq!(steps, wanted, "{}", panel["title"]);
            lines += 1;
        }
    }
    assert!(lines > 0);
}

/// A verdict is called here as it is on the status page and at the terminal.
#[test]
fn a_verdict_on_a_leak_is_said_in_the_words_of_the_other_doors() {
    let words =
        [LeakState::None, LeakState::Suspected, LeakState::Confirmed].map(LeakState::in_words);
    let mut tables = 0;
    for dashboard in dashboards() {
        let overrides =
            dashboard.panels().flat_map(|panel| list(&panel["fieldConfig"]["overrides"]));
        for leak in overrides.filter(|one| one["matcher"]["options"] == "Leak") {
            let properties = list(&leak["properties"]).filter(|one| one["id"] == "mappings");
            let mappings: Vec<&Value> = properties.flat_map(|one| list(&one["value"])).collect();
            let said = ["0", "1", "2"].map(|value| string(&mappings[0]["options"][value]["text"]));
            assert_eq!(said, words, "{}", dashboard.file);
            tables += 1;
        }
    }
    assert!(tables > 0);
}

/// Expressions that may yield nothing although all is well: what happened only now and then, and
/// alerts that fire.
fn may_be_empty(expression: &str) -> bool {
    expression.ends_with("> 0") || expression.contains("ALERTS")
}

/// The expression with everything chosen, as Grafana sends it.
fn filled_in(expression: &str) -> String {
    let over_time = expression.replace("$__rate_interval", "1m").replace("$__range", "1m");
    ["$job", "$instance", "$process"].into_iter().fold(over_time, |it, name| it.replace(name, ".+"))
}

#[test]
fn a_real_prometheus_has_figures_for_every_panel() {
    let exporter = Listener::page(text("tests/golden/metrics.txt"));
    let prometheus =
        Prometheus::start(exporter.address(), &text("alerts/procession.rules.yml"), None);
    wait_for("two scrapes", || {
        prometheus.value("count_over_time(procession_start_timestamp_seconds[1m]) > 2")
    });
    for dashboard in dashboards() {
        for (title, expression) in dashboard.expressions() {
            let query = filled_in(&expression);
            let series = prometheus.query(&query);
            let place = format!("{}: {title} is empty: {query}", dashboard.file);
            assert!(!series.is_empty() || may_be_empty(&expression), "{place}");
        }
        for (title, expression) in dashboard.merged() {
            let mut rows = prometheus.query(&filled_in(&expression)).into_iter();
            let named = rows.find(|(labels, _)| labels.contains_key("__name__"));
            assert!(named.is_none(), "{title}: a metric's own name keeps rows apart: {expression}");
        }
    }
}
