"""What is refused on an address that other machines can reach, and who signs in where."""

import re
import shlex
from pathlib import Path

import pytest

from jarvis.settings import WrongSettings, load
from jarvis.settings.exposure import SAMPLE_SECRETS

ROOT = Path(__file__).parents[2]
EVERYWHERE = "0.0.0.0"  # noqa: S104  what this is about
KEY = "kTq0vYp3mX8sZ1wB6nR4cJ7hL2fD9gA5uE"
SHORTEST = 32

KEY_IN_TEXT = re.compile(r"JWT_SECRET_KEY(?=\W+(?:value\W+)?([\w+/=.!-]+))")
PUBLISHED = (
    ".env.example",
    "docker-compose.yml",
    "Dockerfile",
    "README.md",
    "CHANGELOG.md",
    "docs",
    "deploy",
)


def problems_of(**environment: str) -> list[str]:
    with pytest.raises(WrongSettings) as caught:
        load(environment)
    return caught.value.problems


def keys_in(text: str) -> list[str]:
    """Return what could be taken for a value of JWT_SECRET_KEY and is long enough to be one."""
    return [word for word in KEY_IN_TEXT.findall(text) if len(word) >= SHORTEST]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", EVERYWHERE])
@pytest.mark.parametrize("trusted", ["true", "false"])
@pytest.mark.parametrize("mode", ["", "local", "jwt"])
def test_who_signs_in_where(host: str, trusted: str, mode: str) -> None:
    environment = {"HOST": host, "TRUST_NETWORK": trusted, "AUTH_MODE": mode, "JWT_SECRET_KEY": KEY}
    is_open = host == EVERYWHERE and trusted == "false"
    if mode == "local" and is_open:
        (problem,) = problems_of(**environment)
        assert problem.startswith(f"HOST holds '{EVERYWHERE}'")
        assert "AUTH_MODE=local" in problem
        assert "TRUST_NETWORK=true" in problem
    else:
        assert load(environment).signs_in == (mode == "jwt" or (not mode and is_open))


@pytest.mark.parametrize("mode", ["", "jwt"])
def test_signing_in_from_elsewhere_needs_a_key(mode: str) -> None:
    (problem,) = problems_of(HOST=EVERYWHERE, AUTH_MODE=mode)
    assert problem.startswith(f"HOST holds '{EVERYWHERE}'")
    for name in ("AUTH_MODE=jwt", "JWT_SECRET_KEY", "TRUST_NETWORK=true", "HOST=127.0.0.1"):
        assert name in problem
    assert load({"HOST": EVERYWHERE, "AUTH_MODE": mode, "JWT_SECRET_KEY": KEY}).signs_in


def test_a_trusted_network_where_users_sign_in_needs_a_key_too() -> None:
    (problem,) = problems_of(HOST=EVERYWHERE, AUTH_MODE="jwt", TRUST_NETWORK="true")
    assert "JWT_SECRET_KEY" in problem


def test_on_loopback_the_key_may_be_missing_or_a_sample() -> None:
    assert load({"AUTH_MODE": "jwt"}).jwt_secret_key == ()
    assert load({"AUTH_MODE": "jwt", "JWT_SECRET_KEY": "dev-jwt-secret-change-in-production"}).signs_in


@pytest.mark.parametrize("sample", sorted(SAMPLE_SECRETS))
def test_a_sample_is_refused_and_not_shown(sample: str) -> None:
    for key in (sample, sample.upper(), sample.replace("-", "_"), f"prod-{sample}-1234567890"):
        padded = key.ljust(SHORTEST, "0")
        (problem,) = problems_of(HOST=EVERYWHERE, JWT_SECRET_KEY=f"{KEY},{padded}")
        assert problem.startswith("JWT_SECRET_KEY holds a sample")
        assert key not in problem
        assert KEY not in problem


def test_samples_are_written_as_they_are_compared() -> None:
    assert [sample for sample in SAMPLE_SECRETS if sample != sample.lower().replace("_", "-")] == []
    assert min(map(len, SAMPLE_SECRETS)) > 16, "a key made at random might hold it"


@pytest.mark.parametrize(
    "text",
    [
        "JWT_SECRET_KEY={}",
        "export JWT_SECRET_KEY='{}'",
        "JWT_SECRET_KEY: {}",
        "JWT_SECRET_KEY: ${{JWT_SECRET_KEY:-{}}}",
        '{{ name: JWT_SECRET_KEY, value: "{}" }}',
        "- name: JWT_SECRET_KEY\n  value: {}",
    ],
)
def test_a_key_in_a_file_would_be_found(text: str) -> None:
    assert keys_in(text.format(KEY)) == [KEY]


def test_every_key_that_our_own_files_show_is_refused() -> None:
    roots = [ROOT / name for name in PUBLISHED]
    files = [file for root in roots for file in (root.rglob("*") if root.is_dir() else [root])]
    texts = [file.read_text() for file in files if file.is_file() and file.suffix not in {".pyc", ".png"}]
    assert any("JWT_SECRET_KEY" in text for text in texts)
    shown = [key for text in texts for key in keys_in(text)]
    assert [key for key in shown if key.lower().replace("_", "-") not in SAMPLE_SECRETS] == []


def test_any_page_may_ask_is_refused() -> None:
    (problem,) = problems_of(HOST=EVERYWHERE, TRUST_NETWORK="true", ALLOWED_ORIGINS="*")
    assert problem.startswith("ALLOWED_ORIGINS holds '*'")
    assert load({"ALLOWED_ORIGINS": "*"}).allowed_origins == ("*",)


def test_what_is_pasted_into_a_shell_cannot_be_more_than_a_host() -> None:
    (problem,) = problems_of(HOST="$(reboot)'")
    (line,) = [line for line in problem.splitlines() if line.lstrip().startswith("export HOST=")]
    assert shlex.split(line)[1] == "HOST=$(reboot)'"
