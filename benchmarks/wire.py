"""What the measured servers and the load agree on: shapes, texts, sizes."""

from uuid import UUID

import msgspec

MODEL = "llama3.2:1b"
ANSWER_TEXT = "A short answer in a few words, as a model might give it. " * 4
HEALTH_BODY = b'{"status":"healthy"' + b" " * 664 + b"}"
"""As long as Jarvis' own with external services; the report says how long both were."""
WHO = "somebody"
WHO_PATH = "/api/auth/whoami"
WHO_BODY = b'{"valid":true,"user_id":"%s","username":"%s","role":"owner"}' % (WHO.encode(), WHO.encode())


class ChatIn(msgspec.Struct, frozen=True, kw_only=True):
    message: str
    conversation_id: UUID | None = None
    stream: bool = False


class ModelOptions(msgspec.Struct, frozen=True, kw_only=True):
    num_ctx: int = 8192
    num_predict: int = 2048
    temperature: float = 0.7


class ModelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ollama's /api/chat, with what Jarvis sends."""

    model: str = MODEL
    messages: list[dict[str, str]]
    stream: bool = True
    options: ModelOptions = ModelOptions()


class ModelText(msgspec.Struct, frozen=True, kw_only=True):
    content: str


class ModelPart(msgspec.Struct, frozen=True, kw_only=True):
    message: ModelText
    prompt_eval_count: int = 0
    eval_count: int = 0


class Said(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    prompt_tokens: int
    completion_tokens: int
