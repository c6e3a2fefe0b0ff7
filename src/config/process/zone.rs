//! `timezone` of a schedule: by its name in the zone database of the image, or the container's own.

use std::path::Path;

use crate::config::cursor::Cursor;
use crate::config::plan::Zone;
use crate::config::surroundings::{ReadError, Surroundings};

/// The names under which people know the zone that needs no database.
const UTC: [&str; 4] = ["UTC", "Etc/UTC", "GMT", "Z"];

/// Where systems keep the database; the variable `TZDIR` names another place.
const DATABASES: [&str; 4] =
    ["/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];

/// What the container's zone is, where the variable `TZ` does not say so.
const LOCAL: &str = "/etc/localtime";

/// `UTC`, a name such as `Europe/Berlin`, or `local`.
pub(in crate::config) fn zone(at: &Cursor<'_>, around: &Surroundings<'_>) -> Option<Zone> {
    let text = at.text("`UTC`, `local`, or the name of a time zone such as `Europe/Berlin`")?;
    if UTC.contains(&text) {
        return Some(Zone::default());
    }
    if text == "local" {
        return local(at, around);
    }
    of_name(text, around).or_else(|| {
        let (message, advice) = unknown(text, around);
        at.fault(message, advice);
        None
    })
}

/// As the C library has it: the variable `TZ`, else a file, else UTC.
fn local(at: &Cursor<'_>, around: &Surroundings<'_>) -> Option<Zone> {
    let variable = (around.vars)("TZ").filter(|text| !text.is_empty());
    let Some(text) = variable else {
        let file = (around.bytes)(Path::new(LOCAL)).ok();
        let zone = file.and_then(|file| Zone::of_file("local", &file));
        return Some(zone.unwrap_or_else(|| Zone::default().named("local")));
    };
    let said = text.strip_prefix(':').unwrap_or(&text);
    let by_path = || Zone::of_file(said, &(around.bytes)(Path::new(said)).ok()?);
    let found = match said {
        _ if UTC.contains(&said) => Some(Zone::default()),
        _ if said.starts_with('/') => by_path(),
        _ => of_name(said, around).or_else(|| Zone::of_rule(said)),
    };
    if found.is_none() {
        let (message, advice) = unknown(said, around);
        at.fault(format!("the variable `TZ` is set, and {message}"), advice);
    }
    found.map(|zone| zone.named("local"))
}

fn of_name(name: &str, around: &Surroundings<'_>) -> Option<Zone> {
    let fits = |part: &str| {
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte);
        !part.is_empty() && part.bytes().all(letters)
    };
    if !name.split('/').all(fits) {
        return None;
    }
    let files = databases(around).map(|folder| Path::new(&folder).join(name));
    files.filter_map(|path| (around.bytes)(&path).ok()).find_map(|file| Zone::of_file(name, &file))
}

fn databases(around: &Surroundings<'_>) -> impl Iterator<Item = String> {
    let named = (around.vars)("TZDIR").filter(|folder| !folder.is_empty());
    named.into_iter().chain(DATABASES.map(str::to_owned))
}

/// What is wrong: the name, or an image without a database.
fn unknown(name: &str, around: &Surroundings<'_>) -> (String, &'static str) {
    let is_folder = |path: String| (around.bytes)(Path::new(&path)) == Err(ReadError::Folder);
    let name: String = name.chars().take(60).collect();
    if databases(around).any(is_folder) {
        let advice = "write `UTC`, `local`, or a name such as `Europe/Berlin`";
        return (format!("there is no time zone `{name}` here"), advice);
    }
    (
        format!("the time zone `{name}` cannot be looked up: there is no zone database here"),
        "install the package `tzdata` in the image, or write the times in UTC",
    )
}
