//! `privacy` as it is written.

use super::plain;
use crate::config::plan::PrivacyPlan;

#[derive(serde::Serialize)]
pub(super) struct Privacy {
    command: &'static str,
    working_dir: &'static str,
    user: &'static str,
    git: &'static str,
    hostname: &'static str,
    native_ids: &'static str,
    metadata: &'static str,
    excerpts: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    patterns: Vec<Pattern>,
}

#[derive(serde::Serialize)]
struct Pattern {
    name: String,
    regex: String,
}

pub(super) fn privacy(plan: &PrivacyPlan) -> Privacy {
    let patterns = plan.masker.patterns().iter();
    Privacy {
        command: plan.command.as_str(),
        working_dir: plan.working_dir.as_str(),
        user: plan.user.as_str(),
        git: plan.git.as_str(),
        hostname: plan.hostname.as_str(),
        native_ids: plan.native_ids.as_str(),
        metadata: plan.metadata.as_str(),
        excerpts: plan.excerpts,
        patterns: patterns
            .map(|one| Pattern { name: plain(&one.name), regex: plain(one.as_str()) })
            .collect(),
    }
}
