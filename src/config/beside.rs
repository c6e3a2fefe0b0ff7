//! A command that runs beside the plan: what may be said of it, in the words of a file and with the
//! same faults.

use super::file;
use super::plan::ProcessPlan;
use super::problem::Level;
use super::surroundings::Surroundings;

/// What is asked of a command, as it was typed. What is absent stays as is usual for such commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The name that it runs under.
    pub name: Option<String>,
    /// As whom.
    pub user: Option<String>,
    /// How it is asked to end.
    pub stop_signal: Option<String>,
    /// From the asking to SIGKILL.
    pub stop_grace_period: Option<String>,
}

/// The name of one that has none yet.
const NAMELESS: &str = "nameless";

/// A process of this kind, which runs nothing yet; its name is empty where none was asked for. What
/// was not asked for is as `usual` has it.
///
/// # Errors
///
/// Every fault, with the key that it is in.
pub fn read(
    asked: &Asked,
    usual: ProcessPlan,
    around: &Surroundings<'_>,
) -> Result<ProcessPlan, Vec<String>> {
    let Asked { name, user, stop_signal, stop_grace_period } = asked;
    let keys = [
        ("user", user.as_ref()),
        ("stop_signal", stop_signal.as_ref()),
        ("stop_grace_period", stop_grace_period.as_ref()),
    ];
    let name = name.as_deref().unwrap_or(NAMELESS);
    let said = keys.iter().filter_map(|(key, text)| Some((*key, text.as_ref()?)));
    let said: String = said.map(|(key, text)| format!(", {key}: {}", quoted(text))).collect();
    if let Some((key, _)) = unwritable(&keys, name) {
        return Err(vec![format!("{key}: it has characters that are no text")]);
    }
    let text = format!("processes: {{{}: {{command: [x]{said}}}}}", quoted(name));
    // What stands at the top of a file is not asked for, so that no variable says it either.
    let around = Surroundings { vars: &|_| None, ..*around };
    let read = file::read(&text, &around).map_err(|problems| {
        let faults = problems.iter().filter(|problem| problem.level == Level::Fault);
        let below = format!("processes.{name}.");
        let told = |path: &str| path.strip_prefix(&below).unwrap_or("name").to_owned();
        let advice = |advice: &Option<String>| {
            advice.as_ref().map(|advice| format!("; {advice}")).unwrap_or_default()
        };
        faults
            .map(|fault| {
                format!("{}: {}{}", told(&fault.path), fault.message, advice(&fault.advice))
            })
            .collect::<Vec<String>>()
    })?;
    let Some(read) = read.plan.processes.into_iter().next() else { return Ok(usual) };
    Ok(ProcessPlan {
        name: asked.name.clone().unwrap_or_default(),
        world: read.world,
        stop_signal: stop_signal.as_ref().map_or(usual.stop_signal, |_| read.stop_signal),
        stop_grace_period: stop_grace_period
            .as_ref()
            .map_or(usual.stop_grace_period, |_| read.stop_grace_period),
        ..usual
    })
}

/// The first that no file could say.
fn unwritable<'a>(
    keys: &[(&'a str, Option<&'a String>)],
    name: &'a str,
) -> Option<(&'a str, &'a str)> {
    let all = keys.iter().filter_map(|(key, text)| Some((*key, text.as_ref()?.as_str())));
    all.chain([("name", name)]).find(|(_, text)| text.chars().any(char::is_control))
}

/// As it stands in a file, where it means itself: no variable is put into it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''").replace('$', "$$"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::config::surroundings::ReadError;
    use crate::units::Signal;

    fn check(asked: Asked) -> Result<ProcessPlan, Vec<String>> {
        let passwd = "root:x:0:0::/root:/bin/sh\nbob:x:1000:1001::/home/bob:/bin/sh\n";
        let read = |path: &Path| match path.to_str() {
            Some("/etc/passwd") => Ok(passwd.to_owned()),
            Some("/etc/group") => Ok("bob:x:1001:\nbuild:x:50:bob\n".to_owned()),
            _ => Err(ReadError::Missing),
        };
        let vars = |_: &str| Some("a variable".to_owned());
        let around = Surroundings {
            file: "spawn",
            folder: Path::new("/"),
            uid: 0,
            vars: &vars,
            read: &read,
            bytes: &|_| Err(ReadError::Missing),
        };
        let usual = ProcessPlan {
            stop_signal: Signal::INT,
            stop_grace_period: Duration::from_secs(1),
            ..ProcessPlan::new("", vec!["true".to_owned()])
        };
        super::read(&asked, usual, &around)
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn what_is_not_asked_for_stays_as_is_usual() {
        let plan = check(Asked::default()).expect("a plan");
        assert_eq!((&*plan.name, plan.stop_signal), ("", Signal::INT));
        assert_eq!(plan.stop_grace_period, Duration::from_secs(1));
        assert_eq!(plan.words(), ["true"]);
    }

    #[test]
    fn what_is_asked_for_is_read_as_in_a_file() {
        let asked = Asked {
            name: some("job"),
            user: some("bob"),
            stop_signal: some("SIGQUIT"),
            stop_grace_period: some("1m30s"),
        };
        let plan = check(asked).expect("a plan");
        assert_eq!((&*plan.name, plan.stop_signal), ("job", Signal::QUIT));
        assert_eq!(plan.stop_grace_period, Duration::from_secs(90));
        let user = plan.world.user.expect("a user");
        assert_eq!((user.uid, user.gid, user.groups), (1000, 1001, vec![1001, 50]));
    }

    #[test]
    fn every_fault_is_told_with_its_key() {
        let asked = Asked {
            name: some("no name"),
            user: some("bobby"),
            stop_signal: some("LOUD"),
            stop_grace_period: some("soon"),
        };
        let faults = check(asked).expect_err("faults");
        let keys: Vec<&str> = faults.iter().filter_map(|fault| fault.split(':').next()).collect();
        assert_eq!(keys, ["name", "user", "stop_signal", "stop_grace_period"], "{faults:?}");
        assert!(faults[1].contains("no user `bobby` in /etc/passwd"), "{faults:?}");
    }

    #[test]
    fn nothing_that_is_asked_for_becomes_a_part_of_the_file() {
        for text in ["x', command: [y], user: 'root", "${USER}", "a: b", "a\nb", "\0", "[", "#"] {
            let as_name = Asked { name: some(text), ..Asked::default() };
            assert!(check(as_name).is_err(), "{text}");
            let as_user = Asked { user: some(text), ..Asked::default() };
            assert!(check(as_user).is_err(), "{text}");
        }
    }
}
