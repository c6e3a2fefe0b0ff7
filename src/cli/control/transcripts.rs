//! `procession agents validate` and `info`: transcripts on disk, whether or not anybody runs.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::Path;

use serde_json::json;

use super::phrase::{NOTHING, harmless, size};
use super::{EXIT_FAILED, Failure, print};
use crate::chains::transcript::{FAULTS_NAMED, Findings, LONGEST_LINE};

/// Says whether every line of a transcript parses.
pub(super) fn validate(path: &Path, as_json: bool) -> Result<(), Failure> {
    let looked = look(path);
    let shown = harmless(&path.display().to_string());
    let valid = looked.as_ref().is_ok_and(|(_, found)| found.faulty == 0 && found.lines > 0);
    if as_json {
        print(&report(path, valid, &looked).to_string())?;
    } else {
        match &looked {
            Ok((_, found)) if found.lines == 0 => {
                print(&format!("{shown}: there is nothing in it but empty lines"))?;
            }
            Ok((_, found)) if valid => print(&format!("{shown}: {} lines, all good", found.lines))?,
            Ok((_, found)) => tell(&shown, found)?,
            Err(why) => print(&format!("{shown}: {why}"))?,
        }
    }
    if valid { Ok(()) } else { Err(Failure::Told(EXIT_FAILED)) }
}

fn tell(shown: &str, found: &Findings) -> Result<(), Failure> {
    for fault in &found.faults {
        print(&format!("{shown}:{}:{}: {}", fault.line, fault.column, harmless(&fault.what)))?;
    }
    let more = found.faulty.saturating_sub(FAULTS_NAMED as u64);
    let more = if more > 0 { format!(", {more} of them not shown") } else { String::new() };
    print(&format!("{shown}: {} of {} lines do not parse{more}", found.faulty, found.lines))
}

/// Says how large a transcript is, how many messages it has, and from when until when.
pub(super) fn info(path: &Path, as_json: bool) -> Result<(), Failure> {
    let looked = look(path);
    let valid = looked.as_ref().is_ok_and(|(_, found)| found.faulty == 0);
    if as_json {
        print(&report(path, valid, &looked).to_string())?;
        return if looked.is_ok() { Ok(()) } else { Err(Failure::Told(EXIT_FAILED)) };
    }
    let shown = harmless(&path.display().to_string());
    let (bytes, found) = looked.map_err(|why| Failure::Failed(format!("{shown}: {why}")))?;
    let time = |at: Option<crate::units::Wall>| at.map_or(NOTHING.to_owned(), |at| at.to_string());
    for (name, value) in [
        ("path", shown),
        ("size", size(Some(bytes))),
        ("lines", found.lines.to_string()),
        ("messages", found.messages.to_string()),
        ("first", time(found.first)),
        ("last", time(found.last)),
        ("conversations", harmless(&found.conversations.join(" "))),
        ("lines that do not parse", found.faulty.to_string()),
    ] {
        print(&format!("{name}: {value}"))?;
    }
    Ok(())
}

fn report(path: &Path, valid: bool, looked: &Result<(u64, Findings), String>) -> serde_json::Value {
    let path = path.to_string_lossy();
    let (bytes, found) = match looked {
        Ok((bytes, found)) => (*bytes, found),
        Err(why) => return json!({ "path": path, "valid": false, "error": why }),
    };
    let faults = found
        .faults
        .iter()
        .map(|fault| json!({ "line": fault.line, "column": fault.column, "message": fault.what }));
    json!({
        "path": path,
        "valid": valid,
        "size_bytes": bytes,
        "lines": found.lines,
        "messages": found.messages,
        "first": found.first.map(|at| at.to_string()),
        "last": found.last.map(|at| at.to_string()),
        "conversations": found.conversations,
        "faulty": found.faulty,
        "faults": faults.collect::<Vec<_>>(),
    })
}

/// Looks at every line, holding one of them at a time; with the size of the file.
fn look(path: &Path) -> Result<(u64, Findings), String> {
    let link = || fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
    let said = |error: io::Error| match error.kind() {
        ErrorKind::NotFound if link() => "it is a link to a file that does not exist".to_owned(),
        ErrorKind::NotFound => "it does not exist".to_owned(),
        _ => format!("cannot read it: {error}"),
    };
    // Before it is opened: opening a pipe would wait for whoever writes to it.
    let meta = fs::metadata(path).map_err(said)?;
    if meta.is_dir() {
        return Err("it is a directory: name a transcript in it".to_owned());
    }
    if !meta.is_file() {
        return Err("it is no regular file".to_owned());
    }
    if meta.len() == 0 {
        return Err("it is empty".to_owned());
    }
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path).map_err(said)?);
    let (mut found, mut line) = (Findings::default(), Vec::new());
    while let Some(end) = next_line(&mut reader, &mut line).map_err(said)? {
        match end {
            End::Oversized => found.take_oversized(),
            End::Feed => found.take(&line, true),
            End::Cut => found.take(&line, false),
        }
    }
    Ok((meta.len(), found))
}

/// How a line ends.
enum End {
    /// With a line feed.
    Feed,
    /// With the file.
    Cut,
    /// It is too long to be held.
    Oversized,
}

/// The next line without its line feed, no more than may be held of it; `None` at the end.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<End>> {
    line.clear();
    let mut oversized = false;
    let mut any = false;
    loop {
        let piece = reader.fill_buf()?;
        if piece.is_empty() {
            let end = if oversized { End::Oversized } else { End::Cut };
            return Ok(any.then_some(end));
        }
        any = true;
        let feed = memchr::memchr(b'\n', piece);
        let part = &piece[..feed.unwrap_or(piece.len())];
        oversized |= line.len() + part.len() > LONGEST_LINE;
        if !oversized {
            line.extend_from_slice(part);
        }
        let used = part.len() + usize::from(feed.is_some());
        reader.consume(used);
        if feed.is_some() {
            return Ok(Some(if oversized { End::Oversized } else { End::Feed }));
        }
    }
}
