//! What a file gives back, whatever became of it.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::ledger::audit::AuditRow;
use crate::ledger::row::{Row, SessionClose};
use crate::ledger::session::{SessionEnd, SessionState};
use crate::ledger::written::{Part, Raw, Written};
use crate::store::examples::{AT, batch, event, id, sample, session, usage};
use crate::store::runfile::Owner;
use crate::store::suite::chains::{link, row, said};
use crate::tokens::{FileProgress, UsageKey};
use crate::units::ProcId;

const ROOM: Bytes = Bytes::mib(1);

fn life(number: u128) -> Life {
    let supervisor = ProcId { pid: 7, start_ticks: 70 };
    let owner = Owner { boot_id: "boot".into(), pid_namespace: "pid:[1]".into(), supervisor };
    Life { id: id(number), instance: "instance".into(), host: "host".into(), owner, began: AT }
}

fn found(state: &Path) -> Vec<LeftSpool> {
    find_left(state, |_| false)
}

fn batches(left: &mut LeftSpool) -> Vec<Batch> {
    std::iter::from_fn(|| left.next_batch().expect("readable")).collect()
}

/// One row of each kind.
fn all_kinds() -> Vec<Row> {
    use std::os::unix::ffi::OsStringExt;
    let odd = std::ffi::OsString::from_vec(b"/tmp/\xff.jsonl".to_vec());
    let progress = |path: PathBuf| FileProgress { path, device: 1, inode: u64::MAX, offset: 3 };
    let end = SessionEnd { at: AT, duration: Default::default(), status: None, reason: "r".into() };
    let close = SessionClose { session: id(3), state: SessionState::Lost, events: 4, end };
    let audit = AuditRow {
        id: id(9),
        at: AT,
        action: "POST /v1/sessions".into(),
        target: String::new(),
        said: "\"quoted\"\nand broken".into(),
        outcome: 200,
        reason: None,
        role: "admin".into(),
        token: None,
        remote: None,
        uid: Some(0),
        pid: Some(1),
        name: None,
        session: None,
    };
    vec![
        event(0),
        session(1),
        Row::Close(Box::new(close)),
        sample(2),
        usage(u64::MAX),
        Row::Progress(progress(odd.into())),
        Row::Progress(progress("/tmp/plain.jsonl".into())),
        Row::Seen(UsageKey(u64::MAX)),
        Row::Audit(Box::new(audit)),
        row("claude", link(1, "c1")),
        Row::Interaction(std::sync::Arc::new(said(u64::MAX, 1))),
        Row::ChainReset("claude".into()),
        Row::Output(std::sync::Arc::new(Written {
            session: id(1),
            at: AT,
            begin: u64::MAX,
            over: true,
            parts: [&b"text"[..], b"\xff\x00"]
                .map(|bytes| Part { stderr: bytes.len() == 2, bytes: Raw(bytes.to_vec()) })
                .into(),
        })),
    ]
}

#[test]
fn whatever_is_written_is_read_back_in_its_order_and_only_once_its_life_is_over() {
    let state = tempfile::tempdir().expect("a folder");
    let written = [batch(all_kinds()), batch(vec![event(1)]), batch(vec![session(2)])];
    let (mut file, dropped) =
        SpoolFile::begin(state.path(), &life(5), ROOM, &written[..1]).expect("begun");
    assert_eq!((dropped, file.append(&written[1..]).expect("appended")), (0, 0));
    assert_eq!(file.size().1, all_kinds().len() as u64 + 2);
    let path = state.path().join(FOLDER).join(format!("{}.spool", id(5)));
    let about = fs::metadata(&path).expect("it is there");
    assert_eq!((about.mode() & 0o777, about.len()), (0o600, file.size().0.0));
    assert!(found(state.path()).is_empty(), "its life goes on");
    drop(file);
    let mut left = found(state.path());
    assert_eq!((left.len(), &left[0].life), (1, &life(5)));
    assert_eq!(batches(&mut left[0]), written);
    assert_eq!(left[0].damaged, 0);
    assert!(found(state.path()).is_empty(), "we deal with it already");
    left.remove(0).discard().expect("removed");
    assert!(!path.exists());
}

#[test]
fn a_torn_end_and_a_damaged_line_cost_no_more_than_themselves() {
    let state = tempfile::tempdir().expect("a folder");
    let written = [batch(vec![event(0)]), batch(vec![event(1)]), batch(vec![event(2)])];
    drop(SpoolFile::begin(state.path(), &life(5), ROOM, &written).expect("begun"));
    let path = state.path().join(FOLDER).join(format!("{}.spool", id(5)));
    let whole = fs::read(&path).expect("read");
    let begins: Vec<usize> = std::iter::once(0)
        .chain(whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1))
        .collect();
    for cut in begins[3]..whole.len() {
        fs::write(&path, &whole[..cut]).expect("written");
        let mut left = found(state.path()).remove(0);
        assert_eq!(batches(&mut left), written[..2], "cut at {cut}");
        assert_eq!(left.damaged, u64::from(cut > begins[3]));
    }
    for at in [begins[2], begins[2] + 20] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, &bytes).expect("written");
        let mut left = found(state.path()).remove(0);
        assert_eq!(batches(&mut left), [written[0].clone(), written[2].clone()]);
        assert_eq!(left.damaged, 1);
    }
}

#[test]
fn samples_leave_room_for_lifecycle_and_what_exceeds_is_counted() {
    let state = tempfile::tempdir().expect("a folder");
    let most = Bytes(20_000);
    let (mut file, _) = SpoolFile::begin(state.path(), &life(5), most, &[]).expect("begun");
    let samples: Vec<Batch> = (0..200).map(|at| batch(vec![sample(at)])).collect();
    let dropped = file.append(&samples).expect("appended");
    assert!((1..200).contains(&dropped), "{dropped}");
    assert!(file.size().0.0 <= most.0 / 4 * 3);
    assert_eq!(file.append(&[batch(vec![event(0)])]).expect("appended"), 0, "there is a reserve");
    let events: Vec<Batch> = (1..200).map(|at| batch(vec![event(at)])).collect();
    let dropped = file.append(&events).expect("appended");
    assert!((1..199).contains(&dropped) && file.size().0 <= most, "{dropped}");
}

#[test]
fn what_is_not_ours_is_neither_followed_nor_read() {
    let state = tempfile::tempdir().expect("a folder");
    let folder = state.path().join(FOLDER);
    let elsewhere = state.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("made");
    std::os::unix::fs::symlink(&elsewhere, &folder).expect("linked");
    assert!(SpoolFile::begin(state.path(), &life(5), ROOM, &[]).is_err(), "a link to elsewhere");
    assert_eq!(fs::read_dir(&elsewhere).expect("listed").count(), 0);
    fs::remove_file(&folder).expect("removed");
    drop(SpoolFile::begin(state.path(), &life(5), ROOM, &[]).expect("begun"));
    let path = folder.join(format!("{}.spool", id(5)));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o622)).expect("set");
    assert!(found(state.path()).is_empty(), "others may write to it");
    let moved = folder.join("moved");
    fs::rename(&path, &moved).expect("moved");
    std::os::unix::fs::symlink(&moved, &path).expect("linked");
    assert!(found(state.path()).is_empty(), "a link");
    fs::remove_file(&path).expect("removed");
    fs::write(&path, "00000000 {}\n").expect("written");
    assert!(found(state.path()).is_empty());
    assert!(path.with_extension("corrupt").exists(), "set aside");
}
