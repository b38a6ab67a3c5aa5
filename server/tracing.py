"""Spans of running texts for OpenTelemetry, where its package is there and told where to send.

A span is a text, from its being taken to its end; its parent is the `traceparent` that came with
it (W3C Trace Context), in HTTP's header or the wire's frame. Attributes are those of its
conventions for databases; texts are without their constants.

Either the process has a tracer provider (a program that serves has set one), or the environment
names an exporter as OpenTelemetry does: OTEL_TRACES_EXPORTER (console, otlp, …) or
OTEL_EXPORTER_OTLP_ENDPOINT.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from hartonomous.hql.errors import ConfigurationFault

if TYPE_CHECKING:
    from opentelemetry.trace import Span, TracerProvider

    from hartonomous.server.running import Running
    from hartonomous.storage.errors import Error

SYSTEM: Final = "hartonomous"
EXPORTERS: Final = "opentelemetry_traces_exporter"


class Tracing:
    """Begins and ends spans. On the event loop."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("hartonomous.server")
        self._extract = TraceContextTextMapPropagator().extract
        self._kind = SpanKind.SERVER
        self._failed = Status(StatusCode.ERROR)
        self._spans: dict[int, Span] = {}

    def begin(self, running: Running) -> None:
        """A text was taken."""
        context = None
        if running.traceparent is not None:
            context = self._extract({"traceparent": running.traceparent})
        span = self._tracer.start_span("query", context=context, kind=self._kind)
        if span.is_recording():
            self._spans[running.number] = span

    def end(self, running: Running, error: Error | None) -> None:
        """It is over."""
        span = self._spans.pop(running.number, None)
        if span is None:
            return
        from hartonomous.hql.normal_text import normal_text

        session = running.session
        values: dict[str, Any] = {
            "db.system.name": SYSTEM,
            "db.namespace": session.branch,
            "db.query.text": normal_text(running.text),
            "db.response.returned_rows": running.rows,
            "network.peer.address": session.peer,
            "hql.door": session.door,
            "hql.session": session.number,
        }
        if running.title is not None:
            span.update_name(running.title)
            values["db.operation.name"] = running.title
        if error is not None:
            values["error.type"] = error.code
            span.set_status(self._failed)
        span.set_attributes(values)
        span.end()

    def close(self) -> None:
        """Sends what is still here."""
        shutdown = getattr(self._provider, "shutdown", None)
        if shutdown is not None and not _is_global(self._provider):
            shutdown()


def find_tracing(environment: Mapping[str, str] = os.environ) -> Tracing | None:
    """Tracing if spans go anywhere. Raises ConfigurationFault if an exporter is named and not
    there."""
    named = environment.get("OTEL_TRACES_EXPORTER")
    if named is None and "OTEL_EXPORTER_OTLP_ENDPOINT" in environment:
        named = "otlp"
    if named == "none" or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from opentelemetry import trace
    except ModuleNotFoundError as fault:
        if named is None:
            return None
        raise _missing("OpenTelemetry is not installed") from fault
    provider = trace.get_tracer_provider()
    if not isinstance(provider, trace.ProxyTracerProvider):
        return Tracing(provider)
    return None if named is None else Tracing(_provider(named))


def _provider(named: str) -> TracerProvider:
    """A provider of our own that sends to the exporter of that name."""
    from importlib.metadata import entry_points

    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider as Provider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError as fault:
        raise _missing("OpenTelemetry's SDK is not installed") from fault
    exporter = "otlp_proto_http" if named == "otlp" else named
    found = next(iter(entry_points(group=EXPORTERS, name=exporter)), None)
    if found is None:
        raise _missing(f'there is no OpenTelemetry exporter "{named}"')
    name = os.environ.get("OTEL_SERVICE_NAME", SYSTEM)
    provider = Provider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(found.load()()))
    return provider


def _missing(what: str) -> ConfigurationFault:
    return ConfigurationFault(
        f"{what}, and OTEL_TRACES_EXPORTER or OTEL_EXPORTER_OTLP_ENDPOINT asks for it",
        hint='pip install "hartonomous[telemetry]"',
    )


def _is_global(provider: TracerProvider) -> bool:
    from opentelemetry import trace

    return trace.get_tracer_provider() is provider
