"""What operators want exported, by the standard variables. Needs nothing of OpenTelemetry, so that who wants nothing pays nothing.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/: an empty value is as good as none, what cannot be understood is
told and passed over. One rule is ours: where no variable names an exporter or an endpoint, nothing is exported. By the standard it would be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

OTLP: Final = "otlp"
CONSOLE: Final = "console"
_OURS: Final = (OTLP, CONSOLE)
_ELSEWHERE: Final = {"TRACES": ("none",), "METRICS": ("none", "prometheus")}
"""Exporters that there is nothing to do for: the admin listener is there for Prometheus anyway."""
_PROTOCOL: Final = "http/protobuf"
_INTERVAL: Final = "OTEL_METRIC_EXPORT_INTERVAL"
_INTERVAL_S: Final = 60.0
_TEMPORALITY: Final = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"


class Choice(NamedTuple):
    """What to export.

    Attributes:
        traces: The exporters of spans, `otlp` or `console`; none where no spans are wanted.
        metrics: The same of metrics.
        interval_s: From one export of metrics to the next.
        complaints: What could not be done as the variables say, a sentence each. They hold no values.
    """

    traces: tuple[str, ...]
    metrics: tuple[str, ...]
    interval_s: float
    complaints: tuple[str, ...]


def wanted(environ: Mapping[str, str]) -> bool:
    """Return whether anything is to be exported."""
    choice = choose(environ)
    return bool(choice.traces or choice.metrics)


def not_installed() -> str:
    """Return what to tell operators who want an export that is not installed."""
    return "The environment asks for OpenTelemetry, but that extra is not installed, so nothing is exported: pip install 'nylas-proxy[otel]'."


def choose(environ: Mapping[str, str]) -> Choice:
    """Read the variables."""
    complaints: list[str] = []
    if _said(environ, "OTEL_SDK_DISABLED") == "true":
        return Choice((), (), _INTERVAL_S, ())
    traces, metrics = (_exporters(environ, signal, complaints) for signal in ("TRACES", "METRICS"))
    for signal, exporters in (("TRACES", traces), ("METRICS", metrics)):
        if OTLP in exporters:
            _check_protocol(environ, signal, complaints)
    if metrics and _said(environ, _TEMPORALITY) not in ("", "cumulative"):
        complaints.append(f"{_TEMPORALITY}: metrics are exported as cumulative sums all the same, as /metrics shows them.")
    return Choice(traces, metrics, _interval_s(environ, complaints) if metrics else _INTERVAL_S, tuple(complaints))


def _said(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip().lower()


def _exporters(environ: Mapping[str, str], signal: str, complaints: list[str]) -> tuple[str, ...]:
    variable = f"OTEL_{signal}_EXPORTER"
    named = [name for name in map(str.strip, _said(environ, variable).split(",")) if name]
    understood = [name for name in named if name in (*_OURS, *_ELSEWHERE[signal])]
    if len(understood) < len(named):
        complaints.append(f"{variable} names an exporter that is not here: there are {', '.join((*_OURS, *_ELSEWHERE[signal]))}.")
    if understood:
        return tuple(dict.fromkeys(name for name in understood if name in _OURS))
    endpoints = (environ.get(name, "").strip() for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"))
    return (OTLP,) if any(endpoints) else ()


def _check_protocol(environ: Mapping[str, str], signal: str, complaints: list[str]) -> None:
    for variable in (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        protocol = _said(environ, variable)
        if protocol:
            complaint = f"{variable}: only {_PROTOCOL} is spoken here, and used all the same; collectors take it at port 4318 as a rule."
            if protocol != _PROTOCOL and complaint not in complaints:
                complaints.append(complaint)
            return


def _interval_s(environ: Mapping[str, str], complaints: list[str]) -> float:
    said = _said(environ, _INTERVAL)
    if not said:
        return _INTERVAL_S
    if said.isascii() and said.isdigit() and int(said) > 0:
        return int(said) / 1000
    complaints.append(f"{_INTERVAL} is no whole number of milliseconds above 0: metrics are exported every {_INTERVAL_S:.0f} s.")
    return _INTERVAL_S
