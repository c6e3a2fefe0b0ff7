//! The walls of the house, as tests. Each wall is a function from a file to complaints, lives
//! beside its tables below, and proves on a bad snippet that it stands.

mod habits;
mod packages;
mod rooms;
mod source;
mod tracked;

use std::path::{Path, PathBuf};
use std::process::Command;

use source::Source;

#[test]
fn files_that_think_do_not_touch_the_world() {
    assert_none(each(|source| rooms::touching(source, rooms::TOUCHES)));
}

#[test]
fn every_foreign_crate_stays_in_its_room() {
    assert_none(each(rooms::crates));
    assert_none(rooms::unplaced(&packages::dependencies(&metadata())));
}

#[test]
fn imports_go_downwards() {
    assert_none(each(rooms::arrows));
}

#[test]
fn no_file_holds_a_word_that_ends_pid_1() {
    assert_none(each(habits::words));
    assert_none(each(habits::unsafety));
    assert_none(each(habits::panics));
}

#[test]
fn every_file_is_named_introduced_and_short() {
    assert_none(each(habits::introduction));
    assert_none(each(habits::climbing));
    assert_none(each(habits::lengths));
    assert_none(sources().iter().flat_map(|source| habits::drawers(&source.path)).collect());
}

#[test]
fn no_row_outlives_its_reason() {
    let sources = sources();
    assert_none(habits::stale(&sources));
    if rooms::assembled(&sources) {
        assert_none(rooms::stale(&sources, rooms::TOUCHES));
        assert_none(rooms::vacant(&packages::dependencies(&metadata())));
    }
}

#[test]
fn no_tracked_file_names_a_path_of_one_machine() {
    let text = |path: &PathBuf| std::fs::read(root().join(path)).ok();
    let complaints = tracked().into_iter().filter_map(|path| {
        let text = String::from_utf8(text(&path)?).ok()?;
        Some(tracked::machine_paths(&path.to_string_lossy(), &text))
    });
    assert_none(complaints.flatten().collect());
}

#[test]
fn every_dependency_is_allowed() {
    let metadata = metadata();
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml is readable");
    let policy = packages::Policy::read(&text);
    assert!(!policy.allow.is_empty() && !policy.deny.is_empty(), "deny.toml was not understood");
    assert_none(packages::licences(&metadata, &policy));
    assert_none(packages::bans(&metadata, &policy));
    assert_none(packages::features(&metadata));
}

fn assert_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// What one wall says of all sources.
fn each(wall: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    sources().iter().flat_map(wall).collect()
}

/// Every source of the package, read.
fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root().join("src"), &mut paths);
    paths.sort();
    assert!(paths.len() > 10, "the sources were not found");
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).expect("a source is readable");
        let name = path.strip_prefix(root()).expect("a source lies below the root");
        Source::read(&name.to_string_lossy(), &text).expect("a source is Rust")
    };
    let mut sources: Vec<Source> = paths.iter().map(read).collect();
    Source::mark_tests(&mut sources);
    sources
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources is readable") {
        let path = entry.expect("an entry is readable").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Every file under version control, and every new one that is not ignored.
fn tracked() -> Vec<PathBuf> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let listed = stdout(Command::new("git").args(list));
    let paths: Vec<_> = listed.split_terminator('\0').map(PathBuf::from).collect();
    assert!(paths.len() > 20, "git did not list the files");
    paths
}

/// The graph of packages as cargo resolves it for Linux, from what is there already.
fn metadata() -> serde_json::Value {
    let flags = ["metadata", "--format-version=1", "--locked", "--offline"];
    let target = "--filter-platform=x86_64-unknown-linux-gnu";
    let text = stdout(Command::new(env!("CARGO")).args(flags).arg(target));
    serde_json::from_str(&text).expect("cargo metadata prints JSON")
}

fn stdout(command: &mut Command) -> String {
    let output = command.current_dir(root()).output();
    let output = output.unwrap_or_else(|why| panic!("cannot run {command:?}: {why}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {error}");
    String::from_utf8(output.stdout).expect("the output is text")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
