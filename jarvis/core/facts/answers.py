"""How the user wants to be answered: language, length, form, address. Such a wish is a preference; the gate asks here
what is one, since any other standing order is an instruction aimed at the model (`gate/instructions.py`).
"""
# ruff: noqa: E501 - a pattern is read whole, on one line

import re
from typing import NamedTuple

_TONGUE = r"(?P<tongue>english|french|spanish|german|italian|anglais|francais|espagnol|allemand|italien)"
_SHORT = r"(?:very |more |as |tres |plus |assez )*(?:brief(?:ly)?|short|shortly|concise(?:ly)?|to the point|bref|brievement|court(?:e|es|s)?|concise?s?|succincte?s?)(?: as possible| que possible)?"
_LONG = r"(?:more |in |very |tres |plus |avec |de facon |de maniere )*(?:detail(?:s|ed)?|depth|long|longer|at length|details|detaillee?s?|longues?|precise?s?)"
_NOUN = r"(?: answers?| replies| sentences?| responses?| reponses?| phrases?)?"

ANSWER = (
    r"(?:answer|reply|respond|write|speak|talk)(?: to)?(?: me)?"
    r"|(?:keep|make|give me|i (?:want|prefer|like|would like))(?: your| the| me)? ?(?:answers?|replies|responses?|it)?"
    r"|reponds?(?:-moi)?|repondez(?:-moi)?|parle(?:-moi|-nous)?|parlez-moi|ecris(?:-moi)?|exprime-toi"
    r"|(?:fais|donne)(?:-moi)?(?: des| tes)?|sois|be|je (?:veux|prefere|voudrais|souhaite)(?: des| que)?"
)
MANNER = (
    rf"(?:only |always |in |toujours |uniquement |seulement |en |de |avec |des |with |using |a |par |de maniere |de facon |tes reponses )*"
    rf"(?:{_TONGUE}|(?P<short>{_SHORT}{_NOUN})|(?P<long>{_LONG}{_NOUN})"
    r"|(?P<lists>(?:bullet points?|bullets|lists?|listes?|puces|liste a puces))"
    r"|(?P<simple>(?:simple|plain|easy)(?: words?| language| terms)?|simplement|mots simples|langage simple)"
    r"|(?P<metric>(?:metric(?: units)?|celsius|kilomet(?:re|er)s|unites metriques|degres celsius))"
    r"|(?P<tu>tutoie(?:-moi| moi)?|tutoyant)|(?P<vous>vouvoie(?:-moi| moi)?|vouvoyant|vouvoyez-moi)"
    r"|(?P<formal>formal(?:ly)?|polite(?:ly)?|poliment|formelle?|formel)|(?P<casual>casual(?:ly)?|informal(?:ly)?|familier|decontractee?))"
)
_LEAD = r"(?:(?:please|can you|could you|from now on|always|in future|i would like you to|i want you to|you must|you should|s il te plait|s il vous plait|stp|svp|peux-tu|merci de|toujours|desormais|a partir de maintenant|dorenavant|tu dois|j aimerais que tu|tu peux) ?,? ?)*"
_TAIL = r"(?: ?,? ?(?:please|always|from now on|to me|with me|thanks|thank you|only|too|s il te plait|stp|svp|toujours|desormais|a partir de maintenant|dorenavant|merci|avec moi|quand tu me parles|uniquement))*$"
_ORDER = re.compile(
    rf"{_LEAD}(?:always |toujours )?(?:(?:{ANSWER}) ?(?:toujours |always )?)?{MANNER}(?: (?:and|et) {MANNER.replace('?P<', '?P<also_')})?{_TAIL}"
)
_ASKED = re.compile(
    rf"(?:{_LEAD})(?:always |toujours )?(?:{ANSWER}|tutoie|vouvoie|vouvoyez|use |utilise |no |pas d |sans )"
)
_CALL = re.compile(
    rf"{_LEAD}(?:call me|appelle-moi|appelez-moi|tu peux m appeler|you can call me|i go by|i prefer to be called|surnomme-moi) (?P<name>[^\W\d_][\w-]*){_TAIL}"
)
_SIGNS = re.compile(
    rf"{_LEAD}(?:use |utilise |with |avec |i (?:want|like) |je veux )?(?:(?P<no>no|never use|do not use|without|stop using|n utilise (?:pas|plus|jamais)|pas|sans|arrete)(?: d| de| les| des)? ?)?(?:any |des |de |les |more |l |d )?(?P<what>emojis?|bullet points?|markdown|metric units|celsius|unites metriques){_TAIL}"
)
_KINDS = {
    "short": ("length", "short"), "long": ("length", "long"), "lists": ("form", "lists"), "simple": ("words", "simple"),
    "metric": ("units", "metric"), "tu": ("address", "tu"), "vous": ("address", "vous"), "formal": ("tone", "formal"),
    "casual": ("tone", "casual"),
}  # fmt: skip
_TONGUES = {
    "anglais": "english",
    "francais": "french",
    "espagnol": "spanish",
    "allemand": "german",
    "italien": "italian",
}


class Wish(NamedTuple):
    attribute: str
    value: str


def wish_in(words: str) -> Wish | None:
    """Return what a clause in plain words asks of every answer, if that is all it asks."""
    if len(words) > 160:
        return None
    if found := _CALL.match(words):
        return Wish("answer.name", found["name"])
    if found := _SIGNS.match(words):
        return Wish(f"answer.{found['what'].rstrip('s').replace(' ', '_')}", "no" if found["no"] else "yes")
    if not (_ASKED.match(words) and (found := _ORDER.match(words))):
        return None
    if found["tongue"]:
        return Wish("answer.language", _TONGUES.get(found["tongue"], found["tongue"]))
    kind, value = next(_KINDS[name] for name in _KINDS if found[name])
    return Wish(f"answer.{kind}", value)
