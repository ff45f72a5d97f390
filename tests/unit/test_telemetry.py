"""Log lines hold no secret and no text; /metrics holds what the contract names."""

import json
import logging
import re
from collections.abc import Iterator

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from jarvis.telemetry import LogFormat, Metrics, RequestLog, configure_logging, hide_private
from jarvis.web.edge import RequestLine


@pytest.fixture(autouse=True)
def _logging_put_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_our_lines_and_the_libraries_lines_are_the_same_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    structlog.get_logger("jarvis.test").info("one", route="/api/chat", error=ValueError("x"))
    logging.getLogger("granian").info("two %s", 2)
    one, two = map(json.loads, capsys.readouterr().err.splitlines())
    assert (one["event"], one["level"], one["route"], one["error"]) == (
        "one",
        "info",
        "/api/chat",
        "ValueError('x')",
    )
    assert (two["event"], two["level"], two["logger"]) == ("two 2", "info", "granian")
    assert one["timestamp"][:2] == two["timestamp"][:2] == "20"


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
LINE = RequestLine("GET", "/api/chat/history/{conversation_id}", 200, 0.0123456, "r-1", 64, is_probe=False)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_request_is_told_as_structlog_would(
    capsys: pytest.CaptureFixture[str], log_format: LogFormat
) -> None:
    configure_logging("INFO", log_format)
    RequestLog("INFO", log_format).write(LINE)
    structlog.get_logger("jarvis.test").info(
        "request",
        method="GET",
        route="/api/chat/history/{conversation_id}",
        status=200,
        ms=12.35,
        request_id="r-1",
        bytes=64,
    )
    ours, structlogs = capsys.readouterr().err.splitlines()
    if log_format == "json":
        ours_told, told = json.loads(ours), json.loads(structlogs)
        assert all(TIME.fullmatch(line.pop("timestamp")) for line in (ours_told, told))
        assert ours_told == told
    else:
        assert all(TIME.match(line) for line in (ours, structlogs))
        assert ours[27:] == structlogs[27:]


@pytest.mark.parametrize(("level", "told"), [("DEBUG", 2), ("INFO", 1), ("WARNING", 0)])
def test_a_probe_is_told_to_who_debugs(capsys: pytest.CaptureFixture[str], level: str, told: int) -> None:
    log = RequestLog(level, "console")
    log.write(LINE)
    log.write(LINE._replace(is_probe=True))
    assert len(capsys.readouterr().err.splitlines()) == told


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_lines_below_the_level_and_of_chatty_clients_are_dropped(
    capsys: pytest.CaptureFixture[str], log_format: LogFormat
) -> None:
    configure_logging("INFO", log_format)
    structlog.get_logger("jarvis.test").debug("hidden one")
    logging.getLogger("anything").debug("hidden two")
    logging.getLogger("httpx").info("hidden three")
    logging.getLogger("httpx").warning("shown")
    (line,) = capsys.readouterr().err.splitlines()
    assert "shown" in line


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_secrets_and_text_are_hidden_wherever_they_stand(
    capsys: pytest.CaptureFixture[str], log_format: LogFormat
) -> None:
    configure_logging("INFO", log_format)
    structlog.get_logger("jarvis.test").info(
        "x",
        authorization="Bearer s3cret",
        content="s3cret",
        headers={"X-API-Key": "s3cret", "inner": {"jwt_secret_key": "s3cret"}},
    )
    logging.getLogger("lib").info("y", extra={"password": "s3cret"})
    err = capsys.readouterr().err
    assert "s3cret" not in err
    assert "[hidden]" in err


@pytest.mark.parametrize(
    "key",
    [
        "Authorization",
        "access_token",
        "refresh-token",
        "PASSWORD",
        "OPENAI_API_KEY",
        "cookie",
        "message",
        "text",
    ],
)
def test_private_keys(key: str) -> None:
    assert hide_private(None, "info", {"event": "e", key: "v"})[key] == "[hidden]"


def test_token_counts_are_shown() -> None:
    event = {"event": "e", "prompt_tokens": 3, "tokens": 4, "contents": 5}
    assert hide_private(None, "info", dict(event)) == event


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_requests_are_counted_and_their_durations_are_a_histogram() -> None:
    metrics = Metrics("1.2.3")
    for status, duration_s in ((200, 0.001), (200, 0.2), (404, 1000.0)):
        metrics.requests.observe("GET", "/api/chat", status, duration_s)
    found = samples(metrics)
    route = (("method", "GET"), ("route", "/api/chat"))
    assert found["http_requests_total", (*route, ("status", "200"))] == 2
    assert found["http_requests_total", (*route, ("status", "404"))] == 1
    buckets = [
        found["http_request_duration_seconds_bucket", (("le", le), *route)]
        for le in ("0.001", "0.25", "300.0", "+Inf")
    ]
    assert buckets == [1, 2, 2, 3]
    assert found["http_request_duration_seconds_count", route] == 3
    assert found["http_request_duration_seconds_sum", route] == pytest.approx(1000.201)


def test_gauges_are_read_at_the_scrape() -> None:
    metrics = Metrics("1.2.3")
    state = {"inflight": 1, "up": 0}
    metrics.watch(
        turns_inflight=lambda: state["inflight"],
        turns_queued=lambda: 2,
        ws_connections=lambda: 3,
        db_pool_in_use=lambda: 4,
        memory_unindexed=lambda: 5,
        dependencies_up=lambda: {"database": True, "llm": bool(state["up"])},
    )
    state.update(inflight=7, up=1)
    found = samples(metrics)
    assert found["jarvis_turns_inflight", ()] == 7
    assert found["jarvis_turns_queued", ()] == 2
    assert found["jarvis_ws_connections", ()] == 3
    assert found["jarvis_db_pool_in_use", ()] == 4
    assert found["jarvis_memory_unindexed", ()] == 5
    assert found["jarvis_dependency_up", (("service", "llm"),)] == 1


def test_turns_tokens_and_first_tokens() -> None:
    metrics = Metrics("1.2.3")
    metrics.turn_ended("complete")
    metrics.first_token(0.4)
    metrics.tokens_used(prompt=10, completion=5)
    found = samples(metrics)
    assert found["jarvis_turns_total", (("status", "complete"),)] == 1
    assert found["jarvis_turns_total", (("status", "failed"),)] == 0
    assert found["jarvis_time_to_first_token_seconds_count", ()] == 1
    assert found["jarvis_llm_tokens_total", (("kind", "prompt"),)] == 10
    assert found["jarvis_llm_tokens_total", (("kind", "completion"),)] == 5


def test_the_process_and_the_build_are_there() -> None:
    found = samples(Metrics("1.2.3"))
    assert found["process_resident_memory_bytes", ()] > 1_000_000
    assert next(labels for name, labels in found if name == "jarvis_build_info")[1] == ("version", "1.2.3")


@pytest.mark.parametrize("log_format", ["console", "json"])
def test_an_exception_is_told_by_where_it_happened_never_by_what_it_says(
    log_format: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    def raise_it() -> None:
        words = "somebody's words"
        raise ValueError(words)

    configure_logging("INFO", log_format)
    for log in (structlog.stdlib.get_logger("ours"), logging.getLogger("theirs")):
        try:
            raise_it()
        except ValueError:
            log.exception("it_failed")
    told = capsys.readouterr().err
    assert told.count("it_failed") == 2
    assert told.count("raise_it") >= 2
    assert told.count("ValueError") >= 2
    assert "somebody" not in told
