"""The models that can answer."""

from typing import Any

import msgspec
from litestar import Request, get
from litestar.types import ASGIApp

from jarvis.core.ports import ModelInfo
from jarvis.web.context import services_of
from jarvis.web.query import decode_query
from jarvis.web.requests import UserQuery
from jarvis.web.responses import Body

_encoder = msgspec.json.Encoder()


class ModelsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    models: list[ModelInfo]


@get("/api/chat/models")
async def models(request: Request[Any, Any, Any]) -> ASGIApp:
    """Return what the model server can answer with, and which of it answers where nobody names one."""
    decode_query(request.scope["query_string"], UserQuery)
    return Body(_encoder.encode(ModelsAnswer(models=await services_of(request).llm.models())))
