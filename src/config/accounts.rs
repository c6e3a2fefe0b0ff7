//! Users and groups, as `passwd(5)` and `group(5)` have them. We read them ourselves: a static
//! program cannot ask the name service, and in a container there is nothing else anyway.

/// A line of `/etc/passwd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub home: String,
}

/// A line of `/etc/group`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub name: String,
    pub gid: u32,
    /// Names of users that have it beside their own.
    pub members: Vec<String>,
}

/// The users; lines that are none are passed over, as the C library does.
pub(super) fn users(text: &str) -> Vec<Account> {
    text.lines().filter_map(user).collect()
}

fn user(line: &str) -> Option<Account> {
    let fields: Vec<&str> = line.trim().split(':').collect();
    let [name, _, uid, gid, _, home, ..] = fields[..] else { return None };
    let (uid, gid) = (number(uid)?, number(gid)?);
    named(name).then(|| Account { name: name.into(), uid, gid, home: home.into() })
}

/// The groups; lines that are none are passed over.
pub(super) fn groups(text: &str) -> Vec<Group> {
    text.lines().filter_map(group).collect()
}

fn group(line: &str) -> Option<Group> {
    let fields: Vec<&str> = line.trim().split(':').collect();
    let [name, _, gid, members, ..] = fields[..] else { return None };
    let members = members.split(',').filter(|member| !member.is_empty());
    let gid = number(gid)?;
    let members = members.map(|member| member.trim().to_owned()).collect();
    named(name).then(|| Group { name: name.to_owned(), gid, members })
}

/// Whether the line is of a user of this machine, and no comment.
fn named(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(['#', '+', '-'])
}

/// A user's or group's number. The largest one means "none" to the kernel.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_and_other_lines_passed_over() {
        let text = "root:x:0:0:root:/root:/bin/sh\n# a: comment\n+::::::\n\nx:x:y:0::/:\n\
                    me::1000:100:Me, Myself:/home/me\nbig:x:4294967295:1::/:\n:x:1:1::/:\nshort:x:1\n";
        let account = |name: &str, uid, gid, home: &str| Account {
            name: name.into(),
            uid,
            gid,
            home: home.into(),
        };
        let expected = [account("root", 0, 0, "/root"), account("me", 1000, 100, "/home/me")];
        assert_eq!(users(text), expected);
    }

    #[test]
    fn groups_know_their_members() {
        let text = "root:x:0:\r\ndocker:x:999:me, you,\nbad:x:-1:me\nfew:x\n";
        let group = |name: &str, gid, members: &[&str]| Group {
            name: name.into(),
            gid,
            members: members.iter().map(|member| (*member).to_owned()).collect(),
        };
        assert_eq!(groups(text), [group("root", 0, &[]), group("docker", 999, &["me", "you"])]);
    }

    #[test]
    fn a_number_is_made_of_digits_and_is_not_the_one_for_nobody_at_all() {
        assert_eq!([number("0"), number("4294967294")], [Some(0), Some(4_294_967_294)]);
        for text in ["", "+1", "-1", "4294967295", "99999999999", "0x1", " 1"] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
