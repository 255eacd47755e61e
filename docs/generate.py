"""Writes the reference pages and the Grafana dashboard from the data, settings and descriptions that drive the proxy.

`python3 dev.py docs` runs it after a change in `proxy/facts`, `proxy/settings`, `proxy/telemetry/metric_table.py` or `config/grafana`; a test says
when it was forgotten.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from proxy import facts, known
from proxy.core.entries import Entry, Kind
from proxy.explain import origin_of
from proxy.route_list import row_of
from proxy.settings.fields import FIELDS, SECTIONS, VARIABLES
from proxy.telemetry.metric_table import METRICS, PREFIX

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "config"))  # operators look for the dashboard there, and it is no part of the package

from grafana.dashboard import as_json  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from proxy.core.handbook import Handbook
    from proxy.core.model import Route
    from proxy.settings.fields import Field
    from proxy.telemetry.metric_table import Metric

_NOTE: Final = "<!-- Made by `python3 dev.py docs`; change the data, not this page. -->"
_ABOUT_ERRORS: Final = """\
What `nylas-proxy explain WORD...` says. The proxy puts the same texts into `proxy.meaning` and `proxy.solution` of error bodies; where a request that
is not to be repeated may have taken effect, the solution is to look for that effect first. Where sources disagree on a status, the newer one wins."""
_ABOUT_ROUTES: Final = """\
What `nylas-proxy routes` prints. Requests that no row describes pass as well, under the name `other`, and of those only GET and HEAD count as
repeatable. The name is the label of metrics and log lines; `{}` is one id of any bytes. GET includes HEAD."""
_ABOUT_SETTINGS: Final = """\
Read from the file that `--config` or the variable `NYLAS_PROXY_CONFIG` names, and from the environment, which wins.
[config/proxy.toml](../config/proxy.toml) holds all defaults with comments; `nylas-proxy check-config` names every mistake and prints what is in force
and where it comes from."""
_ABOUT_METRICS: Final = """\
On the admin listener under `/metrics`, as text for Prometheus or as OpenMetrics, whichever is asked for. Times are seconds, sizes bytes. Labels
come from bounded sets: a hundred thousand grants add no series. Which grants are heavy or throttled is on the status page, by hash.

[prometheus.yml](../config/prometheus/prometheus.yml) is a scrape example, [rules.yml](../config/prometheus/rules.yml) holds the alerts that
[alerts.md](alerts.md) explains. [nylas-proxy.json](../config/grafana/nylas-proxy.json) is a dashboard: in Grafana choose Dashboards, New, Import.
It needs what rules.yml records. The tests have a real Prometheus run every expression of dashboard and alerts; the dashboard has not been opened in
Grafana (it is written for schema version 42, that of Grafana 12.2)."""
_LABELS: Final = {
    "api": "`v3`, `v2`; `-` for a request that was not understood",
    "route": "a name of [routes.md](routes.md), `other`; `-` as above",
    "method": "`GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE`, `OPTIONS`, `other`",
    "status": "as answered, `0` where the caller left before; of an attempt without an answer the cause, or `caller_left`",
    "cause": "a cause of [errors.md](errors.md#causes); `none`",
    "origin": "`proxy`, `nylas`, `provider`, `network`; `none`",
    "ended": "`cut`, `caller_left`",
    "level": "whose limit or window it is: `application`, `grant`, `sends` (of a grant); `-` where it closes nothing, or has no level",
    "source": "`retry_after` (upstream named the time), `default` (the proxy's table), `operator`",
    "by": "`limit`, `in_flight` (a cap), `window`; of a hold also `turn` (behind others of its line); of a refusal also `room` (too many wait), "
    "`ledger` (it is away, and `redis.on_loss` is `refuse`)",
    "name": "of the limit or cap, as `nylas-proxy explain` knows it, or the cause of the window; `-`",
    "result": "`applied`, `refused`",
    "version": "of nylas-proxy",
    "python": "its version",
    "loop": "`uvloop`, `asyncio`",
    "side": "`client`, `v3`, `v2`",
    "state": "of a connection `busy`, `idle`; of the ledger `local`, `shared`, `local-safe`, `rejoining`",
    "certificate": "`listen`, `v3`, `v2`",
}
_OF_THE_PROCESS: Final = {
    "process_cpu_seconds_total": "CPU time, user and system. Its rate is the share of one core.",
    "process_resident_memory_bytes": "Memory in use.",
    "process_virtual_memory_bytes": "Address space; says little.",
    "process_open_fds": "Open files and connections.",
    "process_max_fds": "How many the system allows.",
    "process_start_time_seconds": "When it started, in seconds since 1970. Changes are restarts.",
    "python_gc_objects_collected_total": "And its neighbours: the work of Python's garbage collector, by generation.",
}
_LEGEND: Final = """\
*Family*: what is counted together against a limit of Nylas. *Must not be repeated*: the methods whose repetition would do harm, and what it would do;
nothing there means that a repetition is harmless. *idempotency key*: Nylas recognises a repetition by the request's `Idempotency-Key`. *long-lived*:
gets `upstream.stream_timeout_s`. *redirected to Nylas*: opened in browsers, so answered with a 302 to the public host."""
_GROUPS: Final = {
    Kind.CAUSE: "Causes",
    Kind.SITUATION: "Known situations",
    Kind.STATUS: "Statuses",
    Kind.RULE: "Rules",
    Kind.TYPE: "Error types and event codes",
    Kind.SYNC_EVENT: "Events of the v2 mail sync",
}
_INTRODUCTIONS: Final = {
    Kind.CAUSE: "What the proxy makes of every error: the values of `proxy.cause` in error bodies and of the header `X-Nylas-Proxy-Cause`.",
    Kind.SITUATION: "Recognised by what the answer says, whatever its type.",
}


def errors_page() -> str:
    """Return the page of everything that `nylas-proxy explain` knows."""
    handbook = known.handbook()
    sources = facts.load("sources")
    counts = Counter(entry.kind for entry in handbook.entries)
    contents = "".join(f"- {title}: {counts[kind]}\n" for kind, title in _GROUPS.items())
    groups = "\n".join(_group(kind, title, handbook, sources) for kind, title in _GROUPS.items())
    return f"# Errors and events\n\n{_NOTE}\n\n{_ABOUT_ERRORS}\n\n{contents}\n{groups}"


def _group(kind: Kind, title: str, handbook: Handbook, sources: dict[str, str]) -> str:
    entries = (_section(entry, handbook, sources) for entry in handbook.entries if entry.kind is kind)
    introduction = f"{_INTRODUCTIONS[kind]}\n\n" if kind in _INTRODUCTIONS else ""
    return f"## {title}\n\n{introduction}{''.join(entries)}"


def _section(entry: Entry, handbook: Handbook, sources: dict[str, str]) -> str:
    said = "; ".join(f"{sources[one.source]}: {' or '.join(map(str, one.statuses)) or 'no status'}" for one in entry.said)
    is_of_a_cause = entry.cause and entry.kind is not Kind.CAUSE
    parts = {
        "Says": f"`{entry.says}`" if entry.says else "",
        "Meaning": entry.meaning,
        "Cause": entry.reason,
        "Solution": entry.solution,
        "Proxy": f"as for [`{entry.cause}`](#{entry.cause})" if is_of_a_cause else handbook.handling(entry),
        "Source": said,
    }
    lines = "".join(f"- {label}: {text}\n" for label, text in parts.items() if text)
    place = "" if entry.kind is Kind.CAUSE else f"{origin_of(entry)}\n\n"
    heading = f"`{entry.name}`" + (f" {entry.title}" if entry.title else "")
    return f"### {heading}\n\n{place}{lines}\n"


def routes_page() -> str:
    """Return the page of the route catalogue."""
    catalogue = known.catalogue()
    families = facts.load("routes")["families"]
    parts = [f"# Routes\n\n{_NOTE}\n\n{_ABOUT_ROUTES}\n\n{_LEGEND}\n"]
    for api, described in families.items():
        routes = [route for route in catalogue.routes if route.api == api]
        parts.append(f"## {api}\n\n{_table(('Methods', 'Path', 'Name', 'Family', 'Must not be repeated', 'Special'), map(_route_cells, routes))}")
        rows = ((f"`{name}`", says) for name, says in described.items())
        parts.append(f"### Endpoint families of {api}\n\n{_table(('Family', 'What it counts'), rows)}")
    return "\n".join(parts)


def _route_cells(route: Route) -> tuple[str, ...]:
    _, methods, template, name, family, unsafe, special = row_of(route)
    return methods, f"`{template}`", f"`{name}`", family, unsafe, special


def configuration_page() -> str:
    """Return the page of all settings."""
    variables = {name: variable for variable, name in VARIABLES.items()}
    sections = []
    for section, struct in SECTIONS.items():
        described = _attributes(struct)
        rows = (
            (f"`{key}`", f"`{_default(struct, key)}`", field.allowed, described[key], _variable(field, variables[section, key]))
            for (of_section, key), field in FIELDS.items()
            if of_section == section
        )
        says = (inspect.getdoc(struct) or "").partition("\n")[0]
        sections.append(f"## `[{section}]`\n\n{says}\n\n{_table(('Key', 'Default', 'Allowed', 'Meaning', 'Variable'), rows)}")
    return f"# Configuration\n\n{_NOTE}\n\n{_ABOUT_SETTINGS}\n\n" + "\n".join(sections)


def _variable(field: Field, variable: str) -> str:
    return "in the file only" if field.rules and not field.choices else f"`{variable}`"


def _attributes(struct: type[Any]) -> dict[str, str]:
    """Return what the docstring says of each attribute."""
    lines = (inspect.getdoc(struct) or "").partition("Attributes:\n")[2]
    return {name: " ".join(text.split()) for name, text in re.findall(r"^ {4}(\w+): (.*(?:\n {6,}.*)*)", lines, re.MULTILINE)}


def _default(struct: type[Any], key: str) -> str:
    value = getattr(struct(), key)
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def metrics_page() -> str:
    """Return the page of all metrics."""
    table = _table(("Name", "Kind", "Labels", "What it says, and what to do with it"), map(_metric_cells, METRICS))
    process = _table(("Name", "What it says"), ((f"`{name}`", says) for name, says in _OF_THE_PROCESS.items()))
    named = {label for metric in METRICS for label in metric.labels}
    labels = _table(("Label", "Values"), ((f"`{label}`", says) for label, says in _LABELS.items() if label in named))
    buckets = ((f"`{PREFIX}{metric.name}`", ", ".join(f"{bound:g}" for bound in metric.buckets)) for metric in METRICS if metric.buckets)
    bounds = _table(("Histogram", "Upper bounds of its buckets, in seconds"), buckets)
    parts = (f"## Metrics\n\n{table}", f"## Of the process\n\n{process}", f"## Labels\n\n{labels}", f"## Buckets\n\n{bounds}")
    return f"# Metrics\n\n{_NOTE}\n\n{_ABOUT_METRICS}\n\n" + "\n".join(parts)


def _metric_cells(metric: Metric) -> tuple[str, ...]:
    return f"`{PREFIX}{metric.name}`", metric.kind, ", ".join(f"`{label}`" for label in metric.labels), metric.help


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(_lines(head, rows))


def _lines(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("---",) * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |\n"


PAGES: Final[dict[str, Callable[[], str]]] = {
    "docs/errors.md": errors_page,
    "docs/routes.md": routes_page,
    "docs/configuration.md": configuration_page,
    "docs/metrics.md": metrics_page,
    "config/grafana/nylas-proxy.json": as_json,
}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (ROOT / name).write_text(page(), encoding="utf-8")
