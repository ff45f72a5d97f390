"""What is round Jarvis: its settings, its versions, the machine, the data folder, the port."""

import os
import platform
import pwd
import re
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import httpx
import msgspec
import uvloop
from dotenv import dotenv_values

from jarvis import __version__
from jarvis.app.examination.finding import Finding, size
from jarvis.app.model import listens
from jarvis.embedded.cpu import usable_cores
from jarvis.embedded.running import holder_of
from jarvis.services.health import Health
from jarvis.settings import HIDDEN, PASSWORD_IN_URL, Settings, ignored_names

LITTLE_MEMORY_BYTES = 1024**3
LITTLE_SPACE_BYTES = 1024**3
LONGEST_SHOWN = 60
SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD")
PASSWORD_IN_QUERY = re.compile(r"([?&]password=)[^&]*")


def without_password(url: str) -> str:
    return PASSWORD_IN_QUERY.sub(r"\1***", PASSWORD_IN_URL.sub(HIDDEN, url))


async def examine_settings(directory: Path, environment: Mapping[str, str]) -> Finding:
    """Tell what is set and where; `environment` wins over the `.env` in `directory`."""
    dotenv = {name: value for name, value in dotenv_values(directory / ".env").items() if value}
    known = [field.encode_name.upper() for field in msgspec.structs.fields(Settings)]
    origins = {
        name: "environment" if environment.get(name) else ".env"
        for name in known
        if environment.get(name) or dotenv.get(name)
    }
    shown = {name: _shown(name, (dict(dotenv) | dict(environment))[name]) for name in origins}
    ignored = sorted({*ignored_names(dict(dotenv) | dict(environment)), *(dotenv.keys() - set(known))})
    lines = [f"{name} = {shown[name]}  ({origin})" for name, origin in origins.items()]
    lines.append("Everything else is at its default." if lines else "Everything is at its default.")
    return Finding(
        state="warning" if ignored else "ok",
        found="\n".join(lines),
        advice=f"Without effect in this version: {', '.join(ignored)}." if ignored else "",
        facts={
            "set": {name: {"value": shown[name], "from": origins[name]} for name in origins},
            "ignored": ignored,
            "dotenv": str(directory / ".env") if dotenv else None,
        },
    )


async def examine_versions() -> Finding:
    libc = " ".join(platform.libc_ver()).strip()
    system = _os_release().get("PRETTY_NAME", platform.system())
    parts = {name: metadata.version(name) for name in ("granian", "litestar", "asyncpg")}
    return Finding(
        state="ok",
        found=f"Jarvis {__version__}, Python {platform.python_version()}, uvloop {uvloop.__version__}; "
        f"{system}, Linux {platform.release()} on {platform.machine()}, {libc}",
        facts={
            "jarvis": __version__,
            "python": platform.python_version(),
            "system": system,
            "kernel": platform.release(),
            "machine": platform.machine(),
            "libc": libc,
            "packages": parts,
        },
    )


async def examine_machine() -> Finding:
    memory = _meminfo()
    total, available = memory.get("MemTotal", 0), memory.get("MemAvailable", 0)
    cores = usable_cores()
    processor = processor_facts().get("model name", platform.machine())
    little = available < LITTLE_MEMORY_BYTES
    return Finding(
        state="warning" if little else "ok",
        found=f"{cores} core{'' if cores == 1 else 's'} ({processor}), "
        f"{size(available)} of {size(total)} memory free",
        advice="Close something, or set EMBEDDED_MODEL=0.5b, which needs less." if little else "",
        facts={
            "cores": cores,
            "processor": processor,
            "memory_total_bytes": total,
            "memory_available_bytes": available,
        },
    )


async def examine_data_folder(settings: Settings) -> Finding:
    path = settings.data_dir
    standing = next(folder for folder in (path, *path.parents) if folder.exists())
    free_bytes = shutil.disk_usage(standing).free
    holder = holder_of(path)
    facts: dict[str, object] = {"path": str(path), "free_bytes": free_bytes, "in_use_by_pid": holder}
    if not os.access(standing, os.W_OK | os.X_OK):
        return Finding(
            state="failed",
            found=f"{path}: you may not write to {standing}",
            advice="Set JARVIS_DATA_DIR to a folder of yours, or run Jarvis as the owner of this one.",
            facts=facts,
        )
    little = free_bytes < LITTLE_SPACE_BYTES
    advice = "Make room, or set JARVIS_DATA_DIR to a larger disk." if little else ""
    if standing != path:
        return Finding(
            state="warning" if little else "not_started",
            found=f"{path} is not there yet; {size(free_bytes)} free for it",
            advice=advice,
            facts=facts,
        )
    owner = _owner(path)
    user = f"in use by process {holder}" if holder else "not in use"
    return Finding(
        state="warning" if little else "ok",
        found=f"{path}, of {owner}, {user}, {size(free_bytes)} free",
        advice=advice,
        facts={**facts, "owner": owner},
    )


async def examine_port(settings: Settings) -> Finding:
    """Knock at our own door; a Jarvis that runs there tells how it is."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 what it may be set to
    url = f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
    facts: dict[str, object] = {"url": url}
    if not await listens(url):
        return Finding(state="not_started", found=f"{url} is free", facts={**facts, "running": None})
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=None) as http:  # noqa: S113 the look has a deadline
            answer = await http.get(f"{url}/health")
        health = msgspec.json.decode(answer.content, type=Health)
    except (httpx.HTTPError, msgspec.MsgspecError):
        return Finding(
            state="failed",
            found=f"Another program answers at {url}",
            advice="Stop it, or set PORT to another port.",
            facts={**facts, "running": None},
        )
    away = {
        name: service.error or service.status
        for name, service in health.services.items()
        if service.status not in {"healthy", "not_configured"}
    }
    return Finding(
        state="warning" if away else "ok",
        found=f"Jarvis {health.version} answers at {url}, {health.status}, up {health.uptime}",
        advice=" ".join(f"{name}: {error}" for name, error in away.items()),
        facts={**facts, "running": health},
    )


def processor_facts() -> dict[str, str]:
    """Return what the kernel says of the first processor: `model name`, `flags`, ..."""
    facts: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if not line.strip():
            break
        name, _, value = line.partition(":")
        facts[name.strip()] = value.strip()
    return facts


def _shown(name: str, held: str) -> str:
    if SECRET.search(name):
        return "***"
    shown = " ".join(without_password(held).split())
    return shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}..."


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _meminfo() -> dict[str, int]:
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines}


def _owner(path: Path) -> str:
    uid = path.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
