"""Every setting: its name, its type, its default, and what follows from several of them."""

import os
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from jarvis.core.prompt import PERSONA

LOOPBACK_HOSTS = ("127.0.0.1", "::1", "localhost")
LOCAL_ORIGINS = (
    "http://localhost:3000",
    "http://127.0.0.1:3000",
    "http://localhost:3001",
    "http://127.0.0.1:3001",
)

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
Redis = Annotated[
    str,
    Meta(
        pattern=r"^(rediss?://[^\s/?#]+(/\d*)?|unix://([^\s/?#]*@)?/[^\s?#]+(\?db=\d+)?)?$",
        description="redis://host:6379/0, rediss:// for TLS, or unix:///path/of/a.sock?db=0",
    ),
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
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="addresses and networks such as 10.0.0.0/8, by commas or as a JSON list"),
    ] = ()
    trust_network: Flag = False
    drain_delay_secs: Patience = 5
    drain_secs: Patience = 20
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["console", "json"] = "console"
    schema: Literal["on", "off"] = "on"
    metrics_public: Flag = True

    jarvis_data_dir: str = ""
    database_url: Postgres = ""
    db_max_connections: Annotated[int, Meta(ge=1, le=1000, description="a number, 1 to 1000")] = 20
    db_acquire_timeout_secs: Seconds = 3
    db_statement_cache: Literal["on", "off"] = "on"
    migrate_on_start: Flag = True
    postgres_bin: str = ""
    redis_url: Redis = ""
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

    auth_mode: Literal["local", "jwt", ""] = ""
    jwt_secret_key: Annotated[
        tuple[str, ...], Meta(description="keys of 32 bytes or more, by commas; the first signs")
    ] = ()
    allow_signup: Flag = False
    rate_limit_requests: Annotated[int, Meta(ge=1, le=1_000_000, description="a number, 1 to 1000000")] = 100
    rate_limit_window_secs: Seconds = 60

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

    @property
    def signs_in(self) -> bool:
        """Whether users sign in (AUTH_MODE=jwt); else whoever can connect is the owner."""
        if not self.auth_mode:
            return not self.on_loopback and not self.trust_network
        return self.auth_mode == "jwt"
