"""Secrets told by what they open rather than by a name: "get into the safe with ...", a login and what follows it. Pure.

Reads text in lower case and without accents; every repetition is bounded, so the time is linear.
"""
# ruff: noqa: E501 - a pattern is read whole, on one line

import re

_DOOR = (
    r"(?:phone|iphone|android|tablet|ipad|laptop|computer|pc|mac|macbook|safe|locker|door|gate|garage|alarm|suitcase|padlock|lock|house|flat|apartment|building|account|bank|"
    r"telephone|tel|portable|ordi|ordinateur|tablette|coffre|coffre-fort|porte|portail|portillon|immeuble|alarme|valise|cadenas|antivol|maison|appart|appartement|compte|banque)"
)
_WITH = r"(?:with|using|typing|type|enter|punch in|dial|press|tape|taper|tapez|avec|fais|faire|compose|composer|entre|it's|its|it is|c'est|is)"
_VALUE = r"(?:the |le |code |number |numero )?[\"'«“]?\s?(?P<value>[^\s\"'»”]{4,64})"
_OPENED = (
    re.compile(
        rf"\b(?:unlock|open|get into|get in|log into|log in to|access|deverrouiller?|debloquer?|ouvrir|ouvre|entrer dans|rentrer dans|acceder a|allumer)\b[^\n.!?]{{0,40}}?\b{_DOOR}\b[^\n.!?]{{0,30}}?\b{_WITH} {_VALUE}"
    ),
    re.compile(
        rf"\b{_DOOR} (?:opens|unlocks|is (?:opened|unlocked|disarmed|armed|switched off|turned off)|se desactive|s'arrete|s'ouvre|se deverrouille|s'allume) (?:with|avec|using) {_VALUE}"
    ),
    re.compile(
        rf"\b(?:log in|login|log on|sign in|signs in|logs in|connecte|connecter|identifie)\b[^\n.!?]{{0,40}}?\b(?:with|using|avec) {_VALUE}"
    ),
    re.compile(
        rf"\b(?:combination|combo|combinaison)\b[^\n.!?\d]{{0,40}}?(?:is|est|c'est|:|=) ?(?:le )?{_VALUE}"
    ),
)
_PAIRS = (
    re.compile(
        r"\b(?:admin|root|administrator|administrateur)\b ?(?:/|:|and|et|,|with|avec) ?(?P<value>[^\s/]{4,64})"
    ),
    # A name and its password after a word for both, as in "identifiants : paul / tortue42".
    re.compile(
        r"\b(?:identifiants?|logins?|credentials?|creds|acces|access|connexion|comptes?|accounts?)\b[^\n:=]{0,40}[:=] ?\S{2,64} ?(?:[/|,;+]|-|et|and) ?(?P<value>[^\s/]{4,64})"
    ),
    # "marie@example.org / Choupette83"
    re.compile(r"@[\w.-]{1,64} ?(?:[/|:;,]|-) ?(?P<value>[^\s/]{4,64})"),
    # "login jdupont pass Tournesol9"
    re.compile(
        r"\b(?:logins?|log-in|user|username|identifiant|utilisateur|compte|account|id)\b[^\n]{1,60}?\b(?:pass|pw|pwd|psw|pswd|mdp)\b ?[:=]? ?(?P<value>\S{4,64})"
    ),
)
_ASSIGNED = re.compile(
    r"(?<!\w)\w{1,40}_(?:password|passwd|pass|pwd|secret|token|key|passphrase)\b[\"']?\s?[=:]\s?[\"']?(?P<value>[^\s\"'<>${}]{6,200})"
)
# "le mot de passe de Netflix est passé à ..."
_TURNED_INTO = re.compile(
    r"\b(?:password|passcode|passphrase|pwd|mot de passe|mdp|code|pin)\b(?: [\w'.-]{1,20}){0,5}? (?:est passe|est devenu|devient|est desormais|became|becomes|changed|switched|went|goes|a change|a ete change|remplace)(?: (?:de|from) \S{1,64})?(?: (?:a|to|en|pour|par|into)|,? (?:maintenant |now |desormais )?(?:c'est|it's|it is))? [\"'«“]?(?P<value>[^\s\"'»”]{4,64})"
)
_GROUPED_DIGITS = re.compile(r"\d(?:[ .-]?\d){3,11}")
_SIGN_INSIDE = re.compile(r"[a-z][^\w\s'./:@,;-]|[^\w\s'./:@,;(-][a-z]|[a-z]_|_[a-z]")
_SIGNED_IN_WITH = re.compile(r"(?:office365|wi-?fi\d?|windows\d+|web3|auth0|oauth2?|face ?id\d?|f2a|2fa|u2f|sha\d+|md5|base64|v\d+)")  # fmt: skip
_YEAR = re.compile(r"(?:19|20)\d\d")


def opens_something(plain: str) -> bool:
    return any(_is_code(found["value"]) for form in _OPENED for found in form.finditer(plain)) or any(
        _mixes(found["value"])
        for form in (*_PAIRS, _ASSIGNED, _TURNED_INTO)
        for found in form.finditer(plain)
    )


def _is_code(word: str) -> bool:
    word = word.strip(".,;!?)")
    return bool(_GROUPED_DIGITS.fullmatch(word) and not _YEAR.fullmatch(word)) or _mixes(word)


def _mixes(word: str) -> bool:
    """Letters with digits or signs inside; neither an address nor the name of a way to sign in."""
    word = word.strip(".,;!?)")
    if (
        len(word) < 4
        or "@" in word[1:]
        or word.startswith(("http", "www."))
        or _SIGNED_IN_WITH.fullmatch(word)
    ):
        return False
    letters, digits = any(c.isalpha() for c in word), any(c.isdigit() for c in word)
    return letters and (digits or bool(_SIGN_INSIDE.search(word)))
