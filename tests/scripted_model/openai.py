"""OpenAI's API as llama-server and vLLM serve it: requests into calls, answers into bytes. Pure."""

from typing import Annotated

import msgspec

from tests.scripted_model.call import Call, Message, Usage
from tests.scripted_model.catalogue import Catalogue, Model
from tests.scripted_model.embedding import as_base64, embed
from tests.scripted_model.wire import Malformed

CREATED_S = 1_767_322_800


class Part(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    text: str = ""


class ChatMessage(msgspec.Struct, frozen=True, kw_only=True):
    role: str
    content: str | list[Part] | None = None


class StreamOptions(msgspec.Struct, frozen=True, kw_only=True):
    include_usage: bool = False


class ChatBody(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    messages: Annotated[list[ChatMessage], msgspec.Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    continue_final_message: bool = False
    add_generation_prompt: bool = True


class EmbeddingsBody(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    input: str | list[str]
    encoding_format: str | None = None
    dimensions: int | None = None


def chat_call(path: str, body: dict[str, object]) -> Call:
    asked = msgspec.convert(body, ChatBody)
    if asked.continue_final_message and asked.add_generation_prompt:
        raise Malformed("continue_final_message and add_generation_prompt exclude each other")
    return Call(
        kind="chat",
        path=path,
        model=asked.model,
        messages=tuple(Message(role=m.role, content=_text(m.content)) for m in asked.messages),
        options={name: value for name, value in body.items() if name not in {"model", "messages"}},
        max_tokens=asked.max_completion_tokens or asked.max_tokens,
        stream=asked.stream is True,
        prefill=_text(asked.messages[-1].content) if asked.continue_final_message else "",
        body=body,
    )


def embeddings_call(path: str, body: dict[str, object]) -> Call:
    asked = msgspec.convert(body, EmbeddingsBody)
    inputs = (asked.input,) if isinstance(asked.input, str) else tuple(asked.input)
    if asked.encoding_format not in {None, "float", "base64"}:
        raise Malformed("encoding_format must be float or base64")
    return Call(
        kind="embed",
        path=path,
        model=asked.model,
        inputs=inputs,
        options={name: value for name, value in body.items() if name not in {"model", "input"}},
        dimensions=asked.dimensions,
        body=body,
    )


def wants_usage(call: Call) -> bool:
    asked = call.options.get("stream_options")
    return asked is not None and msgspec.convert(asked, StreamOptions).include_usage


def _text(content: str | list[Part] | None) -> str:
    if isinstance(content, list):
        return "".join(part.text for part in content)
    return content or ""


class OpenAIWording:
    def refusal(self, status: int, message: str | None, model: str) -> bytes:
        words = {404: f"model '{model}' not found", 500: "internal error", 503: "Loading model"}
        return _json({"error": _error(status, message or words.get(status, f"error {status}"))})

    def stream_error(self, message: str) -> bytes:
        return _event({"error": _error(500, message)})

    def garbage(self, text: str) -> bytes:
        return f"data: {text}\n\n".encode()


WORDING = OpenAIWording()


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    call: Call
    id: str
    include_usage: bool
    content_type: str = "text/event-stream"
    wording: OpenAIWording = WORDING

    def token(self, piece: str) -> bytes:
        return self._chunk([{"index": 0, "delta": {"content": piece}, "finish_reason": None}])

    def end(self, usage: Usage) -> list[bytes]:
        finish = self._chunk([{"index": 0, "delta": {}, "finish_reason": usage.done_reason}])
        counted = [self._chunk([], usage=_usage(usage))] if self.include_usage else []
        return [finish, *counted, b"data: [DONE]\n\n"]

    def whole(self, pieces: tuple[str, ...], usage: Usage) -> bytes:
        message = {"role": "assistant", "content": "".join(pieces)}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": usage.done_reason}
        return _json({**self._head("chat.completion"), "choices": [choice], "usage": _usage(usage)})

    def _chunk(self, choices: list[dict[str, object]], **extra: object) -> bytes:
        return _event({**self._head("chat.completion.chunk"), "choices": choices, **extra})

    def _head(self, kind: str) -> dict[str, object]:
        return {"id": self.id, "object": kind, "created": CREATED_S, "model": self.call.model}


def embeddings(call: Call, dimensions: int, prompt_tokens: int) -> bytes:
    vectors = [embed(text, call.dimensions or dimensions) for text in call.inputs]
    in_base64 = call.options.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": as_base64(vector) if in_base64 else vector}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens}
    return _json({"object": "list", "data": data, "model": call.model, "usage": usage})


def models(catalogue: Catalogue) -> bytes:
    return _json({"object": "list", "data": [_listed(model) for model in catalogue.models]})


def model_card(model: Model) -> bytes:
    return _json(_listed(model))


def health() -> bytes:
    return _json({"status": "ok"})


def props(catalogue: Catalogue) -> bytes:
    """Return llama-server's properties; it serves one model, here the first that generates."""
    model = next(model for model in catalogue.models if "completion" in model.capabilities)
    return _json(
        {
            "default_generation_settings": {"n_ctx": model.context_length, "params": {}},
            "total_slots": 1,
            "model_path": model.name,
            "chat_template": "",
        }
    )


def _listed(model: Model) -> dict[str, object]:
    return {
        "id": model.name,
        "object": "model",
        "created": CREATED_S,
        "owned_by": "library",
        "max_model_len": model.context_length,
        "meta": {"n_ctx_train": model.context_length},
    }


def _usage(usage: Usage) -> dict[str, int]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def _error(status: int, message: str) -> dict[str, object]:
    kinds = {400: "invalid_request_error", 404: "not_found_error", 503: "unavailable_error"}
    return {"code": status, "message": message, "type": kinds.get(status, "server_error"), "param": None}


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)


def _event(value: object) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"
