"""Spans and metrics over OpenTelemetry, with the extra `nylas-proxy[otel]`. Only `proxy.telemetry.otel.choice` does without it."""
