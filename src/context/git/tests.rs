//! Real checkouts, made by the real git, and indexes that no git made.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Component;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::*;

/// A directory with a repository in `here`, which has a file `a/one`, a file `two` and a link.
struct Repository {
    dir: TempDir,
}

impl Repository {
    fn new() -> Self {
        Self::formatted(&[])
    }

    fn formatted(format: &[&str]) -> Self {
        let this = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir_all(this.root().join("a")).unwrap();
        this.git(&[&["init", "-q", "-b", "feature/x"], format].concat());
        this.write("a/one", "1");
        this.write("two", "22");
        symlink("two", this.root().join("link")).unwrap();
        this
    }

    fn committed() -> Self {
        let this = Self::new();
        this.commit();
        this
    }

    fn commit(&self) {
        self.git(&["add", "."]);
        self.git(&["commit", "-q", "-m", "first"]);
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("here")
    }

    fn write(&self, path: &str, content: &str) {
        fs::write(self.root().join(path), content).unwrap();
    }

    fn git(&self, arguments: &[&str]) -> String {
        git_in(&self.root(), arguments)
    }

    fn head(&self) -> Option<String> {
        Some(self.git(&["rev-parse", "HEAD"]))
    }

    #[track_caller]
    fn check(&self, branch: Option<&str>, commit: Option<String>, dirty: Option<bool>) {
        let root = shown(&self.root());
        let expected = GitState { root, branch: branch.map(str::to_owned), commit, dirty };
        assert_eq!(state(&self.root()), Some(expected.clone()));
        assert_eq!(state(&self.root().join("a")), Some(expected));
    }

    #[track_caller]
    fn check_dirty(&self, dirty: bool) {
        self.check(Some("feature/x"), self.head(), Some(dirty));
    }
}

fn git_in(dir: &Path, arguments: &[&str]) -> String {
    let output = git(dir, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Runs git without what the machine's or the caller's settings would change.
fn git(dir: &Path, arguments: &[&str]) -> Output {
    let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"];
    Command::new("git")
        .args(identity)
        .args(["-c", "protocol.file.allow=always"])
        .args(arguments)
        .current_dir(dir)
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .unwrap()
}

/// A folder as it is told of.
fn shown(folder: &Path) -> Option<String> {
    Some(fs::canonicalize(folder).unwrap().to_string_lossy().into_owned())
}

#[test]
fn a_fresh_commit_is_clean() {
    Repository::committed().check_dirty(false);
}

#[test]
fn a_change_of_any_tracked_file_is_dirt_and_an_untracked_one_is_none() {
    let check = |change: fn(&Repository, PathBuf), dirty| {
        let repository = Repository::committed();
        change(&repository, repository.root());
        repository.check_dirty(dirty);
    };
    check(|repository, _| repository.write("a/one", "longer"), true);
    check(|_, root| fs::remove_file(root.join("two")).unwrap(), true);
    check(
        |_, root| {
            let changed = fs::File::options().write(true).open(root.join("two")).unwrap();
            changed.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        },
        true,
    );
    check(
        |repository, root| {
            let at = fs::metadata(root.join("two")).unwrap().modified().unwrap();
            repository.write("two", "longer");
            let changed = fs::File::options().write(true).open(root.join("two")).unwrap();
            changed.set_modified(at).unwrap();
        },
        true,
    );
    check(
        |_, root| {
            fs::remove_file(root.join("link")).unwrap();
            symlink("a/one", root.join("link")).unwrap();
        },
        true,
    );
    check(
        |_, root| {
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(root.join("two"), mode).unwrap();
        },
        true,
    );
    check(|repository, _| repository.write("a/new", "3"), false);
    check(
        |repository, _| {
            repository.write("new", "3");
            repository.git(&["add", "--intent-to-add", "new"]);
        },
        true,
    );
}

#[test]
fn what_git_was_told_not_to_look_at_is_no_dirt() {
    for flag in ["--assume-unchanged", "--skip-worktree"] {
        let repository = Repository::committed();
        repository.git(&["update-index", flag, "two"]);
        repository.write("two", "longer");
        repository.check_dirty(false);
    }
    let repository = Repository::committed();
    repository.git(&["config", "core.fileMode", "false"]);
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(repository.root().join("two"), mode).unwrap();
    repository.check_dirty(false);
}

#[test]
fn a_conflict_is_dirt() {
    let repository = Repository::committed();
    repository.git(&["checkout", "-q", "-b", "other"]);
    repository.write("two", "theirs");
    repository.git(&["commit", "-q", "-a", "-m", "theirs"]);
    repository.git(&["checkout", "-q", "feature/x"]);
    repository.write("two", "ours!!");
    repository.git(&["commit", "-q", "-a", "-m", "ours"]);
    let root = repository.root();
    let merge = git(&root, &["merge", "-q", "other"]);
    assert!(!merge.status.success());
    repository.check_dirty(true);
}

#[test]
fn a_repository_without_a_commit_has_a_branch_only() {
    let repository = Repository::new();
    repository.check(Some("feature/x"), None, Some(false));
    repository.git(&["add", "."]);
    repository.check(Some("feature/x"), None, Some(false));
}

#[test]
fn a_detached_head_has_no_branch() {
    let repository = Repository::committed();
    repository.git(&["checkout", "-q", "--detach"]);
    repository.check(None, repository.head(), Some(false));
}

#[test]
fn packed_references_are_found() {
    let repository = Repository::committed();
    repository.git(&["tag", "-a", "v1", "-m", "one"]);
    repository.git(&["pack-refs", "--all"]);
    assert!(!repository.root().join(".git/refs/heads/feature/x").exists());
    repository.check_dirty(false);
}

#[test]
fn every_version_and_hash_of_the_index_is_read() {
    for version in ["2", "3", "4"] {
        let repository = Repository::new();
        // So that the path behind it leaves more away than one byte can say.
        repository.write(&format!("a/{}", "p".repeat(200)), "long");
        repository.commit();
        repository.git(&["update-index", "--skip-worktree", "a/one"]);
        repository.git(&["update-index", "--index-version", version]);
        repository.check_dirty(false);
        repository.write("two", "longer");
        repository.check_dirty(true);
    }
    let repository = Repository::formatted(&["--object-format=sha256"]);
    repository.commit();
    repository.check_dirty(false);
}

#[test]
fn a_linked_checkout_has_its_own_branch_and_dirt() {
    let repository = Repository::committed();
    repository.git(&["worktree", "add", "-q", "-b", "side", "../there"]);
    repository.git(&["pack-refs", "--all"]);
    let there = repository.dir.path().join("there");
    let check = |dirty| {
        let branch = Some("side".to_owned());
        let root = shown(&there);
        let expected = GitState { root, branch, commit: repository.head(), dirty: Some(dirty) };
        assert_eq!(state(&there), Some(expected));
    };
    check(false);
    fs::write(there.join("two"), "longer").unwrap();
    check(true);
    repository.check_dirty(false);
}

#[test]
fn a_submodule_is_a_checkout_of_its_own() {
    let (inner, outer) = (Repository::committed(), Repository::committed());
    let source = inner.root().display().to_string();
    outer.git(&["submodule", "--quiet", "add", &source, "part"]);
    outer.git(&["commit", "-q", "-m", "part"]);
    outer.check_dirty(false);
    let part = state(&outer.root().join("part/a")).unwrap();
    assert_eq!((part.commit, part.dirty), (inner.head(), Some(false)));
}

#[test]
fn an_index_in_two_files_is_not_judged() {
    let repository = Repository::committed();
    repository.git(&["update-index", "--split-index"]);
    repository.check(Some("feature/x"), repository.head(), None);
}

#[test]
fn references_in_tables_are_not_read() {
    let repository = Repository::formatted(&["--ref-format=reftable"]);
    repository.commit();
    repository.check(None, None, Some(false));
}

#[test]
fn a_commit_without_an_index_is_not_judged() {
    let repository = Repository::committed();
    fs::remove_file(repository.root().join(".git/index")).unwrap();
    repository.check(Some("feature/x"), repository.head(), None);
}

#[test]
fn a_directory_outside_of_every_checkout_has_no_state() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(state(dir.path()), None);
    assert_eq!(state(&dir.path().join("gone")), None);
    fs::write(dir.path().join(".git"), "gitdir: nowhere\n").unwrap();
    assert_eq!(state(dir.path()), None);
}

#[test]
fn a_reference_that_leads_out_or_round_is_no_commit() {
    let repository = Repository::committed();
    let check = |head: &str, reference: &str| {
        repository.write(".git/HEAD", head);
        repository.write(".git/refs/heads/loop", reference);
        assert_eq!(state(&repository.root()).unwrap().commit, None);
    };
    check("ref: refs/heads/loop\n", "ref: refs/heads/loop\n");
    check("ref: refs/../../two\n", "");
    check("ref: /etc/hostname\n", "");
    check("nonsense\n", "");
}

#[test]
fn a_damaged_index_never_panics_and_never_looks_outside() {
    let mut random = fastrand::Rng::with_seed(3);
    for version in ["2", "3", "4"] {
        let repository = Repository::committed();
        repository.git(&["update-index", "--skip-worktree", "a/one"]);
        repository.git(&["update-index", "--index-version", version]);
        let index = fs::read(repository.root().join(".git/index")).unwrap();
        let mut refused = 0;
        for _ in 0..5_000 {
            let mut damaged = index.clone();
            for _ in 0..random.usize(1..8) {
                let at = random.usize(..damaged.len());
                damaged[at] = random.u8(..);
            }
            damaged.truncate(random.usize(damaged.len() / 2..=damaged.len()));
            let tracked = index::parse(&damaged, 20, TRACKED_MAX);
            refused += usize::from(tracked.is_none());
            for tracked in tracked.unwrap_or_default() {
                let path = Path::new(OsStr::from_bytes(&tracked.path));
                let inside = |part| matches!(part, Component::Normal(_));
                assert!(path.components().all(inside), "{path:?}");
            }
        }
        assert!(refused > 1_000, "{refused}");
    }
}
