//! A real Prometheus and a real Alertmanager on loopback, each with a folder of its own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{Program, free_port};

/// The labels of a series with its value.
pub type Sample = (BTreeMap<String, String>, f64);

/// A Prometheus that looks every second.
pub struct Prometheus {
    url: String,
    _program: Program,
    _folder: TempDir,
}

impl Prometheus {
    /// Scrapes `target` as job `dev`, evaluates `rules` and sends alerts to `alertmanager`.
    pub fn start(target: SocketAddr, rules: &str, alertmanager: Option<&Alertmanager>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let alertmanagers = alertmanager.map(|it| format!("'{}'", it.address)).unwrap_or_default();
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
             rule_files: [rules.yml]\n\
             alerting: {{alertmanagers: [{{static_configs: [{{targets: [{alertmanagers}]}}]}}]}}\n\
             scrape_configs:\n\
             - {{job_name: dev, static_configs: [{{targets: ['{target}']}}]}}\n"
        );
        write(folder.path(), "rules.yml", rules);
        write(folder.path(), "prometheus.yml", &config);
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new("prometheus");
        command
            .current_dir(folder.path())
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address={address}"));
        let mut program = Program::start("prometheus", &mut command, folder.path());
        let url = format!("http://{address}");
        program.wait_until_it_answers(&format!("{url}/-/ready"));
        Self { url, _program: program, _folder: folder }
    }

    /// What the expression yields now, in no certain order.
    pub fn query(&self, expression: &str) -> Vec<Sample> {
        let answer = self.ask(expression).unwrap_or_else(|why| panic!("{expression}: {why}"));
        let rows = answer["data"]["result"].as_array().expect("a vector").clone();
        rows.iter().map(sample).collect()
    }

    /// The one value that the expression yields now; `None` where it yields none or several.
    pub fn value(&self, expression: &str) -> Option<f64> {
        match self.query(expression)[..] {
            [(_, value)] => Some(value),
            _ => None,
        }
    }

    fn ask(&self, expression: &str) -> Result<Value, String> {
        let url = format!("{}/api/v1/query", self.url);
        let mut response = ureq::post(&url)
            .config()
            .http_status_as_error(false)
            .build()
            .send_form([("query", expression)])
            .map_err(|error| error.to_string())?;
        let body = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
        if answer["status"] == "success" { Ok(answer) } else { Err(body) }
    }
}

/// An Alertmanager that passes every alert on at once.
pub struct Alertmanager {
    address: String,
    _program: Program,
    _folder: TempDir,
}

impl Alertmanager {
    /// Posts alerts to `webhook`, one group for each process.
    pub fn start(webhook: SocketAddr) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            "route: {{receiver: test, group_by: [alertname, process], group_wait: 0s, \
             group_interval: 1s, repeat_interval: 1h}}\n\
             receivers: [{{name: test, webhook_configs: [{{url: 'http://{webhook}/'}}]}}]\n"
        );
        write(folder.path(), "alertmanager.yml", &config);
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new("prometheus-alertmanager");
        command
            .current_dir(folder.path())
            .arg("--config.file=alertmanager.yml")
            .arg("--storage.path=data")
            // Without an address it looks for others of its kind.
            .arg("--cluster.listen-address=")
            .arg(format!("--web.listen-address={address}"));
        let mut program = Program::start("alertmanager", &mut command, folder.path());
        program.wait_until_it_answers(&format!("http://{address}/-/ready"));
        Self { address, _program: program, _folder: folder }
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file in our own folder");
}

/// One row of an instant vector: `{"metric": {…}, "value": [time, "number"]}`.
fn sample(row: &Value) -> Sample {
    let labels = row["metric"].as_object().expect("labels").iter();
    let labels = labels.map(|(name, value)| (name.clone(), value.as_str().unwrap_or("").into()));
    let value = row["value"][1].as_str().and_then(|text| text.parse().ok()).expect("a number");
    (labels.collect(), value)
}

#[cfg(test)]
mod tests {
    use super::super::listener::Listener;
    use super::super::wait_for;
    use super::*;

    #[test]
    fn an_alert_on_a_scraped_figure_reaches_the_webhook() {
        let exporter = Listener::page("# TYPE leaky_bytes gauge\nleaky_bytes 7\n".into());
        let webhook = Listener::webhook();
        let alertmanager = Alertmanager::start(webhook.address());
        let rules = "groups: [{name: test, rules: [{alert: Leaky, expr: leaky_bytes > 6}]}]";
        let prometheus = Prometheus::start(exporter.address(), rules, Some(&alertmanager));

        wait_for("the figure", || prometheus.value("leaky_bytes").filter(|bytes| *bytes == 7.0));
        assert_eq!(prometheus.value("leaky_bytes > 7"), None);
        let message = wait_for("the alert", || webhook.posted().into_iter().next());
        let message: Value = serde_json::from_str(&message).expect("JSON");
        assert_eq!(message["alerts"][0]["labels"]["alertname"], "Leaky");
    }
}
