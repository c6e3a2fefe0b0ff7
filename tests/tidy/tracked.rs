//! What no file under version control may say, whatever its kind.

/// Where this or that machine keeps things. Split, so that this file does not name them itself.
const MACHINE_PATHS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tm", "p/wt")];

/// Complaints about paths that exist on one machine only.
pub fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let named = |line: &str| MACHINE_PATHS.iter().find(|known| begins_there(line, known)).copied();
    let complain = |(at, line): (usize, &str)| {
        named(line).map(|known| format!("{path}:{}: {known} is a path of one machine", at + 1))
    };
    text.lines().enumerate().filter_map(complain).collect()
}

/// Whether the line has `known` as the beginning of a path, and not inside another one.
fn begins_there(line: &str, known: &str) -> bool {
    line.match_indices(known).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "_-.}~".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_a_machine_are_seen() {
        for known in MACHINE_PATHS {
            assert_eq!(machine_paths("a", &format!("first\ncd {known}x")).len(), 1, "{known}");
            assert_eq!(machine_paths("a", &format!("home{known}x")), [""; 0], "{known}");
        }
    }
}
