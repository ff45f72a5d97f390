"""Whether a text holds a secret: a key, a card, an account, a password as a value. Talk about one is none.

Every search is linear in the text: a run of characters is entered only at its start, repetitions are bounded.
"""
# ruff: noqa: E501 - a pattern is read whole, on one line

import math
import re
from collections import Counter

from jarvis.core.gate.issued_keys import holds_issued_key
from jarvis.core.gate.numbers import holds_number
from jarvis.core.gate.unlocking import opens_something
from jarvis.core.languages import unaccented, visible, word_set

_LONG_TOKEN = re.compile(r"(?<![\w+/=.-])[\w+/=.-]{16,}")
_WORD = re.compile(r"[a-z]+")
_KEY_WORDS = word_set("""
    api key keys token tokens secret secrets credential credentials bearer auth authorization cle cles
    jeton jetons identifiants licence license password passwd passphrase passe mdp pwd
""")
# What a long token is, named right before it, when it is no secret.
_OTHERWISE_NAMED = word_set("""
    commit commits sha hash checksum digest uuid guid tracking parcel suivi colis order commande isbn serial revision branch
""")
_PASSWORD_WORDS = word_set("""
    puk ni nino passport passeport verrouillage
    codes card visa mastercard amex cb carte secu securite nir insurance login log connexion psw pswd token key cle jeton answer reponse
    password passwords passwd passwort pass passphrase passcode pwd pw passe mdp code wifi wi cle
    digicode secret secrete pin cvv cvc cryptogramme otp ssn social
""")
_SEED_NAMES = word_set("""
    twelve douze seed mnemonic mnemonique recovery recuperation wallet portefeuille backup secrete
""")

_WORDS_FOR_IT = (
    r"(?:password|passwords|passwd|passwort|pass-?phrase|pass-?code|pwd|pass ?word|pw|mot de passe|mots de passe|mdp|code (?:wifi|secret)|cle (?:du )?wi-?fi"
    r"|(?:alarm|safe|door|gate|lock|access|entry) code|code (?:de l'alarme|d'alarme|du coffre|de la porte|d'entree|d'acces|de l'immeuble)|digicode"
    r"|secret question answer|phrase secrete|passe-partout|pass ?phrase|security (?:question )?answer|(?:answer to|reponse a) (?:my |the |ma |la )?(?:security|secret) question|reponse secrete|(?:wpa|network|security) key|cle (?:de securite|reseau))"
)
_NUMBERED = (
    r"(?:pin|pin code|pin number|code pin|code secret|code de (?:ma |la )?(?:carte|cb)(?: bancaire| bleue)?|code cb|cvv|cvc|cryptogramme"
    r"|security code|code de securite|unlock pattern|unlock code|code de deverrouillage|otp|one-time code|code (?:de )?verification|verification code|(?:alarm|safe|door|gate|access|entry|building|garage|phone|screen|lock|keypad|unlocking) code|digicode|puk|puk code|code puk"
    r"|code (?:de |du |d'|de l'|de la |des )(?:mon |ma |la |l')?(?:telephone|tel|portable|iphone|portail|garage|coffre|cadenas|valise|alarme|immeuble|entree|porte|maison|appart|appartement|hall|deverrouillage|verrouillage|boite a cles))"
)
_IS = r"(?:\s*(?:=|:|->|=>)\s*|\s+(?:is|was|are|being|as|to|est|etait|c'est|sera|en|'s)\s*:?\s+|'s\s+)"
# As in: password is ..., "mot de passe du wifi : ...", "changed my password to ..."
_GIVEN = re.compile(rf"\b{_WORDS_FOR_IT}\b(?P<whose>(?: (?!is\b|est\b|to\b|as\b)[\w'.-]{{1,20}}){{0,6}}?)(?P<is>{_IS}|,?\s+c'est\s+)[\"'«“(]?\s?(?P<value>[^\s\"'»”][^\n]{{0,120}})")  # fmt: skip
_CHANGED = re.compile(rf"\b(?:change|changed|changer|mis|remplace|modifie|reinitialise|replaced|reset)\b(?: [\w']{{1,12}}){{0,3}}? {_WORDS_FOR_IT}(?: (?!pour\b)[\w'.-]{{1,20}}){{0,4}}? (?:pour|par|en|with|into) (?P<value>\S)")  # fmt: skip
_ADJACENT = re.compile(
    rf"\b{_WORDS_FOR_IT}\s+(?:(?:pour|par|with|for|en|contre|into)\s+)?[\"'«“(]?(?P<value>[^\s\"'»”]{{4,128}})"
)
_GIVEN_BACK = re.compile(rf"(?<!\S)[\"'«“]?(?P<value>\S{{4,64}}?)[\"'»”]? (?:is|was|est|c'est|as|comme) (?:my|our|the|mon|notre|le|the new|mon nouveau)?(?: \w{{1,15}}){{0,2}} ?{_WORDS_FOR_IT}\b")  # fmt: skip
_NUMBER_GIVEN = re.compile(rf"\b{_NUMBERED}\b(?:(?: [a-z'.-]{{1,15}}){{0,6}}?)(?:{_IS}|,?\s+c'est\s+|\s+)(?:(?:le|the|now|still|toujours|maintenant) )?[\"'«“(]?\s?[a-d]?\d(?:[ -]?\d){{2,7}}[a-d]?(?![\w/])")  # fmt: skip
# A number said to be a card's or an insured person's is one, even with a digit wrong.
_NAMED_NUMBER = re.compile(
    r"\b(?:(?:credit|debit|bank|my|the) card(?: number)?|visa|mastercard|amex|cb|carte (?:bancaire|bleue|de credit)|numero de (?:ma |la )?carte)(?: number| no)?(?:\s*[:=]\s*|\s+(?:is|est|c'est|ends?)\s+|\s+)\d(?:[ -]?\d){12,18}(?!\d)"
    r"|\b(?:secu|securite sociale|nir|social security|ssn|national insurance)\b[^\n\d]{0,30}\d(?:[ .-]?[\dab]){8,14}(?!\d)|\bnational insurance\b[^\n]{0,20}\b[a-z]{2} ?\d\d ?\d\d ?\d\d ?[a-d]\b"
    r"|\b(?:ni|nino)\b[^\n]{0,20}\b[a-z]{2} ?\d\d ?\d\d ?\d\d ?[a-d]\b"
    r"|\b(?:passport|passeport)\b[^\n\d]{0,30}\b[a-z]{0,2}\d{2}[a-z]{0,2}\d{5,7}\b"
)
_PHRASE = re.compile(r"\bpass-?(?:phrase|word) (?P<value>[a-z]{3,12}(?: [a-z]{3,12}){3,6})(?=[.!?,]|$)")
_CODES = re.compile(
    r"\b(?:(?:backup|recovery|2fa|mfa|one-time|scratch|login|sms|confirmation|secours|recuperation|verification|authentification) codes?|codes? (?:de |d')(?:secours|recuperation|verification|authentification|validation|confirmation|connexion)|codes? sms)\b(?: \w+){0,5}?(?:\s*[:=]\s*|\s+(?:is|are|was|est|sont|c'est|recu|received|:)\s+)(?:\w+ )?[\"'«]?\s?(?=[\w-]*\d)[\w-]{4,}"
)
_LOGIN = re.compile(
    r"\b(?:pass|login|log-in|connexion|pw|pwd|psw|pswd)\s*(?:=|:|\bis\b|\best\b|c'est)\s*[\"'«]?(?P<value>[^\s,;]{4,64})"
)
_KEY_GIVEN = re.compile(
    r"(?i:\b(?:(?:api|secret|access|private|admin|licen[cs]e|product|activation|encryption|ssh|auth|bearer|personal|deploy|refresh|session)(?: access)? (?:key|token|secret|code)|(?:cle|jeton|token|code) (?:d'|de |du |des )?(?:api|acces|secrete?|prive|privee|licence|activation|produit|admin)|client secret)\b)(?: (?:for|of|to|pour|de|du|on|a) (?:\w+ ){1,4})?\s?(?:(?:=|:)\s*|(?:is|est|c'est|was)\s+)?[\"'«]?(?P<value>[\w+/=.-]{8,200})"
)
_SOCIAL = re.compile(
    r"\b(?:ssn|social security|my social|his social|her social)\b[^\n\d]{0,40}\d{3}[- ]?\d{2}[- ]?\d{4}\b"
)
# What follows "my password is" in talk about it. After ":" and "=" nearly everything is a value.
_TALK = word_set("""
    a an the my your our his her in on at by for with without from of to too so very not no never always
    still also only just now being getting really quite pretty that this what when where which who how
    why if because and or but than easy hard difficult impossible long short weak strong safe secure
    insecure unsafe wrong right correct incorrect invalid valid good bad terrible great fine ok okay new
    old different same similar unique simple complex complicated random required needed necessary
    mandatory optional important private secret hidden public visible lost forgotten stolen leaked
    compromised hacked broken expired blocked locked reset changed saved stored kept written encrypted
    hashed protected known shared gone missing empty ready there here something anything nothing about
    like made managed set mine yours case-sensitive used reused asked ask rejected refused accepted un
    une le la les l' de du des mon ma mes ton ta votre notre son sa dans sur chez par pour avec sans en
    au aux trop tres pas plus jamais toujours encore aussi seulement juste vraiment assez bien mal que
    qui quoi quand ou comment si car et mais facile difficile long longue court courte faible fort forte
    sur sure solide incorrect incorrecte invalide valide bon bonne mauvais nouveau nouvelle vieux ancien
    different identique pareil unique simple complexe complique obligatoire necessaire requis important
    prive secret cache perdu oublie vole compromis pirate casse expire bloque verrouille change
    reinitialise enregistre stocke garde note ecrit chiffre protege connu partage vide pret la-bas ici
    quelque rien noir c'est il elle ce cette ces nul pourri refuse accepte demande
""")  # fmt: skip
_STILL = word_set(
    "still now currently always simply just actually toujours maintenant desormais encore simplement juste"
)
# "My password manager is ...": not the password itself.
_THINGS_OF = word_set("""
    manager managers generator policy policies hygiene strength hint field box reset expiry rules
    problem problems issue question
""")
_PUNCTUATION = ".,;!?)\"'»”…"
_SEED_WORDS = re.compile(
    r"(?<![\w'-])(?:\d{1,2}[.)] ?)?[a-z]{3,8}(?:[ ,]{1,2}(?:\d{1,2}[.)] ?)?[a-z]{3,8}){10,24}(?![\w'-])"
)
# No word of the BIP 39 list, and hardly any sentence does without them.
_NEVER_IN_SEEDS = word_set("""
    the and for are was were has had have his her our your their not but from with been did does its
    than them these those which who why how would could should dans des les une sur par pour avec sans
    mais est sont mon mes notre que qui pas plus vous nous ils elle elles
""")
_ANNOUNCES_SEED = word_set("""
    phrase words seed mots est recovery
""")
_SEED_LENGTHS = frozenset((12, 15, 18, 21, 24))


def holds_secret(text: str) -> bool:
    """Whether `text` gives a secret away."""
    shown = visible(text)
    if holds_issued_key(shown) or holds_number(shown):
        return True
    cased = unaccented(shown)
    plain = cased.lower()
    if len(plain) != len(cased):  # a letter whose capital is longer, as in Turkish: positions would not agree
        cased = plain
    # Most messages have none of these words, which costs one look instead of a search for each way to say it.
    words = set(_WORD.findall(plain))
    return (
        (not words.isdisjoint(_PASSWORD_WORDS) and _gives_password(plain, cased))
        or (not words.isdisjoint(_KEY_WORDS) and _gives_key(plain, cased))
        or opens_something(plain)
        or _gives_seed(plain, named=not words.isdisjoint(_SEED_NAMES))
    )


def _gives_password(plain: str, cased: str) -> bool:
    for found in _GIVEN.finditer(plain):
        value = cased[found.start("value") : found.end("value")]
        about = found["whose"].split()[:1]
        if not _THINGS_OF.issuperset(about or [""]) and _is_value(value):
            return True
    return (
        any(_is_value(cased[found.start("value") :]) for found in _CHANGED.finditer(plain))
        or any(
            _looks_made_up(found["value"])
            for form in (_ADJACENT, _GIVEN_BACK)
            for found in form.finditer(plain)
        )
        or any(_is_phrase(found["value"]) for found in _PHRASE.finditer(plain))
        or bool(_NUMBER_GIVEN.search(plain))
        or bool(_SOCIAL.search(plain))
        or bool(_NAMED_NUMBER.search(plain))
        or bool(_CODES.search(plain))
        or any(_looks_made_up(found["value"]) for found in _LOGIN.finditer(plain))
        or any(_is_random(found["value"], 8) for found in _KEY_GIVEN.finditer(cased))
    )


def _is_value(text: str) -> bool:
    """Whether what follows "my password is" is one, rather than talk about it."""
    words = re.split(r"[.!?,;](?=\s|$)|\n", text)[0].split()
    while len(words) > 1 and words[0].lower() in _STILL:
        words = words[1:]
    if not words:
        return False
    first = words[0].strip(_PUNCTUATION)
    if _looks_made_up(first):
        return True
    if len(first) < 3 or first.startswith(("http", "[", "<", "***")):
        return False
    lowered = [word.strip(_PUNCTUATION).lower() for word in words]
    talk = sum(word in _TALK or word.endswith(("ly", "ing")) for word in lowered)
    # One to five bare words without any of talk: "swordfish", "correct horse battery staple".
    return (talk == 0 and len(words) <= 5) or (len(words) >= 4 and talk <= 1 and lowered[0] == "correct")


def _is_phrase(text: str) -> bool:
    words = text.split()
    return len(words) >= 4 and sum(word in _TALK for word in words) <= 1


def _looks_made_up(word: str) -> bool:
    """Letters with digits or signs inside, as people build passwords; not a word, a date, an ordinal."""
    word = word.strip(_PUNCTUATION[:-1])
    if not 4 <= len(word) <= 128 or word.lower() in {
        "wi-fi",
        "wpa2",
        "wpa3",
        "windows10",
        "office365",
        "1password",
        "sha256",
        "md5",
        "2fa",
    }:
        return False
    letters, digits = any(c.isalpha() for c in word), any(c.isdigit() for c in word)
    signs = any(not c.isalnum() and c not in "-'\u2019/:." for c in word)
    return (
        (digits and (letters or signs))
        or (letters and signs)
        or (digits and not letters and len(word) >= 4 and word.isdigit())
    )


def _gives_key(plain: str, cased: str) -> bool:
    """A long token of mixed characters near a word for one, as in `api key: ...` and `API_KEY=...`."""
    for found in _LONG_TOKEN.finditer(cased):
        name, _, assigned = (
            found[0][:256].rpartition("=") if "=" in found[0].rstrip("=") else ("", "", found[0][:256])
        )
        near = f"{plain[max(0, found.start() - 60) : found.start()]} {name.lower()} {plain[found.end() : found.end() + 30]}"
        if not _OTHERWISE_NAMED.isdisjoint(_WORD.findall(plain[max(0, found.start() - 20) : found.start()])):
            continue
        if _is_random(assigned) and not _KEY_WORDS.isdisjoint(_WORD.findall(near)):
            return True
    return False


def _is_random(token: str, least: int = 16) -> bool:
    if (
        len(token) < least
        or not any(c.isdigit() for c in token)
        or not any(c.isalpha() for c in token)
        or ("/" in token[:-20] and "." in token)
    ):
        return False
    counts = Counter(token)
    bits = -sum(n / len(token) * math.log2(n / len(token)) for n in counts.values())
    return bits >= (3.0 if least >= 16 else 2.5)


def _gives_seed(plain: str, *, named: bool) -> bool:
    """Twelve to twenty-four bare words: a wallet's recovery phrase. Not named as one, it must be the whole text."""
    if not named:
        words = plain.split() if len(plain) < 300 else []
        return (
            len(words) in _SEED_LENGTHS
            and bool(_SEED_WORDS.fullmatch(" ".join(words)))
            and _NEVER_IN_SEEDS.isdisjoint(words)
        )
    for found in _SEED_WORDS.finditer(plain):
        words = _WORD.findall(found[0])
        # The announcement may run into the phrase: "my seed phrase is abandon ...".
        start = max((i for i, word in enumerate(words) if word in _ANNOUNCES_SEED), default=-1) + 1
        if len(words) - start >= 11 and _NEVER_IN_SEEDS.isdisjoint(words[start:]):
            return True
    return False
