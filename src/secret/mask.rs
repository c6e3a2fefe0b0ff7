//! Which words of a command are secret, and the command without them.
//!
//! Owns the shapes of known tokens, and where a value stands behind a name that [`secret`] calls
//! secret. Reads nothing: it judges by what a word looks like, so it masks too much rather than too
//! little. A secret that neither its name nor its shape gives away is out of reach.
//!
//! [`secret`]: crate::secret

use std::borrow::Cow;

use crate::secret::{MASK, is_secret, personal};

/// Flags behind which a login stands.
const LOGINS: [&str; 3] = ["-u", "--user", "--proxy-user"];

/// How well-known tokens begin, and how long they are at least: long enough that no word of a
/// language or name of a package is meant.
const TOKENS: [(&str, usize); 60] = [
    ("sk-", 20),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("rk_test_", 16),
    ("whsec_", 20),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 20),
    ("gldt-", 20),
    ("glrt-", 20),
    ("glcbt-", 20),
    ("glptt-", 20),
    ("xoxa-", 15),
    ("xoxb-", 15),
    ("xoxe-", 15),
    ("xoxp-", 15),
    ("xoxr-", 15),
    ("xoxs-", 15),
    ("xapp-", 15),
    ("npm_", 20),
    ("hf_", 20),
    ("pypi-", 16),
    ("rubygems_", 30),
    ("dckr_pat_", 20),
    ("AIza", 30),
    ("ya29.", 20),
    ("GOCSPX-", 20),
    ("AKIA", 20),
    ("ASIA", 20),
    ("eyJ", 20),
    ("SG.", 30),
    ("hvs.", 20),
    ("hvb.", 20),
    ("dop_v1_", 30),
    ("doo_v1_", 30),
    ("dor_v1_", 30),
    ("dapi", 36),
    ("shpat_", 20),
    ("shpca_", 20),
    ("shpss_", 20),
    ("lin_api_", 20),
    ("ntn_", 30),
    ("secret_", 40),
    ("figd_", 20),
    ("sbp_", 30),
    ("pscale_tkn_", 20),
    ("pscale_pw_", 20),
    ("dp.st.", 20),
    ("dp.pt.", 20),
    ("gsk_", 30),
    ("xai-", 40),
    ("pplx-", 30),
    ("ATATT3", 40),
    ("tskey-", 20),
    ("AGE-SECRET-KEY-1", 30),
];

/// What is shorter than any of them.
const SHORTEST_TOKEN: usize = 15;

/// Addresses that are a secret as a whole: whoever knows the rest of the path may post there.
const HOOKS: [(&str, &str); 3] = [
    ("hooks.slack.com", "/services/"),
    ("discord.com", "/api/webhooks/"),
    ("api.telegram.org", "/bot"),
];

/// How far an address is looked at for a password.
const LONGEST_ADDRESS: usize = 512;

/// How a text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// What stands behind a secret's name is masked to the end.
    Line,
    /// It is masked to where the shell ends the word.
    Script,
    /// Names mean nothing: only shapes do.
    Shapes,
}

/// What every private key in text form has in its first line and its last one.
const PRIVATE_KEY: &str = "PRIVATE KEY";
/// See [`PRIVATE_KEY`].
const BEGIN: &str = "-----BEGIN ";
/// See [`PRIVATE_KEY`].
const END: &str = "-----END ";

/// The command with every secret in it replaced.
pub fn mask_command(command: &[String]) -> Vec<String> {
    let mut masked = Vec::with_capacity(command.len());
    let mut before = "";
    for word in command {
        masked.push(match login(before, word) {
            Some(start) => format!("{}{MASK}", &word[..start]),
            None if announces(before) && !word.starts_with('-') && !word.is_empty() => {
                MASK.to_owned()
            }
            None if is_script_flag(before) => mask_text(word, Reading::Script),
            None => mask_text(word, Reading::Line),
        });
        before = word;
    }
    masked
}

/// The value of a variable as it may be shown.
pub fn mask_value(name: &str, value: &str) -> String {
    if is_secret(name) { MASK.to_owned() } else { mask_text(value, Reading::Line) }
}

/// A line of a file as it may be shown: everything behind a secret's name is masked.
pub fn mask_line(line: &str) -> String {
    mask_text(line, Reading::Line)
}

/// Free text as it may be shown: tokens, keys, passwords in addresses and personal data are masked,
/// wherever they stand. Names mean nothing here, so that words of a sentence stay.
pub fn mask_shapes(text: &str) -> String {
    mask_text(text, Reading::Shapes)
}

/// One argument with every secret in it replaced. In a script the value of `NAME=value` ends
/// where the shell ends the word; in a plain argument it goes on to the end.
fn mask_text(text: &str, reading: Reading) -> String {
    let text = &*without_private_keys(text);
    let scheme = text.find("://").unwrap_or(text.len());
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if !is_name_char(first) {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let in_address = scheme < text.len() - rest.len();
        let (name, behind) = split_where(rest, |c| !is_name_char(c));
        push_name(name, &mut out);
        rest = behind;
        let secret = password(behind).or_else(|| hook(name, behind)).or_else(|| match reading {
            Reading::Shapes => bearer(name, behind),
            reading => {
                let script = reading == Reading::Script;
                assigned(name, behind, script, in_address).or_else(|| announced(name, behind))
            }
        });
        if let Some((gap, length)) = secret {
            out.push_str(&behind[..gap]);
            out.push_str(MASK);
            rest = &behind[gap + length..];
        }
    }
    without_personal_data(out)
}

/// The text with each private key in it replaced, from its first line to its last one.
fn without_private_keys(text: &str) -> Cow<'_, str> {
    if !text.contains(PRIVATE_KEY) {
        return Cow::Borrowed(text);
    }
    let (mut out, mut rest) = (String::new(), text);
    while let Some(begin) = rest.find(BEGIN) {
        let (before, key) = rest.split_at(begin);
        let is_key =
            key[BEGIN.len()..].split("-----").next().is_some_and(|kind| kind.contains(PRIVATE_KEY));
        let length = match key.find(END) {
            _ if !is_key => BEGIN.len(),
            Some(end) => {
                let behind = end + END.len();
                key[behind..].find("-----").map_or(key.len(), |dashes| behind + dashes + 5)
            }
            None => key.find('"').unwrap_or(key.len()),
        };
        out.push_str(before);
        out.push_str(if is_key { MASK } else { BEGIN });
        rest = &key[length..];
    }
    Cow::Owned(out + rest)
}

fn without_personal_data(text: String) -> String {
    let found = personal::found_in(&text);
    if found.is_empty() {
        return text;
    }
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for range in found {
        out.push_str(&text[at..range.start]);
        out.push_str(MASK);
        at = range.end;
    }
    out.push_str(&text[at..]);
    out
}

/// Appends a run of name characters, without the token that it may be or end in.
fn push_name(name: &str, out: &mut String) {
    match token(name) {
        Some(start) => {
            out.push_str(&name[..start]);
            out.push_str(MASK);
        }
        None => out.push_str(name),
    }
}

/// Where in a run of name characters a well-known token begins.
fn token(name: &str) -> Option<usize> {
    if name.len() < SHORTEST_TOKEN {
        return None;
    }
    let last_digit = name.rfind(|c: char| c.is_ascii_digit())?;
    let begins = |at: usize| !name[..at].ends_with(|c: char| c.is_ascii_alphanumeric());
    let of_shape = |&(prefix, least): &(&str, usize)| {
        let mut starts = name.match_indices(prefix).map(|(at, _)| at);
        starts.find(|&at| begins(at) && name.len() - at >= least && last_digit > at)
    };
    TOKENS.iter().filter_map(of_shape).min()
}

/// The path of an address that is a secret as a whole: how far off it begins, and its length.
fn hook(host: &str, behind: &str) -> Option<(usize, usize)> {
    let (_, path) = HOOKS.iter().find(|(known, _)| host.ends_with(known))?;
    let secret = behind.strip_prefix(path)?;
    let length = length_until(secret, |c| c.is_whitespace() || "\"'`".contains(c));
    (length > 0).then_some((path.len(), length))
}

/// The token in `Bearer value`: how far off it begins, and its length.
fn bearer(name: &str, behind: &str) -> Option<(usize, usize)> {
    let value = behind.strip_prefix(' ').filter(|_| name.eq_ignore_ascii_case("bearer"))?;
    let length = length_until(value, |c| !c.is_ascii_alphanumeric() && !"-._~+/=".contains(c));
    let is_word = value[..length].bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'.');
    (!is_word).then_some((1, length))
}

/// The password in the address whose scheme was just read: how far off it begins, and its length.
fn password(behind: &str) -> Option<(usize, usize)> {
    let address = behind.strip_prefix("://")?;
    let near = &address[..address.floor_char_boundary(LONGEST_ADDRESS)];
    let (authority, _) = split_where(near, |c| ends_address(c) || "/?#".contains(c));
    let colon = authority.find(':')?;
    let port = || authority[colon + 1..].bytes().all(|byte| byte.is_ascii_digit());
    let misplaced = || near[..length_until(near, ends_address)].rfind('@');
    // A password that should have been encoded may hold a slash, which a port cannot.
    let user_ends = authority.rfind('@').or_else(|| if port() { None } else { misplaced() });
    let length = user_ends?.checked_sub(colon + 1).filter(|length| *length > 0)?;
    Some(("://".len() + colon + 1, length))
}

/// The value in `NAME=value`, `name: value` or `"name":"value"` behind a name that is secret: how
/// far off it begins, and its length.
fn assigned(name: &str, behind: &str, script: bool, address: bool) -> Option<(usize, usize)> {
    let marks = ['"', '\'', '\\', ' '];
    let value = behind.trim_start_matches(marks);
    let spaced = value.len() < behind.len();
    let separator = value.chars().next().filter(|c| is_secret(name) && "=:".contains(*c))?;
    let mut value = &value[1..];
    if spaced || separator == ':' {
        value = value.trim_start_matches(' ');
    }
    let (gap, length) = match quoted(value) {
        _ if script && separator == '=' => shell_word(value),
        Some(found) => found,
        None if script => (0, length_until(value, |c| "\"'`\n".contains(c))),
        None if address => (0, length_until(value, |c| "&#".contains(c) || c.is_whitespace())),
        None => (0, value.len()),
    };
    (length > 0).then_some((behind.len() - value.len() + gap, length))
}

/// The value in `--token value`, `Bearer value` and `-u name:value` behind the name: how far off it
/// begins, and its length.
fn announced(name: &str, behind: &str) -> Option<(usize, usize)> {
    let value = behind.trim_start_matches(' ');
    let apart = value.len() < behind.len();
    if !apart || value.starts_with('-') || !LOGINS.contains(&name) && !announces(name) {
        return None;
    }
    let (gap, length) = shell_word(value);
    let start = match login(name, &value[gap..gap + length]) {
        Some(start) => start,
        None if announces(name) => 0,
        None => return None,
    };
    (length > start).then_some((behind.len() - value.len() + gap + start, length - start))
}

/// The inside of the quotes that the text begins with. Quotes inside may be escaped, and the
/// quotes themselves may be, as in JSON inside a script.
fn quoted(text: &str) -> Option<(usize, usize)> {
    let opened = text.trim_start_matches('\\');
    let quote = opened.chars().next().filter(|c| "\"'".contains(*c))?;
    let gap = text.len() - opened.len() + 1;
    let inside = &text[gap..];
    let escape = &text[..gap - 1];
    let closes = |at: usize| {
        let ahead = &inside[..at];
        let escapes = ahead.len() - ahead.trim_end_matches('\\').len();
        escapes == escape.len()
    };
    let close = inside.match_indices(quote).map(|(at, _)| at).find(|at| closes(*at));
    Some((gap, close.map_or(inside.len(), |at| at - escape.len())))
}

/// Whether the next word is a secret's value.
fn announces(word: &str) -> bool {
    let flag = word.starts_with('-') && word.chars().all(is_name_char);
    flag && is_secret(word) || word.eq_ignore_ascii_case("bearer")
}

/// Where the password begins in the `name:password` that `curl` and its like take behind `-u`. A
/// number is a group's id, as in `docker run -u 1000:1000`.
fn login(flag: &str, word: &str) -> Option<usize> {
    let (name, password) = word.split_once(':').filter(|_| LOGINS.contains(&flag))?;
    let is_id = password.bytes().all(|byte| byte.is_ascii_digit());
    (!is_id && !password.starts_with("//")).then_some(name.len() + 1)
}

/// Whether the next word is a script: `-c`, or a bundle of short flags that ends in it.
fn is_script_flag(word: &str) -> bool {
    word.ends_with('c') && word.starts_with('-') && !word.starts_with("--")
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.".contains(c)
}

/// The word of a script that the text begins with: the inside of its quotes, if it is nothing but
/// one quoted text.
fn shell_word(text: &str) -> (usize, usize) {
    let whole = shell_word_length(text);
    quoted(text).filter(|(gap, length)| 2 * gap + length >= whole).unwrap_or((0, whole))
}

/// How far a word of a script reaches, with its quotes, escapes and `$(…)`. A quote that is not
/// closed was opened around the word.
fn shell_word_length(text: &str) -> usize {
    let (mut depth, mut open, mut escaped) = (0_usize, None, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if open != Some('\'') => escaped = true,
            _ if open == Some(c) => open = None,
            _ if open.is_some() => {}
            '"' | '\'' | '`' if !text[at + 1..].contains(c) => return at,
            '"' | '\'' | '`' => open = Some(c),
            '(' if depth > 0 || text[..at].ends_with('$') => depth += 1,
            ')' if depth > 0 => depth -= 1,
            _ if depth == 0 && (c.is_whitespace() || ";&|()<>".contains(c)) => return at,
            _ => {}
        }
    }
    text.len()
}

fn ends_address(c: char) -> bool {
    c.is_whitespace() || "\"'`".contains(c)
}

fn length_until(text: &str, end: impl Fn(char) -> bool) -> usize {
    split_where(text, end).0.len()
}

/// The text before the first character that ends it, and the rest.
fn split_where(text: &str, end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(end).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests;
