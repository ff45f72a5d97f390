"""Settings from an environment: defaults, every wrong value at once, and secrets that stay hidden."""

import pytest

from jarvis.settings import Settings, WrongSettings, ignored_names, load


def problems_of(**environment: str) -> list[str]:
    with pytest.raises(WrongSettings) as caught:
        load(environment)
    return caught.value.problems


def test_an_empty_environment_means_the_defaults() -> None:
    assert load({}) == Settings()
    assert load({"PORT": "", "UNKNOWN": "x"}) == Settings()


@pytest.mark.parametrize(
    ("name", "held", "value"),
    [
        ("PORT", "9000", 9000),
        ("PORT", " 9000 ", 9000),
        ("REQUEST_TIMEOUT_SECS", "0.5", 0.5),
        ("TRUST_NETWORK", "true", True),
        ("TRUST_NETWORK", "1", True),
        ("TRUST_NETWORK", "off", False),
        ("MIGRATE_ON_START", "No", False),
        ("LLM_BACKEND", "openai", "openai"),
        ("OLLAMA_NUM_CTX", "4096", 4096),
        ("ALLOWED_HOSTS", "a.example, b.example:80,", ("a.example", "b.example:80")),
        ("ALLOWED_ORIGINS", '["http://a.example"]', ("http://a.example",)),
        ("SYSTEM_PROMPT", "Be brief.", "Be brief."),
        ("AUTH_MODE", "jwt", "jwt"),
        ("JWT_SECRET_KEY", f"{'a' * 32}, {'é' * 16}", ("a" * 32, "é" * 16)),
        ("JWT_SECRET_KEY", ",", ()),
        ("ALLOW_SIGNUP", "true", True),
        ("RATE_LIMIT_REQUESTS", "5", 5),
        ("RATE_LIMIT_WINDOW_SECS", "0.5", 0.5),
        ("METRICS_PUBLIC", "off", False),
        ("REDIS_URL", "redis://:hunter2@localhost:6379/0", "redis://:hunter2@localhost:6379/0"),
        ("REDIS_URL", "rediss://cache.example", "rediss://cache.example"),
        ("REDIS_URL", "unix:///run/valkey.sock?db=2", "unix:///run/valkey.sock?db=2"),
        ("REDIS_URL", "unix://:hunter2@/run/valkey.sock", "unix://:hunter2@/run/valkey.sock"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, ::1, 192.0.2.1", ("10.0.0.0/8", "::1", "192.0.2.1")),
        ("TRUSTED_PROXIES", '["fd00::/8"]', ("fd00::/8",)),
    ],
)
def test_a_value_is_read(name: str, held: str, value: object) -> None:
    settings = load({name: held, "OPENAI_BASE_URL": "http://localhost:1/v1"})
    assert getattr(settings, name.lower()) == value


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "eighty"),
        ("WORKERS", "2"),
        ("REQUEST_TIMEOUT_SECS", "0"),
        ("REQUEST_TIMEOUT_SECS", "nan"),
        ("DRAIN_SECS", "-1"),
        ("TRUST_NETWORK", "maybe"),
        ("LLM_BACKEND", "gpt"),
        ("OLLAMA_URL", "localhost:11434"),
        ("OLLAMA_TEMPERATURE", "2.1"),
        ("OLLAMA_NUM_CTX", "511"),
        ("LLM_MAX_CONCURRENCY", "0"),
        ("LLM_MAX_QUEUE", "1.5"),
        ("AUTH_MODE", "open"),
        ("AUTH_MODE", "JWT"),
        ("JWT_SECRET_KEY", "a" * 31),
        ("JWT_SECRET_KEY", "é" * 15),
        ("JWT_SECRET_KEY", f"{'a' * 31}\udcff"),
        ("JWT_SECRET_KEY", f"{'a' * 32},b"),
        ("JWT_SECRET_KEY", f"[{'a' * 32}"),
        ("RATE_LIMIT_REQUESTS", "0"),
        ("RATE_LIMIT_WINDOW_SECS", "0"),
        ("TRUSTED_PROXIES", "proxy.example"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "10.0.0.1:80"),
        ("MAX_BODY_BYTES", "1023"),
        ("ALLOWED_ORIGINS", "[1]"),
        ("ALLOWED_ORIGINS", "localhost:3000"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "redis://localhost:65536"),
        ("REDIS_URL", "redis://localhost/cache"),
        ("REDIS_URL", "redis://localhost/0?unknown=1"),
        ("REDIS_URL", "unix://valkey.sock"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(name: str, held: str) -> None:
    (problem,) = problems_of(**{name: held})
    assert problem.startswith(f"{name} holds ")
    assert "allowed: " in problem


def test_all_that_is_wrong_is_told_at_once() -> None:
    problems = problems_of(PORT="x", WORKERS="2", LOG_LEVEL="loud", OLLAMA_NUM_CTX="1")
    assert [problem.split()[0] for problem in problems] == ["PORT", "WORKERS", "LOG_LEVEL", "OLLAMA_NUM_CTX"]


def test_secrets_are_never_shown() -> None:
    (problem,) = problems_of(DATABASE_URL="mysql://jarvis:hunter2@localhost/x")
    assert "hunter2" not in problem
    assert "jarvis:***@localhost" in problem
    (problem,) = problems_of(REDIS_URL="redis://:hun@ter2@localhost:70000/0")
    assert "redis://:***@localhost:70000/0" in problem
    (problem,) = problems_of(JWT_SECRET_KEY=f"{'a' * 32},hunter2")
    assert "hunter2" not in problem
    assert "aaa" not in problem
    assert "part 2" in problem


def test_an_openai_backend_needs_its_address() -> None:
    (problem,) = problems_of(LLM_BACKEND="openai")
    assert problem.startswith("OPENAI_BASE_URL")


def test_names_of_earlier_servers_are_told_apart() -> None:
    assert ignored_names({"AUDIO_ENGINE_URL": "x", "HOME_ASSISTANT_URL": ""}) == ["AUDIO_ENGINE_URL"]
