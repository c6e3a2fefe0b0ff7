//! The URL of a PostgreSQL database, as libpq reads it:
//! <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>.
//!
//! What libpq knows and we do not is refused rather than passed over. No fault repeats a part of the
//! URL that could be its password.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::plan::{Password, PostgresHost, PostgresPlan, Roots, Tls};
use super::problem::nearest;

/// The port that PostgreSQL is registered for.
const PORT: u16 = 5432;

/// The longest name that PostgreSQL knows (`NAMEDATALEN` less one), in bytes: it cuts longer ones.
const LONGEST_NAME: usize = 63;

/// The parameters that are understood.
const PARAMETERS: [&str; 8] =
    ["connect_timeout", "dbname", "host", "password", "port", "sslmode", "sslrootcert", "user"];

/// What is wrong with a URL, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlFault {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub advice: String,
}

/// Whether a text is meant as the URL of a PostgreSQL database.
pub fn is_url(text: &str) -> bool {
    scheme(text).is_some()
}

/// Reads the URL of a database.
pub fn parse(url: &str) -> Result<PostgresPlan, UrlFault> {
    let rest = scheme(url).ok_or_else(|| {
        fault("expected `postgres://USER@HOST:PORT/DATABASE`", "begin with `postgres://`")
    })?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let mut parts = Parts::default();
    parts.login(login)?;
    parts.place(place)?;
    parts.set("dbname", path)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        parts.set(key, value)?;
    }
    parts.plan()
}

fn scheme(text: &str) -> Option<&str> {
    text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))
}

fn fault(message: impl Into<String>, advice: impl Into<String>) -> UrlFault {
    UrlFault { message: message.into(), advice: advice.into() }
}

/// What was read so far.
#[derive(Default)]
struct Parts {
    user: Option<String>,
    password: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    database: Option<String>,
    tls: Option<Tls>,
    roots: Option<PathBuf>,
    connect_timeout: Option<Duration>,
}

impl Parts {
    fn login(&mut self, login: &str) -> Result<(), UrlFault> {
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        self.set("user", user)?;
        self.set("password", password)
    }

    fn place(&mut self, place: &str) -> Result<(), UrlFault> {
        if place.contains(',') {
            return Err(fault("several hosts are named", "name one: a proxy can stand for many"));
        }
        if let Some(rest) = place.strip_prefix('[') {
            let (host, port) = rest
                .split_once(']')
                .ok_or_else(|| fault("the IPv6 address has no end", "write it as `[::1]:5432`"))?;
            self.set("host", host)?;
            return self.set("port", port.strip_prefix(':').unwrap_or(port));
        }
        let (host, port) = place.rsplit_once(':').unwrap_or((place, ""));
        self.set("host", host)?;
        self.set("port", port)
    }

    /// Takes one part in; an empty one says nothing.
    fn set(&mut self, key: &str, written: &str) -> Result<(), UrlFault> {
        let value = decoded(written).ok_or_else(|| {
            fault(
                format!("the {key} is not encoded as a URL is"),
                "write `%25` for a percent sign, and `%XX` for other special characters",
            )
        })?;
        if !PARAMETERS.contains(&key) {
            return Err(unknown(key));
        }
        if value.is_empty() {
            return Ok(());
        }
        match key {
            "user" => self.user = Some(name("user", value)?),
            "dbname" => self.database = Some(name("database", value)?),
            "password" => self.password = Some(value),
            "host" => self.host = Some(value),
            "port" => self.port = Some(port(&value)?),
            "sslmode" => self.tls = Some(tls(&value)?),
            "sslrootcert" => self.roots = Some(value.into()),
            _ => self.connect_timeout = Some(seconds(&value)?),
        }
        Ok(())
    }

    fn plan(self) -> Result<PostgresPlan, UrlFault> {
        let host = self.host.as_deref().map(host).transpose()?;
        let host = host
            .ok_or_else(|| fault("the host is missing", "write `postgres://USER@HOST/DATABASE`"))?;
        let user = self
            .user
            .ok_or_else(|| fault("the user is missing", "write `postgres://USER@HOST/DATABASE`"))?;
        let roots = match self.roots {
            Some(path) if path.as_os_str() != "system" => Roots::File(path),
            _ => Roots::System,
        };
        Ok(PostgresPlan {
            host,
            port: self.port.unwrap_or(PORT),
            // As libpq does.
            database: self.database.unwrap_or_else(|| user.clone()),
            user,
            password: self.password.map(Password::new),
            password_file: None,
            tls: self.tls.unwrap_or(Tls::Prefer),
            roots,
            connect_timeout: self.connect_timeout.unwrap_or(PostgresPlan::CONNECT_TIMEOUT),
        })
    }
}

fn unknown(key: &str) -> UrlFault {
    let plain = key.len() < 40 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let named = if plain { format!("the parameter `{key}`") } else { "a parameter".to_owned() };
    let advice = match nearest(key, PARAMETERS) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", PARAMETERS.join(", ")),
    };
    fault(format!("{named} is not known here"), advice)
}

fn name(what: &str, value: String) -> Result<String, UrlFault> {
    if value.len() > LONGEST_NAME || value.contains('\0') {
        let message = format!("the name of the {what} is longer than {LONGEST_NAME} bytes");
        return Err(fault(message, "PostgreSQL knows no such name"));
    }
    Ok(value)
}

fn host(value: &str) -> Result<PostgresHost, UrlFault> {
    if value.starts_with('/') {
        return Ok(PostgresHost::Socket(value.into()));
    }
    if let Ok(address) = value.parse::<IpAddr>() {
        return Ok(PostgresHost::Address(address));
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let name = value.strip_suffix('.').unwrap_or(value);
    if value.len() > 253 || !name.split('.').all(label) {
        return Err(fault(
            "the host is neither a name nor an address",
            "write a name, an address, or the folder of a socket with `%2F` for each slash",
        ));
    }
    Ok(PostgresHost::Name(value.to_owned()))
}

fn port(value: &str) -> Result<u16, UrlFault> {
    let port = value.parse().ok().filter(|port| *port > 0);
    port.ok_or_else(|| {
        fault(
            "the port is not a number from 1 to 65535",
            "a `:`, `/`, `@` or `?` in a password is written `%3A`, `%2F`, `%40`, `%3F`",
        )
    })
}

fn tls(value: &str) -> Result<Tls, UrlFault> {
    let known = Tls::ALL.into_iter().find(|(name, _)| *name == value).map(|(_, mode)| mode);
    known.ok_or_else(|| {
        let names = Tls::ALL.map(|(name, _)| name);
        let advice = match (value, nearest(value, names)) {
            ("allow", _) => "write `prefer`".to_owned(),
            (_, Some(near)) => format!("did you mean `{near}`?"),
            (_, None) => format!("write one of {}", names.join(", ")),
        };
        fault("the sslmode is not known", advice)
    })
}

fn seconds(value: &str) -> Result<Duration, UrlFault> {
    let seconds = value.parse().ok().filter(|seconds| (1..=300).contains(seconds));
    seconds.map(Duration::from_secs).ok_or_else(|| {
        fault("the connect_timeout is not a number from 1 to 300", "it is in seconds: write `10`")
    })
}

/// The text that a part of a URL stands for; `None` where it is not encoded well.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(url: &str) -> PostgresPlan {
        parse(url).unwrap_or_else(|fault| panic!("{url}: {fault:?}"))
    }

    #[test]
    fn what_is_not_written_is_as_libpq_has_it() {
        let plan = plan("postgres://app@db.internal");
        assert_eq!(plan.host, PostgresHost::Name("db.internal".into()));
        assert_eq!((plan.port, plan.user.as_str(), plan.database.as_str()), (5432, "app", "app"));
        assert_eq!((plan.tls, plan.roots, plan.password), (Tls::Prefer, Roots::System, None));
    }

    #[test]
    fn every_part_is_read_and_decoded() {
        let url = "postgresql://a%40b:p%2Fw%3A@[::1]:6000/hi%20story?sslmode=verify-full\
                   &sslrootcert=/etc/ca.pem&connect_timeout=3";
        let plan = plan(url);
        assert_eq!(plan.host, PostgresHost::Address("::1".parse().expect("an address")));
        assert_eq!((plan.port, plan.user.as_str()), (6000, "a@b"));
        assert_eq!(plan.password, Some(Password::new("p/w:")));
        assert_eq!((plan.database.as_str(), plan.tls), ("hi story", Tls::VerifyFull));
        assert_eq!(plan.roots, Roots::File("/etc/ca.pem".into()));
        assert_eq!(plan.connect_timeout, Duration::from_secs(3));
    }

    #[test]
    fn a_socket_is_named_by_its_folder() {
        for url in ["postgres://a@%2Frun%2Fpg:6000/h", "postgres://a@/h?host=/run/pg&port=6000"] {
            let plan = plan(url);
            assert_eq!(plan.host, PostgresHost::Socket("/run/pg".into()));
            assert_eq!((plan.port, plan.database.as_str()), (6000, "h"));
        }
    }

    #[test]
    fn what_is_shown_leads_to_the_same_place_without_the_password() {
        for url in [
            "postgres://a%40b:hidden@[::1]:6000/hi%20story?sslmode=verify-ca&sslrootcert=/a%26b",
            "postgres://a:hidden@%2Frun%2Fpg/h",
            "postgres://a:hidden@10.0.0.1/h?sslmode=disable&connect_timeout=300",
        ] {
            let plan = plan(url);
            let shown = plan.to_string();
            assert!(!shown.contains("hidden") && !format!("{plan:?}").contains("hidden"));
            assert_eq!(parse(&shown), Ok(PostgresPlan { password: None, ..plan }), "{shown}");
        }
    }

    #[test]
    fn a_wrong_url_is_explained_without_its_password() {
        for (url, part) in [
            ("mysql://a@h/d", "begin with `postgres://`"),
            ("postgres://host/d", "user is missing"),
            ("postgres://a:hidden@/d", "host is missing"),
            ("postgres://a:hidden@h:0/d", "number from 1 to 65535"),
            ("postgres://a:hid/den@h/d", "written `%3A`"),
            ("postgres://a:hidden@h,i/d", "several hosts"),
            ("postgres://a:hidden%zz@h/d", "not encoded"),
            ("postgres://a:hidden@h/d?sslmode=verify-fool", "did you mean `verify-full`"),
            ("postgres://a:hidden@h/d?sslmode=allow", "write `prefer`"),
            ("postgres://a:hidden@h/d?sslmod=disable", "did you mean `sslmode`"),
            ("postgres://a:hidden@h/d?hidden=1&options=x", "is not known here"),
            ("postgres://a:hidden@h h/d", "neither a name"),
            ("postgres://a:hidden@[::1/d", "no end"),
            ("postgres://a:hidden@h/d?connect_timeout=0", "from 1 to 300"),
        ] {
            let fault = parse(url).expect_err(url);
            let text = format!("{}; {}", fault.message, fault.advice);
            assert!(text.contains(part), "{url}: {text}");
            assert!(!text.replace("`hidden`", "").contains("hidden"), "{text}");
        }
    }
}
