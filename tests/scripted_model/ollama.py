"""Ollama's API (its docs/api.md): requests into calls, answers into bytes, errors in its words. Pure."""

from datetime import UTC, datetime, timedelta

import msgspec

from tests.scripted_model.call import Call, Kind, Message, Usage
from tests.scripted_model.catalogue import Catalogue, Model
from tests.scripted_model.embedding import embed
from tests.scripted_model.wire import Malformed

VERSION = "0.12.6"
MODIFIED_AT = "2026-01-02T03:04:05Z"
PULL_STEPS = ("25", "50", "75", "100")


class ChatBody(msgspec.Struct, frozen=True, kw_only=True):
    model: str = ""
    messages: list[Message] | None = None
    stream: bool | None = None
    options: dict[str, object] | None = None


class GenerateBody(msgspec.Struct, frozen=True, kw_only=True):
    model: str = ""
    prompt: str = ""
    system: str = ""
    stream: bool | None = None
    options: dict[str, object] | None = None


class EmbedBody(msgspec.Struct, frozen=True, kw_only=True):
    model: str = ""
    input: str | list[str] = ""
    dimensions: int | None = None
    options: dict[str, object] | None = None


class LegacyEmbedBody(msgspec.Struct, frozen=True, kw_only=True):
    model: str = ""
    prompt: str = ""
    options: dict[str, object] | None = None


class NamedBody(msgspec.Struct, frozen=True, kw_only=True):
    """What show and pull take; `name` is the older spelling of `model`."""

    model: str = ""
    name: str = ""
    stream: bool | None = None


def chat_call(path: str, body: dict[str, object]) -> Call:
    asked = msgspec.convert(body, ChatBody)
    messages = tuple(asked.messages or ())
    # Without messages Ollama only loads the model, and answers with one object whatever `stream` says.
    stream = asked.stream is not False and bool(messages)
    return _generating("chat", path, asked.model, messages, asked.options, stream=stream, body=body)


def generate_call(path: str, body: dict[str, object]) -> Call:
    asked = msgspec.convert(body, GenerateBody)
    system = (Message(role="system", content=asked.system),) if asked.system else ()
    messages = (*system, Message(role="user", content=asked.prompt)) if asked.prompt else ()
    stream = asked.stream is not False and bool(messages)
    return _generating("generate", path, asked.model, messages, asked.options, stream=stream, body=body)


def embed_call(path: str, body: dict[str, object]) -> Call:
    if path == "/api/embeddings":
        legacy = msgspec.convert(body, LegacyEmbedBody)
        asked = EmbedBody(model=legacy.model, input=legacy.prompt, options=legacy.options)
    else:
        asked = msgspec.convert(body, EmbedBody)
    inputs = (asked.input,) if isinstance(asked.input, str) else tuple(asked.input)
    return Call(
        kind="embed",
        path=path,
        model=_required(asked.model),
        inputs=inputs,
        options=asked.options or {},
        dimensions=asked.dimensions,
        body=body,
    )


def named_call(kind: Kind, path: str, body: dict[str, object]) -> Call:
    asked = msgspec.convert(body, NamedBody)
    stream = kind == "pull" and asked.stream is not False
    return Call(kind=kind, path=path, model=_required(asked.model or asked.name), stream=stream, body=body)


def _generating(
    kind: Kind,
    path: str,
    model: str,
    messages: tuple[Message, ...],
    options: dict[str, object] | None,
    *,
    stream: bool,
    body: dict[str, object],
) -> Call:
    return Call(
        kind=kind,
        path=path,
        model=_required(model),
        messages=messages,
        options=options or {},
        max_tokens=_integer(options, "num_predict"),
        num_ctx=_integer(options, "num_ctx"),
        stream=stream,
        prefill=messages[-1].content if messages and messages[-1].role == "assistant" else "",
        body=body,
    )


def _required(model: str) -> str:
    if not model:
        raise Malformed("model is required")
    return model


def _integer(options: dict[str, object] | None, name: str) -> int | None:
    value = (options or {}).get(name)
    if value is None or isinstance(value, int):
        return value
    raise Malformed(f'option "{name}" must be of type integer')


class OllamaWording:
    def refusal(self, status: int, message: str | None, model: str) -> bytes:
        words = {
            404: f"model '{model}' not found",
            500: "model runner has unexpectedly stopped, this may be due to resource limitations "
            "or an internal error, check ollama server logs for details",
            503: "server busy, please try again.  maximum pending requests exceeded",
        }
        return _json({"error": message or words.get(status, f"error {status}")})

    def stream_error(self, message: str) -> bytes:
        return _line({"error": message})

    def garbage(self, text: str) -> bytes:
        return f"{text}\n".encode()


WORDING = OllamaWording()


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """/api/chat and /api/generate: the same objects but for where the text is."""

    call: Call
    created_at: str
    content_type: str = "application/x-ndjson"
    wording: OllamaWording = WORDING

    def token(self, piece: str) -> bytes:
        return _line({**self._said(piece), "done": False})

    def end(self, usage: Usage) -> list[bytes]:
        return [_line({**self._said(""), **_done(usage)})]

    def whole(self, pieces: tuple[str, ...], usage: Usage) -> bytes:
        if usage.done_reason == "load":
            return _json({**self._said(""), "done": True, "done_reason": "load"})
        return _json({**self._said("".join(pieces)), **_done(usage)})

    def _said(self, text: str) -> dict[str, object]:
        said: dict[str, object] = {"model": self.call.model, "created_at": self.created_at}
        if self.call.kind == "chat":
            said["message"] = {"role": "assistant", "content": text}
        else:
            said["response"] = text
        return said


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """Progress of a download; its tokens are percentages."""

    model: Model
    content_type: str = "application/x-ndjson"
    wording: OllamaWording = WORDING

    def token(self, piece: str) -> bytes:
        digest, total = self.model.digest, self.model.size_bytes
        progress = {
            "status": f"pulling {digest[:12]}",
            "digest": f"sha256:{digest}",
            "total": total,
            "completed": total * int(piece) // 100,
        }
        return _line(progress)

    def end(self, usage: Usage) -> list[bytes]:
        del usage
        return [_line({"status": s}) for s in ("verifying sha256 digest", "writing manifest", "success")]

    def whole(self, pieces: tuple[str, ...], usage: Usage) -> bytes:
        del pieces, usage
        return _json({"status": "success"})


def embeddings(call: Call, dimensions: int, prompt_tokens: int) -> bytes:
    vectors = [embed(text, call.dimensions or dimensions) for text in call.inputs]
    if call.path == "/api/embeddings":
        return _json({"embedding": vectors[0]})
    return _json(
        {
            "model": call.model,
            "embeddings": vectors,
            "total_duration": 14_143_917,
            "load_duration": 1_019_500,
            "prompt_eval_count": prompt_tokens,
        }
    )


def tags(catalogue: Catalogue) -> bytes:
    return _json({"models": [{**_listed(model), "modified_at": MODIFIED_AT} for model in catalogue.models]})


def ps(catalogue: Catalogue) -> bytes:
    expires_at = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    return _json(
        {
            "models": [
                {
                    **_listed(model),
                    "expires_at": expires_at,
                    "size_vram": 0,
                    "context_length": model.context_length,
                }
                for model in catalogue.loaded
            ]
        }
    )


def show(model: Model) -> bytes:
    return _json(
        {
            "modelfile": f"FROM {model.name}",
            "parameters": "",
            "template": "{{ .Prompt }}",
            "details": _details(model),
            "model_info": {
                "general.architecture": model.family,
                f"{model.family}.context_length": model.context_length,
            },
            "capabilities": model.capabilities,
            "modified_at": MODIFIED_AT,
        }
    )


def version() -> bytes:
    return _json({"version": VERSION})


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def _listed(model: Model) -> dict[str, object]:
    return {
        "name": model.name,
        "model": model.name,
        "size": model.size_bytes,
        "digest": model.digest,
        "details": _details(model),
    }


def _details(model: Model) -> dict[str, object]:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": model.family,
        "families": [model.family],
        "parameter_size": model.parameter_size,
        "quantization_level": "Q8_0",
    }


def _done(usage: Usage) -> dict[str, object]:
    return {
        "done": True,
        "done_reason": usage.done_reason,
        "total_duration": 4_883_583_458,
        "load_duration": 1_334_875,
        "prompt_eval_count": usage.prompt_tokens,
        "prompt_eval_duration": 342_546_000,
        "eval_count": usage.completion_tokens,
        "eval_duration": 4_535_599_000,
    }


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


def _line(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"
