//! What can go wrong with a shared history, judged, and in words that say what to do about it.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::time::Duration;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::ledger::store_figures::ErrorCategory;
use crate::names::lookup::LookupError;

/// Why something was not done.
#[derive(Debug)]
pub enum Fault {
    /// The server or the way to it says so.
    Server(Error),
    /// No connection could be made.
    Connect(io::Error),
    /// The host's name leads nowhere.
    Name(LookupError),
    /// It took longer than this.
    Late(Duration),
    /// A file that the plan names is not what it should be.
    File(String),
    /// The database is there and not one that we may write.
    NotOurs(String),
    /// A row contradicts the history that is kept.
    Contradiction(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

impl From<LookupError> for Fault {
    fn from(error: LookupError) -> Self {
        Self::Name(error)
    }
}

impl Fault {
    /// What kind of trouble it is.
    pub fn category(&self) -> ErrorCategory {
        match self {
            Self::Server(error) => match error.code() {
                Some(code) => of_code(code.code()),
                None if is_about_tls(error) || is_about_the_password(error) => ErrorCategory::Auth,
                None => ErrorCategory::Unreachable,
            },
            Self::Connect(_) | Self::Name(_) => ErrorCategory::Unreachable,
            Self::Late(_) => ErrorCategory::Timeout,
            Self::File(_) => ErrorCategory::Auth,
            Self::NotOurs(_) => ErrorCategory::Schema,
            Self::Contradiction(_) => ErrorCategory::Constraint,
        }
    }

    /// Whether the rows are at fault rather than the server, so that trying again cannot help.
    pub fn is_refusal(&self) -> bool {
        self.category() == ErrorCategory::Constraint
    }

    /// Whether the connection may have been lost before anything was asked: a server that was
    /// restarted is noticed only by the next question.
    pub fn is_loss(&self) -> bool {
        match self {
            // 57P01 to 57P03: the server is told to stop, crashed, or starts.
            Self::Server(error) => error.code().map_or_else(
                || error.is_closed() || io_of(error).is_some(),
                |code| code.code().starts_with("57P"),
            ),
            _ => false,
        }
    }

    /// Whether the connection can be used on: the server said what is wrong, and goes on.
    pub fn spares_the_connection(&self) -> bool {
        match self {
            Self::Contradiction(_) | Self::NotOurs(_) => true,
            Self::Server(error) => error.code().is_some() && !self.is_loss(),
            _ => false,
        }
    }

    fn advice(&self) -> Option<&'static str> {
        let Self::Server(error) = self else { return None };
        let Some(code) = error.code() else {
            return is_about_the_password(error).then_some(PASSWORD);
        };
        Some(match *code {
            SqlState::INVALID_PASSWORD => PASSWORD,
            SqlState::INVALID_CATALOG_NAME => "create it, or correct the name in the URL",
            SqlState::TOO_MANY_CONNECTIONS => FULL,
            SqlState::READ_ONLY_SQL_TRANSACTION => {
                "name the primary server, not one that follows it"
            }
            SqlState::INSUFFICIENT_PRIVILEGE => "let the user create and write tables there",
            SqlState::DISK_FULL => "free some space on its disk, and what waits is committed",
            SqlState::DUPLICATE_TABLE => {
                "other tables have these names: give the history a database of its own"
            }
            SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_COLUMN => {
                "somebody changed the tables: give the history a database of its own"
            }
            SqlState::QUERY_CANCELED => "it is slow, or somebody holds a lock there",
            _ => return None,
        })
    }
}

/// By the class of an SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_code(code: &str) -> ErrorCategory {
    match code {
        "42501" | "25006" => return ErrorCategory::Auth,
        "53100" => return ErrorCategory::DiskFull,
        "57014" | "55P03" | "25P03" => return ErrorCategory::Timeout,
        "3D000" | "3F000" => return ErrorCategory::Schema,
        _ => {}
    }
    match code.get(..2).unwrap_or_default() {
        "08" | "53" | "57" => ErrorCategory::Unreachable,
        "28" => ErrorCategory::Auth,
        "22" | "23" => ErrorCategory::Constraint,
        "42" => ErrorCategory::Schema,
        _ => ErrorCategory::Other,
    }
}

/// Everything that an error was caused by.
fn causes(error: &Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let mut next = error.source();
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
}

fn io_of(error: &Error) -> Option<&io::Error> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

fn is_about_tls(error: &Error) -> bool {
    let of_rustls =
        |cause: &io::Error| cause.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
    io_of(error).is_some_and(of_rustls) || error.to_string().contains("TLS")
}

fn is_about_the_password(error: &Error) -> bool {
    causes(error).any(|cause| cause.to_string().contains("password missing"))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The detail is left out: it can repeat whole rows.
            Self::Server(error) => match error.as_db_error() {
                Some(said) => f.write_str(said.message())?,
                None => {
                    write!(f, "{error}")?;
                    if let Some(cause) = causes(error).last() {
                        write!(f, ": {cause}")?;
                    }
                }
            },
            Self::Connect(error) => error.fmt(f)?,
            Self::Name(error) => error.fmt(f)?,
            Self::Late(patience) => write!(f, "it took longer than {} s", patience.as_secs())?,
            Self::File(text) | Self::NotOurs(text) | Self::Contradiction(text) => text.fmt(f)?,
        }
        self.advice().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

const PASSWORD: &str = "name its file with `password_file`, or set PGPASSWORD";
const FULL: &str = "raise its max_connections, or put a pool before it: each procession holds one";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_counted_by_what_has_to_be_done() {
        use ErrorCategory::{Auth, Constraint, DiskFull, Other, Schema, Timeout, Unreachable};
        for (code, category) in [
            ("28P01", Auth),
            ("28000", Auth),
            ("42501", Auth),
            ("25006", Auth),
            ("3D000", Schema),
            ("42P01", Schema),
            ("42P07", Schema),
            ("53300", Unreachable),
            ("57P01", Unreachable),
            ("57P03", Unreachable),
            ("08006", Unreachable),
            ("53100", DiskFull),
            ("57014", Timeout),
            ("55P03", Timeout),
            ("23505", Constraint),
            ("22P05", Constraint),
            ("40001", Other),
            ("XX000", Other),
        ] {
            assert_eq!(of_code(code), category, "{code}");
        }
    }
}
