"""Writes a clause in plain words the one way the rules read it: first person singular, no adverbs that change nothing,
one form for what is no longer so. "Nous n'habitons plus à" and "j'habite plus à" both become `je habite plus a`.
"""
# ruff: noqa: E501 - lists of words inside patterns

import re

from jarvis.core.languages import word_set

# They say how surely or since when, not what. Written with a capital they may belong to a name.
_ADVERBS = word_set("""
    actually currently just recently finally really also still now mostly mainly basically literally honestly already
    officially definitely truly genuinely sadly unfortunately luckily absolutely totally completely quite obviously
    apparently certainly simply clearly seriously personally tbh rn nowadays presently permanently newly lately
    particularly especially
    maintenant desormais actuellement toujours aussi vraiment enfin deja finalement juste recemment surtout
    principalement officiellement malheureusement heureusement franchement carrement clairement totalement
    completement absolument vachement trop super tellement encore dorenavant plutot essentiellement egalement bien
    evidemment nouvellement fraichement
""")
_NEGATIONS = word_set("ne n")
_STARTS = word_set("from de until by")  # "from now on", "à partir de maintenant"

_BASE = {
    "living": "live", "working": "work", "residing": "reside", "studying": "study", "driving": "drive", "using": "use",
    "playing": "play", "staying": "stay", "coding": "code", "programming": "program", "renting": "rent",
    "suffering": "suffer", "running": "run", "taking": "take", "eating": "eat", "drinking": "drink", "riding": "ride",
    "going": "go", "teaching": "teach", "owning": "own", "smoking": "smoke", "training": "train", "dating": "date",
}  # fmt: skip
_ING = "|".join(_BASE)
_OF_THIRD = {"is": "am", "has": "have", "does": "do", "goes": "go", "isn't": "am not", "studies": "study"}
_ON = {
    "a": "ai", "est": "suis", "vit": "vis", "fait": "fais", "vient": "viens", "avons": "ai", "sommes": "suis", "vivons": "vis",
    "venons": "viens", "prend": "prends", "boit": "bois", "dort": "dors", "court": "cours", "faisons": "fais",
    "prenons": "prends", "buvons": "bois", "va": "vais", "allons": "vais", "part": "pars", "attend": "attends",
}  # fmt: skip
_PARTICIPLES = {"avoir": "eu", "prendre": "pris", "recevoir": "recu", "rejoindre": "rejoint", "devenir": "devenu", "perdre": "perdu", "vendre": "vendu"}  # fmt: skip

# What a clause without a subject is said of.
_ELLIPSES = (
    (re.compile(r"(?=(?:living|working|studying|learning|training for|allergic to|based (?:in|near)|married|divorced|engaged|originally from|scared of|afraid of|not (?:a )?(?:\w+ )?fan|(?:a )?(?:big |huge )?fan of|born (?:in|on)|single|vegan|vegetarian|pregnant|retired)\b)"), "i am "),
    (re.compile(r"(?=(?:moved|relocated|started|joined|adopted|bought|quit|left|turned|switched|sold|became|gave up|stopped|got|love|loved|hate|prefer|changed|dropped|finished|can not stand|do not like|can not eat|do not eat|do not drink|had)\b(?! (?:it|that|this|you|me|your)\b))"), "i "),
    (re.compile(r"starting (?=at |with )"), "i started "),
    (re.compile(r"as an? (?!joke|rule|result|kid|child|gift|start|bonus|test|reminder|matter|whole|side|last|first|favou?r|teen|treat|surprise|present|backup|way|consequence|group|team|couple|family)(?=\w+[\w -]{0,30}$)"), "i am a "),
    (re.compile(r"(?:as|being) (?:someone|a person|somebody) (?:who|that|with)\b"), "i"),
    (re.compile(r"being (?=an? )"), "i am "),
    (re.compile(r"(?=(?:allergique|originaire|nee? (?:a|en|le)|mariee?|divorcee?|celibataire|fan d|passionnee?|vegetarienn?e|accro|diplomee?|enceinte|intolerante?|pas (?:tres |trop )?fan)\b)"), "je suis "),
    (re.compile(r"(?=(?:habite|travaille (?:chez|a|dans|comme)|adore|deteste|prefere|vis (?:a|en))\b(?! (?:ca|cette|ce|ton|ta)\b))"), "je "),
    (re.compile(r"(?=(?:demenage|emmenage|change de|quitte|adopte|arrete)\b)"), "je ai "),
    (re.compile(r"(?:en tant que?|en tant qu|etant) (?=[\w -]{3,40}$)"), "je suis "),
)  # fmt: skip

_REWRITES = (
    (re.compile(r"(?:we|i) have (?:always |never )?been (?=\w+ing\b)"), "i am "),
    (re.compile(r"(?:we|i) (?:are|am) no longer\b"), "i no longer am"),
    (re.compile(r"(?:we|i) have got (?=a|an|my|\d|no|two|three|the|some|to\b)"), "i have "),
    (re.compile(r"we\b"), "i"),
    (re.compile(r"our\b"), "my"),
    (re.compile(r"i are\b"), "i am"),
    (re.compile(r"i used to be\b"), "i was"),
    (re.compile(r"(?:it|that) s\b"), "it is"),
    (re.compile(r"(?:he|she) s\b"), "she is"),
    (re.compile(r"i would say (?:that )?i\b"), "i"),
    (re.compile(r"nous nous sommes\b|on s est\b|je m ai\b|nous sommes nous\b"), "je me suis"),
    (re.compile(r"(?:nous|on) (?=m |t |me |te |vous |se |s |nous |y )"), "on "),
    (re.compile(r"j (?=\w)"), "je "),
    (re.compile(r"je moi je\b|moi je\b|moi j\b"), "je"),
)
_ON_VERB = re.compile(r"(?:on|nous) (?P<verb>\w+)")
_ING_VERB = re.compile(
    rf"i am (?P<verb>{_ING})\b(?! to\b| away\b| on\b| out\b| a (?:bath|shower|break|nap|walk))"
)
_LATELY = re.compile(r"je viens de? (?P<verb>[\w-]+)")
_LATELY_MYSELF = re.compile(r"je viens de (?:m|me|nous) (?P<verb>[\w-]+)")
_THIRD = re.compile(r"i (?P<verb>\w+s|isn't)\b")
# Where the user is "now", or "these days", they live; where they are "for a week" they do not.
_BY_NOW = re.compile(
    r"(?:(?:i am|we are) (?:(?:now|currently) )?in (?P<place>[\w-]+(?: [\w-]+)?) (?:now|these days|nowadays)"
    r"|(?:je suis|on est|nous sommes) (?:a|en|au) (?P<lieu>[\w-]+) (?:maintenant|desormais|dorenavant))$"
)
_FIRM_BY_NOW = re.compile(
    r"i am (?:(?:now|currently) (?:at|with) (?P<firm>[\w-]+)|(?:at|with) (?P<then>[\w-]+) (?:now|these days|nowadays))$"
)
_NOT_SO = re.compile(r"i (?:do|(?P<being>am)) not ")
_ENDED = re.compile(r" (?:any ?more|any longer|no more)\b")


def canonical(words: str, cased: str) -> tuple[str, str]:
    """Return both, as long as each other, in the form of the rule tables."""
    for pattern, being in ((_FIRM_BY_NOW, "i am-now at "), (_BY_NOW, "i am-now in ")):
        if found := pattern.match(words):
            start, end = found.span(found.lastindex or 0)
            return being + words[start:end], being + cased[start:end]
    line = _without(words, cased)
    for pattern, subject in _ELLIPSES:
        if found := pattern.match(line[0]):
            line = _opened(line, found, subject)
            if subject == "i" and (verb := _THIRD.match(line[0])):
                line = _opened(line, verb, f"i {_OF_THIRD.get(verb['verb'], verb['verb'].removesuffix('s'))}")
            break
    for pattern, better in _REWRITES:
        if found := pattern.match(line[0]):
            line = _opened(line, found, better)
    return _ended(_verbs(line))


def _opened(line: tuple[str, str], found: re.Match[str], better: str) -> tuple[str, str]:
    """Return `line` with `better` in place of what was found at its beginning."""
    return better + line[0][found.end() :], better + line[1][found.end() :]


def _verbs(line: tuple[str, str]) -> tuple[str, str]:
    if (found := _ON_VERB.match(line[0])) and (mine := _mine(found["verb"])):
        line = _opened(line, found, f"je {mine}")
    if found := _ING_VERB.match(line[0]):
        line = _opened(line, found, f"i {_BASE[found['verb']]}")
    for pattern, have in ((_LATELY_MYSELF, "je me suis"), (_LATELY, "je ai")):
        if (found := pattern.match(line[0])) and (done := _participle(found["verb"])):
            line = _opened(line, found, f"{have} {done}")
    return line


def _mine(verb: str) -> str:
    """Return what follows `je` for what follows `on` or `nous`; empty for what is no verb."""
    if verb in _ON:
        return _ON[verb]
    if verb.endswith("ons"):
        return f"{verb.removesuffix('ons')}e".replace("gee", "ge")
    return verb if verb.endswith("e") and len(verb) > 3 else ""


def _ended(line: tuple[str, str]) -> tuple[str, str]:
    """Return `I do not ... any more` as `I no longer ...`."""
    tail = _ENDED.search(line[0])
    if tail and (start := _NOT_SO.match(line[0])):
        line = (
            line[0][: tail.start()] + line[0][tail.end() :],
            line[1][: tail.start()] + line[1][tail.end() :],
        )
        line = _opened(line, start, "i no longer am " if start["being"] else "i no longer ")
    return line


def _participle(infinitive: str) -> str:
    if infinitive in _PARTICIPLES:
        return _PARTICIPLES[infinitive]
    return f"{infinitive[:-2]}e" if infinitive.endswith("er") and len(infinitive) > 5 else ""


def _without(words: str, cased: str) -> tuple[str, str]:
    written = cased.split(" ")
    kept = [
        (word, as_written)
        for place, (word, as_written) in enumerate(zip(words.split(" "), written, strict=True))
        if not (
            (as_written in _ADVERBS and not (place and written[place - 1].lower() in _STARTS))
            or (place == 1 and word in _NEGATIONS)
        )
    ]
    return " ".join(word for word, _ in kept), " ".join(as_written for _, as_written in kept)
