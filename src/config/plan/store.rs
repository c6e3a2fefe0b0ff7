//! Where history is kept.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::secret::MASK;
use crate::units::Bytes;

/// Where history is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorePlan {
    /// For as long as we live.
    Memory,
    /// In an embedded SQLite file at this path.
    Sqlite(PathBuf),
    /// In a database that a fleet shares.
    Postgres(Box<PostgresPlan>),
}

impl StorePlan {
    /// How large the spool is where nothing is written.
    pub const SPOOL: Bytes = Bytes::mib(16);
    /// How much is kept of what each command beside the plan wrote, where nothing is written.
    pub const OUTPUT: Bytes = Bytes(64 << 10);
}

/// A PostgreSQL database and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresPlan {
    /// Where the server listens.
    pub host: PostgresHost,
    /// Its TCP port, or the number of its socket.
    pub port: u16,
    /// The role that history is written as.
    pub user: String,
    /// The password from the URL.
    pub password: Option<Password>,
    /// A file whose content, without the line end that ends it, is the password. It is read at each
    /// connection, so that a secret that was rotated is noticed.
    pub password_file: Option<PathBuf>,
    /// The database.
    pub database: String,
    /// How much of TLS is asked for.
    pub tls: Tls,
    /// Who may vouch for the server.
    pub roots: Roots,
    /// How long connecting may take, the look-up of the name included.
    pub connect_timeout: Duration,
}

impl PostgresPlan {
    /// How long connecting may take where nothing is written.
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostgresHost {
    /// Behind a name that is looked up at each connection.
    Name(String),
    /// At an address.
    Address(IpAddr),
    /// At a socket in this folder.
    Socket(PathBuf),
}

/// How much of TLS is asked for, in libpq's words: <https://www.postgresql.org/docs/current/libpq-ssl.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// None, even if the server offers it.
    Disable,
    /// Where the server offers it; nobody has to vouch for the server.
    Prefer,
    /// Always; nobody has to vouch for the server, unless roots are named.
    Require,
    /// Always, with a certificate that the roots vouch for.
    VerifyCa,
    /// Always, with a certificate that the roots vouch for and that names the host.
    VerifyFull,
}

impl Tls {
    /// Every mode with its name in a URL.
    pub const ALL: [(&str, Self); 5] = [
        ("disable", Self::Disable),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    /// Its name in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// Who may vouch for a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// The certificates of the system: in an image, those of its `ca-certificates`.
    System,
    /// Those of this PEM file.
    File(PathBuf),
}

/// A secret that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// Keeps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whoever has to prove that it is known.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

/// The URL that leads to the database, without its password.
impl fmt::Display for PostgresPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@", encoded(&self.user))?;
        match &self.host {
            PostgresHost::Name(name) => f.write_str(name)?,
            PostgresHost::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            PostgresHost::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            PostgresHost::Socket(folder) => f.write_str(&encoded(&folder.to_string_lossy()))?,
        }
        write!(f, ":{}/{}?sslmode={}", self.port, encoded(&self.database), self.tls.as_str())?;
        if let Roots::File(path) = &self.roots {
            write!(f, "&sslrootcert={}", encoded(&path.to_string_lossy()))?;
        }
        if self.connect_timeout != Self::CONNECT_TIMEOUT {
            write!(f, "&connect_timeout={}", self.connect_timeout.as_secs())?;
        }
        Ok(())
    }
}

/// What means something else in a URL as `%2F`.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}
