//! `privacy`: what is learnt of those who work here, field by field, and what is masked besides.

use super::cursor::{Cursor, Fields};
use super::plan::{PrivacyPlan, Treatment};
use super::read;
use crate::secret::masker::{Masker, Pattern};

/// The most patterns: each is looked for in every text that is kept.
const MAX_PATTERNS: usize = 64;

pub(super) fn privacy(fields: &mut Fields<'_>) -> PrivacyPlan {
    let Some(at) = fields.get("privacy") else { return PrivacyPlan::default() };
    let Some(mut fields) = at.fields("a map of fields") else { return PrivacyPlan::default() };
    let plan = PrivacyPlan {
        command: treatment(&mut fields, "command"),
        working_dir: treatment(&mut fields, "working_dir"),
        user: treatment(&mut fields, "user"),
        git: treatment(&mut fields, "git"),
        hostname: treatment(&mut fields, "hostname"),
        native_ids: treatment(&mut fields, "native_ids"),
        metadata: treatment(&mut fields, "metadata"),
        excerpts: fields.read("excerpts", read::boolean).unwrap_or_default(),
        masker: Masker::new(fields.get("patterns").as_ref().map(patterns).unwrap_or_default()),
    };
    fields.finish(&[
        ("host", "did you mean `hostname`?"),
        ("labels", "did you mean `metadata`?"),
        ("cwd", "did you mean `working_dir`?"),
        ("excerpt", "did you mean `excerpts`?"),
        ("pattern", "did you mean `patterns`?"),
    ]);
    plan
}

fn treatment(fields: &mut Fields<'_>, key: &'static str) -> Treatment {
    let words = Treatment::ALL.map(|known| (known.as_str(), known));
    fields.read(key, |at| at.choice(&words)).unwrap_or_default()
}

fn patterns(at: &Cursor<'_>) -> Vec<Pattern> {
    let items = at.items("a list of patterns").unwrap_or_default();
    if items.len() > MAX_PATTERNS {
        at.expected::<()>(&format!("at most {MAX_PATTERNS} patterns"), "write some of them as one");
        return vec![];
    }
    items.iter().filter_map(pattern).collect()
}

fn pattern(at: &Cursor<'_>) -> Option<Pattern> {
    let mut fields = at.fields("`name: NAME` and `regex: PATTERN`")?;
    let name = fields.read("name", read::name);
    let regex = fields.get("regex");
    if regex.is_none() {
        fields.missing("regex", "write `regex: 'EMP-[0-9]{6}'`", &[("pattern", "write `regex`")]);
    }
    fields.finish(&[]);
    let regex = regex?;
    let text = regex.text("a regular expression")?;
    match Pattern::new(name.as_deref().unwrap_or("pattern"), text) {
        Ok(pattern) => Some(pattern),
        Err(why) => {
            regex.fault(
                format!("this is no pattern: {why}"),
                "write one as the `regex` crate reads it",
            );
            None
        }
    }
}
