"""Tables for people, JSON for programs."""

import datetime
import json
from dataclasses import asdict

from . import share
from .machine import commit
from .tools import BENCH


def verdict(scenario, outcomes, goal, name):
    """A line about one goal: what was asked, what was seen, and whether that is enough."""
    column = next(column for column in scenario.columns if column.key == goal.key)
    mine = outcomes[name].summary(goal.key) if name in outcomes else None
    theirs = outcomes[goal.peer].summary(goal.key) if goal.peer in outcomes else None
    word = "at least" if goal.at_least else "at most"
    aim = f"{goal.factor:g} x {goal.peer}" if goal.peer else f"{goal.bound:g} {column.unit}".strip()
    how = "" if goal.which == "median" else f", {goal.which} of all runs,"
    said = f"{name}: {column.title}{how} {word} {aim}"
    if mine is None or (goal.peer and theirs is None):
        return {"goal": said, "reached": None, "seen": "not measured"}
    seen = getattr(mine, goal.which)
    # A run that failed is no run that reached anything.
    failed = sum(outcomes[name].failures.values())
    if goal.peer:
        base = getattr(theirs, goal.which)
        ratio = seen / base if base else float("inf")
        reached = ratio >= goal.factor if goal.at_least else ratio <= goal.factor
        return {"goal": said, "reached": reached and not failed, "seen": f"{ratio:.2f} x {goal.peer}"}
    reached = seen >= goal.bound if goal.at_least else seen <= goal.bound
    shown = f"{seen:.{column.digits}f} {column.unit}".strip()
    return {"goal": said, "reached": reached and not failed, "seen": shown}


def verdicts(scenario, outcomes):
    """All goals, also for other builds of procession in the same run."""
    builds = [name for name in outcomes if name.startswith("procession")]
    return [verdict(scenario, outcomes, goal, name) for name in builds for goal in scenario.goals]


def cell(column, outcome, reference):
    found = outcome.summary(column.key)
    if found is None:
        return "–"
    digits = column.digits
    if column.share:
        return f"{found.mean:.{digits}f}"
    text = f"{found.median:.{digits}f}"
    if found.count > 1:
        text += f" ({found.p10:.{digits}f}–{found.p90:.{digits}f})"
    base = reference.summary(column.key) if reference and column.ratio else None
    if base and base.median and outcome is not reference:
        text += f" ×{found.median / base.median:.2f}"
    return text


def table(scenario, outcomes):
    """Markdown: a row for each peer, then the goals, then what has to be said."""
    reference = outcomes.get(scenario.reference)
    heads = [f"{column.title}, {column.unit}" if column.unit else column.title for column in scenario.columns]
    lines = [f"### {scenario.name}: {scenario.title}", "", scenario.about.strip(), ""]
    if reference:
        lines += [f"Median (p10–p90) ×ratio to {scenario.reference}.", ""]
    lines += ["| " + " | ".join(["peer", *heads, "runs"]) + " |", "|---" * (len(heads) + 2) + "|"]
    for name, outcome in outcomes.items():
        if outcome.cannot:
            lines.append(f"| {name} |" + " – |" * len(heads) + f" {outcome.cannot} |")
            continue
        cells = [cell(column, outcome, reference) for column in scenario.columns]
        failed = sum(outcome.failures.values())
        runs = f"{outcome.rounds}" + (f", {failed} failed" if failed else "")
        lines.append("| " + " | ".join([name, *cells, runs]) + " |")
    marks = {True: "reached", False: "**missed**", None: "open"}
    lines += [""]
    lines += [f"- {marks[v['reached']]}: {v['goal']}; seen {v['seen']}" for v in verdicts(scenario, outcomes)]
    for name, outcome in outcomes.items():
        lines += [f"- {name}, {count} of {outcome.rounds} failed: {text}" for text, count in outcome.failures.items()]
        lines += [f"- {name}, {count} of {outcome.rounds}: {text}" for text, count in outcome.notes.items()]
    return "\n".join(lines).rstrip() + "\n"


def as_json(played, machine, versions, quick):
    """Everything that was seen, each single value too."""
    return {
        "date": datetime.date.today().isoformat(),
        "quick": quick,
        "commit": commit(),
        # Whether the containers had a weight of their own, or shared the processor as everybody does.
        "cgroup": share.folder() != "-",
        "machine": machine,
        "versions": versions,
        "scenarios": [_scenario_json(scenario, outcomes) for scenario, outcomes in played],
    }


def _scenario_json(scenario, outcomes):
    return {
        "name": scenario.name,
        "title": scenario.title,
        "reference": scenario.reference,
        "units": {column.key: column.unit for column in scenario.columns},
        "goals": verdicts(scenario, outcomes),
        "peers": {name: _outcome_json(outcome) for name, outcome in outcomes.items()},
    }


def _outcome_json(outcome):
    return {
        "cannot": outcome.cannot,
        "runs": outcome.rounds,
        "failures": dict(outcome.failures),
        "notes": dict(outcome.notes),
        "summary": {key: asdict(outcome.summary(key)) for key in outcome.series},
        "values": outcome.series,
    }


def heading(document):
    machine = document["machine"]
    lines = [
        f"# procession {document['commit']} and its peers, {document['date']}" + (" (quick)" if document["quick"] else ""),
        "",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, Linux {machine['kernel']}, "
        f"{machine['system']}, load before {machine['load_before']}, "
        f"cgroup of its own: {'yes' if document['cgroup'] else 'no'}",
        "",
        *(f"- {name}: {version}" for name, version in document["versions"].items()),
        "",
    ]
    return "\n".join(lines)


def write(document, tables, folder=BENCH / "results"):
    """Two files named by the date and the kind of machine; an earlier run of that day is kept."""
    folder.mkdir(exist_ok=True)
    machine = document["machine"]
    stem = f"{document['date']}-{machine['architecture']}-{machine['cores']}-cores"
    number = 1
    while (folder / f"{stem}-{number}.json").exists():
        number += 1
    path = folder / f"{stem}-{number}.json"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    path.with_suffix(".md").write_text(heading(document) + "\n" + "\n".join(tables))
    return path
