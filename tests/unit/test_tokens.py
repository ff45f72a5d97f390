"""How many tokens a prompt will cost: against tokenisers whose counts are known."""

import math
import random
from collections.abc import Callable, Sequence

import pytest

from jarvis.core.tokens import (
    HIGHEST,
    LONGEST_MARGIN,
    LOWEST,
    MAX_MODELS,
    SETTLED,
    UNLEARNT,
    Calibration,
    measure,
    total,
    was_truncated,
)

SYSTEM = "You are Jarvis, a personal assistant. Be friendly, exact and brief." * 3
SAMPLES = {
    "english": "The train leaves at nine, and my sister waits for us at the old station near the river. ",
    "french": "Où est passée ma clé ? Je l'avais posée près de la fenêtre hier soir, j'en suis sûr. ",
    "code": "def area(width: float) -> float:\n    return width * HEIGHT  # in metres\n\n",
    "digits": "0612345678 3.14159 2026-11-21 42 ",
    "chinese": "今天天气很好我和朋友一起去公园散步。",
    "russian": "Сегодня хорошая погода, и мы идём гулять в парк. ",
    "emoji": "🎉🐱🚀👍🏽",
}
Tokeniser = Callable[[Sequence[str]], int]


def scripted(bytes_per_token: float) -> Tokeniser:
    """Count as the scripted model does: four tokens a message, and all bytes alike."""
    return lambda texts: 4 * len(texts) + math.ceil(sum(len(t.encode()) for t in texts) / bytes_per_token)


def by_class(texts: Sequence[str]) -> int:
    """Count as Qwen2.5's tokeniser does, by the bytes per token measured with it on texts of each kind."""
    _, messages, ascii_, digits, two, three, four = total(map(measure, texts))
    return math.ceil(3 + 5 * messages + ascii_ / 4.4 + digits + two / 5.2 + three / 4.9 + four / 3.8)


def size_of(texts: Sequence[str]) -> tuple[float, ...]:
    return total(map(measure, texts))


def conversation(
    kinds: Callable[[random.Random, int], str], *, seed: int, turns: int = 10
) -> list[list[str]]:
    """Return the prompts of a conversation's turns, each with the history before it."""
    chance = random.Random(seed)  # noqa: S311 no secret
    prompts: list[list[str]] = []
    said = [SYSTEM]
    for turn in range(turns):
        said.append(SAMPLES[kinds(chance, turn)] * chance.randint(1, 12))
        prompts.append(list(said))
        said.append(SAMPLES[kinds(chance, turn)] * chance.randint(1, 12))
    return prompts


def errors_after_three(prompts: list[list[str]], count: Tokeniser) -> list[float]:
    estimate, errors = UNLEARNT, list[float]()
    for turn, prompt in enumerate(prompts):
        size, counted = size_of(prompt), count(prompt)
        if turn >= 3:
            errors.append(abs(estimate.of(size) / counted - 1))
        estimate = estimate.learnt_from(size, counted)
    return errors


@pytest.mark.parametrize("count", [scripted(4), scripted(3), scripted(2.5), scripted(4.8), by_class])
@pytest.mark.parametrize("kind", SAMPLES)
def test_after_three_turns_it_is_within_ten_per_cent(kind: str, count: Tokeniser) -> None:
    for seed in range(20):
        assert max(errors_after_three(conversation(lambda _, __: kind, seed=seed), count)) < 0.1


@pytest.mark.parametrize("count", [scripted(4), scripted(3), scripted(2.5), scripted(4.8)])
def test_texts_of_any_kind_in_any_order(count: Tokeniser) -> None:
    kinds = list(SAMPLES)
    for seed in range(100):
        assert max(errors_after_three(conversation(lambda c, _: c.choice(kinds), seed=seed), count)) < 0.1
        later = conversation(lambda c, turn: "english" if turn < 3 else c.choice(kinds), seed=seed)
        assert max(errors_after_three(later, count)) < 0.1


def test_what_is_new_to_it_is_learnt_from_one_turn() -> None:
    estimate = UNLEARNT
    for prompt in conversation(lambda _, __: "english", seed=1):
        estimate = estimate.learnt_from(size_of(prompt), by_class(prompt))
    digits = [SYSTEM, SAMPLES["digits"] * 20]
    assert estimate.of(size_of(digits)) < 0.7 * by_class(digits)
    estimate = estimate.learnt_from(size_of(digits), by_class(digits))
    assert estimate.of(size_of(digits)) == pytest.approx(by_class(digits), rel=0.05)
    english = [SYSTEM, SAMPLES["english"] * 20]
    assert estimate.of(size_of(english)) == pytest.approx(by_class(english), rel=0.05)


def test_another_model_behind_the_same_name_is_learnt_anew() -> None:
    estimate = UNLEARNT
    for seed in range(50):
        for prompt in conversation(lambda _, __: "english", seed=seed):
            estimate = estimate.learnt_from(size_of(prompt), scripted(4)(prompt))
    for prompt in conversation(lambda _, __: "english", seed=99, turns=20):
        estimate = estimate.learnt_from(size_of(prompt), scripted(3)(prompt))
    prompt = [SYSTEM, SAMPLES["english"] * 30]
    assert estimate.of(size_of(prompt)) == pytest.approx(scripted(3)(prompt), rel=0.1)


def test_the_first_guess_is_no_lower_than_four_bytes_a_token_of_ascii() -> None:
    for kind in ("english", "code", "digits"):
        prompt = [SYSTEM, SAMPLES[kind] * 20]
        assert UNLEARNT.of(size_of(prompt)) >= scripted(4)(prompt)


def test_a_count_that_betrays_a_cut_is_not_learnt_from() -> None:
    size = size_of([SYSTEM, "word " * 1000])
    estimate = UNLEARNT.of(size)
    assert UNLEARNT.learnt_from(size, int(estimate * 0.79)) is UNLEARNT
    assert UNLEARNT.learnt_from(size, int(estimate * 0.81)).of(size) < estimate


def test_in_time_only_what_surprises_is_learnt_from() -> None:
    prompt = [SYSTEM, SAMPLES["english"] * 20]
    estimate = UNLEARNT
    for _ in range(100):
        estimate = estimate.learnt_from(size_of(prompt), scripted(4)(prompt))
    assert estimate.counts == SETTLED
    assert estimate.learnt_from(size_of(prompt), round(1.1 * scripted(4)(prompt))).counts == SETTLED + 1


def test_a_count_that_no_text_can_have_is_not_learnt_from() -> None:
    size = size_of(["Hello"])
    assert UNLEARNT.learnt_from(size, 100_000) is UNLEARNT
    assert UNLEARNT.learnt_from(size, round(HIGHEST[0])).counts == 1


def test_no_rate_leaves_what_tokenisers_do() -> None:
    estimate = UNLEARNT
    chance = random.Random(7)  # noqa: S311 no secret
    for _ in range(500):
        text = SAMPLES[chance.choice(list(SAMPLES))] * chance.randint(1, 50)
        size = size_of([text])
        estimate = estimate.learnt_from(size, round(estimate.of(size) * chance.uniform(0.8, 3)))
        assert all(
            low <= rate <= high for low, rate, high in zip(LOWEST, estimate.rates, HIGHEST, strict=True)
        )


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", (0, 1, 0, 0, 0, 0, 0)),
        ("a 1", (0, 1, 2, 1, 0, 0, 0)),
        ("é1", (0, 1, 0, 1, 2, 0, 0)),
        ("é天🎉x", (0, 1, 1, 0, 2, 3, 4)),
        ("天天🎉🎉", (0, 1, 0, 0, 0, 6, 8)),
    ],
)
def test_bytes_are_counted_by_class(text: str, size: tuple[int, ...]) -> None:
    assert measure(text) == size


def test_a_prompt_is_as_large_as_its_messages() -> None:
    assert total([measure("ab"), measure("é1")]) == (1, 2, 2, 1, 2, 0, 0)


def test_the_margin_shrinks_for_what_is_known_and_not_for_what_is_new() -> None:
    english, digits = [SYSTEM, SAMPLES["english"] * 20], [SYSTEM, SAMPLES["digits"] * 20]
    estimate = UNLEARNT
    assert estimate.margin(size_of(english)) == estimate.margin(size_of(digits)) == LONGEST_MARGIN
    for _ in range(3):
        estimate = estimate.learnt_from(size_of(english), scripted(4)(english))
    assert estimate.margin(size_of(english)) < 0.06
    assert estimate.margin(size_of(digits)) == LONGEST_MARGIN


def test_every_model_has_its_own_estimate_and_old_ones_go() -> None:
    calibration = Calibration()
    size = size_of([SYSTEM, "word " * 1000])
    calibration.learn("first", size, round(UNLEARNT.of(size) * 1.3))
    assert calibration.of("first").of(size) > UNLEARNT.of(size) * 1.2
    assert calibration.of("other") is UNLEARNT
    for number in range(MAX_MODELS):
        calibration.learn(f"model {number}", size, round(UNLEARNT.of(size)))
    assert calibration.of("first") is UNLEARNT
    assert calibration.of("model 0").counts == 1


@pytest.mark.parametrize(
    ("counted", "cut"), [(None, False), (80, False), (79, True), (100, False), (500, False)]
)
def test_a_count_twenty_per_cent_below_betrays_a_cut(counted: int | None, cut: bool) -> None:  # noqa: FBT001
    assert was_truncated(100, counted) is cut
