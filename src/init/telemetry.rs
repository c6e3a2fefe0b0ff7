//! The variables by which agents send what they spend to us. Pure.
//!
//! Owns which of them are set: those that nobody set, and none at all for a signal that is sent
//! elsewhere already. The address names the session and carries a sign that only we can make, so
//! that no other process can tell of what this one spends.

use crate::config::plan::ProcessPlan;
use crate::secret::keyed::Salt;
use crate::units::SessionId;

/// The kind of what is hashed for an address.
const SIGN: &str = "otlp";

/// Attributes that every sender adds to what it sends.
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";

/// What children are told of the receiver.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// The port that is bound on the loopback address.
    pub port: u16,
    /// What makes the signs of this life.
    pub key: Salt,
}

impl Telemetry {
    /// The sign of a session: what its address ends in.
    pub fn sign(key: &Salt, session: SessionId) -> String {
        key.hash(SIGN, &session.to_string()).trim_start_matches('#').to_owned()
    }

    /// What a run of this process is told. `set` says what stands in its environment already.
    pub fn variables(
        &self,
        plan: &ProcessPlan,
        session: SessionId,
        set: impl Fn(&str) -> Option<String>,
    ) -> Vec<(&'static str, String)> {
        if plan.agent.is_none() || set("OTEL_EXPORTER_OTLP_ENDPOINT").is_some() {
            return Vec::new();
        }
        let sign = Self::sign(&self.key, session);
        let base = format!("http://127.0.0.1:{}/{session}/{sign}", self.port);
        let usual = [
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", format!("{base}/v1/metrics")),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf".to_owned()),
            ("OTEL_METRICS_EXPORTER", "otlp".to_owned()),
            ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", format!("{base}/v1/logs")),
            ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf".to_owned()),
            ("OTEL_LOGS_EXPORTER", "otlp".to_owned()),
            ("CLAUDE_CODE_ENABLE_TELEMETRY", "1".to_owned()),
            ("GEMINI_TELEMETRY_ENABLED", "true".to_owned()),
            ("GEMINI_TELEMETRY_TARGET", "local".to_owned()),
            ("GEMINI_TELEMETRY_USE_COLLECTOR", "true".to_owned()),
            ("GEMINI_TELEMETRY_OTLP_ENDPOINT", base),
            ("GEMINI_TELEMETRY_OTLP_PROTOCOL", "http".to_owned()),
            // What people ask is none of our business.
            ("GEMINI_TELEMETRY_LOG_PROMPTS", "false".to_owned()),
        ];
        let elsewhere = |name: &str| {
            let goes = |signal: &str, endpoint: &str| {
                name.contains(signal) && set(endpoint).is_some_and(|it| !it.is_empty())
            };
            goes("METRICS", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
                || goes("LOGS", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT")
                || goes("GEMINI", "GEMINI_TELEMETRY_OTLP_ENDPOINT")
        };
        let own = format!("procession.session.id={session}");
        let attributes = match set(ATTRIBUTES).filter(|said| !said.trim().is_empty()) {
            Some(said) => format!("{said},{own}"),
            None => own,
        };
        let unset = usual.into_iter().filter(|(name, _)| set(name).is_none() && !elsewhere(name));
        unset.chain([(ATTRIBUTES, attributes)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::chains::limits::Limits;
    use crate::config::plan::{AgentPlan, Dialect};
    use crate::units::Wall;

    fn told(agent: bool, set: &[(&str, &str)]) -> BTreeMap<&'static str, String> {
        let mut plan = ProcessPlan::new("coder", vec!["claude".into()]);
        plan.agent = agent.then(|| AgentPlan {
            name: "claude".into(),
            dialect: Dialect::Claude,
            transcripts: vec![],
            limits: Limits::default(),
        });
        let telemetry = Telemetry { port: 4711, key: Salt([7; 32]) };
        let session = SessionId::new(Wall(1), 2);
        let set = |name: &str| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        telemetry.variables(&plan, session, set).into_iter().collect()
    }

    #[test]
    fn an_agent_is_told_where_and_nobody_else() {
        assert!(told(false, &[]).is_empty());
        let all = told(true, &[]);
        let (logs, metrics) =
            (&all["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"], &all["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"]);
        assert!(logs.starts_with("http://127.0.0.1:4711/") && logs.ends_with("/v1/logs"));
        assert!(metrics.ends_with("/v1/metrics"));
        assert_eq!(all["CLAUDE_CODE_ENABLE_TELEMETRY"], "1");
        assert!(all[ATTRIBUTES].starts_with("procession.session.id="));
        assert!(!all.keys().any(|name| name.contains("TRACES")));
    }

    #[test]
    fn what_somebody_set_stays() {
        assert!(told(true, &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318")]).is_empty());
        let all = told(true, &[("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://c:4318/v1/logs")]);
        assert!(!all.keys().any(|name| name.contains("LOGS_") || *name == "OTEL_LOGS_EXPORTER"));
        assert!(all.contains_key("OTEL_METRICS_EXPORTER"));
        let all = told(true, &[("OTEL_METRICS_EXPORTER", "none"), (ATTRIBUTES, "team=a")]);
        assert!(!all.contains_key("OTEL_METRICS_EXPORTER"));
        assert!(all[ATTRIBUTES].starts_with("team=a,procession.session.id="));
        let off = told(true, &[("CLAUDE_CODE_ENABLE_TELEMETRY", "0")]);
        assert!(!off.contains_key("CLAUDE_CODE_ENABLE_TELEMETRY"));
    }
}
