"""Cuts a message into clauses and writes each in plain words, so that a rule reads `i do not like coffee`
for "I don't like coffee!" and `j ai un chat` for "Jai un chat". Knows no facts.
"""
# ruff: noqa: E501 - lists of words inside patterns

import re
from collections.abc import Iterator
from typing import NamedTuple

from jarvis.core.languages import unaccented, visible, word_set


class Clause(NamedTuple):
    """`said` is the user's own text; `words` its plain words and commas, `cased` the same with its capitals."""

    said: str
    words: str
    cased: str
    is_question: bool
    is_correction: bool


_BREAK = re.compile(r"[.!?…]+(?=\s|$)|[;\n]+|[.!?…]+(?=[A-ZÀ-Ý][a-zà-ÿ])")
_ABBREVIATION = re.compile(r"\b(?:dr|mr|mrs|ms|st|ste|mme|m|etc|vs|pr)$", re.IGNORECASE)

# A comma or a conjunction parts two clauses only where a new subject or question follows: "fish and chips" is one.
_SUBJECT = r"""(?:(?:now|then|today|actually|since\s\w+|maintenant|aujourd['\u2019]hui|desormais|désormais|en\sfait)\s)?
    (?:i|im|ive|i['\u2019]\w+|my|we|we['\u2019]\w+|our|it|it['\u2019]s|its|she|he|she['\u2019]s|he['\u2019]s|they|you|there|remember|call|
    please|can|could|would|will|do|does|did|what|whats|what['\u2019]s|how|where|when|why|who|which|any|tell|give|is\sthere|
    je|j|jai|jhabite|jadore|jaime|jsuis|mon|ma|mes|nous|notre|nos|on|il|elle|ils|tu|t|vous|ca|ça|peux|pouvez|
    pourrais|quel|quelle|quels|que|qu|comment|ou\s(?:est|puis)|où|quand|pourquoi|dis|donne|retiens|appelle|reponds|
    réponds|merci|thanks|thank)(?![\w-])"""
_JOINT = re.compile(
    rf"""\ ?,?\ (?:and|but|so|because|cause|since|though|et|mais|car|donc|puisque|parce\sque?)\ (?=(?:that\s|qu['\u2019e]\s?)?{_SUBJECT})
    |\ ?,\ ?(?=(?:and\s|but\s|et\s|mais\s)?{_SUBJECT})
    |\ (?:puisqu|parce\squ)['\u2019](?=on|il|elle)
    |\ [-–—]\ |\ ?[()]\ ?""",  # noqa: RUF001 - people type en dashes
    re.IGNORECASE | re.VERBOSE,
)
# "I live in Lyon and work at Airbus": the subject carries over to these verbs.
_CARRIED = re.compile(
    r"(?<=[\w.]),? (?:and|but|et|mais) (?=(?:now |currently )?(?:work|live|play|love|like|hate|drive|travaille|vis|adore|deteste|déteste)\b)"
)

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
    "sappelle": "s appelle", "sapelle": "s appelle", "s'apelle": "s appelle", "m'apelle": "m appelle",
    "apelle": "appelle", "cest": "c est", "naime": "n aime", "nhabite": "n habite", "ptit": "petit",
    "appart": "appartement", "taf": "travail", "boulot": "travail", "job": "job", "bosse": "travaille",
}  # fmt: skip

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

# What opens a clause without saying anything. Of these, some announce that what was said before is corrected.
_LEAD = re.compile(
    r"(?:(?P<correction>actually|in fact|no|sorry|correction|scratch that|wait|i was wrong|my mistake|i meant|"
    r"finalement|en fait|non|pardon|en realite|je me suis trompe|je corrige|rectification|erreur)"
    r"|well|so|oh|ah|hey|hi|hello|by the way|btw|and|but|also|yes|yeah|ok|okay|look|listen|because|since|fyi|jarvis"
    r"|just so you know|for the record|you know|you should know|(?:please )?(?:remember|note|know)(?: this)?(?: that)?"
    r"|(?:please )?do not forget(?: that)?|i(?: would)? (?:want|like) you to (?:know|remember) that|as of (?:today|this \w+|last \w+)|by trade|professionally|dans la vie|these days"
    r"|i think i told you|i have to tell you|guess what|good news|big news|news|update|fun fact|ps|for info|to be honest|honestly"
    r"|right now|now|nowadays|today|currently|personally|in general|at home|this week|since (?:yesterday|last \w+|this \w+)"
    r"|au fait|bon|ben|bah|alors|et|mais|donc|oui|ouais|salut|bonjour|coucou|hello|euh|tiens|d accord|car|parce qu?e?"
    r"|(?:sache|retiens|note|souviens-toi|rappelle-toi|n oublie pas|noter|a noter)(?: bien)?(?: que?)?|il faut que tu saches que?|je te (?:rappelle|signale|precise) que?"
    r"|(?:pour|a titre d) info(?:rmation)?|du coup|eh bien|figure-toi que?|tu sais quoi|tu sais|je dois te dire que|sinon|d ailleurs|a propos"
    r"|maintenant|desormais|aujourd hui|actuellement|en ce moment|perso|personnellement|franchement|depuis (?:\w+ ){1,4}?(?=j |je |on |nous |mon |ma |notre )|depuis (?:hier|peu)"
    r"|bonne nouvelle|grande nouvelle|nouvelle|moi)(?: ?, ?| |$|(?<= ))"
)
_HYPOTHETICAL = re.compile(
    r"(?:if|imagine|suppose|supposing|pretend|what if|let us say|say i|unless|as if|si|s|imagine|imaginons|supposons|admettons|"
    r"et si|comme si|a supposer|in (?:the|this|my|a) (?:story|novel|book|game|dream|film|movie)|dans (?:le|ce|mon|un|cette|une) (?:livre|roman|jeu|reve|film|histoire))\b"
)
# Someone else speaks, or the user asks Jarvis to work on a text.
_REPORTED = re.compile(
    r"(?:(?:my|our|the|mon|ma|mes|le|la|les) )?(?:\w[\w-]*,? ){1,3}?(?:(?:just|also|always|a|ont|m|t|lui|nous|me|has|have|had) ){0,3}"
    r"(?:said|says|say|thinks?|thought|believes?|believed|wrote|writes|claims?|claimed|asked|asks|told|tells|dit|disait|disent|pense|pensait|croit|croyait|"
    r"ecrit|demande|pretend|raconte)\b"
)
_OWN_SPEECH = re.compile(r"(?:i|we|je|j|nous|on)\b")
_SPOKEN_TAIL = re.compile(
    r", (?:(?:he|she|they|\w+) (?:said|says|told me|wrote)|(?:dit|disait|ecrit)-(?:il|elle)|a-t-(?:il|elle) dit|m a-t-(?:il|elle) dit)\b"
)
_MATERIAL = re.compile(
    r"\b(?:said|says|wrote|told|translate|summari[sz]e|correct|proofread|rewrite|rephrase|text|sentence|letter|email|"
    r"dit|ecrit|traduis|traduire|resume|corrige|reformule|texte|phrase|lettre|poem|poeme|story|lyrics|paroles)\b"
)
_ASKS = re.compile(
    r"(?:do|does|did|am|are|is|was|can|could|would|will|should|shall|have|has|what|where|when|who|whom|whose|which|why|how|"
    r"est-ce|qu|que|quel|quelle|quels|quelles|ou (?:est|sont|habite|vis|puis|dois)|quand est|qui|comment|pourquoi|combien|peux-tu|pouvez-vous|"
    r"pourrais-tu|tu peux|ai-je|suis-je|dois-je|habite-je|as-tu|es-tu|c est quoi|sais-tu|tu sais (?:ou|quand|qui|comment|si)|tu te souviens|te souviens-tu|"
    r"do you|you know)\b"
)
COMMAND = re.compile(
    r"(?:(?:please|just|now|can you|could you|would you|will you|try to|let us|peux-tu|tu peux|stp|svp|s il te plait|merci de|essaie de|va-y|vas-y) )*"
    r"(?:let me|put|walk|guide|act|rank|arrange|tell|give|show|write|explain|translate|summari[sz]e|list|make|find|help|sing|play|set|draw|describe|compare|calculate|compute|convert|count|define|"
    r"recommend|suggest|rewrite|rephrase|fix|check|correct|continue|go on|repeat|stop|open|close|turn|search|look|generate|create|compose|name|read|say|spell|"
    r"solve|imagine|pick|choose|guess|teach|plan|think|talk|ask|surprise|start|try|add|remove|sort|shorten|proofread|test|wait|add|put|improve|draft|recite|invent|"
    r"dis|dites|donne|donnez|montre|ecris|ecrivez|explique|expliquez|traduis|resume|liste|fais|faites|trouve|aide|chante|joue|mets|dessine|decris|compare|"
    r"calcule|convertis|compte|definis|recommande|conseille|suggere|propose|reecris|reformule|corrige|verifie|continue|repete|arrete|ouvre|ferme|allume|eteins|"
    r"cherche|genere|cree|compose|cite|lis|epelle|resous|choisis|devine|apprends|apprends-moi|planifie|raconte|parle|pose|surprends|commence|essaie|ajoute|enleve|trie|"
    r"ameliore|redige|invente|prepare|organise|recommence|attends|regarde|tape|rappelle|detaille|developpe|simplifie|raccourcis|envoie|lance|laisse|nomme|nommez|range|classe|rends|guide|change|oriente|situe|\w+-moi|relis|relisez|indique)(?:-(?:moi|nous|le|la|les|lui|en|toi|vous))*(?:\b|$)"
)
_QUOTE = re.compile(r"(?P<before>[\w'\u2019,:]? ?)(?:\"(?P<a>[^\"]*)\"|“(?P<b>[^”]*)”|«(?P<c>[^»]*)»)")


_OPENING = 120  # characters of a sentence that tell who speaks in it


def clauses_of(text: str) -> Iterator[Clause]:
    """Yield what the user states or asks in their own name, in order.

    Quotations, suppositions, what others said, and a text handed over to be worked on are left out.
    """
    for sentence, mark in _sentences(visible(text)):
        opening = _without_lead(_plain(sentence[:_OPENING])[0])
        if _HYPOTHETICAL.match(opening) or _SPOKEN_TAIL.search(unaccented(sentence[-_OPENING:]).lower()):
            continue
        if (reported := _REPORTED.match(opening)) and not _OWN_SPEECH.match(reported[0]):
            continue
        head, colon, rest = sentence.partition(": ")
        if colon or sentence.endswith(":"):
            announced = _without_lead(_plain(head)[0])
            if COMMAND.match(announced) or _MATERIAL.search(announced):
                return
        yield from _parts(rest or head, asks=mark.startswith("?") or mark.endswith("?"))


def _sentences(text: str) -> Iterator[tuple[str, str]]:
    """Yield each sentence, its white space made single blanks, with the marks that end it."""
    start = 0
    for found in _BREAK.finditer(text):
        if found[0] == "." and _ABBREVIATION.search(text, max(start, found.start() - 5), found.start()):
            continue
        yield from _sentence(text[start : found.start()], found[0])
        start = found.end()
    yield from _sentence(text[start:], "")


def _sentence(text: str, mark: str) -> Iterator[tuple[str, str]]:
    if said := " ".join(_QUOTE.sub(_unquoted, text).split()):
        yield said, mark


def _unquoted(found: re.Match[str]) -> str:
    """A quoted name is a value; a quoted sentence is not the user's own."""
    quoted = found["a"] or found["b"] or found["c"] or ""
    return found["before"] + (quoted.strip() if found["before"].strip() and quoted.count(" ") < 3 else "")


def _parts(sentence: str, *, asks: bool) -> Iterator[Clause]:
    pieces = [part for piece in _JOINT.split(sentence) for part in _carried(piece) if part[0]]
    corrects = False
    for position, (said, subject) in enumerate(pieces, 1):
        words, cased = _plain(subject + said)
        body = _without_lead(words)
        lead = words[: len(words) - len(body)]
        # "Actually, it is ...": what announces a correction may stand alone before it.
        corrects = _corrects(lead) or (corrects and position == 2)
        yield Clause(
            said=said.strip(" ,"),
            words=body,
            cased=cased[len(lead) :],
            is_question=bool(_ASKS.match(body)) or (asks and position == len(pieces)),
            is_correction=corrects,
        )


def _carried(piece: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of `piece`, each with the subject it borrows from the one before."""
    first, *others = _CARRIED.split(piece)
    yield first, ""
    subject = next((word for word in ("i ", "je ") if re.search(rf"\b{word}|\bj'", first, re.IGNORECASE)), "")
    for other in others:
        yield other, subject


def _without_lead(words: str) -> str:
    for _ in range(4):
        found = _LEAD.match(words)
        if not found:
            break
        words = words[found.end() :]
    return words


def _corrects(lead: str) -> bool:
    while found := _LEAD.match(lead):
        if found["correction"]:
            return True
        lead = lead[found.end() :]
    return False


def _plain(text: str) -> tuple[str, str]:
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
