"""What must not be when other machines can reach Jarvis, and the commands that make it fit for them."""

import shlex
import sys
from collections.abc import Iterator

from jarvis.settings.fields import Settings

KEY_BYTES = 48
"""Of randomness in the key that the commands make."""

SAMPLE_SECRETS = frozenset(
    {
        # of the earlier servers
        "dev-jwt-secret-change-in-production",
        "your-secret-key-here-minimum-32-chars",
        "32-chars-minimum!",
        # of other servers, libraries and their documentation
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        "a-string-secret-at-least-256-bits-long",
        "change-me-in-production-min-32-chars",
        "change-me-in-production-please-32-bytes",
        "change-me-in-production-please-32bytes",
        "change-me-in-production-please-32chars",
        "change-this-secret-to-at-least-32-characters",
        "change-this-to-a-random-64-char-string",
        "dev-jwt-secret-please-change-32-chars-minimum",
        "dev-only-change-in-production-use-long-random-string",
        "dev-only-insecure-jwt-secret-change-me",
        "dev-secret-key-change-in-production",
        "jarvis-jwt-secret-change-in-production",
        "jarvis-secret-key-change-in-production",
        "jarvis-secret-key-change-me",
        "jarvis-super-secret-key-change-in-production",
        "jarvis-super-secret-key-change-me-in-production",
        "replace-this-with-a-long-random-string",
        "replace-with-a-long-random-secret",
        "replace-with-a-long-random-string",
        "replace-with-another-long-random-secret",
        "replace-with-long-random-secret",
        "super-secret-jwt-token-with-at-least-32-characters",
        "super-secret-key-min-32-characters",
        "your-256-bit-secret",
        "your-jwt-secret-32-chars-minimum",
        "your-jwt-secret-change-in-production",
        "your-jwt-secret-key-change-me",
        "your-jwt-secret-key-here",
        "your-secret-key-32-chars-minimum",
        "your-secret-key-change-in-production",
        "your-secret-key-change-this-in-production",
        "your-secret-key-here-change-in-production",
        "your-secret-key-here-min-32-chars",
        "your-secret-key-min-32-chars",
        "your-super-secret-jwt-key",
        "your-super-secret-key-change-in-production",
        "your-super-secret-key-change-this-in-production",
        "your-super-secure-jwt-secret-key-here",
    }
)
"""In small letters, with - for _. Whoever reads public code knows them: such a key proves nothing."""


def refusals(settings: Settings) -> Iterator[str]:
    """Yield why these settings must not be used, if HOST is one that other machines can reach."""
    if settings.on_loopback:
        return
    reached = f"HOST holds '{settings.host}', which other machines can reach"
    if settings.signs_in and not settings.jwt_secret_key:
        yield (
            f"{reached}. So users have to sign in (AUTH_MODE=jwt), and that needs a JWT_SECRET_KEY. Make "
            f"one, make the first user (with a name for NAME), and start:\n\n{_commands(settings.host)}\n\n"
            "  Write the key into .env if it is to outlast this shell. Or use HOST=127.0.0.1; or set "
            "TRUST_NETWORK=true if everybody on that network may read and write everything."
        )
    if not settings.signs_in and not settings.trust_network:
        yield (
            f"{reached}, and AUTH_MODE=local lets in whoever can reach it. Use HOST=127.0.0.1; or "
            "AUTH_MODE=jwt and a JWT_SECRET_KEY, so that users sign in; or set TRUST_NETWORK=true if "
            "everybody on that network may read and write everything."
        )
    if any(_is_sample(key) for key in settings.jwt_secret_key):
        yield (
            "JWT_SECRET_KEY holds a sample that is published, so whoever reads that can sign in; allowed: "
            f"keys of your own. To make one: {_make_key()}"
        )
    if "*" in settings.allowed_origins:
        yield "ALLOWED_ORIGINS holds '*'; allowed on this HOST: the exact origins of your pages."


def _is_sample(key: str) -> bool:
    key = key.lower().replace("_", "-")
    return any(sample in key for sample in SAMPLE_SECRETS)


def _commands(host: str) -> str:
    # HOST is said again for whoever set it for one command only.
    jarvis = f"{shlex.quote(sys.executable)} -m jarvis"
    return "\n".join(
        (
            f'    export HOST={shlex.quote(host)} JWT_SECRET_KEY="$({_make_key()})"',
            f"    {jarvis} user add NAME",
            f"    {jarvis} serve",
        )
    )


def _make_key() -> str:
    code = f"import secrets; print(secrets.token_urlsafe({KEY_BYTES}))"
    return f"{shlex.quote(sys.executable)} -c {shlex.quote(code)}"
