"""From the environment and `.env` to the settings, or to everything that is wrong with them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from dotenv import dotenv_values
from msgspec.inspect import BoolType, LiteralType, Metadata, Type, VarTupleType, type_info
from msgspec.structs import FieldInfo

from jarvis.settings.contradictions import contradictions
from jarvis.settings.fields import Settings
from jarvis.settings.hiding import shown

IGNORED = ("AUDIO_ENGINE_URL", "HOME_ASSISTANT_URL", "HOME_ASSISTANT_TOKEN")
"""Names the earlier servers read; accepted, and said to have no effect."""


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
            problems.append(f"{name} holds {shown(name, held)}; allowed: {_allowed(field)}.")
    if url := values.get("database_url"):
        values["database_url"] = url.replace("+asyncpg://", "://")  # SQLAlchemy's spelling; asyncpg has none
    settings = Settings(**values)
    problems += contradictions(settings)
    if problems:
        raise WrongSettings(problems)
    return settings


def ignored_names(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that are set for an earlier server and mean nothing to this one."""
    return [name for name in IGNORED if environment.get(name)]


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
        return ", ".join(str(value) for value in described.values if value)
    return "text"
