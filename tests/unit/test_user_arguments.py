"""What `jarvis user` takes: names, roles, passwords from standard input; all else is wrong usage."""

import argparse
import io
import sys

import pytest

from jarvis.app.user_arguments import add_user_commands


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="jarvis")
    add_user_commands(parser.add_subparsers(dest="command", required=True))
    return parser.parse_args(["user", *arguments])


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """Return what standard input is read from; empty at first."""
    typed = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(typed))
    return typed


@pytest.mark.parametrize("name", ["a", "anna", "Anna_B.C@home-9", "a" * 64, "0"])
@pytest.mark.parametrize("action", ["add", "suspend", "resume", "passwd"])
def test_a_name_is_taken(action: str, name: str) -> None:
    chosen = parse(action, name)
    assert (chosen.action, chosen.name) == (action, name)


@pytest.mark.parametrize("name", ["", "a b", "a" * 65, "anna\n", "änna", "a/b", "-"])
@pytest.mark.parametrize("action", ["add", "suspend", "resume", "passwd"])
def test_a_wrong_name_is_wrong_usage(action: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(action, "--", name) if name != "-" else parse(action, "anna", name)
    assert caught.value.code == 2
    assert "usage: " in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["add"],
        ["list", "anna"],
        ["delete", "anna"],
        ["add", "anna", "--role", "admin"],
        ["suspend", "anna", "--password-stdin"],
        ["add", "anna", "--password", "correct horse"],
        ["add", "anna", "--password-stdin=correct horse"],
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(*arguments)
    assert caught.value.code == 2
    assert "usage: " in capsys.readouterr().err


def test_without_an_option_the_role_and_the_password_are_open() -> None:
    chosen = parse("add", "anna")
    assert (chosen.role, chosen.password) == (None, None)
    assert parse("add", "anna", "--role", "owner").role == "owner"


@pytest.mark.parametrize(
    ("line", "password"),
    [
        (b"12345678\n", "12345678"),
        (b"12345678\r\n", "12345678"),
        (b"12345678", "12345678"),
        (b" two words \nand another line\n", " two words "),
        ("пароль-пароль\n".encode(), "пароль-пароль"),
        (b"a" * 1024 + b"\r\n", "a" * 1024),
    ],
)
@pytest.mark.parametrize("action", ["add", "passwd"])
def test_a_password_is_one_line(type_in: io.BytesIO, action: str, line: bytes, password: str) -> None:
    type_in.write(line)
    type_in.seek(0)
    assert parse(action, "anna", "--password-stdin").password == password


@pytest.mark.parametrize(
    ("line", "says"),
    [
        pytest.param(b"", "at least 8", id="none"),
        pytest.param(b"\n12345678\n", "at least 8", id="an empty line"),
        pytest.param(b"1234567\r\n", "at least 8", id="too short"),
        pytest.param("пароль\n".encode(), "at least 8", id="characters, not bytes"),
        pytest.param(b"a" * 1025 + b"\n", "at most 1024", id="too long"),
        pytest.param(b"a" * 5000, "at most 1024", id="much too long"),
        pytest.param(b"pass\xffword\n", "UTF-8", id="no text"),
    ],
)
def test_a_wrong_password_is_wrong_usage(
    type_in: io.BytesIO, capsys: pytest.CaptureFixture[str], line: bytes, says: str
) -> None:
    type_in.write(line)
    type_in.seek(0)
    with pytest.raises(SystemExit) as caught:
        parse("add", "anna", "--password-stdin")
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert says in told
    assert "aaaa" not in told
