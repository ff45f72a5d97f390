"""Logs and metrics of one process."""

from jarvis.telemetry.logs import LogFormat, configure_logging, hide_private
from jarvis.telemetry.metrics import Metrics
from jarvis.telemetry.requests import RequestLog

__all__ = ["LogFormat", "Metrics", "RequestLog", "configure_logging", "hide_private"]
