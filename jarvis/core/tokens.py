"""How many tokens a prompt will cost, learnt from what the model itself has counted. Pure."""

from collections import OrderedDict
from collections.abc import Iterable
from operator import mul
from typing import TypeAlias

import msgspec

Size: TypeAlias = tuple[float, ...]
"""What a count is made from: the prompt itself (1), messages, then UTF-8 bytes by class: ASCII but digits,
digits, and characters of two, three and four bytes."""

# Tokens for each. Qwen2.5's tokeniser gives a token for 4.4 bytes of English, 3.6 of French, 4.1 of code,
# 4.9 of Chinese, 5.2 of Russian, 3.8 of emoji and 1 of digits. Digits start low all the same: an estimate
# that is far too high would make every count look like that of a prompt cut by the model.
PRIOR: Size = (0.0, 5.0, 0.25, 0.25, 0.235, 0.235, 0.25)
# How far each may lie from there by itself: ASCII least, so that it tells of all text.
SPREAD: Size = (4.0, 1.0, 0.02, 0.35, 0.12, 0.1, 0.2)
SHARED_SPREAD = 0.12
"""How far all classes of bytes may lie from there together."""
LOWEST: Size = (0.0, 0.0, 0.05, 0.05, 0.05, 0.05, 0.05)
# Above 1 where a class tells of what stands around it: a space between digits is a token, too, and who writes
# accents writes French.
HIGHEST: Size = (400.0, 20.0, 1.0, 2.0, 2.0, 1.0, 1.0)
NOISE = 0.02
"""The share of a count that depends on which words they are."""
DRIFT = 0.02
"""How much of the spread comes back with every count, so that what is learnt never sets for good."""
SETTLED = 20
"""After so many counts, one that is as expected teaches nothing more."""
TRUNCATION_RATIO = 0.8
"""A model's own count below this share of our estimate means that it cut the prompt."""
LONGEST_MARGIN = 0.25
DEVIATIONS = 2.0
"""A count lies no more than so many standard deviations above its estimate, for all one can know."""
MAX_MODELS = 32

_DIGITS = b"0123456789"
_NOT_LEADING_TWO = bytes(byte for byte in range(256) if not 0xC2 <= byte <= 0xDF)
_NOT_LEADING_FOUR = bytes(byte for byte in range(256) if not 0xF0 <= byte <= 0xF4)


def measure(text: str) -> Size:
    """Return the size of `text` as one message."""
    encoded = text.encode()
    size = len(encoded)
    digits = size - len(encoded.translate(None, _DIGITS))
    trailing = size - len(text)
    if not trailing:
        return 0, 1, size - digits, digits, 0, 0, 0
    two = len(encoded.translate(None, _NOT_LEADING_TWO))
    four = 0 if two == trailing else len(encoded.translate(None, _NOT_LEADING_FOUR))
    three = (trailing - two - 3 * four) // 2
    return 0, 1, size - digits - 2 * two - 3 * three - 4 * four, digits, 2 * two, 3 * three, 4 * four


def total(sizes: Iterable[Size]) -> Size:
    """Return the size of a prompt of messages of these sizes."""
    return 1, *(sum(column) for column in list(zip(*sizes, strict=True))[1:])


def was_truncated(estimate: float, counted: int | None) -> bool:
    """Tell whether the model's own count of the prompt betrays that it did not read all of it."""
    return counted is not None and counted < TRUNCATION_RATIO * estimate


class TokenEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """What is believed about one model's tokeniser and template after `counts` prompts.

    A linear regression that goes on (recursive least squares; Haykin, Adaptive Filter Theory, chapter 10):
    `rates` are tokens for each part of a Size, `covariance` says how sure they are.
    """

    counts: int
    rates: Size
    covariance: tuple[Size, ...]

    def margin(self, size: Size) -> float:
        """Return the share by which a count may lie above the estimate: larger where less is known."""
        estimate = self.of(size)
        variance = sum(_dot(row, size) * part for row, part in zip(self.covariance, size, strict=True))
        deviation = (variance + (NOISE * estimate) ** 2) ** 0.5
        return min(DEVIATIONS * deviation / estimate, LONGEST_MARGIN)

    @property
    def overhead_tokens(self) -> float:
        """What every prompt costs beside its messages."""
        return self.rates[0]

    def of(self, size: Size) -> float:
        """Return the tokens of a message or a prompt of that size."""
        return _dot(self.rates, size)

    def surplus(self, size: Size, window_tokens: int) -> float:
        """Return by how much a prompt is too large to be sure that it fits the window."""
        estimate = self.of(size)
        if estimate * (1 + LONGEST_MARGIN) <= window_tokens:
            return 0.0
        return estimate - window_tokens / (1 + self.margin(size))

    def message_tokens(self, text: str) -> float:
        """Return what `text` costs as a message, its share of the chat template included."""
        return self.of(measure(text))

    def text_tokens(self, text: str) -> float:
        """Return what `text` adds to a message."""
        return self.message_tokens(text) - self.rates[1]

    def learnt_from(self, size: Size, counted: int) -> "TokenEstimate":
        """Return what is believed once a prompt of that size was counted.

        Nothing is learnt from the count of a prompt that was cut, nor from one that no text can have.
        """
        estimate = self.of(size)
        most = HIGHEST[0] + HIGHEST[1] * size[1] + sum(size[2:])
        is_as_expected = self.counts >= SETTLED and abs(counted - estimate) < NOISE * estimate
        if was_truncated(estimate, counted) or counted > most or is_as_expected:
            return self
        gains = tuple(_dot(row, size) for row in self.covariance)
        variance = _dot(gains, size) + (NOISE * estimate) ** 2 + 1
        surprise = (counted - estimate) / variance
        rates = tuple(
            min(max(rate + gain * surprise, lowest), highest)
            for rate, gain, lowest, highest in zip(self.rates, gains, LOWEST, HIGHEST, strict=True)
        )
        covariance = tuple(
            tuple(
                value - gain * other / variance + ((DRIFT * SPREAD[i]) ** 2 if i == j else 0)
                for j, (value, other) in enumerate(zip(row, gains, strict=True))
            )
            for i, (row, gain) in enumerate(zip(self.covariance, gains, strict=True))
        )
        return TokenEstimate(counts=self.counts + 1, rates=rates, covariance=covariance)


def _dot(one: Size, other: Size) -> float:
    return sum(map(mul, one, other))


def _covariance() -> tuple[Size, ...]:
    shared = (0, 0, *(SHARED_SPREAD for _ in SPREAD[2:]))
    return tuple(
        tuple(shared[i] * shared[j] + (spread**2 if i == j else 0) for j in range(len(SPREAD)))
        for i, spread in enumerate(SPREAD)
    )


UNLEARNT = TokenEstimate(counts=0, rates=PRIOR, covariance=_covariance())


class Calibration:
    """The estimates of the models used last, at most MAX_MODELS."""

    def __init__(self) -> None:
        self._estimates: OrderedDict[str, TokenEstimate] = OrderedDict()

    def of(self, model: str) -> TokenEstimate:
        return self._estimates.get(model, UNLEARNT)

    def learn(self, model: str, size: Size, counted: int) -> None:
        """Take in the model's own count of a prompt of that size."""
        self._estimates[model] = self.of(model).learnt_from(size, counted)
        self._estimates.move_to_end(model)
        if len(self._estimates) > MAX_MODELS:
            self._estimates.popitem(last=False)
