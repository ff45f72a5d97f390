"""Ollama, through its official client: chat, what it has, and fetching what it lacks."""

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping, Sequence
from typing import Any, TypeVar, cast

import httpx
import msgspec
import ollama

from jarvis.adapters import model_http, streaming
from jarvis.adapters.closable import Closable
from jarvis.core.errors import Invalid, JarvisError, Unavailable
from jarvis.core.ports import Chunk, Finish, ModelInfo, Options, PromptMessage

T = TypeVar("T")

MAX_WINDOW_TOKENS = 8192
_KNOWN_S = 300.0
_PULL_SILENCE_S = 120.0  # "verifying sha256 digest" of a large model says nothing for a minute


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    window_tokens: int
    thinks: bool


class Ollama(Closable):
    """Fills the LLM port. `url` names scheme, host and port; `num_ctx` None takes the model's, at most 8192.

    Close it, or use it as a context manager. How long a model stays loaded is left to the server
    (OLLAMA_KEEP_ALIVE) unless `keep_alive` says otherwise.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        num_ctx: int | None = None,
        first_token_s: float = 60.0,
        inter_token_s: float = 20.0,
        keep_alive: float | str | None = None,
    ) -> None:
        self._model = model
        self._num_ctx = num_ctx
        self._first_token_s = first_token_s
        self._inter_token_s = inter_token_s
        self._keep_alive = keep_alive
        self._known: dict[str, tuple[_Known, float]] = {}
        self._requests = streaming.Requests()
        transport = model_http.ModelTransport(url)
        self._client = ollama.AsyncClient(
            url,
            transport=transport,
            timeout=model_http.TIMEOUT,
            headers=model_http.HEADERS,
            follow_redirects=False,
            trust_env=False,
        )
        # The official client cannot ask for the version, the one question that costs the server nothing.
        self._http = httpx.AsyncClient(
            base_url=url, transport=transport, timeout=model_http.TIMEOUT, trust_env=False
        )

    async def aclose(self) -> None:
        await self._requests.aclose()
        await self._http.aclose()
        await self._client.close()

    @property
    def model(self) -> str:
        return self._model

    async def window_tokens(self, model: str | None = None) -> int:
        return (await self._about(model)).window_tokens

    async def continues(self, model: str | None = None) -> bool:
        """As the port says: /api/chat goes on with a last message that is the assistant's.

        Not with a model that thinks: whether it takes such a message for a thought or for an answer depends
        on its template, and on Ollama's version.
        """
        return not (await self._about(model)).thinks

    async def stream(self, prompt: Sequence[PromptMessage], options: Options) -> AsyncGenerator[Chunk]:
        answer = self._requests.stream(
            self._chat(prompt, options), first_s=self._first_token_s, between_s=self._inter_token_s
        )
        async with contextlib.aclosing(answer):
            async for part in answer:
                text = part.message.content or ""
                if part.done:
                    yield Chunk(text=text, finish=_finish(part, options.model or self._model))
                    await streaming.drain(answer)
                    return
                if text:
                    yield Chunk(text=text)
        raise model_http.broke_off()

    async def models(self) -> list[ModelInfo]:
        listed, running = await self._requests.answer(self._listed(), limit_s=streaming.METADATA_S)
        loaded = {_full_name(model.model or "") for model in running.models}
        default = _full_name(self._model)
        return [
            ModelInfo(
                name=model.model,
                size=int(model.size or 0),
                modified_at=model.modified_at,
                default=_full_name(model.model) == default,
                family=model.details.family if model.details else None,
                loaded=_full_name(model.model) in loaded,
            )
            for model in listed.models
            if model.model
        ]

    async def ping(self) -> None:
        await self._requests.answer(self._version(), limit_s=streaming.PING_S)

    async def has_model(self, name: str) -> bool:
        """Tell whether `name` (a name without a tag means `:latest`) is there without a pull."""
        return any(_full_name(model.name) == _full_name(name) for model in await self.models())

    async def pull(self, model: str, on_progress: Callable[[int, int], None]) -> None:
        """Have the server fetch `model`; `on_progress` gets completed and total bytes of all layers known.

        Cancelling stops the download, and a later pull goes on from there. Raises Invalid("model", ...)
        for one that nobody has, Unavailable, TimedOut (two minutes of silence).
        """
        layers: dict[str, tuple[int, int]] = {}
        done = False
        steps = self._requests.stream(self._pull(model), first_s=_PULL_SILENCE_S, between_s=_PULL_SILENCE_S)
        async with contextlib.aclosing(steps):
            async for step in steps:
                done = step.status == "success"
                if step.digest and step.total:
                    layers[step.digest] = step.completed or 0, step.total
                    on_progress(
                        sum(have for have, _ in layers.values()), sum(size for _, size in layers.values())
                    )
        if not done:
            raise model_http.broke_off()

    async def _about(self, model: str | None) -> _Known:
        """Ask about a model; kept for five minutes, since one can be replaced under its name."""
        name = model or self._model
        if name in self._known and time.monotonic() < self._known[name][1]:
            return self._known[name][0]
        asking = self._show(name, named=model is not None)
        shown = await self._requests.answer(asking, limit_s=streaming.METADATA_S)
        known = _Known(
            # Ollama lowers a num_ctx beyond the model's own without a word.
            window_tokens=min(_context_length(shown.modelinfo), self._num_ctx or MAX_WINDOW_TOKENS),
            thinks="thinking" in (shown.capabilities or ()),
        )
        self._known[name] = known, time.monotonic() + _KNOWN_S
        return known

    async def _chat(
        self, prompt: Sequence[PromptMessage], options: Options
    ) -> AsyncGenerator[ollama.ChatResponse]:
        window = await self.window_tokens(options.model)
        with _ollama_errors(named=options.model is not None):
            answer = await self._client.chat(  # pyright: ignore[reportUnknownMemberType]  # its `tools` take any callable
                options.model or self._model,
                [{"role": message.role, "content": message.content} for message in prompt],
                stream=True,
                options={
                    "num_ctx": window,
                    "num_predict": options.max_tokens,
                    "temperature": options.temperature,
                },
                keep_alive=self._keep_alive,
            )
            async with contextlib.aclosing(_closable(answer)) as parts:
                async for part in parts:
                    yield part

    async def _show(self, name: str, *, named: bool) -> ollama.ShowResponse:
        with _ollama_errors(named=named):
            return await self._client.show(name)

    async def _listed(self) -> tuple[ollama.ListResponse, ollama.ProcessResponse]:
        with _ollama_errors(named=False):
            return await self._client.list(), await self._client.ps()

    async def _version(self) -> None:
        with _ollama_errors(named=False):
            answer = await self._http.get("/api/version", headers=model_http.HEADERS)
            if answer.status_code != 200:
                raise model_http.refusal(answer.status_code)
            if not isinstance(answer.json()["version"], str):
                raise model_http.garbled()

    async def _pull(self, model: str) -> AsyncGenerator[ollama.ProgressResponse]:
        with _ollama_errors(named=True):
            answer = await self._client.pull(model, stream=True)
            async with contextlib.aclosing(_closable(answer)) as steps:
                async for step in steps:
                    yield step


@contextlib.contextmanager
def _ollama_errors(*, named: bool) -> Generator[None]:
    """Turn Ollama's failures into the core's; `named` tells whether the client chose the model."""
    try:
        with model_http.model_errors():
            yield
    except ollama.ResponseError as exc:
        raise _refusal(exc, named=named) from exc


def _refusal(exc: ollama.ResponseError, *, named: bool) -> JarvisError:
    # Only words that say which failure it is are looked for: the text itself may hold names and paths.
    words = str(exc.error).lower()
    missing = "not found" in words or "file does not exist" in words or "invalid model name" in words
    if missing and "model" in words:
        return model_http.unknown_model(named=named)
    if exc.status_code == 400 and "does not support" in words and named:
        return Invalid("model", "This model cannot chat.")
    if exc.status_code < 300:
        return Unavailable("llm", "The language model failed.")
    return model_http.refusal(exc.status_code)


def _closable(answer: AsyncIterator[T]) -> AsyncGenerator[T]:
    # The client promises an iterator and gives a generator; only the latter can be closed in time.
    return cast(AsyncGenerator[T], answer)


def _finish(part: ollama.ChatResponse, model: str) -> Finish:
    return Finish(
        model=model,
        prompt_tokens=part.prompt_eval_count,
        completion_tokens=part.eval_count,
        reason=part.done_reason or "stop",
    )


def _context_length(info: Mapping[str, Any] | None) -> int:
    for key, value in (info or {}).items():
        if key.endswith(".context_length") and isinstance(value, int) and value > 0:
            return value
    return MAX_WINDOW_TOKENS


def _full_name(name: str) -> str:
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"
