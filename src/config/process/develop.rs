//! `develop.watch`: files whose change restarts the process, in Compose's words.

use std::time::Duration;

use crate::config::cursor::Cursor;
use crate::config::plan::WatchRule;
use crate::config::read;
use crate::config::surroundings::Surroundings;

/// An editor that saves writes several times; a build writes for longer.
const DEBOUNCE: Duration = Duration::from_millis(300);
/// A build that goes on for longer has a command of its own to end with.
const MOST_DEBOUNCE: Duration = Duration::from_secs(60);
/// Each rule and pattern is looked at for every change.
const MAX_RULES: usize = 32;
const MAX_PATTERNS: usize = 100;

/// What Compose can do beside restarting.
const OTHER_ACTIONS: [&str; 5] = ["rebuild", "sync", "sync+restart", "sync+exec", "exec"];

/// `develop: {watch: […]}`.
pub(super) fn develop(at: &Cursor<'_>, around: &Surroundings<'_>) -> Option<Vec<WatchRule>> {
    let mut fields = at.fields("a map with `watch`")?;
    let watch = fields.get("watch");
    if watch.is_none() {
        fields.missing("watch", "write `watch: [{path: src, action: restart}]`", &[]);
    }
    fields.finish(&[]);
    let watch = watch?;
    let items = watch.items("a list of maps with `path`")?;
    if items.len() > MAX_RULES {
        return watch.expected(&format!("at most {MAX_RULES} rules"), "name a folder above them");
    }
    Some(items.iter().filter_map(|item| rule(item, around)).collect())
}

fn rule(at: &Cursor<'_>, around: &Surroundings<'_>) -> Option<WatchRule> {
    let mut fields = at.fields("a map with `path`")?;
    let path = fields.get("path");
    if path.is_none() {
        fields.missing("path", "write `path: src`", &[]);
    }
    if let Some(at) = fields.get("action") {
        action(&at);
    }
    let rule = WatchRule {
        path: path.and_then(|at| read::path(&at, around)).unwrap_or_default(),
        ignore: fields.read("ignore", patterns).unwrap_or_default(),
        include: fields.read("include", patterns).unwrap_or_default(),
        debounce: fields.read("debounce", debounce).unwrap_or(DEBOUNCE),
    };
    fields.finish(&[
        ("target", "files are not copied here; remove it"),
        ("initial_sync", "files are not copied here; remove it"),
        ("exec", "write a `post_start` hook beside `develop`"),
    ]);
    Some(rule)
}

fn action(at: &Cursor<'_>) {
    match at.scalar() {
        Some("restart") => {}
        Some(word) if OTHER_ACTIONS.contains(&word) => {
            let advice = "the files are the process's own here, nothing is copied or built";
            at.expected::<()>("`restart`", advice);
        }
        _ => drop(at.expected::<()>("`restart`", "")),
    }
}

fn debounce(at: &Cursor<'_>) -> Option<Duration> {
    let debounce = read::duration(at)?;
    if debounce > MOST_DEBOUNCE {
        return at.expected("at most `1m`", "changes that go on for longer would never be seen");
    }
    Some(debounce)
}

fn patterns(at: &Cursor<'_>) -> Option<Vec<String>> {
    let items = at.one_or_many("a pattern or a list of patterns")?;
    if items.len() > MAX_PATTERNS {
        return at.expected(&format!("at most {MAX_PATTERNS} patterns"), "use `**/`");
    }
    Some(items.iter().filter_map(|item| item.text("a pattern").map(str::to_owned)).collect())
}
