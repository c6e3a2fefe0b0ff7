//! Where the password is: in the plan, in a file that it names, or where libpq looks for it:
//! <https://www.postgresql.org/docs/current/libpq-pgpass.html>.
//!
//! Looked for at each connection, so that a password that was changed is noticed.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::fault::Fault;
use crate::config::plan::{Password, PostgresHost, PostgresPlan};

/// The longest file that is read.
const LONGEST: u64 = 64 << 10;

/// The password to connect with, if there is one anywhere.
pub fn find(plan: &PostgresPlan) -> Result<Option<Password>, Fault> {
    if let Some(password) = &plan.password {
        return Ok(Some(password.clone()));
    }
    if let Some(path) = &plan.password_file {
        return of_file(path).map(Some);
    }
    if let Some(password) = variable("PGPASSWORD") {
        return Ok(Some(Password::new(password)));
    }
    let usual = || variable("HOME").map(|home| Path::new(&home).join(".pgpass"));
    let file = variable("PGPASSFILE").map(PathBuf::from).or_else(usual);
    Ok(file.and_then(|path| of_pgpass(&path, plan)))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// A file that holds nothing else; the line end that ends it is not of the password.
fn of_file(path: &Path) -> Result<Password, Fault> {
    let trouble = |why: String| Fault::File(format!("the password file {}: {why}", path.display()));
    let text = read(path).map_err(|error| trouble(error.to_string()))?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(trouble("it is empty".into()));
    }
    Ok(Password::new(text))
}

/// The first line that fits. As with libpq, a file that others may read is not used, and one that
/// is not there says nothing.
fn of_pgpass(path: &Path, plan: &PostgresPlan) -> Option<Password> {
    let mode = fs::metadata(path).ok()?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(target: "store", path = %path.display(),
            "a password file that others may read is not used; set its mode to 600");
        return None;
    }
    let text = read(path).ok()?;
    text.lines().find_map(|line| fitting(line, plan)).map(Password::new)
}

/// The password of a line `host:port:database:user:password` that is about the plan.
fn fitting(line: &str, plan: &PostgresPlan) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let fields = fields(line);
    let [host, port, database, user, password] = fields.as_slice() else { return None };
    let hosts = match &plan.host {
        PostgresHost::Name(name) => vec![name.clone()],
        PostgresHost::Address(address) => vec![address.to_string()],
        PostgresHost::Socket(folder) => {
            vec![folder.to_string_lossy().into_owned(), "localhost".to_owned()]
        }
    };
    let fits = |written: &String, value: &str| written == "*" || written == value;
    let here = hosts.iter().any(|known| fits(host, known))
        && fits(port, &plan.port.to_string())
        && fits(database, &plan.database)
        && fits(user, &plan.user);
    here.then(|| password.clone())
}

/// The fields between colons; a backslash takes the next character's meaning away. What follows the
/// fourth colon is all of the password.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            ':' if fields.len() < 5 => fields.push(String::new()),
            c => {
                let plain = if c == '\\' { rest.next().unwrap_or(c) } else { c };
                fields.last_mut().into_iter().for_each(|field| field.push(plain));
            }
        }
    }
    fields
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::postgres::parse;

    #[test]
    fn the_first_line_that_fits_counts() {
        let plan = parse("postgres://me@db.internal:6000/history").expect("a plan");
        for (line, password) in [
            ("db.internal:6000:history:me:one", Some("one")),
            ("*:*:*:*:t\\:w\\\\o:x", Some("t:w\\o:x")),
            ("db.internal:5432:*:*:no", None),
            ("other:*:*:*:no", None),
            ("#*:*:*:*:no", None),
            ("*:*:*:no", None),
            ("", None),
        ] {
            assert_eq!(fitting(line, &plan).as_deref(), password, "{line}");
        }
        let socket = parse("postgres://me@/history?host=/run/pg").expect("a plan");
        assert_eq!(fitting("localhost:*:*:*:one", &socket).as_deref(), Some("one"));
    }

    #[test]
    fn a_secret_file_is_read_without_its_line_end_and_explained_where_it_cannot_be() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("secret");
        let mut plan = parse("postgres://me@db").expect("a plan");
        plan.password_file = Some(path.clone());
        assert!(find(&plan).expect_err("not there").to_string().contains("secret: "));
        fs::write(&path, "\n").expect("written");
        assert!(find(&plan).expect_err("empty").to_string().contains("it is empty"));
        fs::write(&path, "pass word\r\n").expect("written");
        assert_eq!(find(&plan).expect("read"), Some(Password::new("pass word")));
    }

    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pgpass");
        fs::write(&path, "*:*:*:*:one\n").expect("written");
        let plan = parse("postgres://me@db").expect("a plan");
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode));
        mode(0o644).expect("set");
        assert_eq!(of_pgpass(&path, &plan), None);
        mode(0o600).expect("set");
        assert_eq!(of_pgpass(&path, &plan), Some(Password::new("one")));
    }
}
