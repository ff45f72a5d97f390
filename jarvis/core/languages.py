"""Which language a text is in, as far as a choice of words needs that; its letters made comparable. Pure."""

import re
import unicodedata
from typing import Literal

Language = Literal["en", "fr"]


def word_set(lines: str) -> frozenset[str]:
    """Return the words of a table of words."""
    return frozenset(lines.split())


# Words that hold sentences together, of one language only. Those of both (on, as, me, pour) are left out, and
# what an apostrophe cuts off in both (I'd, d'abord).
_ENGLISH = word_set("""
    about and are at be because been but by can could did do does for from had has have he hello her here
    him his how i if in is it its just like my not of or our she should so than thanks that the their them
    then there these they this those to too very was we were what when where which who why will with would
    you your
""")
_FRENCH = word_set("""
    au aux avec avez avoir avons bonjour c ce ces cet cette chez combien comment dans de des donc dont du
    elle elles en est et faire fait il ils j je l la le les leur ma mais merci mes moi mon n ne nos notre
    nous ont ou oui où par parce pas peut peux pourquoi qu quand que quel quelle quelles quels qui quoi sa
    salut sans se ses si sont sur ta tes ton très tu un une vos votre vous y à étaient était être
""")
_BETWEEN_WORDS = str.maketrans("'\u2019\"\u00ab\u00bb.,;:!?()-", " " * 14)

# What is there but not seen: soft hyphens, joiners, direction marks, fillers, variation selectors, tags.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_ACCENT = re.compile("[\u0300-\u036f]")
_AS_TYPED = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u02bc": "'", "\u00b4": "'", "`": "'", "œ": "oe", "Œ": "Oe", "æ": "ae"}
)


def leaning(text: str) -> int:
    """Return how many more small words of English `text` has than of French."""
    words = set(text.lower().translate(_BETWEEN_WORDS).split())
    return len(words & _ENGLISH) - len(words & _FRENCH)


def language_of(text: str) -> Language:
    """Return the language that `text` leans to; English where that does not tell."""
    return "fr" if leaning(text) < 0 else "en"


def visible(text: str) -> str:
    """Return `text` in NFKC and without characters that nobody sees."""
    return text if text.isascii() else _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))


def unaccented(text: str) -> str:
    """Return `text` as typed without accents: `Où est l'œuf ?` is `Ou est l'oeuf ?`."""
    if text.isascii():
        return text.replace("`", "'")
    return _ACCENT.sub("", unicodedata.normalize("NFD", text.translate(_AS_TYPED)))
