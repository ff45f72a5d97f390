"""Writes text in plain words: lower case, no accents, long forms, slips of the finger mended. Knows no facts."""
# ruff: noqa: E501 - lists of words

import re

from jarvis.core.languages import unaccented, word_set

_TOKEN = re.compile(r"\w+(?:[-'.]\w+)*|,")
_SUFFIXES = {"m": "am", "ve": "have", "re": "are", "ll": "will", "d": "would"}
_INFORMAL = {
    "im": "i am", "ive": "i have", "dont": "do not", "doesnt": "does not", "cant": "can not", "wont": "will not",
    "isnt": "is not", "didnt": "did not", "can't": "can not", "won't": "will not", "cannot": "can not", "u": "you",
    "ur": "your", "luv": "love", "bday": "birthday", "gonna": "going to", "wanna": "want to", "favorite": "favourite",
    "fav": "favourite", "anymore": "any more", "colour": "color", "neighbor": "neighbour", "whats": "what is",
    "jai": "j ai", "jhabite": "j habite", "jaime": "j aime", "jadore": "j adore", "jetudie": "j etudie",
    "japprends": "j apprends", "jsuis": "je suis", "chuis": "je suis", "chui": "je suis", "jdeteste": "je deteste",
    "jtravaille": "je travaille", "jbosse": "je bosse", "jvis": "je vis", "jprefere": "je prefere",
    "jviens": "je viens", "jpeux": "je peux", "jmappelle": "je m appelle", "mappelle": "m appelle",
    "s'appel": "s appelle", "m'appel": "m appelle", "sappel": "s appelle", "mappel": "m appelle", "sappelle": "s appelle", "sapelle": "s appelle", "s'apelle": "s appelle", "m'apelle": "m appelle",
    "apelle": "appelle", "cest": "c est", "naime": "n aime", "nhabite": "n habite", "ptit": "petit",
    "appart": "appartement", "taf": "travail", "boulot": "travail", "bosse": "travaille", "bossais": "travaillais",
    "alergic": "allergic", "alergique": "allergique", "workign": "working", "havent": "have not", "wasnt": "was not",
    "arent": "are not", "youre": "you are", "theyre": "they are", "mums": "mum is",
    "moms": "mom is", "yrs": "years", "jpratique": "je pratique", "jfais": "je fais", "jmange": "je mange",
    "jbois": "je bois", "jprends": "je prends", "jcode": "je code", "jkiffe": "je kiffe",
    "nai": "n ai", "nest": "n est", "navons": "n avons", "jme": "je me", "jm": "je m", "jte": "je te",
    "taff": "travail", "bouffe": "nourriture", "frangin": "frere", "frangine": "soeur", "daron": "pere", "daronne": "mere",
    "ptite": "petite", "aprem": "apres-midi", "bcp": "beaucoup", "mtn": "maintenant", "dsl": "desole",     "tjs": "toujours" }  # fmt: skip

# A slip of the finger in these would cost a fact: letters swapped, doubled or not doubled. The same letters after the
# same first one, in a word that is none of them, mean the word.
_OFTEN_MISTYPED = word_set("""
    favourite absolute supporte vraiment allergic birthday wedding apartment currently recently actually called moved working
    married vegetarian prefer preferred wondering mushrooms appointment daughter brother mother father
    girlfriend boyfriend neighbour maintenant desormais pointure couleur preferee prefere nouvelle
    nouveau nouvel allergique anniversaire mariage appartement travaille travail habite demenage
    emmenage embauche telephone voiture deteste apprends vegetarien vegetarienne rendez-vous demandais
    aimerais entendre actuellement installe voudrais question
""")


def _letters(word: str) -> str:
    return word[0] + "".join(sorted(set(word)))


_MEANT: dict[str, list[str]] = {}
for _word in sorted(_OFTEN_MISTYPED):
    _MEANT.setdefault(_letters(_word), []).append(_word)


def plain(text: str) -> tuple[str, str]:
    """Return `text` in plain words, lower-case and with its capitals; both have the same length."""
    cased = " ".join(map(_expanded, _TOKEN.findall(unaccented(text))))
    lowered = cased.lower()
    # A few letters change their length with their case; names in those scripts need no capitals here.
    return lowered, cased if len(cased) == len(lowered) else lowered


def _expanded(token: str) -> str:
    lowered = token.lower()
    if lowered in _INFORMAL:
        return _INFORMAL[lowered]
    if "'" not in token:
        return token if len(token) < 6 or lowered in _OFTEN_MISTYPED else _respelt(token, lowered)
    if lowered.endswith("n't"):
        return token[:-3] + " not"
    *stem, last = token.split("'")
    return " ".join([*stem, _SUFFIXES.get(last, last)])


def _respelt(token: str, lowered: str) -> str:
    meant = min(
        _MEANT.get(_letters(lowered), ()), key=lambda word: abs(len(word) - len(token)), default=token
    )
    return meant if abs(len(meant) - len(token)) < 2 else token
