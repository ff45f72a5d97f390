"""What is wrong with settings that are each of the right shape: a look at the whole."""

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from jarvis.settings.exposure import refusals
from jarvis.settings.fields import Settings
from jarvis.settings.hiding import shown

URLS = (
    *("DATABASE_URL", "REDIS_URL", "QDRANT_URL", "OLLAMA_URL", "OPENAI_BASE_URL"),
    *("STT_URL", "TTS_URL", "PYTHON_BRIDGES_URL"),
)
MIN_NUM_CTX = 512
MIN_KEY_BYTES = 32
"""RFC 7518 section 3.2: a key for HS256 is no shorter than its hash."""
ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")


def contradictions(settings: Settings) -> Iterator[str]:
    """Yield a sentence for everything that is wrong."""
    yield from _wrong_urls(settings)
    yield from _wrong_models(settings)
    yield from refusals(settings)
    yield from _wrong_items(settings)


def _wrong_urls(settings: Settings) -> Iterator[str]:
    for name in URLS:
        url: str = getattr(settings, name.lower())
        if not _names_hosts(url):
            yield f"{name} holds {shown(name, url)}; allowed: an address with a host and a port number."


def _wrong_models(settings: Settings) -> Iterator[str]:
    if settings.ollama_num_ctx is not None and settings.ollama_num_ctx < MIN_NUM_CTX:
        yield f"OLLAMA_NUM_CTX holds {settings.ollama_num_ctx}; allowed: {MIN_NUM_CTX} or more."
    if settings.llm_backend == "openai" and not settings.openai_base_url:
        yield "OPENAI_BASE_URL is empty; LLM_BACKEND=openai needs one, such as http://localhost:8000/v1."
    if settings.embed_backend == "openai" and not settings.openai_base_url:
        yield "OPENAI_BASE_URL is empty; EMBED_BACKEND=openai needs one, such as http://localhost:8000/v1."


def _wrong_items(settings: Settings) -> Iterator[str]:
    for origin in settings.allowed_origins:
        if origin != "*" and not ORIGIN.fullmatch(origin):
            yield f"ALLOWED_ORIGINS holds '{origin}'; allowed: origins such as http://localhost:3000."
    for proxy in settings.trusted_proxies:
        if not _is_network(proxy):
            yield f"TRUSTED_PROXIES holds '{proxy}'; allowed: addresses and networks such as 10.0.0.0/8."
    for place, key in enumerate(settings.jwt_secret_key, 1):
        if not _is_long_enough(key):
            yield (
                f"JWT_SECRET_KEY holds a secret that is not shown; its part {place}, by commas, is too short "
                f"or no UTF-8; allowed: keys of {MIN_KEY_BYTES} bytes or more."
            )


def _names_hosts(url: str) -> bool:
    """Tell whether its hosts and ports can be read; Postgres may be given several, by commas."""
    try:
        hosts = urlsplit(url).netloc.rpartition("@")[2].split(",")
        return all(urlsplit(f"//{host}").port != 0 for host in hosts)
    except ValueError:
        return False


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


def _is_long_enough(key: str) -> bool:
    try:
        return len(key.encode()) >= MIN_KEY_BYTES
    except UnicodeEncodeError:  # bytes in the environment that are no text
        return False
