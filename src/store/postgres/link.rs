//! One connection to the server, made ready to write.
//!
//! One is enough for a supervisor: a single thread writes, in order, and each transaction carries
//! whatever waited. What is sent is answered in order, so that all rows of a transaction are on their
//! way at once. A pool before the server has to pool sessions, since ours are told apart by locks.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::{Config, SslMode};
use tokio_postgres::tls::{NoTls, TlsConnect};
use tokio_postgres::{Client, Statement, Transaction};

use super::fault::Fault;
use super::tls::Encrypting;
use super::{lives, password, schema};
use crate::config::plan::{PostgresHost, PostgresPlan, Tls};
use crate::names::lookup::Resolver;
use crate::store::life::Identity;

/// What we call ourselves in `pg_stat_activity`.
const APPLICATION: &str = "procession";

/// From when a connection on which nothing happens is probed, and how long what was sent may stay
/// unanswered: a server that vanished is noticed within it.
const KEEPALIVE_IDLE: u32 = 60;
/// See [`KEEPALIVE_IDLE`]; in milliseconds.
const USER_TIMEOUT: u32 = 30_000;

/// What the server is asked to hold to. A commit is durable when it is acknowledged, whatever the
/// server's own settings are; where they ask for more than its disk, they stand.
const SETTINGS: &str = "\
SET statement_timeout = '20s'; \
SET lock_timeout = '10s'; \
SET idle_in_transaction_session_timeout = '60s'; \
SELECT set_config('synchronous_commit', 'on', false) \
WHERE current_setting('synchronous_commit') = 'off';";

/// A connection that is ready.
pub struct Link {
    client: Client,
    /// Moves what is sent and what comes; ends with the connection.
    mover: JoinHandle<()>,
    statements: HashMap<String, Statement>,
}

impl Link {
    /// Connects, and brings the database to the schema of today.
    pub async fn open(plan: &PostgresPlan, us: &Identity) -> Result<Self, Fault> {
        let connecting = timeout(plan.connect_timeout, connect(plan)).await;
        let (mut client, mover) = connecting.map_err(|_| Fault::Late(plan.connect_timeout))??;
        let ready = timeout(schema::PATIENCE, async {
            client.batch_execute(SETTINGS).await?;
            schema::bring_up(&mut client).await?;
            if us.only_looks() {
                return Ok(());
            }
            lives::introduce(&client, us.life()).await
        });
        ready.await.map_err(|_| Fault::Late(schema::PATIENCE))??;
        Ok(Self { client, mover, statements: HashMap::new() })
    }

    /// Whether it is known to be gone.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// The connection itself, for a transaction that is sent piece by piece.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Begins a transaction in which each of these statements is ready.
    pub async fn begin(
        &mut self,
        texts: &[&str],
    ) -> Result<(Transaction<'_>, &HashMap<String, Statement>), Fault> {
        for text in texts {
            if !self.statements.contains_key(*text) {
                let statement = self.client.prepare(text).await?;
                self.statements.insert((*text).to_owned(), statement);
            }
        }
        Ok((self.client.transaction().await?, &self.statements))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.mover.abort();
    }
}

type Connected = (Client, JoinHandle<()>);

/// What proves a password needs randomness, which a static binary has from these.
const RANDOMNESS: [&str; 2] = ["/dev/random", "/dev/urandom"];

async fn connect(plan: &PostgresPlan) -> Result<Connected, Fault> {
    let missing = RANDOMNESS.iter().find(|device| !Path::new(device).exists());
    if let Some(device) = missing.filter(|_| cfg!(target_feature = "crt-static")) {
        return Err(Fault::File(format!("there is no {device}, which every container has")));
    }
    let mut config = Config::new();
    config.user(&plan.user).dbname(&plan.database).application_name(APPLICATION);
    if let Some(password) = password::find(plan)? {
        config.password(password.reveal());
    }
    let encrypting = Encrypting::of(plan)?;
    config.ssl_mode(match (plan.tls, &encrypting) {
        (_, None) => SslMode::Disable,
        (Tls::Prefer, _) => SslMode::Prefer,
        _ => SslMode::Require,
    });
    if let PostgresHost::Socket(folder) = &plan.host {
        return begin(&config, socket(folder, plan.port).await?, NoTls).await;
    }
    let stream = reach(plan).await?;
    match encrypting {
        Some(encrypting) => begin(&config, stream, encrypting).await,
        None => begin(&config, stream, NoTls).await,
    }
}

async fn socket(folder: &Path, port: u16) -> Result<UnixStream, Fault> {
    let path = folder.join(format!(".s.PGSQL.{port}"));
    UnixStream::connect(path).await.map_err(Fault::Connect)
}

/// A stream to the first of the host's addresses that answers.
async fn reach(plan: &PostgresPlan) -> Result<TcpStream, Fault> {
    let addresses = match &plan.host {
        PostgresHost::Name(name) => Resolver::default().look_up(name).await?,
        PostgresHost::Address(address) => vec![*address],
        PostgresHost::Socket(_) => Vec::new(),
    };
    // Each address gets its share, so that one that swallows everything does not hide the others.
    let share = plan.connect_timeout / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut trouble = io::Error::other("the host has no address");
    for address in addresses {
        match reach_one(address, plan.port, share).await {
            Ok(stream) => return Ok(stream),
            Err(error) => trouble = error,
        }
    }
    Err(Fault::Connect(trouble))
}

async fn reach_one(address: IpAddr, port: u16, share: Duration) -> io::Result<TcpStream> {
    let at = SocketAddr::new(address, port);
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{at}: {error}"));
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    let stream = timeout(share, TcpStream::connect(at)).await.map_err(late);
    let stream = stream.and_then(|connected| connected).map_err(named)?;
    stream.set_nodelay(true)?;
    setsockopt(&stream, sockopt::KeepAlive, &true)?;
    setsockopt(&stream, sockopt::TcpKeepIdle, &KEEPALIVE_IDLE)?;
    setsockopt(&stream, sockopt::TcpUserTimeout, &USER_TIMEOUT)?;
    Ok(stream)
}

/// Introduces us to the server, and begins to move what is sent.
async fn begin<S, T>(config: &Config, stream: S, tls: T) -> Result<Connected, Fault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsConnect<S>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect_raw(stream, tls).await?;
    let mover = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(target: "store", "the connection to the history ended: {error}");
        }
    });
    Ok((client, mover))
}
