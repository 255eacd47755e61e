from __future__ import annotations

import subprocess
import sys

import pytest

from proxy.telemetry.otel.choice import choose, not_installed, wanted

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
OTLP, NONE = ("otlp",), ()


@pytest.mark.parametrize(
    ("environ", "traces", "metrics"),
    [
        ({}, NONE, NONE),
        ({"OTEL_SERVICE_NAME": "mail", "OTEL_TRACES_SAMPLER": "always_on"}, NONE, NONE),
        (ENDPOINT, OTLP, OTLP),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, NONE, NONE),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector"}, OTLP, NONE),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://collector"}, NONE, OTLP),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, OTLP, NONE),
        ({"OTEL_METRICS_EXPORTER": "console"}, NONE, ("console",)),
        ({"OTEL_TRACES_EXPORTER": " OTLP , console,otlp"}, ("otlp", "console"), NONE),
        ({"OTEL_TRACES_EXPORTER": "none"}, NONE, NONE),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, NONE, OTLP),
        (ENDPOINT | {"OTEL_METRICS_EXPORTER": "None"}, OTLP, NONE),
        (ENDPOINT | {"OTEL_METRICS_EXPORTER": "prometheus"}, OTLP, NONE),
        (ENDPOINT | {"OTEL_METRICS_EXPORTER": "prometheus,otlp"}, OTLP, OTLP),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "", "OTEL_METRICS_EXPORTER": ","}, OTLP, OTLP),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "True"}, NONE, NONE),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "1"}, OTLP, OTLP),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "false"}, OTLP, OTLP),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}, NONE, NONE),
    ],
)
def test_what_is_exported_follows_from_the_variables(environ: dict[str, str], traces: tuple[str, ...], metrics: tuple[str, ...]) -> None:
    choice = choose(environ)
    assert (choice.traces, choice.metrics, choice.complaints) == (traces, metrics, ())
    assert wanted(environ) == bool(traces or metrics)


@pytest.mark.parametrize(
    ("environ", "traces", "metrics", "variable"),
    [
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "zipkin"}, OTLP, OTLP, "OTEL_TRACES_EXPORTER"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, NONE, NONE, "OTEL_TRACES_EXPORTER"),
        ({"OTEL_TRACES_EXPORTER": "zipkin,console"}, ("console",), NONE, "OTEL_TRACES_EXPORTER"),
        ({"OTEL_TRACES_EXPORTER": "prometheus"}, NONE, NONE, "OTEL_TRACES_EXPORTER"),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, OTLP, OTLP, "OTEL_EXPORTER_OTLP_PROTOCOL"),
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, OTLP, OTLP, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"),
        (ENDPOINT | {"OTEL_METRIC_EXPORT_INTERVAL": "0"}, OTLP, OTLP, "OTEL_METRIC_EXPORT_INTERVAL"),
        (ENDPOINT | {"OTEL_METRIC_EXPORT_INTERVAL": "-5"}, OTLP, OTLP, "OTEL_METRIC_EXPORT_INTERVAL"),
        (ENDPOINT | {"OTEL_METRIC_EXPORT_INTERVAL": "1m"}, OTLP, OTLP, "OTEL_METRIC_EXPORT_INTERVAL"),
        (
            ENDPOINT | {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"},
            OTLP,
            OTLP,
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        ),
    ],
)
def test_what_cannot_be_done_is_told_once_and_passed_over(
    environ: dict[str, str], traces: tuple[str, ...], metrics: tuple[str, ...], variable: str
) -> None:
    choice = choose(environ)
    assert (choice.traces, choice.metrics, choice.interval_s) == (traces, metrics, 60.0)
    (complaint,) = choice.complaints
    assert complaint.startswith(variable)


@pytest.mark.parametrize(
    "environ",
    [
        {"OTEL_TRACES_EXPORTER": "console", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf", "OTEL_METRICS_EXPORTER": "none"},
        ENDPOINT | {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "Cumulative"},
        ENDPOINT | {"OTEL_METRICS_EXPORTER": "none", "OTEL_METRIC_EXPORT_INTERVAL": "soon"},
        ENDPOINT | {"OTEL_METRICS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"},
    ],
)
def test_nothing_is_said_of_variables_that_change_nothing(environ: dict[str, str]) -> None:
    assert choose(environ).complaints == ()


def test_the_interval_is_in_milliseconds() -> None:
    assert choose(ENDPOINT | {"OTEL_METRIC_EXPORT_INTERVAL": "1500"}).interval_s == 1.5


def test_who_lacks_the_extra_is_told_what_to_install() -> None:
    assert "pip install 'nylas-proxy[otel]'" in not_installed()


@pytest.mark.parametrize("imported", ["proxy.app", "proxy.telemetry.otel.choice"])
def test_without_a_variable_nothing_of_opentelemetry_is_loaded(imported: str) -> None:
    program = f"import sys, {imported}; print([name for name in sys.modules if name.split('.')[0] in ('opentelemetry', 'requests', 'google')])"
    done = subprocess.run([sys.executable, "-c", program], env={}, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
