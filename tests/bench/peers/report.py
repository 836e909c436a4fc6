"""The table of a run: medians over its rounds, and a verdict for each figure that is computed from them."""

import statistics

from rows import METRICS, ROWS
from sides import SIDES

# Two sides within this ratio are equal, and so are two whose rounds overlap.
EQUAL = 1.1
MARKS = {"first": "**first**", "equal": "equal: ", "behind": "is ahead"}
KEEPS_NOTHING = {side.key for side in SIDES if not side.keeps}
ON_POSTGRES = {side.key for side in SIDES if side.postgres}
# PostgreSQL runs already and is not counted: these sides are compared with each other only.
WITHOUT_STORE = {"start_seconds", "start_mib", "busy_mib"}


def comparable(name, keys):
    """The sides whose figures of this name mean the same."""
    keys = [key for key in keys if key not in KEEPS_NOTHING]
    if METRICS[name].row == "call":
        # FastMCP keeps tasks, but no plain calls.
        keys = [key for key in keys if key != "fastmcp"]
    if name in WITHOUT_STORE and not ON_POSTGRES.issuperset(keys):
        keys = [key for key in keys if key not in ON_POSTGRES]
    return keys


def is_equal(ours, theirs, ratio):
    if 1 / EQUAL < ratio < EQUAL:
        return True
    overlap = min(ours) <= max(theirs) and min(theirs) <= max(ours)
    return overlap and min(len(ours), len(theirs)) > 1


def verdict(name, figures, sides):
    """Who is first among these sides: ours, or by how much another one."""
    better = min if METRICS[name].better == "low" else max
    medians = {key: statistics.median(figures[key]) for key in comparable(name, sides) if figures.get(key)}
    ours = [key for key in medians if key.startswith("ours")]
    peers = [key for key in medians if not key.startswith("ours")]
    if not ours:
        return "ours was not measured"
    if not peers:
        others = any(not key.startswith("ours") for key in sides if figures.get(key))
        return "no verdict: the others do less" if others else "no other side has it"
    mine, best = better(ours, key=medians.get), better(peers, key=medians.get)
    low, high = sorted((medians[mine], medians[best]))
    ratio = high / low if low > 0 else (1.0 if high == low else float("inf"))
    if is_equal(figures[mine], figures[best], ratio):
        return f"equal: {mine} and {best}"
    times = "" if ratio == float("inf") else f", {ratio:.1f} x" if ratio < 100 else f", {ratio:.0f} x"
    if better(medians[mine], medians[best]) == medians[mine]:
        return f"**first**: {mine}{times} ahead of {best}"
    return f"{best} is ahead{times}"


def summary(results, sides):
    """Counts of the verdicts over all sides, and the figures in which ours is not first."""
    keys, behind, counts = [side.key for side in sides], [], {"first": 0, "equal": 0, "behind": 0}
    for name, metric in METRICS.items():
        if results.get(name):
            text = verdict(name, results[name], keys)
            kind = next((kind for kind, mark in MARKS.items() if mark in text), None)
            if kind:
                counts[kind] += 1
            if kind in ("equal", "behind"):
                behind.append(f"- {metric.title}: {text}")
    head = f"First in {counts['first']} figures, equal in {counts['equal']}, behind in {counts['behind']}."
    return "\n".join([head, "", *behind])


def number(value):
    if value >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def cell(values):
    if not values:
        return ""
    text = number(statistics.median(values))
    return text if len(values) == 1 else f"{text} ({number(min(values))} to {number(max(values))})"


def table(results, errors, wanted_sides, wanted_rows):
    """Markdown: for each row its sides, then the verdicts. `results` is {figure: {side: [value of each round]}}."""
    lines = []
    for row in ROWS:
        figures = [name for name, metric in METRICS.items() if metric.row == row and results.get(name)]
        if row not in wanted_rows or not figures:
            continue
        lines += [f"### {row}", "", "| | " + " | ".join(heading(METRICS[name]) for name in figures) + " |"]
        lines.append("|:--|" + "--:|" * len(figures))
        notes = []
        for side in wanted_sides:
            cells = [cell(results[name].get(side.key)) for name in figures]
            if any(cells):
                lines.append(f"| {side.title} (`{side.key}`) | " + " | ".join(cells) + " |")
            elif row in side.missing:
                notes.append(f"{side.title}: {side.missing[row]}")
        lines.append("")
        keys = [side.key for side in wanted_sides]
        on_postgres = [side.key for side in wanted_sides if side.postgres]
        for name in figures:
            metric = METRICS[name]
            line = f"- {metric.title}: {verdict(name, results[name], keys)}"
            if sum(bool(results[name].get(key)) for key in on_postgres) > 1 and "ours-pg" in results[name]:
                line += f"; on PostgreSQL {verdict(name, results[name], on_postgres)}"
            lines.append(line)
        lines += [f"- not measured: {'; '.join(notes)}"] * bool(notes) + [""]
    lines += ["### Failed", "", *[f"- {error}" for error in errors], ""] * bool(errors)
    return "\n".join(lines)


def heading(metric):
    return f"{metric.title}, {metric.unit.removeprefix('/s')}".rstrip(", ")
