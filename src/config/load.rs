//! From the path of a configuration to its plan. The one file of this room that touches the world:
//! it reads files, the environment and our own uid, and hands them to what thinks.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::beside::{self, Asked};
use super::environment::unreadable;
use super::file::{self, Loaded};
use super::plan::ProcessPlan;
use super::problem::{Problem, Problems};
use super::surroundings::{ReadError, Surroundings, default_state_dir};
use super::tree::MAX_TEXT;

/// Reads the configuration at `path` and all files that it names. Nothing is written and nothing
/// is started.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    let name = path.display().to_string();
    let text = read_text(path).map_err(|error| Problems::from(unreadable(&name, &error)))?;
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let around = Surroundings {
        file: &name,
        folder: absolute.parent().unwrap_or(&absolute),
        uid: own_uid(),
        vars: &variable,
        read: &read_text,
        bytes: &read_bytes,
    };
    file::read(&text, &around)
}

/// The same for a file that was read before. A named pipe is read only once: whoever opens it waits
/// until somebody writes into it again, maybe for ever.
///
/// # Errors
///
/// Every fault in the file, and that it is such a pipe.
pub fn load_anew(path: &Path) -> Result<Loaded, Problems> {
    if is_named_pipe(path) {
        let (name, message) =
            (path.display().to_string(), "this is a named pipe, which is read once");
        return Err(Problem::of_file(&name, message.into(), "put a file there").into());
    }
    load(path)
}

/// Those of `/dev/stdin` and `<(…)` have no path of their own, and end when nobody writes any more.
fn is_named_pipe(path: &Path) -> bool {
    let found = path.canonicalize().and_then(std::fs::metadata);
    found.is_ok_and(|found| found.file_type().is_fifo())
}

/// A command beside the plan, of which this is asked; see [`beside::read`].
///
/// # Errors
///
/// Every fault in what is asked.
pub fn beside(asked: &Asked, usual: ProcessPlan) -> Result<ProcessPlan, Vec<String>> {
    let around = Surroundings {
        file: "spawn",
        folder: Path::new("/"),
        uid: own_uid(),
        vars: &variable,
        read: &read_text,
        bytes: &read_bytes,
    };
    beside::read(asked, usual, &around)
}

/// Where the run file is kept when there is no configuration.
pub fn state_dir() -> PathBuf {
    default_state_dir(own_uid(), &variable)
}

/// A variable of ours. One that is not UTF-8 cannot be put into a text, so it counts as not set.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The user that we run as, by the owner of our own folder in /proc. Without /proc we are careful
/// and count as nobody special.
fn own_uid() -> u32 {
    std::fs::metadata("/proc/self").map_or(u32::MAX, |folder| folder.uid())
}

/// The text of a file that is no larger than a configuration can be. Pipes are read too, for
/// `-c <(…)`.
fn read_text(path: &Path) -> Result<String, ReadError> {
    String::from_utf8(read_bytes(path)?).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        ReadError::NotText(1 + good.iter().filter(|byte| **byte == b'\n').count())
    })
}

/// The same, whatever is in it.
fn read_bytes(path: &Path) -> Result<Vec<u8>, ReadError> {
    let mut bytes = vec![];
    let file = File::open(path).map_err(|error| read_error(&error))?;
    let limit = MAX_TEXT as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(|error| read_error(&error))?;
    if bytes.len() > MAX_TEXT {
        return Err(ReadError::TooLarge);
    }
    Ok(bytes)
}

fn read_error(error: &std::io::Error) -> ReadError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => ReadError::Missing,
        ErrorKind::IsADirectory => ReadError::Folder,
        ErrorKind::PermissionDenied => ReadError::Denied,
        _ => ReadError::Other(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::plan::StorePlan;

    /// What is said about `config.yaml` in a folder that `prepare` fills.
    fn said(prepare: impl FnOnce(&Path)) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        prepare(folder.path());
        let problems = load(&folder.path().join("config.yaml")).expect_err("problems");
        problems.to_string().replace(&format!("{}/", folder.path().display()), "")
    }

    #[test]
    fn what_cannot_be_read_is_told_apart() {
        let missing = said(|_| {});
        assert_eq!(missing, "config.yaml: there is no such file; check the path");
        let folder = said(|at| fs::create_dir(at.join("config.yaml")).expect("a folder"));
        assert_eq!(folder, "config.yaml: this is a folder; name a file in it");
        let binary = said(|at| fs::write(at.join("config.yaml"), b"a\nb\xff").expect("a file"));
        assert_eq!(binary, "config.yaml: it is not UTF-8 text (line 2); save it as UTF-8");
        let large = "#".repeat(MAX_TEXT + 1);
        let large = said(|at| fs::write(at.join("config.yaml"), large).expect("a file"));
        assert_eq!(large, "config.yaml: it is larger than 1 MiB; check that it is the right file");
    }

    #[test]
    fn a_file_without_permission_is_named_as_such() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.yaml");
        fs::write(&path, "processes: {}").expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("a mode");
        // Root may read everything, so there only the translation can be seen.
        let error = match File::open(&path) {
            Err(error) => read_error(&error),
            Ok(_) => read_error(&std::io::Error::from(ErrorKind::PermissionDenied)),
        };
        assert_eq!(error, ReadError::Denied);
    }

    #[test]
    fn paths_start_in_the_folder_of_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "processes: {web: {command: a, working_dir: web, env_file: .env}}\nstore: {sqlite: h.db}";
        fs::write(folder.path().join("config.yaml"), text).expect("a file");
        fs::write(folder.path().join(".env"), "A='b c' # d\n").expect("a file");
        let plan = load(&folder.path().join("config.yaml")).expect("a plan").plan;
        assert_eq!(plan.processes[0].environment, [("A".to_owned(), "b c".to_owned())]);
        assert_eq!(plan.processes[0].working_dir, Some(folder.path().join("web")));
        assert_eq!(plan.store, StorePlan::Sqlite(folder.path().join("h.db")));
    }

    #[test]
    fn our_own_uid_is_known() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        assert_eq!(own_uid(), file.as_file().metadata().expect("metadata").uid());
    }
}
