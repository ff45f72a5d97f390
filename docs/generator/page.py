"""docs/api.md as it has to be now: the template with every marker replaced by what the code says."""

import re
from collections.abc import Mapping
from pathlib import Path

from docs.generator.reference import sections
from jarvis import __version__
from jarvis.adapters.audio.silero import MAX_STREAMS
from jarvis.adapters.turn_log import RETENTION_S
from jarvis.core.errors import PROBLEMS
from jarvis.core.speaking.endpointing import EndpointingSettings
from jarvis.services.admission import MAX_WAITING_IN_CONVERSATION
from jarvis.services.speaking import LINGER_S
from jarvis.settings import Settings
from jarvis.web import edge, hearing, legacy, outbox, responses, signing_in, socket
from jarvis.web.decoding import MAX_DEPTH
from jarvis.web.memory_requests import MAX_CONTENT_CHARS, MAX_FOUND, MAX_MEMORIES, MAX_QUERY_CHARS
from jarvis.web.requests import MAX_LIMIT
from jarvis.web.schema import describe
from jarvis.web.voice_requests import MAX_SPOKEN_CHARS

TEMPLATE = Path(__file__).with_name("api.template.md")
PAGE = Path(__file__).parents[1] / "api.md"

_MARKER = re.compile(r"\{\{ ([^{}]+) \}\}")


def page() -> str:
    return fill(TEMPLATE.read_text(encoding="utf-8"), parts())


def fill(template: str, texts: Mapping[str, str]) -> str:
    """Replace each `{{ name }}`. Raises ValueError unless markers and texts are the same names."""
    marked = set(_MARKER.findall(template))
    if unknown := sorted(marked - texts.keys()):
        raise ValueError(f"{TEMPLATE.name} has markers that nothing fills: {', '.join(unknown)}")
    if untold := sorted(texts.keys() - marked):
        raise ValueError(f"{TEMPLATE.name} does not tell of: {', '.join(untold)}")
    return _MARKER.sub(lambda found: texts[found[1]], template)


def parts() -> dict[str, str]:
    """Return a text for each marker: the tables, a row's beginning for each problem, and the bounds."""
    problems = {
        f"problem {code}": f"`{code}` | {status} | {title}" for code, (status, title) in PROBLEMS.items()
    }
    return sections(describe(__version__)) | problems | _bounds()


def _bounds() -> dict[str, str]:
    settings = Settings()
    pause = EndpointingSettings()
    head = edge.EdgeConfig(loopback=True, port=settings.port)
    figures = {
        "body bytes": settings.max_body_bytes,
        "message characters": settings.max_message_chars,
        "answer bytes": settings.max_answer_bytes,
        "frame bytes": settings.max_ws_frame_bytes,
        "address bytes": head.max_url_bytes,
        "header bytes": head.max_header_bytes,
        "list limit": MAX_LIMIT,
        "memory characters": MAX_CONTENT_CHARS,
        "memories at once": MAX_MEMORIES,
        "memories found": MAX_FOUND,
        "query characters": MAX_QUERY_CHARS,
        "depth": MAX_DEPTH,
        "frames a second": socket.TEXT_FRAMES_PER_S,
        "binary bytes": socket.MAX_BINARY_FRAME_BYTES,
        "binary frames a second": socket.BINARY_FRAMES_PER_S,
        "clip frame bytes": round(settings.max_audio_bytes * socket.SOUND_AS_JSON),
        "audio bytes": settings.max_audio_bytes,
        "audio seconds": int(settings.max_audio_secs),
        "spoken characters": MAX_SPOKEN_CHARS,
        "clips": hearing.MAX_CLIPS,
        "sign-in seconds": int(signing_in.WITHIN_S),
        "streams": MAX_STREAMS,
        "utterance seconds": pause.longest_utterance_ms // 1000,
        "pause milliseconds": pause.silence_ms,
        "linger seconds": int(LINGER_S),
        "turns followed": socket.MAX_FOLLOWED,
        "subscriptions": socket.MAX_SUBSCRIPTIONS,
        "outbox bytes": outbox.MAX_BYTES,
        "turns waiting": MAX_WAITING_IN_CONVERSATION,
        "old frames waiting": legacy.MAX_WAITING,
        "keep-alive seconds": int(responses.KEEP_ALIVE_S),
        "log minutes": int(RETENTION_S // 60),
        "detached seconds": int(settings.detached_turn_secs),
        "request seconds": int(settings.request_timeout_secs),
    }
    return {name: f"{figure:,}" for name, figure in figures.items()}
