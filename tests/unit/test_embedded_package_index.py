from pathlib import Path

import pytest

from jarvis.embedded.errors import WeightsUnavailable
from jarvis.embedded.package_index import links_in, parse_config, parse_default_index, read_settings

CONFIG = """
:env:.cert='/certs/env.pem'
global.cert='/certs/global.pem'
global.index-url='https://global.example/index'
install.index-url='https://user:secret@mirror.example/index/'
global.extra-index-url='\\nhttps://one.example/index\\nhttps://two.example/index/'
global.find-links='/wheels https://links.example/ file:///more'
global.proxy='http://proxy.example:3128'
freeze.index-url='https://unrelated.example/'
not a setting
"""


def test_the_environment_beats_a_command_and_that_beats_global() -> None:
    options = parse_config(CONFIG)
    assert options["cert"] == "/certs/env.pem"
    assert options["index-url"] == "https://user:secret@mirror.example/index/"


def test_settings_are_read_as_pip_reads_them() -> None:
    settings = read_settings(parse_config(CONFIG))
    assert settings.index_urls == (
        "https://user:secret@mirror.example/index/",
        "https://one.example/index/",
        "https://two.example/index/",
    )
    assert settings.wheel_dirs == (Path("/wheels"), Path("/more"))
    assert (settings.cert, settings.proxy) == ("/certs/env.pem", "http://proxy.example:3128")


def test_no_index_leaves_folders_only() -> None:
    settings = read_settings(
        {"no-index": "true", "index-url": "https://mirror.example", "find-links": "/wheels"}
    )
    assert settings.index_urls == ()
    assert settings.wheel_dirs == (Path("/wheels"),)


@pytest.mark.parametrize(
    "text",
    [
        "  -i, --index-url <url>  Base URL (default https://index.example/simple). This should\n",
        "  -i, --index-url <url>  Base URL of the\n  Index (default\n  https://index.example/simple).\n",
    ],
    ids=["one line", "folded"],
)
def test_the_default_index_is_what_pip_says(text: str) -> None:
    assert parse_default_index(text) == "https://index.example/simple"


def test_a_pip_that_says_nothing_is_told_what_to_do() -> None:
    with pytest.raises(WeightsUnavailable, match="PIP_INDEX_URL"):
        parse_default_index("Usage: pip install")


def test_links_of_an_html_page() -> None:
    page = '<a href="../../files/a%2Bb-1.0.whl#sha256=00">a</a><a class=x href="https://f.example/c.whl">c</a><a>'
    assert links_in(page, content_type="text/html; charset=UTF-8") == {
        "a+b-1.0.whl": "../../files/a%2Bb-1.0.whl",
        "c.whl": "https://f.example/c.whl",
    }


def test_links_of_a_json_page() -> None:
    page = '{"meta": {}, "files": [{"filename": "a.whl", "url": "https://f.example/a.whl", "hashes": {}}]}'
    assert links_in(page, content_type="application/vnd.pypi.simple.v1+json") == {
        "a.whl": "https://f.example/a.whl"
    }
