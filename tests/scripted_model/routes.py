"""Which path means what: from a request to a call and the voice that answers it. Knows no sockets."""

from typing import TypeAlias

import msgspec

from tests.scripted_model import ollama, openai
from tests.scripted_model.call import Call, Kind, estimate_prompt_tokens
from tests.scripted_model.catalogue import Catalogue, Model
from tests.scripted_model.scripts import Refuse
from tests.scripted_model.voice import Fixed, Voice, Wording
from tests.scripted_model.wire import Malformed, Request

Body: TypeAlias = dict[str, object]

KINDS: dict[tuple[str, str], Kind] = {
    ("POST", "/api/chat"): "chat",
    ("POST", "/api/generate"): "generate",
    ("POST", "/api/embed"): "embed",
    ("POST", "/api/embeddings"): "embed",
    ("POST", "/api/show"): "show",
    ("POST", "/api/pull"): "pull",
    ("GET", "/api/tags"): "tags",
    ("GET", "/api/ps"): "ps",
    ("GET", "/api/version"): "version",
    ("POST", "/v1/chat/completions"): "chat",
    ("POST", "/v1/embeddings"): "embed",
    ("GET", "/v1/models"): "models",
    ("GET", "/health"): "health",
    ("GET", "/props"): "props",
}


class Routed(msgspec.Struct, frozen=True, kw_only=True):
    """`refusal` is what the request deserves by itself, before any script."""

    call: Call
    voice: Voice
    refusal: Refuse | None = None


class Routes:
    def __init__(self, catalogue: Catalogue, *, dimensions: int, bytes_per_token: float) -> None:
        self._catalogue = catalogue
        self._dimensions = dimensions
        self._bytes_per_token = bytes_per_token
        self._answered = 0

    def route(self, request: Request) -> Routed:
        kind = KINDS.get((request.method, request.path))
        path, wording = request.path, _wording(request.path)
        if kind is None and request.method == "GET" and path.startswith("/v1/models/"):
            kind = "models"
        if kind is None:
            refusal = Refuse(status=404, message="404 page not found")
            return self._refused(Call(kind="other", path=path), wording, refusal)
        try:
            call = _call(kind, path, _decode(request.body) if request.method == "POST" else {})
        except (Malformed, msgspec.ValidationError) as error:
            refusal = Refuse(status=400, message=str(error))
            return self._refused(Call(kind=kind, path=path), wording, refusal)
        return self._answer(call, wording)

    def prompt_tokens(self, call: Call) -> int:
        return estimate_prompt_tokens(call, self._bytes_per_token)

    def _answer(self, call: Call, wording: Wording) -> Routed:
        if call.kind == "pull":
            pulled = self._catalogue.find(call.model) or Model(name=call.model)
            return Routed(call=call, voice=ollama.Pull(model=pulled))
        if not call.model:
            return Routed(call=call, voice=Fixed(body=self._report(call), wording=wording))
        model = self._catalogue.find(call.model)
        if model is None:
            return self._refused(call, wording, Refuse(status=404))
        if call.kind in {"chat", "generate"}:
            if "completion" not in model.capabilities:
                refusal = Refuse(status=400, message=f'"{call.model}" does not support {call.kind}')
                return self._refused(call, wording, refusal)
            self._catalogue.load(model)
            return Routed(call=call, voice=self._generation(call))
        return Routed(call=call, voice=Fixed(body=self._about(call, model), wording=wording))

    def _generation(self, call: Call) -> Voice:
        if not _is_openai(call.path):
            return ollama.Generation(call=call, created_at=ollama.now())
        self._answered += 1
        return openai.Generation(
            call=call, id=f"chatcmpl-{self._answered}", include_usage=openai.wants_usage(call)
        )

    def _about(self, call: Call, model: Model) -> bytes:
        if call.kind == "show":
            return ollama.show(model)
        if call.kind == "models":
            return openai.model_card(model)
        self._catalogue.load(model)
        dialect = openai if _is_openai(call.path) else ollama
        return dialect.embeddings(call, self._dimensions, self.prompt_tokens(call))

    def _report(self, call: Call) -> bytes:
        match call.kind:
            case "tags":
                return ollama.tags(self._catalogue)
            case "ps":
                return ollama.ps(self._catalogue)
            case "version":
                return ollama.version()
            case "models":
                return openai.models(self._catalogue)
            case "props":
                return openai.props(self._catalogue)
            case _:
                return openai.health()

    def _refused(self, call: Call, wording: Wording, refusal: Refuse) -> Routed:
        return Routed(call=call, voice=Fixed(body=b"", wording=wording), refusal=refusal)


def _call(kind: Kind, path: str, body: Body) -> Call:
    match kind:
        case "chat":
            return openai.chat_call(path, body) if _is_openai(path) else ollama.chat_call(path, body)
        case "generate":
            return ollama.generate_call(path, body)
        case "embed":
            return openai.embeddings_call(path, body) if _is_openai(path) else ollama.embed_call(path, body)
        case "show" | "pull":
            return ollama.named_call(kind, path, body)
        case "models":
            return Call(kind=kind, path=path, model=path.removeprefix("/v1/models").removeprefix("/"))
        case _:
            return Call(kind=kind, path=path)


def _decode(body: bytes) -> Body:
    if not body:
        raise Malformed("missing request body")
    try:
        return msgspec.json.decode(body, type=Body)
    except msgspec.DecodeError as error:
        raise Malformed(str(error)) from None


def _is_openai(path: str) -> bool:
    return path.startswith("/v1/") or path in {"/health", "/props"}


def _wording(path: str) -> Wording:
    return openai.WORDING if _is_openai(path) else ollama.WORDING
