//! `user` and `group_add`: as whom a process runs.

use std::path::{Path, PathBuf};

use crate::config::accounts::{Account, Group, groups, number, users};
use crate::config::cursor::{Cursor, Fields, did_you_mean};
use crate::config::plan::User;
use crate::config::problem::{nearest, quoted, shortened};
use crate::config::surroundings::{ReadError, Surroundings};

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// The most groups that are added: what the kernel takes is 65,536, what a person means is few.
const MAX_GROUPS: usize = 64;

/// As whom a process runs, with every group.
pub(super) fn user(fields: &mut Fields<'_>, around: &Surroundings<'_>) -> Option<User> {
    let at = fields.get("user");
    let added_at = fields.get("group_add");
    let found = at.as_ref().and_then(|at| whom(at, around));
    let added = added_at.as_ref().map(|at| added(at, around)).unwrap_or_default();
    if let (Some(added), None) = (&added_at, &at) {
        let advice = "write `user: …` beside it";
        added.fault("groups are added to those of a `user`, and none is written here", advice);
    }
    let mut found = found?;
    for group in added {
        if !found.groups.contains(&group) {
            found.groups.push(group);
        }
    }
    if let Some(at) = at.filter(|_| around.uid != 0 && around.uid != found.uid) {
        let message = format!("user {} can only start processes of its own", around.uid);
        at.warn(message, "run as root, or remove it");
    }
    Some(found)
}

/// `name`, `1000`, `name:group` or `1000:1000`. As in Docker, a group that is written is the only
/// one; without, the user has all that are its own.
fn whom(at: &Cursor<'_>, around: &Surroundings<'_>) -> Option<User> {
    let text = at.text("a user, or a user and a group such as `1000:1000`")?;
    let (who, group) = match text.split_once(':') {
        Some((who, group)) => (who, Some(group)),
        None => (text, None),
    };
    if who.is_empty() || group.is_some_and(str::is_empty) {
        return at.expected("a user, or a user and a group such as `1000:1000`", "");
    }
    let known = accounts(at, around, number(who).is_some())?;
    let account = account(at, who, &known)?;
    let uid = account.map(|account| account.uid).or_else(|| number(who))?;
    let (gid, groups) = match (group, account) {
        (Some(group), _) => {
            let gid = gid(at, group, around)?;
            (gid, vec![gid])
        }
        (None, Some(account)) => (account.gid, own_groups(account, around)),
        (None, None) => {
            let message =
                format!("no user in {PASSWD} has the number {uid}, so its group is not known");
            at.fault(message, format!("write `{uid}:{uid}`, or another group"));
            return None;
        }
    };
    Some(User {
        uid,
        gid,
        groups,
        name: account.map(|account| account.name.clone()),
        home: account.map(|account| PathBuf::from(&account.home)),
    })
}

/// The users of this machine. A number needs none, so that it works where there is no such file.
fn accounts(at: &Cursor<'_>, around: &Surroundings<'_>, optional: bool) -> Option<Vec<Account>> {
    match (around.read)(Path::new(PASSWD)) {
        Ok(text) => Some(users(&text)),
        Err(_) if optional => Some(vec![]),
        Err(error) => unreadable(at, PASSWD, &error, "write the user's number"),
    }
}

/// The account that a name or a number stands for: a name has one, a number may have none.
fn account<'a>(at: &Cursor<'_>, who: &str, known: &'a [Account]) -> Option<Option<&'a Account>> {
    if let Some(account) = known.iter().find(|account| account.name == who) {
        return Some(Some(account));
    }
    if let Some(uid) = number(who) {
        return Some(known.iter().find(|account| account.uid == uid));
    }
    unknown(at, "user", who, known.iter().map(|account| &*account.name), PASSWD)
}

/// The groups of a user, its primary one first.
fn own_groups(account: &Account, around: &Surroundings<'_>) -> Vec<u32> {
    let text = (around.read)(Path::new(GROUP)).unwrap_or_default();
    let member = |group: &&Group| group.members.contains(&account.name);
    let mut all = vec![account.gid];
    for group in groups(&text).iter().filter(member) {
        if !all.contains(&group.gid) {
            all.push(group.gid);
        }
    }
    all
}

/// `group_add`: names and numbers.
fn added(at: &Cursor<'_>, around: &Surroundings<'_>) -> Vec<u32> {
    let items = at.one_or_many("a list of groups").unwrap_or_default();
    if items.len() > MAX_GROUPS {
        at.expected::<()>(&format!("at most {MAX_GROUPS} groups"), "");
        return vec![];
    }
    items.iter().filter_map(|item| gid(item, item.text("a group")?, around)).collect()
}

fn gid(at: &Cursor<'_>, group: &str, around: &Surroundings<'_>) -> Option<u32> {
    if let Some(gid) = number(group) {
        return Some(gid);
    }
    let known = match (around.read)(Path::new(GROUP)) {
        Ok(text) => groups(&text),
        Err(error) => return unreadable(at, GROUP, &error, "write the group's number"),
    };
    match known.iter().find(|known| known.name == group) {
        Some(known) => Some(known.gid),
        None => unknown(at, "group", group, known.iter().map(|known| &*known.name), GROUP),
    }
}

fn unknown<'k, T>(
    at: &Cursor<'_>,
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'k str>,
    file: &str,
) -> Option<T> {
    let advice = match nearest(name, known) {
        Some(near) => did_you_mean(near),
        None => format!("add it to {file} in the image, or write its number"),
    };
    at.fault(format!("there is no {what} {} in {file}", quoted(&shortened(name))), advice);
    None
}

fn unreadable<T>(at: &Cursor<'_>, file: &str, error: &ReadError, advice: &str) -> Option<T> {
    let (message, _) = error.explain();
    at.fault(format!("{file}: {message}"), advice);
    None
}
