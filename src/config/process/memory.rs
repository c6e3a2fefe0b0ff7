//! `memory: {warning, critical, on_warning, on_critical}`.

use crate::config::cursor::{Cursor, Fields};
use crate::config::plan::{Hook, MemoryActions, MemoryEnd, Threshold, Thresholds};
use crate::config::process::hooks;
use crate::config::quantity;
use crate::units::{Bytes, Signal};

/// What stands for the event that there always is.
pub(in crate::config) const EVENT: &str = "event";
/// The words of how a process is ended.
pub(in crate::config) const ENDS: [(&str, MemoryEnd); 2] =
    [("restart", MemoryEnd::Restart), ("stop", MemoryEnd::Stop)];

/// What stands for the command of `hook`.
pub(in crate::config) const HOOK: &str = "hook";

/// The words of what follows, beside signals.
const FOLLOWS: &str = "`event`, `hook`, `restart`, `stop` or a signal";

/// The thresholds of one process, and the command that they may run.
pub(super) fn memory(
    at: &Cursor<'_>,
    usual: Thresholds,
    usual_hook: Option<&Hook>,
) -> Option<(Thresholds, Option<Hook>)> {
    let mut fields = at.fields("a map with `warning` and `critical`")?;
    let thresholds = thresholds(&mut fields, usual);
    let hook = hook(&mut fields, thresholds, usual_hook);
    let elsewhere = "it is the same for all processes: write it under the top-level `memory`";
    fields.finish(&[("interval", elsewhere), ("leak_rule", elsewhere)]);
    Some((thresholds, hook))
}

/// `hook`, which is run at levels whose actions name it.
pub(in crate::config) fn hook(
    fields: &mut Fields<'_>,
    thresholds: Thresholds,
    usual: Option<&Hook>,
) -> Option<Hook> {
    let is_named = thresholds.on_warning.hook || thresholds.on_critical.hook;
    hooks::named(fields, is_named, "`on_warning: hook`, or `on_critical: hook`", usual)
}

/// The same keys wherever they stand. Where only one size is written, the other keeps its distance:
/// a critical size below the warning would never warn.
pub(in crate::config) fn thresholds(fields: &mut Fields<'_>, usual: Thresholds) -> Thresholds {
    let warning = fields.read("warning", threshold);
    let critical_at = fields.get("critical");
    let critical = critical_at.as_ref().and_then(threshold);
    let (warning, critical) = match (warning, critical) {
        (None, None) => (usual.warning, usual.critical),
        (Some(warning), None) => (warning, above(warning, usual.critical)),
        (None, Some(critical)) => (below(critical, usual.warning), critical),
        (Some(warning), Some(critical)) => {
            if let Some(at) = critical_at.filter(|_| is_smaller(critical, warning)) {
                at.fault("`critical` is smaller than `warning`", "make it larger");
            }
            (warning, critical)
        }
    };
    Thresholds {
        warning,
        critical,
        on_warning: fields.read("on_warning", actions).unwrap_or(usual.on_warning),
        on_critical: fields.read("on_critical", actions).unwrap_or(usual.on_critical),
    }
}

/// A size, or a part of the container's limit such as `80%`.
fn threshold(at: &Cursor<'_>) -> Option<Threshold> {
    let parse = |text: &str| match text.strip_suffix('%') {
        Some(percent) => {
            let percent: u8 = percent.trim_end().parse().ok()?;
            (1..=100).contains(&percent).then_some(Threshold::Percent(percent))
        }
        None => quantity::parse_bytes(text).map(Threshold::Size),
    };
    at.parsed("a size such as `4000MiB`, or a part of the limit such as `80%`", parse, |_| None)
}

fn is_smaller(critical: Threshold, warning: Threshold) -> bool {
    match (critical, warning) {
        (Threshold::Size(critical), Threshold::Size(warning)) => critical < warning,
        (Threshold::Percent(critical), Threshold::Percent(warning)) => critical < warning,
        // Which is smaller depends on the limit.
        _ => false,
    }
}

/// The critical threshold above a warning that was written: half as much again, or half of what is
/// left of the limit.
fn above(warning: Threshold, usual: Threshold) -> Threshold {
    match (warning, usual) {
        (Threshold::Size(warning), Threshold::Size(usual)) => {
            Threshold::Size(usual.max(half_more(warning)))
        }
        (Threshold::Size(warning), Threshold::Usual)
            if half_more(warning) > Thresholds::USUAL_CRITICAL.0 =>
        {
            Threshold::Size(half_more(warning))
        }
        (Threshold::Percent(warning), Threshold::Percent(usual)) => {
            Threshold::Percent(usual.max(warning + (100 - warning) / 2))
        }
        (Threshold::Percent(warning), _) => Threshold::Percent(warning + (100 - warning) / 2),
        (_, usual) => usual,
    }
}

fn half_more(size: Bytes) -> Bytes {
    Bytes(size.0.saturating_add(size.0 / 2))
}

/// The warning below a critical threshold that was written: two thirds of it.
fn below(critical: Threshold, usual: Threshold) -> Threshold {
    match (critical, usual) {
        (Threshold::Size(critical), Threshold::Size(usual)) => {
            Threshold::Size(usual.min(Bytes(critical.0 / 3 * 2)))
        }
        (Threshold::Size(critical), Threshold::Usual)
            if Bytes(critical.0 / 3 * 2) < Thresholds::USUAL_WARNING.0 =>
        {
            Threshold::Size(Bytes(critical.0 / 3 * 2))
        }
        (Threshold::Percent(critical), Threshold::Percent(usual)) => {
            Threshold::Percent(usual.min(critical / 3 * 2).max(1))
        }
        (Threshold::Percent(critical), _) => Threshold::Percent((critical / 3 * 2).max(1)),
        (_, usual) => usual,
    }
}

/// One word or a list of them: `event`, `hook`, `restart` or `stop`, a signal.
fn actions(at: &Cursor<'_>) -> Option<MemoryActions> {
    let mut actions = MemoryActions::default();
    for item in at.one_or_many(&format!("{FOLLOWS}, or a list of them"))? {
        let text = item.text(FOLLOWS)?;
        let end = ENDS.iter().find(|(word, _)| *word == text).map(|(_, end)| *end);
        let signal = Signal::parse(text);
        match (end, signal) {
            _ if text == EVENT => {}
            _ if text == HOOK => actions.hook = true,
            (Some(end), _) if actions.end.is_none() => actions.end = Some(end),
            (Some(_), _) => item.fault("it can be ended in one way only", "remove one of them"),
            (None, Some(signal)) if actions.signal.is_none() => actions.signal = Some(signal),
            (None, Some(_)) => item.fault("it can get one signal only", "remove one of them"),
            (None, None) => {
                return item.expected(FOLLOWS, "");
            }
        }
    }
    Some(actions)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn mib(size: u64) -> Threshold {
        Threshold::Size(Bytes::mib(size))
    }

    #[test]
    fn what_is_not_written_keeps_its_distance() {
        use Threshold::{Percent, Usual};
        for (warning, usual, critical) in [
            (mib(16), Usual, Usual),
            (mib(8000), Usual, mib(12_000)),
            (mib(16), mib(20), mib(24)),
            (Percent(80), Usual, Percent(90)),
            (Percent(80), Percent(85), Percent(90)),
            (Percent(100), Usual, Percent(100)),
            (mib(16), Percent(50), Percent(50)),
        ] {
            assert_eq!(above(warning, usual), critical, "{warning:?}");
        }
        for (critical, usual, warning) in [
            (mib(300), Usual, mib(200)),
            (mib(9000), Usual, Usual),
            (mib(300), mib(100), mib(100)),
            (Percent(90), Usual, Percent(60)),
            (Percent(1), Percent(80), Percent(1)),
            (mib(300), Percent(50), Percent(50)),
        ] {
            assert_eq!(below(critical, usual), warning, "{critical:?}");
        }
    }
}
