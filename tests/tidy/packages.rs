//! The dependencies against `deny.toml`, as far as that can be told without cargo-deny: licences,
//! banned crates, duplicates and features. cargo-deny reads the same file and knows more, such as
//! advisories.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What `deny.toml` says, as far as it is checked here.
#[derive(Default)]
pub struct Policy {
    /// Licences that may be relied on.
    pub allow: BTreeSet<String>,
    /// Crates that may not be in the graph, as `name` or `name@<1.2.3`.
    pub deny: Vec<String>,
    /// Crates that may be there twice.
    pub skip: Vec<String>,
}

impl Policy {
    /// Reads our own `deny.toml`, whose lists have one entry a line.
    pub fn read(text: &str) -> Self {
        let mut policy = Self::default();
        let mut list = String::new();
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            if let Some((key, _)) = line.split_once(" = [") {
                list = key.to_owned();
                continue;
            }
            let Some(entry) = line.split('"').nth(1) else { continue };
            match list.as_str() {
                "allow" => drop(policy.allow.insert(entry.to_owned())),
                "deny" => policy.deny.push(entry.to_owned()),
                "skip" => policy.skip.push(entry.to_owned()),
                _ => {}
            }
        }
        policy
    }
}

/// Complaints about packages whose licence the policy does not allow.
pub fn licences(metadata: &Value, policy: &Policy) -> Vec<String> {
    let complain = |package: &Value| {
        let licence = text(package, "license");
        let allowed = satisfied(licence, &policy.allow);
        (!allowed).then(|| format!("{}: {licence:?} is not allowed", text(package, "name")))
    };
    list(metadata, "packages").filter_map(complain).collect()
}

/// Complaints about banned packages, and about packages that are there twice.
pub fn bans(metadata: &Value, policy: &Policy) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut found = Vec::new();
    for package in list(metadata, "packages") {
        let (name, version) = (text(package, "name"), text(package, "version"));
        versions.entry(name).or_default().push(version);
        let hit = policy.deny.iter().find(|row| matches_row(row, name, version));
        found.extend(hit.map(|row| format!("{name} {version} is banned by {row:?}")));
    }
    let twice = versions.iter().filter(|(_, versions)| versions.len() > 1);
    let twice = twice.filter(|(name, _)| !policy.skip.iter().any(|skip| skip_name(skip) == **name));
    found.extend(twice.map(|(name, versions)| format!("{name} is there as {versions:?}")));
    found
}

/// Complaints about a feature that changes the types our encoders read.
pub fn features(metadata: &Value) -> Vec<String> {
    let nodes = metadata["resolve"]["nodes"].as_array().into_iter().flatten();
    let mut prometheus = nodes.filter(|node| text(node, "id").contains("#prometheus@"));
    let on = |node: &Value| list(node, "features").any(|feature| feature == "protobuf");
    match prometheus.next() {
        None => vec!["prometheus is not in the graph: this wall guards nothing".to_owned()],
        Some(node) if on(node) => vec!["something turned prometheus/protobuf on".to_owned()],
        Some(_) => Vec::new(),
    }
}

/// The names under which our own code knows its dependencies.
pub fn dependencies(metadata: &Value) -> BTreeSet<String> {
    let ours = list(metadata, "packages").find(|package| text(package, "name") == "procession");
    let all = ours.into_iter().flat_map(|package| list(package, "dependencies"));
    let shipped = all.filter(|dependency| dependency["kind"].is_null());
    let name =
        |d: &Value| d["rename"].as_str().unwrap_or_else(|| text(d, "name")).replace('-', "_");
    shipped.map(name).collect()
}

/// Whether an SPDX expression can be met by the allowed licences. AND binds closer than OR; the
/// old slash means OR.
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = &words[..];
    any_of(&mut rest, allowed) && rest.is_empty()
}

fn any_of(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let mut met = all_of(words, allowed);
    while words.first() == Some(&"OR") {
        *words = &words[1..];
        met |= all_of(words, allowed);
    }
    met
}

fn all_of(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let mut met = one(words, allowed);
    while words.first() == Some(&"AND") {
        *words = &words[1..];
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut &[&str], allowed: &BTreeSet<String>) -> bool {
    let Some((first, rest)) = words.split_first() else { return false };
    *words = rest;
    if *first == "(" {
        let met = any_of(words, allowed);
        *words = words.get(1..).unwrap_or_default();
        return met;
    }
    let mut licence = (*first).to_owned();
    if let ["WITH", exception, rest @ ..] = *words {
        licence = format!("{licence} WITH {exception}");
        *words = rest;
    }
    allowed.contains(&licence)
}

/// Whether `name@<1.2.3` or plain `name` covers a package.
fn matches_row(row: &str, name: &str, version: &str) -> bool {
    match row.split_once("@<") {
        None => row == name,
        Some((known, below)) => known == name && triple(version) < triple(below),
    }
}

fn triple(version: &str) -> Vec<u64> {
    let plain = version.split(['-', '+']).next().unwrap_or(version);
    plain.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

fn skip_name(row: &str) -> &str {
    row.split('@').next().unwrap_or(row)
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const POLICY: &str = "[licenses]\nallow = [\n  \"MIT\",\n  \"Zlib\", # why\n]\n[bans]\n\
        deny = [\n  { crate = \"atty\", reason = \"old\" },\n  { crate = \"time@<0.3.47\" },\n]\n\
        skip = [\n  { crate = \"syn@2\", reason = \"derives\" },\n]\n";

    #[test]
    fn expressions_are_judged_by_the_allowed_licences() {
        let allowed = Policy::read(POLICY).allow;
        let check = |expression: &str, met: bool| {
            assert_eq!(satisfied(expression, &allowed), met, "{expression}");
        };
        check("MIT", true);
        check("MIT/Apache-2.0", true);
        check("Apache-2.0 WITH LLVM-exception OR MIT", true);
        check("(MIT OR Apache-2.0) AND Zlib", true);
        check("(MIT OR Apache-2.0) AND Unicode-3.0", false);
        check("GPL-3.0-only OR Apache-2.0 AND MIT", false);
        check("", false);
        check("MIT )", false);
    }

    #[test]
    fn banned_and_doubled_packages_are_seen() {
        let package = |name: &str, version: &str| json!({"name": name, "version": version});
        let check = |packages: &[Value], faults: usize| {
            let found = bans(&json!({"packages": packages}), &Policy::read(POLICY));
            assert_eq!(found.len(), faults, "{found:?}");
        };
        check(&[package("atty", "0.2.0")], 1);
        check(&[package("time", "0.3.46")], 1);
        check(&[package("time", "0.3.47")], 0);
        check(&[package("http", "0.2.0"), package("http", "1.0.0")], 1);
        check(&[package("syn", "2.0.0"), package("syn", "3.0.0")], 0);
    }

    #[test]
    fn a_licence_outside_the_policy_is_seen() {
        let metadata =
            json!({"packages": [{"name": "x", "license": "GPL-3.0-only"}, {"name": "y"}]});
        assert_eq!(licences(&metadata, &Policy::read(POLICY)).len(), 2);
    }

    #[test]
    fn the_protobuf_feature_is_seen() {
        let graph = |features: &[&str]| {
            let id = "registry+https://example.org/index#prometheus@0.14.0";
            json!({"resolve": {"nodes": [{"id": id, "features": features}]}})
        };
        assert_eq!(features(&graph(&["protobuf"])).len(), 1);
        assert_eq!(features(&graph(&[])), [""; 0]);
        assert_eq!(features(&json!({})).len(), 1);
    }
}
