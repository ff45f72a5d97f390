"""How long a voice takes to say a word, in relation to the words around it. Pure.

Letters tell it better than vowel groups do, but not all: `12` is one syllable, `299,792,458` takes five
seconds, and small words are said in half the time. The numbers are a least-squares fit to the durations
of 993 words as Piper says them (en_US-joe-medium, its phoneme alignments). That a word before a pause is
drawn out is known: Klatt, Linguistic uses of segmental duration in English, JASA 59(5), 1976.
"""

import re

from jarvis.core.languages import word_set
from jarvis.core.speaking.boundaries import CLOSERS, STOPS

PAUSE_MS = 230.0
"""After a comma, a colon, a stop."""
SILENCE_AT_THE_END_MS = 140.0
_WORD_MS = 65.0
_LETTER_MS = 50.0
_SMALL_LETTER_MS = 25.0
_SPELLED_LETTER_MS = 140.0
_NUMBER_SYLLABLE_MS = 170.0
_SIGN_MS = 600.0
_BEFORE_A_PAUSE_MS = 108.0

# Those that nobody stresses.
_SMALL_WORDS = word_set("""
    a am an and are as at be been but by can could did do does for from had has have he her him his i if in is
    it its me my of on or our she should so than that the their them then there these they this to us was we
    were what when will with would you your
    au aux avec c ce ces cet cette d dans de des du elle elles en est et il ils j je l la le les leur ma mais
    mes mon n ne nos notre nous ont ou par pas pour qu que qui s sa se ses son sont sur ta tes ton tu un
    une vos votre vous y à
""")
_PAUSES = tuple(",;:" + STOPS)
_SIGN = re.compile(r"[$€£%&+=@#/*°]|(?<=[^\W\d_]{2})[._](?=[^\W\d_])")
_SPELLED = re.compile(r"[A-Z]{2,5}|[A-Z]|(?:[^\W\d_]\.)*[^\W\d_]\.[^\W\d_]")
_INITIALS = re.compile(r"\W*(?:[^\W\d_]\.){2,}")
_THOUSANDS = re.compile(r"(?<=\d)[,.'](?=\d{3}(?!\d))")
_DIGITS = re.compile(r"\d+")
_AROUND = "".join(_PAUSES) + CLOSERS + "([«"
_ONES = (2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 3, 1, 2, 2, 2, 2, 3, 2, 2)
"""Syllables of zero to nineteen in English; French ones have about as many."""
_TENS = (0, 0, 2, 2, 2, 2, 2, 3, 2, 2)
_LONGEST_NUMBER = 12  # digits; longer ones are spelled


def is_before_pause(word: str) -> bool:
    """Tell whether a voice pauses after `word`. Piper does after Dr., and not after p.m."""
    end = word.rstrip(CLOSERS)
    return end.endswith(_PAUSES) and _INITIALS.fullmatch(end) is None


def duration_ms(word: str) -> float:
    """Return how long `word`, with the punctuation it has, takes; without the pause after it."""
    return (
        _WORD_MS
        + _letters_ms(word)
        + _NUMBER_SYLLABLE_MS * _number_syllables(word)
        + _SIGN_MS * len(_SIGN.findall(word))
        + _BEFORE_A_PAUSE_MS * is_before_pause(word)
    )


def _letters_ms(word: str) -> float:
    letters = sum(char.isalpha() for char in word)
    bare = word.strip(_AROUND)
    if bare.lower() in _SMALL_WORDS:
        return _SMALL_LETTER_MS * letters
    return (_SPELLED_LETTER_MS if _SPELLED.fullmatch(bare) else _LETTER_MS) * letters


def _number_syllables(word: str) -> int:
    numbers: list[str] = _DIGITS.findall(_THOUSANDS.sub("", word))
    return sum(map(_syllables, numbers)) + max(len(numbers) - 1, 0)  # point, to, hundred hours


def _syllables(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER or (digits[0] == "0" and len(digits) > 1):
        return sum(_ONES[int(digit)] for digit in digits)
    number, syllables = int(digits), 0
    if not number:
        return _ONES[0]
    while number:
        number, below_thousand = divmod(number, 1000)
        syllables += _syllables_below_thousand(below_thousand) + 2 * bool(number)
    return syllables


def _syllables_below_thousand(number: int) -> int:
    hundreds, rest = divmod(number, 100)
    syllables = _ONES[hundreds] + 2 + bool(rest) if hundreds else 0
    tens, ones = divmod(rest, 10)
    if tens > 1:
        return syllables + _TENS[tens] + (_ONES[ones] if ones else 0)
    return syllables + (_ONES[rest] if rest else 0)
