"""Which language model answers, and bringing it up in the background: Ollama, an OpenAI server or our own."""

import asyncio
import gc
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import anyio
import structlog

from jarvis.adapters.late import LateLLM
from jarvis.core.errors import JarvisError
from jarvis.core.ports import LLM
from jarvis.embedded.data_dir import DataDir
from jarvis.embedded.errors import EmbeddedError
from jarvis.embedded.llama import CONTEXT_TOKENS as EMBEDDED_CONTEXT_TOKENS
from jarvis.embedded.llama import start_llama
from jarvis.embedded.progress import OnProgress, Progress, Stage, shown
from jarvis.embedded.supervisor import Supervisor
from jarvis.embedded.weights import fetch_weights
from jarvis.settings import Settings

if TYPE_CHECKING:
    from jarvis.adapters.ollama import Ollama
    from jarvis.adapters.openai import OpenAICompatible

Backend = Literal["ollama", "openai", "embedded"]

KNOCK_TIMEOUT_S = 1.0
RETRY_S = 2.0
NOT_STARTED = "The embedded language model could not be started; the server's log says why."

log = structlog.stdlib.get_logger("jarvis.model")


async def choose_backend(settings: Settings) -> Backend:
    """Return the backend that is set; for `auto`, Ollama if something listens there, else our own."""
    if settings.llm_backend != "auto":
        return settings.llm_backend
    return "ollama" if await listens(settings.ollama_url) else "embedded"


async def listens(url: str) -> bool:
    """Knock at the address of `url`, without the half second that importing a client takes."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(KNOCK_TIMEOUT_S):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


class ModelStart:
    """Brings the chosen model up and hands it to a LateLLM; until then, that says what is awaited."""

    def __init__(
        self,
        settings: Settings,
        backend: Backend,
        *,
        supervisor: Supervisor | None,
        data_dir: DataDir | None,
    ) -> None:
        self._settings = settings
        self._backend: Backend = backend
        self._supervisor = supervisor
        self._data_dir = data_dir
        self.llm = LateLLM(_model_name(settings, backend))

    async def run(self) -> None:
        """Bring the model up and keep it open; to be cancelled. A failure is told to `llm` and to the log."""
        async with AsyncExitStack() as stack:
            await self._bring(stack)
            # The start is over. Without this each full collection looks through all it made: 0.4 ms a turn.
            gc.freeze()
            await anyio.sleep_forever()

    async def _bring(self, stack: AsyncExitStack) -> None:
        match self._backend:
            case "openai":
                self.llm.arrive(await self._open_openai(stack))
            case "ollama":
                await self._bring_ollama(stack)
            case "embedded":
                try:
                    await self._bring_embedded(stack)
                except EmbeddedError as exc:
                    self._fail(NOT_STARTED, str(exc))
                    if self._settings.llm_backend == "auto":
                        await self._bring_ollama(stack)

    async def _open_openai(self, stack: AsyncExitStack) -> LLM:
        settings = self._settings
        adapter = await asyncio.to_thread(_import_openai)
        return await stack.enter_async_context(
            adapter(
                settings.openai_base_url,
                settings.openai_model,
                api_key=settings.openai_api_key or None,
                num_ctx=settings.ollama_num_ctx,
                first_token_s=settings.llm_first_token_secs,
                inter_token_s=settings.llm_inter_token_secs,
            )
        )

    async def _bring_ollama(self, stack: AsyncExitStack) -> None:
        """Wait for Ollama as long as it takes, have it fetch the model where it lacks it, then arrive."""
        settings = self._settings
        adapter = await asyncio.to_thread(_import_ollama)
        ollama = await stack.enter_async_context(
            adapter(
                settings.ollama_url,
                settings.ollama_model,
                num_ctx=settings.ollama_num_ctx,
                first_token_s=settings.llm_first_token_secs,
                inter_token_s=settings.llm_inter_token_secs,
            )
        )
        while True:
            try:
                if not await ollama.has_model(settings.ollama_model):
                    log.info("model.pull", model=settings.ollama_model)
                    with shown(settings.ollama_model) as draw:
                        await ollama.pull(settings.ollama_model, self._telling(draw))
                break
            except JarvisError as exc:
                self._fail(exc.detail, exc.detail)
                await asyncio.sleep(RETRY_S)
        self.llm.arrive(ollama)
        log.info("model.ready", backend="ollama", model=settings.ollama_model)

    async def _bring_embedded(self, stack: AsyncExitStack) -> None:
        """Raises EmbeddedError."""
        if self._supervisor is None or self._data_dir is None:
            raise RuntimeError("the embedded model needs a data folder")
        settings = self._settings
        with shown("The language model") as draw:
            weights = await fetch_weights(
                settings.embedded_model, self._data_dir, progress=self._telling_progress(draw)
            )
        self.llm.progress = "The language model is being loaded."
        parallel = settings.llm_max_concurrency
        endpoint = await start_llama(
            self._supervisor,
            weights,
            self._data_dir,
            context_tokens=settings.ollama_num_ctx or EMBEDDED_CONTEXT_TOKENS,
            parallel=parallel,
        )
        adapter = await asyncio.to_thread(_import_openai)
        self.llm.arrive(
            await stack.enter_async_context(
                adapter(
                    endpoint.url,
                    endpoint.model,
                    uds=str(endpoint.uds),
                    first_token_s=settings.llm_first_token_secs,
                    inter_token_s=settings.llm_inter_token_secs,
                )
            )
        )
        log.info("model.ready", backend="embedded", model=endpoint.model)

    def _telling_progress(self, draw: OnProgress) -> OnProgress:
        def tell(progress: Progress) -> None:
            self.llm.progress = progress.sentence
            draw(progress)

        return tell

    def _telling(self, draw: OnProgress) -> Callable[[int, int], None]:
        tell = self._telling_progress(draw)

        def told(bytes_done: int, bytes_total: int) -> None:
            tell(Progress(stage=Stage.FETCHING, bytes_done=bytes_done, bytes_total=bytes_total))

        return told

    def _fail(self, sentence: str, reason: str) -> None:
        """Tell clients a `sentence` without paths, and the log the whole `reason`, once."""
        if self.llm.progress != sentence:
            log.warning("model.away", reason=reason)
        self.llm.fail(sentence)


def _model_name(settings: Settings, backend: Backend) -> str:
    match backend:
        case "ollama":
            return settings.ollama_model
        case "openai":
            return settings.openai_model
        case "embedded":
            return settings.embedded_model


def _import_ollama() -> "type[Ollama]":
    from jarvis.adapters.ollama import Ollama  # noqa: PLC0415 0.3 s that the start does not wait for

    return Ollama


def _import_openai() -> "type[OpenAICompatible]":
    from jarvis.adapters.openai import OpenAICompatible  # noqa: PLC0415 likewise

    return OpenAICompatible
