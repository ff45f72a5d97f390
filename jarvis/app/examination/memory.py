"""The memory: where vectors are kept, what makes them, and how many memories have none yet."""

import asyncio
from pathlib import Path

import httpx
import msgspec

from jarvis.adapters.embedding.ollama import OllamaEmbedder
from jarvis.adapters.embedding.openai import OpenAIEmbedder
from jarvis.adapters.embedding.sentence_encoder import SentenceEncoder
from jarvis.adapters.postgres.inspection import count_memories
from jarvis.app.checking import reachable_database
from jarvis.app.examination.finding import Finding, size
from jarvis.app.examination.surroundings import without_password
from jarvis.app.memory import keeps_vectors_here
from jarvis.app.model import listens
from jarvis.core.errors import JarvisError
from jarvis.core.ports import Embedder, VectorSpace
from jarvis.settings import Settings

QDRANT_PORT = 6333
GOES_ON = "Until then memories are found by their words only."


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """One of the three things to know; `advice` is empty where nothing is wrong."""

    found: str
    facts: dict[str, object]
    advice: str = ""


async def examine_memory(settings: Settings) -> Finding:
    """Ask what keeps vectors, what makes them, and the database; make no collection and load no encoder."""
    vectors, embedder, memories = await asyncio.gather(
        _examine_vectors(settings), _examine_embedder(settings), _examine_memories(settings)
    )
    parts = (memories, vectors, embedder)
    wrong = [part.advice for part in (vectors, embedder) if part.advice]
    facts = {name: value for part in parts for name, value in part.facts.items()}
    unindexed = facts["unindexed"]
    if wrong:
        return Finding(state="failed", found=_told(parts), advice=" ".join([*wrong, GOES_ON]), facts=facts)
    if unindexed:
        advice = "A running jarvis serve indexes them within a minute; jarvis reindex shows how far it is."
        return Finding(state="warning", found=_told(parts), advice=advice, facts=facts)
    return Finding(state="not_started" if unindexed is None else "ok", found=_told(parts), facts=facts)


def _told(parts: tuple[_Part, ...]) -> str:
    return "\n".join(part.found for part in parts)


async def _examine_memories(settings: Settings) -> _Part:
    url = reachable_database(settings)
    counted = None if url is None else await count_memories(url)
    if counted is None:
        return _Part(
            found="Memories can be counted while their database runs",
            facts={"memories": None, "unindexed": None},
        )
    total, unindexed = counted
    noun = "memory" if total == 1 else "memories"
    return _Part(
        found=f"{total} {noun}, {unindexed or 'none'} without a vector",
        facts={"memories": total, "unindexed": unindexed},
    )


async def _examine_vectors(settings: Settings) -> _Part:
    if settings.qdrant_url:
        return await _examine_qdrant(settings)
    if not keeps_vectors_here(settings):
        return _Part(
            found="Vectors are kept nowhere: QDRANT_URL is empty, and the embedded store is not installed",
            advice="Install Jarvis with its embedded parts, or set QDRANT_URL.",
            facts={"kept_in": None},
        )
    folder = settings.data_dir / "vectors"
    held = await asyncio.to_thread(_size_of, folder)
    told = "no file yet" if held is None else size(held)
    return _Part(
        found=f"Vectors in {folder}, {told}",
        facts={"kept_in": "folder", "folder": str(folder), "size_bytes": held},
    )


async def _examine_qdrant(settings: Settings) -> _Part:
    shown = without_password(settings.qdrant_url)
    facts: dict[str, object] = {"kept_in": "server", "url": shown, "collection": settings.qdrant_collection}
    url = httpx.URL(settings.qdrant_url)
    url = url.copy_with(port=url.port or QDRANT_PORT)
    headers = {"api-key": settings.qdrant_api_key} if settings.qdrant_api_key else {}
    try:
        async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=None) as http:  # noqa: S113 the look has a deadline
            answer = await http.get("/collections")
    except httpx.HTTPError:
        return _Part(
            found=f"The Qdrant server at {shown} does not answer",
            advice="Start it, or correct QDRANT_URL. Left empty, Jarvis keeps vectors in its data folder.",
            facts={**facts, "answers": False},
        )
    if answer.status_code != 200:
        return _Part(
            found=f"The Qdrant server at {shown} answers with {answer.status_code}",
            advice="Correct QDRANT_API_KEY."
            if answer.status_code in {401, 403}
            else "Look into its log, or correct QDRANT_URL.",
            facts={**facts, "answers": False},
        )
    return _Part(
        found=f"Vectors on the Qdrant server at {shown}, in {settings.qdrant_collection}_*",
        facts={**facts, "answers": True},
    )


async def _examine_embedder(settings: Settings) -> _Part:
    match settings.embed_backend:
        case "openai":
            key = settings.openai_api_key or None
            server = OpenAIEmbedder(settings.openai_base_url, settings.ollama_embed_model, api_key=key)
            async with server:
                advice = "Start it, or correct OPENAI_BASE_URL, OPENAI_API_KEY and OLLAMA_EMBED_MODEL."
                return await _ask(server, "openai", settings.openai_base_url, advice)
        case "ollama":
            return await _examine_ollama(settings)
        case "auto" if await listens(settings.ollama_url):
            asked = await _examine_ollama(settings)
            return await _examine_encoder() if asked.advice else asked
        case "auto" | "embedded":
            return await _examine_encoder()


async def _examine_encoder() -> _Part:
    async with SentenceEncoder() as encoder:  # its space is known without loading it
        advice = "Install Jarvis with its embedded parts, or set EMBED_BACKEND=ollama."
        return await _ask(encoder, "embedded", "", advice)


async def _examine_ollama(settings: Settings) -> _Part:
    async with OllamaEmbedder(settings.ollama_url, settings.ollama_embed_model) as ollama:
        advice = f"Start it (ollama serve), and: ollama pull {settings.ollama_embed_model}"
        return await _ask(ollama, "ollama", settings.ollama_url, advice)


async def _ask(embedder: Embedder, backend: str, url: str, advice: str) -> _Part:
    facts: dict[str, object] = {"embedder": backend}
    name = f"{backend} at {without_password(url)}" if url else "the embedded encoder"
    try:
        space = await embedder.space()
    except JarvisError as exc:
        return _Part(found=f"Made by {name}: {exc.detail}", advice=advice, facts=facts)
    return _Part(
        found=f"Made by {name}, {_spelled(space)}",
        facts={**facts, "space": msgspec.structs.asdict(space)},
    )


def _spelled(space: VectorSpace) -> str:
    version = f" ({space.version[:12]})" if space.version else ""
    return f"model {space.model}{version}, {space.dimensions} dimensions"


def _size_of(folder: Path) -> int | None:
    if not folder.exists():
        return None
    # What is blocks on the disk: the engine makes its files larger than what is in them.
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
