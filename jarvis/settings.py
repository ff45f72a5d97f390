"""The only reader of the environment: every setting, checked at once, in one frozen struct."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from dotenv import dotenv_values
from msgspec import Meta
from msgspec.inspect import BoolType, LiteralType, Metadata, Type, VarTupleType, type_info
from msgspec.structs import FieldInfo

from jarvis.core.prompt import PERSONA

LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
LOCAL_ORIGINS = (
    "http://localhost:3000",
    "http://127.0.0.1:3000",
    "http://localhost:3001",
    "http://127.0.0.1:3001",
)
IGNORED = ("AUDIO_ENGINE_URL", "HOME_ASSISTANT_URL", "HOME_ASSISTANT_TOKEN")
"""Names the earlier servers read; accepted, and said to have no effect."""

URLS = (
    *("DATABASE_URL", "QDRANT_URL", "OLLAMA_URL", "OPENAI_BASE_URL"),
    *("STT_URL", "TTS_URL", "PYTHON_BRIDGES_URL"),
)
MIN_NUM_CTX = 512
ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")
HIDDEN = r"\1***@"
PASSWORD_IN_URL = re.compile(r"(://[^:/@]*:)[^@]*@")

Seconds = Annotated[float, Meta(gt=0, le=86_400, description="seconds, more than 0")]
Patience = Annotated[float, Meta(ge=0, le=3_600, description="seconds, 0 to 3600")]
Bytes = Annotated[int, Meta(ge=1024, le=2**30, description="a number of bytes, 1024 to 1073741824")]
Url = Annotated[str, Meta(pattern=r"^(https?://\S+)?$", description="an http:// or https:// address")]
SpeechUrl = Annotated[
    str,
    Meta(
        pattern=r"^((tcp|https?)://\S+)?$",
        description="tcp://host:port of a Wyoming server, or an http(s) address ending in /v1",
    ),
]
Postgres = Annotated[
    str, Meta(pattern=r"^(postgres(ql)?(\+asyncpg)?://\S+)?$", description="a postgresql:// address")
]
Flag = Annotated[bool, Meta(description="true or false")]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of this version; a field's variable is its name in capitals. Empty means the default."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535, description="a port number, 1 to 65535")] = 8100
    request_timeout_secs: Seconds = 30
    workers: Annotated[int, Meta(ge=1, le=1, description="1: run more replicas instead")] = 1
    allowed_origins: Annotated[
        tuple[str, ...],
        Meta(description="origins such as http://localhost:3000, by commas or as a JSON list"),
    ] = LOCAL_ORIGINS
    allowed_hosts: Annotated[
        tuple[str, ...], Meta(description="host names, by commas or as a JSON list")
    ] = ()
    trust_network: Flag = False
    drain_delay_secs: Patience = 5
    drain_secs: Patience = 20
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["console", "json"] = "console"
    schema: Literal["on", "off"] = "on"

    jarvis_data_dir: str = ""
    database_url: Postgres = ""
    db_max_connections: Annotated[int, Meta(ge=1, le=1000, description="a number, 1 to 1000")] = 20
    db_acquire_timeout_secs: Seconds = 3
    db_statement_cache: Literal["on", "off"] = "on"
    migrate_on_start: Flag = True
    postgres_bin: str = ""
    qdrant_url: Url = ""
    qdrant_api_key: str = ""
    qdrant_collection: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9_-]{1,100}$", description="a name of letters, digits, _ and -")
    ] = "jarvis_memory"

    llm_backend: Literal["auto", "ollama", "openai", "embedded"] = "auto"
    ollama_url: Url = "http://localhost:11434"
    ollama_model: str = "llama3.2:1b"
    ollama_temperature: Annotated[float, Meta(ge=0, le=2, description="a number, 0 to 2")] = 0.7
    ollama_max_tokens: Annotated[int, Meta(ge=1, le=8192, description="a number, 1 to 8192")] = 2048
    ollama_num_ctx: Annotated[
        int | None, Meta(description="a number of tokens, 512 or more; empty: the model's, at most 8192")
    ] = None
    openai_base_url: Url = ""
    openai_api_key: str = ""
    openai_model: str = ""
    embedded_model: str = "1.5b"
    embed_backend: Literal["auto", "ollama", "openai", "embedded"] = "auto"
    ollama_embed_model: str = "nomic-embed-text"
    llm_max_concurrency: Annotated[int, Meta(ge=1, le=1000, description="a number, 1 to 1000")] = 2
    llm_max_queue: Annotated[int, Meta(ge=0, le=100_000, description="a number, 0 to 100000")] = 32
    llm_first_token_secs: Seconds = 60
    llm_inter_token_secs: Seconds = 20
    turn_secs: Seconds = 300
    detached_turn_secs: Seconds = 120
    system_prompt: str = PERSONA

    voice: Literal["auto", "off"] = "auto"
    stt_url: SpeechUrl = ""
    tts_url: SpeechUrl = ""
    python_bridges_url: Url = ""

    auth_mode: Literal["local"] = "local"

    max_body_bytes: Bytes = 1024 * 1024
    max_message_chars: Annotated[int, Meta(ge=1, le=10_000_000, description="a number of characters")] = (
        32_000
    )
    max_ws_frame_bytes: Bytes = 256 * 1024
    max_audio_bytes: Bytes = 10 * 1024 * 1024
    max_audio_secs: Seconds = 120
    max_answer_bytes: Bytes = 256 * 1024

    @property
    def data_dir(self) -> Path:
        if self.jarvis_data_dir:
            return Path(self.jarvis_data_dir).expanduser().absolute()
        if os.geteuid() == 0:
            return Path("/var/lib/jarvis")
        return Path("~/.local/share/jarvis").expanduser()

    @property
    def on_loopback(self) -> bool:
        return self.host in LOOPBACK_HOSTS


class WrongSettings(Exception):
    """One or more settings are wrong; the text names each, what it held and what is allowed."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(["These settings are wrong:", *(f"  {problem}" for problem in problems)]))
        self.problems = problems


def read_environment(directory: Path) -> dict[str, str]:
    """Return the environment over what `.env` in `directory` says. Raises WrongSettings."""
    try:
        dotenv = dotenv_values(directory / ".env")
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise WrongSettings([f"{directory / '.env'} cannot be read: {reason}."]) from exc
    return {name: value for name, value in dotenv.items() if value is not None} | dict(os.environ)


def load(environment: Mapping[str, str]) -> Settings:
    """Build the settings. Raises WrongSettings with everything that is wrong, not just the first."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for field in msgspec.structs.fields(Settings):
        name = field.name.upper()
        held = environment.get(name, "").strip()
        if not held:
            continue
        try:
            values[field.name] = _convert(held, field)
        except (msgspec.ValidationError, msgspec.DecodeError):
            problems.append(f"{name} holds {_shown(name, held)}; allowed: {_allowed(field)}.")
    if url := values.get("database_url"):
        values["database_url"] = url.replace("+asyncpg://", "://")  # SQLAlchemy's spelling; asyncpg has none
    settings = Settings(**values)
    problems += _contradictions(settings)
    if problems:
        raise WrongSettings(problems)
    return settings


def ignored_names(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that are set for an earlier server and mean nothing to this one."""
    return [name for name in IGNORED if environment.get(name)]


def _contradictions(settings: Settings) -> Iterator[str]:
    for name in URLS:
        url: str = getattr(settings, name.lower())
        if not _names_hosts(url):
            yield f"{name} holds {_shown(name, url)}; allowed: an address with a host and a port number."
    if settings.ollama_num_ctx is not None and settings.ollama_num_ctx < MIN_NUM_CTX:
        yield f"OLLAMA_NUM_CTX holds {settings.ollama_num_ctx}; allowed: {MIN_NUM_CTX} or more."
    if settings.llm_backend == "openai" and not settings.openai_base_url:
        yield "OPENAI_BASE_URL is empty; LLM_BACKEND=openai needs one, such as http://localhost:8000/v1."
    if settings.embed_backend == "openai" and not settings.openai_base_url:
        yield "OPENAI_BASE_URL is empty; EMBED_BACKEND=openai needs one, such as http://localhost:8000/v1."
    if not settings.on_loopback and not settings.trust_network:
        yield (
            f"HOST holds '{settings.host}', which other machines can reach, and AUTH_MODE=local lets in "
            "whoever can reach it. Use HOST=127.0.0.1, or set TRUST_NETWORK=true if everybody on that "
            "network may read and write everything."
        )
    if not settings.on_loopback and "*" in settings.allowed_origins:
        yield "ALLOWED_ORIGINS holds '*'; allowed on this HOST: the exact origins of your pages."
    for origin in settings.allowed_origins:
        if origin != "*" and not ORIGIN.fullmatch(origin):
            yield f"ALLOWED_ORIGINS holds '{origin}'; allowed: origins such as http://localhost:3000."


def _names_hosts(url: str) -> bool:
    """Tell whether its hosts and ports can be read; Postgres may be given several, by commas."""
    try:
        hosts = urlsplit(url).netloc.rpartition("@")[2].split(",")
        return all(urlsplit(f"//{host}").port != 0 for host in hosts)
    except ValueError:
        return False


def _convert(held: str, field: FieldInfo) -> object:
    if isinstance(_bare(field), VarTupleType):
        listed = msgspec.json.decode(held) if held.startswith("[") else held.split(",")
        return tuple(item.strip() for item in msgspec.convert(listed, list[str]) if item.strip())
    if isinstance(_bare(field), BoolType):
        held = {"on": "true", "yes": "true", "off": "false", "no": "false"}.get(held.lower(), held)
    return msgspec.convert(held, field.type, strict=False)


def _bare(field: FieldInfo) -> Type:
    described = type_info(field.type)
    return described.type if isinstance(described, Metadata) else described


def _allowed(field: FieldInfo) -> str:
    described = type_info(field.type)
    if isinstance(described, Metadata):
        return str(msgspec.json.schema(field.type)["description"])
    if isinstance(described, LiteralType):
        return ", ".join(map(str, described.values))
    return "text"


def _shown(name: str, held: str) -> str:
    if any(word in name for word in ("KEY", "SECRET", "TOKEN", "PASSWORD")):
        return "a secret that is not shown"
    return f"'{PASSWORD_IN_URL.sub(HIDDEN, held)}'"
