//! `privacy` at the top: what may be kept of what people say to their agents.

use super::cursor::Cursor;
use super::plan::PrivacyPlan;
use super::read;

/// A map with `excerpts`.
pub(super) fn privacy(at: &Cursor<'_>) -> Option<PrivacyPlan> {
    let mut fields = at.fields("a map with `excerpts`")?;
    let usual = PrivacyPlan::default();
    let plan =
        PrivacyPlan { excerpts: fields.read("excerpts", read::boolean).unwrap_or(usual.excerpts) };
    fields.finish(&[("excerpt", "did you mean `excerpts`?")]);
    Some(plan)
}
