"""Wires services to the parts that are open, and says which of them work in the background."""

import os
import resource
from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from jarvis import __version__
from jarvis.adapters.late import LateLLM
from jarvis.adapters.postgres.conversations import PostgresConversations
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.erasure import PostgresErasure
from jarvis.adapters.postgres.memories import PostgresMemories
from jarvis.adapters.postgres.recall import PostgresRecall
from jarvis.adapters.postgres.summaries import PostgresSummaries
from jarvis.adapters.postgres.takeover import PostgresTakeovers
from jarvis.adapters.postgres.titles import PostgresTitles
from jarvis.adapters.postgres.turns import PostgresTurns
from jarvis.adapters.turn_log import InProcessTurnLog
from jarvis.app.background import Background
from jarvis.core.ports import Embedder, VectorStore
from jarvis.core.remembering import memories_in
from jarvis.core.replicas import Hints, TurnTails
from jarvis.core.speech import Codec, SpeechDetector
from jarvis.services.admission import Admission
from jarvis.services.conversations import Conversations
from jarvis.services.elsewhere import Elsewhere
from jarvis.services.erasure import Erasure
from jarvis.services.feed import ConversationFeed
from jarvis.services.granting import Granting
from jarvis.services.health import HealthCheck, MemoryUsage, Probe, ServiceName
from jarvis.services.identity import Accounts
from jarvis.services.interruptions import Interruptions
from jarvis.services.memory import Memories
from jarvis.services.memory_index import MemoryIndex
from jarvis.services.orchestrator import Orchestrator, Policy
from jarvis.services.remembering import Remembering
from jarvis.services.replicas import Replicas
from jarvis.services.shared_log import SharedTurnLog
from jarvis.services.speaking import Speaking
from jarvis.services.summaries import Summaries
from jarvis.services.synthesizers import Synthesizers
from jarvis.services.titles import Titles
from jarvis.services.transcribers import Transcribers
from jarvis.services.turns import Limits, Turns
from jarvis.services.voice import SpeechService
from jarvis.settings import Settings
from jarvis.telemetry import Metrics
from jarvis.web.context import Services
from jarvis.web.sockets import Sockets

if TYPE_CHECKING:
    from jarvis.adapters.redis.server import RedisServer


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What services stand on. `place` names what only one process at a time can be: its address."""

    database: Database
    accounts: Accounts
    llm: LateLLM
    memory_tokens: int | None
    embedder: Embedder
    vectors: VectorStore | None
    tails: TurnTails
    hints: Hints
    redis: "RedisServer | None"
    transcribers: Transcribers
    synthesizers: Synthesizers
    voice_starting: Callable[[], str | None]
    codec: Codec
    detector: SpeechDetector
    metrics: Metrics
    place: str


def build_services(settings: Settings, parts: Parts) -> tuple[Services, Sequence[Background]]:
    reporter = structlog.stdlib.get_logger("jarvis.background")
    database, llm, metrics = parts.database, parts.llm, parts.metrics
    log = SharedTurnLog(InProcessTurnLog(), tails=parts.tails, hints=parts.hints)
    turn_store = PostgresTurns(database)
    conversation_store = PostgresConversations(database)
    memory_store = PostgresMemories(database)
    index: MemoryIndex | None = None
    if parts.vectors is not None:
        index = MemoryIndex(
            store=memory_store, embedder=parts.embedder, vectors=parts.vectors, reporter=reporter
        )
    memories = Memories(
        store=memory_store,
        recall=PostgresRecall(database),
        index=index,
        forget_turns=log.forget,
        reporter=reporter,
    )
    remembering = Remembering(store=memory_store, memories_in=memories_in, index=index, reporter=reporter)
    summaries = Summaries(store=PostgresSummaries(database), llm=llm, reporter=reporter)
    erasure = Erasure(store=PostgresErasure(database), reporter=reporter)
    feed = ConversationFeed(conversation_store, parts.hints, reporter)
    titles = Titles(
        store=PostgresTitles(database),
        llm=llm,
        system_prompt=settings.system_prompt,
        feed=feed,
        reporter=reporter,
    )
    voice = SpeechService(
        transcribers=parts.transcribers,
        synthesizers=parts.synthesizers,
        codec=parts.codec,
        detector=parts.detector,
    )
    speaking = Speaking(say=voice.in_language, log=log)
    orchestrator = Orchestrator(
        store=turn_store,
        log=log,
        llm=llm,
        memories=memories,
        summaries=summaries,
        speaking=speaking,
        policy=_policy(settings, parts.memory_tokens),
        metrics=metrics,
    )
    turns = Turns(
        store=turn_store,
        log=log,
        orchestrator=orchestrator,
        admission=Admission(max_running=settings.llm_max_concurrency, max_waiting=settings.llm_max_queue),
        elsewhere=Elsewhere(
            store=turn_store,
            takeovers=PostgresTakeovers(database),
            tails=parts.tails,
            hints=parts.hints,
            alone=not settings.redis_url,
        ),
        watchers=(feed, titles, summaries, remembering, erasure),
        reporter=reporter,
        place=parts.place,
        limits=Limits(turn_s=settings.turn_secs, detached_s=settings.detached_turn_secs),
    )
    interruptions = Interruptions(
        turns=turns, speaking=speaking, store=turn_store, forget_turns=log.forget, feed=feed
    )
    replicas = Replicas(parts.hints, turns=turns, feed=feed, forget_here=log.forget_here)
    granting = Granting(turns=turns, store=turn_store, reporter=reporter)
    health = _health(parts, index)
    sockets = Sockets()
    metrics.watch(
        turns_inflight=lambda: turns.inflight,
        turns_queued=lambda: turns.queued,
        ws_connections=lambda: len(sockets),
        db_pool_in_use=lambda: database.in_use,
        memory_unindexed=lambda: index.unindexed if index else 0,
        dependencies_up=lambda: {name: health.is_up(name) for name in health.asked},
    )
    services = Services(
        turns=turns,
        granting=granting,
        conversations=Conversations(store=conversation_store, turns=turns, feed=feed),
        conversation_reader=conversation_store,
        llm=llm,
        memories=memories,
        voice=voice,
        interruptions=interruptions,
        feed=feed,
        accounts=parts.accounts,
        health=health,
        sockets=sockets,
        render_metrics=metrics.render,
    )
    background: list[Background] = [
        *(feed.run, titles.run, summaries.run, memories.run, remembering.run, erasure.run, granting.run)
    ]
    background += [replicas.run, parts.transcribers.run, parts.synthesizers.run]
    if index is not None:
        background.append(index.run)
    return services, background


def memory_usage() -> MemoryUsage:
    """Read this process's resident memory and the machine's, from /proc (Linux)."""
    page_mb = resource.getpagesize() / 2**20
    used_mb = int(Path("/proc/self/statm").read_text().split()[1]) * page_mb
    total_mb = os.sysconf("SC_PHYS_PAGES") * page_mb
    return MemoryUsage(
        used_mb=round(used_mb, 1),
        total_mb=round(total_mb, 1),
        percentage=round(100 * used_mb / total_mb, 2),
    )


def _policy(settings: Settings, memory_tokens: int | None) -> Policy:
    return Policy(
        system_prompt=settings.system_prompt,
        temperature=settings.ollama_temperature,
        max_tokens=settings.ollama_max_tokens,
        max_answer_bytes=settings.max_answer_bytes,
        turn_s=settings.turn_secs,
        memory_tokens=memory_tokens,
    )


async def _all_serve(engines: Sequence[Transcribers | Synthesizers]) -> None:
    for each in engines:
        await each.ping()


def _standing_in(engines: Sequence[Transcribers | Synthesizers]) -> str | None:
    """Say which engines are asked in place of others that are away."""
    told: list[str] = []
    for each in engines:
        away = takewhile(lambda state: not state.serving, each.states())
        told += [f"{state.name} is away, and {each.serving} serves." for state in away]
    return " ".join(told) or None


def _health(parts: Parts, index: MemoryIndex | None) -> HealthCheck:
    database, llm = parts.database, parts.llm
    probes: dict[ServiceName, Probe] = {
        "database": Probe(ping=database.ping),
        "llm": Probe(ping=llm.ping, starting=lambda: llm.progress if llm.starting else None),
    }
    if index is not None:
        probes["memory"] = Probe(ping=index.ping, starting=lambda: index.starting)
    engines = [each for each in (parts.transcribers, parts.synthesizers) if each.states()]
    if engines:
        probes["voice"] = Probe(
            ping=partial(_all_serve, engines),
            starting=parts.voice_starting,
            lacking=lambda: parts.voice_starting() or _standing_in(engines),
        )
    if parts.redis is not None:
        probes["cache"] = Probe(ping=parts.redis.ping)
    return HealthCheck(probes, version=__version__, memory_usage=memory_usage)
