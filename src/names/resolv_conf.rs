//! What `/etc/resolv.conf` says: resolv.conf(5).

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// Servers that are asked (`MAXNS` of glibc).
const MAX_SERVERS: usize = 3;

/// Domains that a name is looked for in: glibc has no bound, and a container rarely has six.
const MAX_SEARCH: usize = 16;

/// The settings of a system's resolver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who is asked, in order.
    pub servers: Vec<IpAddr>,
    /// Domains in which a short name is looked for.
    pub search: Vec<String>,
    /// A name with as many dots is tried as it is before it is looked for in the domains.
    pub ndots: usize,
    /// How long a server may take.
    pub timeout: Duration,
    /// How often each server is asked.
    pub attempts: u32,
}

impl Settings {
    /// Reads the file's text; what is not written is as resolv.conf(5) has it.
    pub fn parse(text: &str) -> Self {
        let mut settings = Self {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
        };
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => settings.servers.extend(words.next().and_then(address)),
                // The last line wins.
                Some("domain" | "search") => settings.search = words.map(str::to_owned).collect(),
                Some("options") => words.for_each(|option| settings.option(option)),
                _ => {}
            }
        }
        if settings.servers.is_empty() {
            settings.servers.push(Ipv4Addr::LOCALHOST.into());
        }
        settings.servers.truncate(MAX_SERVERS);
        settings.search.truncate(MAX_SEARCH);
        settings
    }

    /// Bounds are those of glibc.
    fn option(&mut self, option: &str) {
        let Some((name, Ok(number))) =
            option.split_once(':').map(|(name, text)| (name, text.parse::<u32>()))
        else {
            return;
        };
        match name {
            "ndots" => self.ndots = number.min(15) as usize,
            "timeout" => self.timeout = Duration::from_secs(number.clamp(1, 30).into()),
            "attempts" => self.attempts = number.clamp(1, 5),
            _ => {}
        }
    }

    /// The whole names that a name may stand for, in the order in which they are asked for.
    pub fn candidates(&self, name: &str) -> Vec<String> {
        if let Some(whole) = name.strip_suffix('.') {
            return vec![whole.to_owned()];
        }
        let inside = |domain: &String| match domain.trim_matches('.') {
            "" => name.to_owned(),
            domain => format!("{name}.{domain}"),
        };
        let mut names: Vec<String> = self.search.iter().map(inside).collect();
        let as_it_is = name.matches('.').count() >= self.ndots;
        names.insert(if as_it_is { 0 } else { names.len() }, name.to_owned());
        names.retain(|name| name.len() <= 253);
        names
    }
}

/// An address, without the zone that a link-local one can have.
fn address(text: &str) -> Option<IpAddr> {
    text.split('%').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kubernetes_writes_it_so() {
        let text = "search a.svc.cluster.local svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:5 edns0 timeout:2\n";
        let settings = Settings::parse(text);
        assert_eq!(settings.servers, ["10.96.0.10".parse::<IpAddr>().expect("an address")]);
        assert_eq!((settings.ndots, settings.timeout.as_secs(), settings.attempts), (5, 2, 2));
        let names = ["db.a.svc.cluster.local", "db.svc.cluster.local", "db"];
        assert_eq!(settings.candidates("db"), names);
        assert_eq!(settings.candidates("db.example.org")[2], "db.example.org");
        assert_eq!(settings.candidates("db.example.org."), ["db.example.org"]);
    }

    #[test]
    fn an_empty_file_asks_the_machine_itself() {
        let settings = Settings::parse("");
        assert_eq!(settings.servers, [IpAddr::from([127, 0, 0, 1])]);
        assert_eq!(settings.candidates("db"), ["db"]);
    }

    #[test]
    fn nonsense_is_bounded() {
        let text = "nameserver\nnameserver x\nnameserver fe80::1%eth0\noptions ndots:99 attempts:0 timeout:x\n";
        let settings = Settings::parse(text);
        assert_eq!(settings.servers, ["fe80::1".parse::<IpAddr>().expect("an address")]);
        assert_eq!((settings.ndots, settings.attempts, settings.timeout.as_secs()), (15, 1, 5));
        assert!(settings.candidates(&"a".repeat(300)).is_empty());
    }
}
