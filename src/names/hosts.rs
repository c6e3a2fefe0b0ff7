//! What `/etc/hosts` says: hosts(5).

use std::net::IpAddr;

/// The addresses of a name, in the order of the file.
pub fn addresses(text: &str, name: &str) -> Vec<IpAddr> {
    let wanted = name.strip_suffix('.').unwrap_or(name);
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or(""));
    let entries = lines.filter_map(|line| {
        let mut words = line.split_whitespace();
        let address: IpAddr = words.next()?.parse().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(wanted)).then_some(address)
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_with_the_name_counts_and_nothing_else_does() {
        let text = "# db 9.9.9.9\n127.0.0.1 localhost\n10.0.0.2\tweb DB # db2\n::2 db\nbad db\n10.0.0.3 mydb\n";
        let found =
            |name| addresses(text, name).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(found("db"), ["10.0.0.2", "::2"]);
        assert_eq!(found("db."), ["10.0.0.2", "::2"]);
        assert_eq!(found("db2"), [""; 0]);
    }
}
