"""Servers that speak OpenAI's chat completions (llama-server, vLLM, LM Studio, ...), over plain httpx."""

import contextlib
import time
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime

import httpx
import msgspec

from jarvis.adapters import model_http, streaming
from jarvis.adapters.closable import Closable
from jarvis.adapters.prefill import Continuation, prefill_of
from jarvis.core.errors import JarvisError, MessageTooLarge
from jarvis.core.ports import Chunk, Finish, ModelInfo, Options, PromptMessage

DEFAULT_WINDOW_TOKENS = 8192
_KNOWN_S = 300.0
_JSON = {"content-type": "application/json"}
_NO_SUCH_PATH = frozenset({404, 405})


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Fault(msgspec.Struct):
    code: str | int | None = None
    type: str | None = None
    message: str | None = None


class _Event(msgspec.Struct):
    """One `data:` of a stream; older vLLM puts an error's fields at the top, with `object: "error"`."""

    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: _Fault | str | None = None
    object: str | None = None
    code: str | int | None = None
    type: str | None = None
    message: str | None = None


class _Listed(msgspec.Struct):
    id: str
    created: object = None
    owned_by: object = None
    max_model_len: int | None = None
    meta: object = None


class _Meta(msgspec.Struct):
    size: int = 0


class _Models(msgspec.Struct):
    data: list[_Listed]


class _SlotSettings(msgspec.Struct):
    n_ctx: int


class _Props(msgspec.Struct):
    """What only llama-server has; `n_ctx` is one slot's share of its window."""

    default_generation_settings: _SlotSettings


class _Server(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about the server; `models` None: it keeps no list."""

    models: dict[str, int | None] | None
    slot_tokens: int | None
    is_vllm: bool
    known_until_s: float


_EVENT = msgspec.json.Decoder(_Event)
_DONE = _Event()


class OpenAICompatible(Closable):
    """Fills the LLM port. `base_url` is what OpenAI's clients are given, most often ending in /v1.

    An empty `model` becomes the first that the server lists, once it has been asked.
    With `uds` the connection goes to that Unix socket, whatever host `base_url` names. `num_ctx` lowers the
    window that the server tells; it cannot be raised from here. Close it, or use it as a context manager.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        num_ctx: int | None = None,
        first_token_s: float = 60.0,
        inter_token_s: float = 20.0,
        uds: str | None = None,
    ) -> None:
        self._base = base_url.rstrip("/")
        # llama-server keeps /props and /health beside the API, not below its version.
        self._root = self._base.removesuffix("/v1")
        self._model = model
        self._num_ctx = num_ctx
        self._first_token_s = first_token_s
        self._inter_token_s = inter_token_s
        self._requests = streaming.Requests()
        self._server: _Server | None = None
        headers = dict(model_http.HEADERS)
        if api_key:
            headers["authorization"] = f"Bearer {api_key}"
        self._http = httpx.AsyncClient(
            transport=model_http.ModelTransport(base_url, uds=uds),
            timeout=model_http.TIMEOUT,
            headers=headers,
            trust_env=False,
        )

    async def aclose(self) -> None:
        await self._requests.aclose()
        await self._http.aclose()

    @property
    def model(self) -> str:
        return self._model

    async def window_tokens(self, model: str | None = None) -> int:
        server = await self._known_server()
        name = model or self._model
        # A llama-server with one model answers to any name.
        nominal = server.slot_tokens and server.models is not None and len(server.models) == 1
        if server.models and name not in server.models and not nominal:
            raise model_http.unknown_model(named=model is not None)
        told = server.slot_tokens or (server.models or {}).get(name) or DEFAULT_WINDOW_TOKENS
        return min(told, self._num_ctx or told)

    async def continues(self, model: str | None = None) -> bool:
        """As the port says: llama-server and vLLM go on, asked by `continue_final_message`; OpenAI does not.

        A llama-server older than that (May 2026) goes on unasked, unless started with --no-prefill-assistant;
        one whose model thinks refuses.
        """
        del model
        server = await self._known_server()
        return server.slot_tokens is not None or server.is_vllm

    async def stream(self, prompt: Sequence[PromptMessage], options: Options) -> AsyncGenerator[Chunk]:
        named = options.model is not None
        answer = self._requests.stream(
            self._events(prompt, options), first_s=self._first_token_s, between_s=self._inter_token_s
        )
        reason: str | None = None
        usage = _Usage()
        # llama-server and vLLM have both had versions that repeat the beginning.
        continuation = Continuation(prefill_of(prompt))
        async with contextlib.aclosing(answer):
            try:
                async for event in answer:
                    if event is _DONE:
                        reason = reason or "stop"
                        break
                    _raise_fault(event, named=named)
                    usage = event.usage or usage
                    for choice in event.choices:
                        reason = choice.finish_reason or reason
                        said = choice.delta.content if choice.delta is not None else None
                        if said and (text := continuation.take(said)):
                            yield Chunk(text=text)
            except JarvisError:
                # With a reason to stop, every word has come; only the count may be missing.
                if reason is None:
                    raise
            if reason is None:
                raise model_http.broke_off()
            finish = Finish(
                model=options.model or self._model,
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
                reason=reason,
            )
            yield Chunk(text=continuation.rest(), finish=finish)
            await streaming.drain(answer)

    async def models(self) -> list[ModelInfo]:
        listed = await self._requests.answer(self._list(), limit_s=streaming.METADATA_S)
        return [
            ModelInfo(
                name=entry.id,
                size=_size(entry.meta),
                modified_at=_instant(entry.created),
                default=entry.id == self._model,
            )
            for entry in listed or []
        ]

    async def ping(self) -> None:
        await self._requests.answer(self._health(), limit_s=streaming.PING_S)

    async def _events(self, prompt: Sequence[PromptMessage], options: Options) -> AsyncGenerator[_Event]:
        server = await self._known_server()
        body: dict[str, object] = {
            "model": options.model or self._model,
            "messages": prompt,
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": options.temperature,
            "max_tokens": options.max_tokens,
        }
        if server.slot_tokens is not None:
            body["cache_prompt"] = True
        if prefill_of(prompt):
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        request = self._http.stream(
            "POST", f"{self._base}/chat/completions", content=msgspec.json.encode(body), headers=_JSON
        )
        with model_http.model_errors():
            async with request as response:
                if response.status_code != 200:
                    fault = _fault(await response.aread())
                    raise _refusal(response.status_code, fault, named=options.model is not None)
                async with contextlib.aclosing(model_http.byte_lines(response)) as lines:
                    async for line in lines:
                        # Everything else that server-sent events have is comments and fields not used here.
                        if line.startswith(b"data:"):
                            data = line[5:].strip()
                            yield _DONE if data == b"[DONE]" else _EVENT.decode(data)

    async def _known_server(self) -> _Server:
        """Ask what is there; kept for five minutes, since a server can be replaced behind its address."""
        if self._server is None or time.monotonic() >= self._server.known_until_s:
            self._server = await self._requests.answer(self._explore(), limit_s=streaming.METADATA_S)
        return self._server

    async def _explore(self) -> _Server:
        slot_tokens = await self._slot_tokens()
        listed = await self._list()
        if not self._model and listed:
            self._model = listed[0].id
        return _Server(
            models=None if listed is None else {entry.id: entry.max_model_len for entry in listed},
            slot_tokens=slot_tokens,
            is_vllm=bool(listed) and all(entry.owned_by == "vllm" for entry in listed or ()),
            known_until_s=time.monotonic() + _KNOWN_S,
        )

    async def _health(self) -> None:
        # llama-server lists its model while it still loads it; its /health tells.
        status, _ = await self._get(f"{self._root}/health")
        if status in _NO_SUCH_PATH:
            status, _ = await self._get(f"{self._base}/models")
        if status != 200:
            raise model_http.refusal(status)

    async def _slot_tokens(self) -> int | None:
        status, body = await self._get(f"{self._root}/props")
        if status == 503:
            raise model_http.refusal(status)
        try:
            return msgspec.json.decode(body, type=_Props).default_generation_settings.n_ctx or None
        except msgspec.DecodeError:
            return None

    async def _list(self) -> list[_Listed] | None:
        status, body = await self._get(f"{self._base}/models")
        if status in _NO_SUCH_PATH:
            return None
        if status != 200:
            raise model_http.refusal(status)
        with model_http.model_errors():
            return msgspec.json.decode(body, type=_Models).data

    async def _get(self, url: str) -> tuple[int, bytes]:
        with model_http.model_errors():
            response = await self._http.get(url)
            return response.status_code, response.content


def _raise_fault(event: _Event, *, named: bool) -> None:
    fault = event.error
    if fault is None and event.object == "error":
        fault = _Fault(code=event.code, type=event.type, message=event.message)
    if fault is None:
        return
    if isinstance(fault, str):
        fault = _Fault(message=fault)
    raise _refusal(fault.code if isinstance(fault.code, int) else 500, fault, named=named)


def _fault(body: bytes) -> _Fault:
    try:
        event = msgspec.json.decode(body, type=_Event)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _Fault()
    if isinstance(event.error, str):
        return _Fault(message=event.error)
    return event.error or _Fault(code=event.code, type=event.type, message=event.message)


def _refusal(status: int, fault: _Fault, *, named: bool) -> JarvisError:
    # Only words that say which failure it is are looked for: the text itself may hold names and paths.
    words = (fault.message or "").lower()
    if (
        fault.type == "exceed_context_size_error"  # llama-server
        or fault.code == "context_length_exceeded"  # OpenAI
        or "maximum context length" in words  # vLLM
    ):
        return MessageTooLarge("The conversation does not fit the language model's window.")
    missing = "model" in words and ("not found" in words or "does not exist" in words)
    if fault.code == "model_not_found" or (status in {400, 404} and missing):
        return model_http.unknown_model(named=named)
    return model_http.refusal(status)


def _size(meta: object) -> int:
    """Return what llama-server tells of its one model's size; 0 where nobody does."""
    try:
        return msgspec.convert(meta, _Meta).size
    except msgspec.ValidationError:
        return 0


def _instant(created_s: object) -> datetime | None:
    if isinstance(created_s, int) and 0 < created_s < 2**33:
        return datetime.fromtimestamp(created_s, UTC)
    return None
