//! The table of keys against the reader, and the schema against the files that we ship.

use std::collections::BTreeSet;

use serde_yaml::{Mapping, Value as Yaml};

use super::form::{Form, Key};
use super::validate::validate;
use super::{FILE, schema};
use crate::config::mistakes::read;

const EVERYTHING: &str = include_str!("../everything.yaml");
const EXAMPLE: &str = include_str!("../../../config.yaml");

/// A key that nobody knows and that is like no other.
const STRANGER: &str = "zzzzzzzz";

fn yaml(text: &str) -> Yaml {
    let mut yaml: Yaml = serde_yaml::from_str(text).expect("YAML");
    yaml.apply_merge().expect("maps to merge");
    yaml
}

/// A way to a map: keys, and places in lists.
type Way = Vec<Yaml>;

/// Every map in a value whose keys the table has, with the way to it.
fn maps(yaml: &Yaml, form: &Form, way: &Way, found: &mut Vec<(Way, &'static [Key])>) {
    let below = |step: Yaml| way.iter().cloned().chain([step]).collect::<Way>();
    match (form, yaml) {
        (Form::Map(keys, _), Yaml::Mapping(map)) => {
            found.push((way.clone(), *keys));
            for (key, value) in map {
                let row = keys.iter().find(|(name, ..)| Some(*name) == key.as_str());
                let (_, form, _) = row.unwrap_or_else(|| panic!("{key:?} is not in the table"));
                maps(value, form, &below(key.clone()), found);
            }
        }
        (Form::Named(one) | Form::NamedOrBare(one), Yaml::Mapping(map)) => {
            map.iter().for_each(|(key, value)| maps(value, one, &below(key.clone()), found));
        }
        (Form::List(one) | Form::Many(one), Yaml::Sequence(all)) => {
            all.iter()
                .enumerate()
                .for_each(|(at, one_of)| maps(one_of, one, &below(at.into()), found));
        }
        (Form::Many(one), other) => maps(other, one, way, found),
        (Form::Either(forms), _) => forms.iter().for_each(|form| maps(yaml, form, way, found)),
        _ => {}
    }
}

/// All maps that the table has.
fn tables(form: &Form, found: &mut BTreeSet<usize>) {
    match form {
        Form::Map(keys, _) => {
            found.insert(identity(keys));
            keys.iter().for_each(|(_, form, _)| tables(form, found));
        }
        Form::Either(forms) => forms.iter().for_each(|form| tables(form, found)),
        Form::Named(one) | Form::NamedOrBare(one) | Form::List(one) | Form::Many(one) => {
            tables(one, found);
        }
        _ => {}
    }
}

/// The names of a table's keys stand for it: tables are copied, so they have no address of their own.
fn identity(keys: &[Key]) -> usize {
    let names: String = keys.iter().map(|(name, _, meaning)| format!("{name}{meaning}")).collect();
    names.bytes().fold(7, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
}

/// The keys that the reader knows in the map at the end of a way.
fn known(way: &Way) -> BTreeSet<String> {
    let mut whole = yaml(EVERYTHING);
    let mut at = &mut whole;
    for step in way {
        let place = step.as_u64().filter(|_| at.is_sequence());
        at = match place.and_then(|place| usize::try_from(place).ok()) {
            Some(place) => at.get_mut(place),
            None => at.get_mut(step),
        }
        .expect("a value on the way");
    }
    let map: &mut Mapping = at.as_mapping_mut().expect("a map");
    map.insert(STRANGER.into(), 1.into());
    let text = serde_yaml::to_string(&whole).expect("text");
    let problems = read(&text).expect_err("an unknown key");
    let told = problems.iter().find(|one| one.path.ends_with(STRANGER)).expect("the stranger");
    let advice = told.advice.as_deref().unwrap_or_default();
    let known = advice.strip_prefix("known here: ").expect(advice);
    known.split(", ").map(str::to_owned).collect()
}

#[test]
fn the_table_has_every_key_that_the_reader_knows_and_no_other() {
    let mut found = vec![];
    maps(&yaml(EVERYTHING), &FILE, &vec![], &mut found);
    for (way, keys) in &found {
        let table: BTreeSet<String> = keys.iter().map(|(name, ..)| (*name).to_owned()).collect();
        assert_eq!(known(way), table, "{way:?}");
    }
    let mut all = BTreeSet::new();
    tables(&FILE, &mut all);
    let seen: BTreeSet<usize> = found.iter().map(|(_, keys)| identity(keys)).collect();
    assert_eq!(seen, all, "everything.yaml leaves out a map that the table has");
}

/// Whoever adds a key has to explain it in the example.
#[test]
fn the_example_names_every_key() {
    let mut found = vec![];
    keys(&FILE, &mut found);
    let missing: Vec<&str> = found.into_iter().filter(|key| !EXAMPLE.contains(key)).collect();
    assert_eq!(missing, [""; 0], "these keys are not explained");
}

fn keys(form: &Form, found: &mut Vec<&'static str>) {
    match form {
        Form::Map(keys_of, _) => {
            for (key, form, meaning) in *keys_of {
                assert!(meaning.ends_with('.'), "{key} has no meaning");
                found.push(key);
                keys(form, found);
            }
        }
        Form::Either(forms) => forms.iter().for_each(|form| keys(form, found)),
        Form::Named(one) | Form::NamedOrBare(one) | Form::List(one) | Form::Many(one) => {
            keys(one, found);
        }
        _ => {}
    }
}

/// What the schema says against a YAML text.
fn against(text: &str) -> Result<(), String> {
    let schema = serde_json::from_str(&schema()).expect("JSON");
    let value = serde_json::to_value(yaml(text)).expect("JSON");
    validate(&schema, &value, "")
}

#[test]
fn the_schema_allows_what_we_ship() {
    assert_eq!(against(EVERYTHING), Ok(()));
    assert_eq!(against(EXAMPLE), Ok(()));
    assert_eq!(against(include_str!("../everything.shown.yaml")), Ok(()));
}

/// Faults that the schema of an editor can see; each is one of the reader too.
#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    for keys in [
        "commmand: b",
        "replicas: 0",
        "restart_policy: {factor: 0.5}",
        "healthcheck: {interval: 5}",
        "output: pretty",
        "output: {file: {keep: 1}}",
        "depends_on: {a: {}}",
        "stop_grace_period: soon",
        "develop: {watch: [{path: a, action: sync}]}",
        "ulimits: {nofiles: 1}",
        "autostart: maybe",
        "memory: {warning: -1}",
        "type: daemon",
    ] {
        let text = format!("processes: {{web: {{command: a, {keys}}}}}");
        assert!(read(&text).is_err(), "{keys}");
        assert!(against(&text).is_err(), "{keys}");
    }
    assert!(against("metrics: false").is_err());
    for store in ["memry", "mysql://a@b/c", "{postgres: b}", "{sqlite: a, database: b}"] {
        let text = format!("processes: {{web: {{command: a}}}}\nstore: {store}");
        assert!(read(&text).is_err(), "{store}");
        assert!(against(&text).is_err(), "{store}");
    }
    let variable =
        "processes: {web: {command: a, replicas: '${N}', stop_grace_period: '${T:-5s}'}}";
    assert_eq!(against(variable), Ok(()));
}
