"""What each outage does to each use: one table, of which tests try every cell, and docs/operations.md tells.

What is not named here is as usual, in the usual time.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

import msgspec

from jarvis.adapters.postgres.database import DatabaseSettings
from jarvis.services.engine_watch import PING_S
from jarvis.services.engines import WHOLE_S
from jarvis.services.synthesizers import FIRST_S
from jarvis.settings import Settings

Dependency = Literal["postgres", "model", "stt", "tts", "qdrant", "redis"]
Fault = Literal["refused", "stopped", "slow", "reset", "half_open", "flapping"]
Use = Literal["send", "stream", "history", "search", "hear", "speak", "talk"]
DEPENDENCIES: tuple[Dependency, ...] = get_args(Dependency)
FAULTS: tuple[Fault, ...] = get_args(Fault)
USES: tuple[Use, ...] = get_args(Use)

HEALED_WITHIN_S = 5.0
NOTICED_WITHIN_S = 6.0
PROBE_WITHIN_S = 0.5
MARGIN_S = 1.0
"""How much later than its deadline an answer may come."""

FIRST_TOKEN_S = 4.0
POOL_S = 1.0
TESTED = {
    "DB_ACQUIRE_TIMEOUT_SECS": f"{POOL_S:g}",
    "LLM_FIRST_TOKEN_SECS": f"{FIRST_TOKEN_S:g}",
    "LLM_MAX_CONCURRENCY": "8",
}
"""With what settings: shorter than usual, so that the tests are."""


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """How long an answer may take: in the tests, and by default."""

    tested_s: float
    usual_s: float


def _fixed(seconds: float) -> Limit:
    return Limit(tested_s=seconds, usual_s=seconds)


_DEFAULT = Settings()
_STATEMENT_S = DatabaseSettings(url="").statement_timeout_s
AT_ONCE = _fixed(2.0)
"""Not a deadline, but what any answer takes at most on a machine that has much to do."""
DATABASE = Limit(tested_s=POOL_S + _STATEMENT_S, usual_s=_DEFAULT.db_acquire_timeout_secs + _STATEMENT_S)
FIRST_TOKEN = Limit(tested_s=AT_ONCE.tested_s + FIRST_TOKEN_S, usual_s=_DEFAULT.llm_first_token_secs)
"""In tests with what comes before the model is asked."""
HEARING = _fixed(WHOLE_S)
SPEAKING = _fixed(FIRST_S)
CHECK = _fixed(PING_S)
"""Where all engines are away, whoever asks has them checked."""
LATE = _fixed(AT_ONCE.tested_s + 3.0)

AS_USUAL: Mapping[Use, str] = {
    "send": "200",
    "stream": "complete",
    "history": "200",
    "search": "200",
    "hear": "200",
    "speak": "200",
    "talk": "complete",
}


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """The outcomes that may be, as uses.py words them, and how soon they come.

    `known`: how soon when Jarvis has had the time to notice, where that is another matter.
    """

    outcomes: tuple[str, ...]
    within: Limit = AT_ONCE
    known: Limit | None = None


State: TypeAlias = Literal["healthy", "degraded", "unhealthy"]


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """What these faults do. `states`: what /health may say of the service; `ready`: the status of /ready.

    Where "healthy" is among the states, nothing has to be noticed.
    """

    faults: tuple[Fault, ...]
    states: tuple[State, ...]
    cells: Mapping[Use, Cell]
    ready: Literal[200, 503] = 200


_NOTICED: tuple[State, ...] = ("degraded", "unhealthy")
_ANY: tuple[State, ...] = ("healthy", "degraded", "unhealthy")


def _flapping(gone: Mapping[Use, Cell], *more: str) -> Outage:
    """Return what something does to uses that comes and goes: what its going does, or nothing."""
    cells: dict[Use, Cell] = {
        use: Cell(
            outcomes=(*cell.outcomes, AS_USUAL[use], *(f"{AS_USUAL[use]}, {each}" for each in more)),
            within=cell.within,
        )
        for use, cell in gone.items()
    }
    return Outage(faults=("flapping",), states=_ANY, cells=cells)


def _postgres(within: Limit) -> Mapping[Use, Cell]:
    refused = Cell(outcomes=("503 database_unavailable",), within=within, known=AT_ONCE)
    silent = Cell(outcomes=("database_unavailable",), within=within, known=AT_ONCE)
    return {"send": refused, "stream": refused, "history": refused, "search": refused, "talk": silent}


def _model(send: str, stream: str, within: Limit) -> Mapping[Use, Cell]:
    told = Cell(outcomes=(stream,), within=within)
    return {
        "send": Cell(outcomes=(send,), within=within),
        "stream": told,
        "search": Cell(outcomes=("200, by words",)),
        "talk": told,
    }


_MODEL_GONE = _model("stored, 503 llm_unavailable", "stored, llm_unavailable", AT_ONCE)


def _stt(code: str, status: int, within: Limit) -> Mapping[Use, Cell]:
    return {
        "hear": Cell(outcomes=(f"{status} {code}",), within=within, known=CHECK),
        "talk": Cell(outcomes=(code,), within=within, known=CHECK),
    }


def _tts(code: str, status: int, within: Limit) -> Mapping[Use, Cell]:
    return {
        "speak": Cell(outcomes=(f"{status} {code}",), within=within, known=CHECK),
        "talk": Cell(outcomes=(f"complete, {code}, unheard",), within=within, known=CHECK),
    }


def _qdrant() -> Mapping[Use, Cell]:
    complete = Cell(outcomes=("complete, memory_unavailable",))
    return {
        "send": Cell(outcomes=("200, memory_unavailable",)),
        "stream": complete,
        "search": Cell(outcomes=("200, by words",)),
        "talk": complete,
    }


OUTAGES: Mapping[Dependency, tuple[Outage, ...]] = {
    "postgres": (
        Outage(faults=("refused", "reset"), states=("unhealthy",), ready=503, cells=_postgres(AT_ONCE)),
        Outage(
            faults=("stopped", "slow", "half_open"),
            states=("unhealthy",),
            ready=503,
            cells=_postgres(DATABASE),
        ),
        _flapping(_postgres(DATABASE), "once back"),
    ),
    "model": (
        Outage(faults=("refused", "reset"), states=("unhealthy",), cells=_MODEL_GONE),
        Outage(
            faults=("stopped", "half_open"),
            states=("unhealthy",),
            cells=_model("stored, 504 llm_timeout", "stored, llm_timeout", FIRST_TOKEN),
        ),
        Outage(
            faults=("slow",),
            states=("unhealthy",),
            cells=_model("200, memory_unavailable", "complete, memory_unavailable", LATE),
        ),
        _flapping(_MODEL_GONE, "memory_unavailable"),
    ),
    "stt": (
        Outage(faults=("refused", "reset"), states=_NOTICED, cells=_stt("stt_unavailable", 503, CHECK)),
        Outage(faults=("stopped", "half_open"), states=_NOTICED, cells=_stt("stt_timeout", 504, HEARING)),
        Outage(
            faults=("slow",),
            states=_ANY,
            cells={
                "hear": Cell(outcomes=("200", "504 stt_timeout"), within=LATE),
                "talk": Cell(outcomes=("complete", "stt_timeout"), within=LATE),
            },
        ),
        _flapping(_stt("stt_unavailable", 503, CHECK)),
    ),
    "tts": (
        Outage(faults=("refused", "reset"), states=_NOTICED, cells=_tts("tts_unavailable", 503, CHECK)),
        Outage(faults=("stopped", "half_open"), states=_NOTICED, cells=_tts("tts_timeout", 504, SPEAKING)),
        Outage(
            faults=("slow",),
            states=_ANY,
            cells={
                "speak": Cell(outcomes=("200", "504 tts_timeout"), within=LATE),
                "talk": Cell(outcomes=("complete", "complete, tts_timeout, unheard"), within=LATE),
            },
        ),
        _flapping(_tts("tts_unavailable", 503, CHECK)),
    ),
    "qdrant": (
        Outage(
            faults=("refused", "reset", "stopped", "slow", "half_open"),
            states=("unhealthy",),
            cells=_qdrant(),
        ),
        _flapping(_qdrant()),
    ),
    "redis": (
        Outage(
            faults=("refused", "reset", "stopped", "slow", "half_open"),
            states=("unhealthy",),
            cells={},
        ),
        _flapping({}),
    ),
}
SERVICE: Mapping[Dependency, str] = {
    "postgres": "database",
    "model": "llm",
    "stt": "voice",
    "tts": "voice",
    "qdrant": "memory",
    "redis": "cache",
}


def outage(dependency: Dependency, fault: Fault) -> Outage:
    (found,) = [each for each in OUTAGES[dependency] if fault in each.faults]
    return found


def cell(dependency: Dependency, fault: Fault, use: Use) -> Cell:
    return outage(dependency, fault).cells.get(use, Cell(outcomes=(AS_USUAL[use],)))
