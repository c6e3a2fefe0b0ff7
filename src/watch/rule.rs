//! Which changes count: pure.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::plan::WatchRule;
use crate::units::ProcessIx;

/// What Compose ignores as well: the version control's own files, and what editors write beside a
/// file while they save it.
const NEVER: [&str; 8] = [
    "**/.git",
    "**/*~",
    "**/*.swp",
    "**/*.swx",
    "**/.#*",
    "**/4913",
    "**/*___jb_tmp___",
    "**/.DS_Store",
];

/// A rule of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    /// Who is restarted.
    pub(super) process: ProcessIx,
    /// A file, or a folder with everything below it.
    pub(super) path: PathBuf,
    /// How long changes must have come to rest.
    pub(super) debounce: Duration,
    ignore: Vec<String>,
    include: Vec<String>,
}

impl Rule {
    /// The rule of a plan.
    pub(super) fn new(process: ProcessIx, rule: &WatchRule) -> Self {
        let ignore = NEVER.iter().map(|text| (*text).to_owned());
        Self {
            process,
            path: rule.path.clone(),
            debounce: rule.debounce,
            ignore: ignore.chain(rule.ignore.iter().map(|text| anywhere(text))).collect(),
            include: rule.include.iter().map(|text| anywhere(text)).collect(),
        }
    }

    /// Whether a folder below the path is not even looked into.
    pub(super) fn ignores(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.path) else { return true };
        self.is_ignored(below)
    }

    /// Whether the change of this path counts.
    pub(super) fn counts(&self, path: &Path) -> bool {
        if path == self.path {
            return true;
        }
        let Ok(below) = path.strip_prefix(&self.path) else { return false };
        !self.is_ignored(below) && (self.include.is_empty() || matches_any(&self.include, below))
    }

    /// A path is ignored with every folder that it lies in.
    fn is_ignored(&self, below: &Path) -> bool {
        let nonempty = |path: &&Path| !path.as_os_str().is_empty();
        below.ancestors().filter(nonempty).any(|part| matches_any(&self.ignore, part))
    }
}

/// A pattern without a slash inside means a name at any depth, as in `.gitignore`; one with a slash
/// is relative to the rule's path.
fn anywhere(pattern: &str) -> String {
    let pattern = pattern.trim_end_matches('/');
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    match pattern.strip_prefix('/') {
        Some(rooted) => rooted.to_owned(),
        None if pattern.contains('/') => pattern.to_owned(),
        None => format!("**/{pattern}"),
    }
}

fn matches_any(patterns: &[String], path: &Path) -> bool {
    let path = path.as_os_str().as_encoded_bytes();
    patterns.iter().any(|pattern| fast_glob::glob_match(pattern, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(ignore: &[&str], include: &[&str]) -> Rule {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let rule = WatchRule {
            path: "/app".into(),
            ignore: texts(ignore),
            include: texts(include),
            debounce: Duration::ZERO,
        };
        Rule::new(ProcessIx(0), &rule)
    }

    fn counted<'a>(rule: &Rule, paths: &[&'a str]) -> Vec<&'a str> {
        paths.iter().copied().filter(|path| rule.counts(Path::new(path))).collect()
    }

    #[test]
    fn names_are_ignored_at_any_depth_and_paths_where_they_are() {
        let rule = rule(&["node_modules/", "*.pyc", "docs/build", "/tmp"], &[]);
        let paths = [
            "/app/main.py",
            "/app/main.pyc",
            "/app/a/b/main.pyc",
            "/app/node_modules/x/y.js",
            "/app/a/node_modules/y.js",
            "/app/docs/build/index.html",
            "/app/a/docs/build/index.html",
            "/app/tmp/x",
            "/app/a/tmp/x",
            "/elsewhere/main.py",
        ];
        let want = ["/app/main.py", "/app/a/docs/build/index.html", "/app/a/tmp/x"];
        assert_eq!(counted(&rule, &paths), want);
    }

    #[test]
    fn what_editors_and_git_write_never_counts() {
        let paths = ["/app/.git/index", "/app/x.py~", "/app/.x.py.swp", "/app/a/4913", "/app/x.py"];
        assert_eq!(counted(&rule(&[], &[]), &paths), ["/app/x.py"]);
    }

    #[test]
    fn includes_are_all_that_counts() {
        let rule = rule(&["gen/"], &["*.rs", "/Cargo.toml"]);
        let paths =
            ["/app/a/x.rs", "/app/Cargo.toml", "/app/a/Cargo.toml", "/app/gen/y.rs", "/app/z"];
        assert_eq!(counted(&rule, &paths), ["/app/a/x.rs", "/app/Cargo.toml"]);
        assert!(rule.ignores(Path::new("/app/gen")) && !rule.ignores(Path::new("/app/a")));
    }
}
