//! Looking a name up: first in the file of hosts, then by asking the servers.

use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::hosts;
use super::message::{Answer, Family, answer, question};
use super::resolv_conf::Settings;

/// The port of name servers.
const PORT: u16 = 53;

/// The largest answer by UDP: without EDNS a server sends no more than 512 bytes.
const LARGEST: usize = 4096;

/// Where names are looked up.
#[derive(Clone, Debug)]
pub struct Resolver {
    hosts: PathBuf,
    settings: PathBuf,
    port: u16,
}

impl Default for Resolver {
    fn default() -> Self {
        Self { hosts: "/etc/hosts".into(), settings: "/etc/resolv.conf".into(), port: PORT }
    }
}

/// Why there is no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupError {
    /// The servers say that there is no such name.
    NoSuchName(String),
    /// No server said anything: what was tried, and what stood in the way of the last.
    NoAnswer(String),
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchName(name) => write!(f, "there is no host `{name}`"),
            Self::NoAnswer(why) => write!(f, "no name server answers ({why})"),
        }
    }
}

impl std::error::Error for LookupError {}

impl Resolver {
    /// The addresses of a name, at least one, those of IPv4 first. Takes as long as the servers do;
    /// whoever waits for it sets a bound.
    pub async fn look_up(&self, name: &str) -> Result<Vec<IpAddr>, LookupError> {
        let known = hosts::addresses(&text(&self.hosts), name);
        if !known.is_empty() {
            return Ok(known);
        }
        let plain = name.trim_end_matches('.').to_ascii_lowercase();
        if plain == "localhost" || plain.ends_with(".localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let settings = Settings::parse(&text(&self.settings));
        let mut trouble = None;
        for candidate in settings.candidates(name) {
            match self.ask_all(&settings, &candidate).await {
                Ok(found) if !found.is_empty() => return Ok(found),
                Ok(_) => {}
                Err(why) => trouble = Some(why),
            }
        }
        Err(trouble.map_or_else(|| LookupError::NoSuchName(name.into()), LookupError::NoAnswer))
    }

    /// Asks one server after the other until one knows; no address where there is no such name.
    async fn ask_all(&self, settings: &Settings, name: &str) -> Result<Vec<IpAddr>, String> {
        let mut why = String::new();
        for _ in 0..settings.attempts {
            for server in &settings.servers {
                let server = SocketAddr::new(*server, self.port);
                let (v4, v6) = tokio::join!(
                    ask(server, name, Family::V4, settings.timeout),
                    ask(server, name, Family::V6, settings.timeout),
                );
                match (v4, v6) {
                    // Some servers know nothing of IPv6 and say so rudely.
                    (Ok(found), Err(_)) if !found.is_empty() => return Ok(found),
                    (Err(_), Ok(found)) if !found.is_empty() => return Ok(found),
                    (Ok(v4), Ok(v6)) => return Ok(v4.into_iter().chain(v6).collect()),
                    (Err(error), _) | (_, Err(error)) => why = format!("{server}: {error}"),
                }
            }
        }
        Err(why)
    }
}

/// A file that is not there says nothing.
fn text(path: &PathBuf) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// Asks one server for one kind of address.
async fn ask(
    server: SocketAddr,
    name: &str,
    family: Family,
    patience: Duration,
) -> io::Result<Vec<IpAddr>> {
    let id = fastrand::u16(..);
    let asked = question(id, name, family)
        .ok_or_else(|| io::Error::other("the name cannot be asked for"))?;
    let said = async {
        match by_datagram(server, &asked, id, name).await? {
            Answer::Truncated => by_stream(server, &asked, id, name).await,
            said => Ok(said),
        }
    };
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    match timeout(patience, said).await.map_err(late)?? {
        Answer::Addresses(found) => Ok(found),
        Answer::NoSuchName => Ok(Vec::new()),
        Answer::Truncated => Err(io::Error::other("the answer does not fit")),
        Answer::Failed(why) => Err(io::Error::other(why)),
    }
}

async fn by_datagram(server: SocketAddr, asked: &[u8], id: u16, name: &str) -> io::Result<Answer> {
    let any = if server.is_ipv4() {
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
    } else {
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
    };
    let socket = UdpSocket::bind(any).await?;
    // Connected, so that only this server is heard and a port that is closed is learnt of.
    socket.connect(server).await?;
    socket.send(asked).await?;
    let mut bytes = [0; LARGEST];
    loop {
        let length = socket.recv(&mut bytes).await?;
        if let Some(said) = answer(&bytes[..length], id, name) {
            return Ok(said);
        }
    }
}

/// Each message has its length before it: RFC 1035, §4.2.2.
async fn by_stream(server: SocketAddr, asked: &[u8], id: u16, name: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(asked.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), asked].concat()).await?;
    let length = stream.read_u16().await?;
    let mut bytes = vec![0; length.into()];
    stream.read_exact(&mut bytes).await?;
    answer(&bytes, id, name).ok_or_else(|| io::Error::other("it answers something else"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    use simple_dns::rdata::{A, AAAA, RData};
    use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

    use super::*;

    /// A name server on a free port that knows `db.test`, `big.test` and `six.test`, until its
    /// socket is gone. It answers `big.test` by TCP only, and `bad.test` not at all.
    struct Server {
        port: u16,
        stop: std::net::UdpSocket,
        threads: Vec<JoinHandle<()>>,
    }

    fn reply(asked: &[u8], by_stream: bool) -> Vec<u8> {
        let asked = Packet::parse(asked).expect("a question");
        let question = asked.questions[0].clone();
        let name = question.qname.to_string();
        let v4 = question.qtype == QTYPE::TYPE(TYPE::A);
        let mut packet = Packet::new_reply(asked.id());
        let mut record = |data| {
            let name = Name::new(&name).expect("a name").into_owned();
            packet.answers.push(ResourceRecord::new(name, CLASS::IN, 60, data));
        };
        match name.as_str() {
            "db.test" if v4 => record(RData::A(A { address: 0x0a00_0009 })),
            "six.test" if !v4 => record(RData::AAAA(AAAA { address: 1 })),
            "big.test" if by_stream && v4 => record(RData::A(A { address: 0x0a00_0008 })),
            "big.test" if !by_stream => packet.set_flags(PacketFlag::TRUNCATION),
            "db.test" | "six.test" | "big.test" => {}
            "bad.test" => *packet.rcode_mut() = RCODE::ServerFailure,
            _ => *packet.rcode_mut() = RCODE::NameError,
        }
        packet.questions.push(question);
        packet.build_bytes_vec().expect("an answer")
    }

    impl Server {
        fn start() -> Self {
            use std::io::{Read, Write};
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let port = listener.local_addr().expect("known").port();
            let socket = std::net::UdpSocket::bind(("127.0.0.1", port)).expect("the same port");
            let by_datagram = move || {
                let mut bytes = [0; 512];
                while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                    if length == 0 {
                        return;
                    }
                    // A stranger's answer comes first.
                    let mut wrong = reply(&bytes[..length], false);
                    wrong[0] ^= 1;
                    socket.send_to(&wrong, from).expect("sent");
                    socket.send_to(&reply(&bytes[..length], false), from).expect("sent");
                }
            };
            let by_stream = move || {
                for stream in listener.incoming() {
                    let mut stream = stream.expect("a caller");
                    let mut length = [0; 2];
                    if stream.read_exact(&mut length).is_err() {
                        return;
                    }
                    let mut bytes = vec![0; u16::from_be_bytes(length).into()];
                    stream.read_exact(&mut bytes).expect("a question");
                    let said = reply(&bytes, true);
                    let length = (said.len() as u16).to_be_bytes();
                    stream.write_all(&[&length[..], &said].concat()).expect("sent");
                }
            };
            let threads = vec![std::thread::spawn(by_datagram), std::thread::spawn(by_stream)];
            let stop = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
            Self { port, stop, threads }
        }

        fn resolver(&self, folder: &std::path::Path, hosts: &str, settings: &str) -> Resolver {
            fs::write(folder.join("hosts"), hosts).expect("written");
            fs::write(folder.join("resolv.conf"), settings).expect("written");
            Resolver {
                hosts: folder.join("hosts"),
                settings: folder.join("resolv.conf"),
                port: self.port,
            }
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            let _ = self.stop.send_to(&[], ("127.0.0.1", self.port));
            drop(std::net::TcpStream::connect(("127.0.0.1", self.port)));
            self.threads.drain(..).for_each(|thread| drop(thread.join()));
        }
    }

    fn look_up(resolver: &Resolver, name: &str) -> Result<Vec<String>, LookupError> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().expect("a runtime");
        let found = runtime.block_on(resolver.look_up(name))?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn names_are_found_as_the_files_and_the_server_say() {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start();
        let settings =
            "nameserver 127.0.0.1\nsearch here.test test\noptions timeout:5 attempts:1\n";
        let resolver = server.resolver(folder.path(), "10.1.1.1 host.test\n", settings);
        for (name, addresses) in [
            ("host.test", ["10.1.1.1"]),
            ("db.test", ["10.0.0.9"]),
            ("db", ["10.0.0.9"]),
            ("big.test", ["10.0.0.8"]),
            ("six.test", ["::1"]),
        ] {
            assert_eq!(
                look_up(&resolver, name),
                Ok(addresses.map(str::to_owned).to_vec()),
                "{name}"
            );
        }
        assert_eq!(look_up(&resolver, "localhost").expect("known"), ["127.0.0.1", "::1"]);
    }

    #[test]
    fn a_name_that_is_not_is_told_from_a_server_that_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start();
        let settings = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n";
        let resolver = server.resolver(folder.path(), "", settings);
        let nobody = look_up(&resolver, "nobody.test").expect_err("nobody");
        assert_eq!(nobody, LookupError::NoSuchName("nobody.test".into()));
        let failed = look_up(&resolver, "bad.test").expect_err("it fails").to_string();
        assert!(failed.contains("it failed"), "{failed}");
        let resolver = Resolver { port: 1, ..resolver };
        let away = look_up(&resolver, "db.test").expect_err("nobody listens").to_string();
        assert!(away.contains("no name server answers (127.0.0.1:1"), "{away}");
    }

    #[test]
    fn a_silent_first_server_costs_its_time_and_no_more() {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start();
        let settings = "nameserver 127.0.0.2\nnameserver 127.0.0.1\noptions timeout:1\n";
        let resolver = server.resolver(folder.path(), "", settings);
        let silent = std::net::UdpSocket::bind(("127.0.0.2", server.port)).expect("bound");
        assert_eq!(look_up(&resolver, "db.test").expect("found"), ["10.0.0.9"]);
        drop(silent);
    }
}
