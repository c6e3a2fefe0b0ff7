//! What can go wrong with the history, judged, and in words that say what to do about it.

use std::fmt;
use std::io;

use rusqlite::ErrorCode;

use crate::ledger::store_figures::ErrorCategory;

/// Why something was not done.
#[derive(Debug)]
pub enum Fault {
    /// The database says so.
    Database(rusqlite::Error),
    /// The system says so, of the file or its folder.
    System(io::Error),
    /// The file can be opened, for reading only.
    ReadOnly,
    /// The file is sound and not one that we may write.
    NotOurs(String),
    /// A row contradicts the history that is kept.
    Contradiction(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl Fault {
    /// Whether the file itself is damaged.
    pub fn is_damage(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
    }

    /// Whether the rows are at fault rather than the disk, so that trying again cannot help.
    pub fn is_refusal(&self) -> bool {
        use ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
        match self {
            Self::Contradiction(_) => true,
            Self::Database(rusqlite::Error::ToSqlConversionFailure(_)) => true,
            _ => matches!(self.code(), Some(ConstraintViolation | TooBig | TypeMismatch)),
        }
    }

    /// What kind of trouble it is.
    pub fn category(&self) -> ErrorCategory {
        if self.is_refusal() {
            return ErrorCategory::Constraint;
        }
        if let Self::System(error) = self {
            return system_category(error.kind());
        }
        match (self, self.code()) {
            (Self::NotOurs(_), _) => ErrorCategory::Schema,
            (Self::ReadOnly, _) => ErrorCategory::Auth,
            (_, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => {
                ErrorCategory::Timeout
            }
            (_, Some(ErrorCode::DiskFull)) => ErrorCategory::DiskFull,
            (_, Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied)) => ErrorCategory::Auth,
            (_, Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure)) => {
                ErrorCategory::Unreachable
            }
            _ => ErrorCategory::Other,
        }
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Database(error) => error.sqlite_error_code(),
            _ => None,
        }
    }

    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::System(error) => return system_advice(error.kind()),
            Self::ReadOnly => return Some(CLOSED),
            Self::NotOurs(_) | Self::Contradiction(_) => return None,
            Self::Database(_) => {}
        }
        match self.code()? {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Some(BUSY),
            ErrorCode::DiskFull => Some(FULL),
            ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
                Some(CLOSED)
            }
            ErrorCode::SystemIoFailure => Some("its disk failed; the kernel's log says more"),
            _ => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => error.fmt(f)?,
            Self::System(error) => error.fmt(f)?,
            Self::ReadOnly => f.write_str("it can be read and not written")?,
            Self::NotOurs(text) | Self::Contradiction(text) => text.fmt(f)?,
        }
        self.advice().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

fn system_category(kind: io::ErrorKind) -> ErrorCategory {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, StorageFull};
    match kind {
        StorageFull => ErrorCategory::DiskFull,
        PermissionDenied | ReadOnlyFilesystem => ErrorCategory::Auth,
        _ => ErrorCategory::Unreachable,
    }
}

fn system_advice(kind: io::ErrorKind) -> Option<&'static str> {
    use io::ErrorKind::{
        AlreadyExists, NotADirectory, PermissionDenied, ReadOnlyFilesystem, StorageFull,
    };
    match kind {
        StorageFull => Some(FULL),
        PermissionDenied | ReadOnlyFilesystem => Some(CLOSED),
        NotADirectory | AlreadyExists => Some("a folder is needed where there is a file"),
        _ => None,
    }
}

const BUSY: &str = "another program has it open, perhaps a second procession: stop that one, or \
                    give this one a file of its own";
const FULL: &str = "free some space on its disk, and what waits is committed";
const CLOSED: &str = "see that the file and its folder may be written by our user, and that the \
                      disk is not mounted read-only";
