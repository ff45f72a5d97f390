"""Whether a text gives orders to the model rather than tells something: a planted one would act whenever it is recalled.

The border to a preference: an order whose whole content is the manner of answering (language, length, form, tone, how to
address the user; `facts/answers.py` lists them) is a preference. A standing order with any other content (`always answer
with ...`, `from now on you must ...`), a change of who the model is or whose word counts, and a request for its own prompt
are instructions. What others were told ("my boss told me to ignore the previous instructions") is told, not ordered.
"""
# ruff: noqa: E501 - a pattern is read whole, on one line

import re

from jarvis.core.facts.answers import wish_in
from jarvis.core.languages import unaccented, visible, word_set

# Letters of other alphabets that look Latin; NFKC keeps them apart.
_LOOKALIKES = str.maketrans("аеорсухіјѕһԁԛԝӏвкмнтАВЕКМНОРСТУХІЈЅοαεικνρτυχηΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aeopcyxijshdqwlbkmhtABEKMHOPCTYXIJSoaeiknptuxnABEZHIKMNOPTYX")  # fmt: skip
_DIGIT_LETTERS = str.maketrans("013457@$", "oieastas")
_SPACED = re.compile(r"(?<!\w)\w(?:[ ._*-]{1,3}\w(?!\w)){5,}")
_MIXED = re.compile(r"[a-z][013457@$]|[013457@$][a-z]")
_NOT_WORD = re.compile(r"[^\w']+")

# Marks of the chat templates of Llama, Mistral, ChatML, Gemma, Phi, DeepSeek, and of tool calls. Nobody writes them to tell something.
_TEMPLATE = re.compile(
    r"<\|\s?(?:im_start|im_end|system|user|assistant|end|eot_id|start_header_id|end_header_id|begin_of_text|endoftext|tool_call|python_tag)\s?\|>"
    r"|\[/?(?:inst|system_prompt|available_tools|tool_calls|tool_results)\]|<</?sys>>|</?start_of_turn>|<end_of_turn>|<\|(?:user|assistant)"
    r"|</?(?:system|tool_call|function_call|tool_response|assistant|system_prompt|instructions|system-reminder)>"
    r"|\{\s?\"(?:tool|tool_calls?|function|function_call|role|tool_name)\"\s?:|\"role\"\s?:\s?\"(?:system|assistant|tool|developer)\""
    r"|\"(?:name|function)\"\s?:\s?\"[\w.-]{1,40}\"\s?,\s?\"(?:arguments|parameters)\"\s?:",
    re.IGNORECASE,
)
_TEMPLATE_SIGNS = frozenset('<[{"')
_ROLE = re.compile(r"(?:^|\n)[ \t>#*_-]{0,8}(?:system|assistant|developer|systeme|ai|admin|administrator|jarvis|human|root)(?: (?:prompt|message|override|note|instruction|update))?[ *_]{0,3}:", re.IGNORECASE)  # fmt: skip
_LABEL = re.compile(r"\b(?:system prompt|prompt systeme|system message|system override|message systeme|new instructions|nouvelles instructions|new system instructions|important instructions for the ai)\s?:", re.IGNORECASE)  # fmt: skip

_RULES = (
    r"(?:instructions?|prompts?|rules?|directives?|guidelines?|orders?|commands?|context|training|programming|messages?|constraints?|restrictions?|"
    r"filters?|safety|consignes?|regles?|ordres?|contexte|contraintes?|programmation|limites|policies|policy)"
)
_ANY = (
    r"(?:(?:all|any|every|everything|of|the|these|those|your|my|our|previous|prior|above|earlier|preceding|former|system|initial|original|safety|other|past|and|"
    r"toutes?|tous|tes|vos|les|des|de|ces|mes|precedentes?|precedents?|anterieures?|initiales?|system|systeme|ci-dessus|autres|content) ){0,6}"
)
# Only with one of these are the rules the model's: "ignore the rules" may be told of a game, "ignore your rules" is an order.
_THEIRS = r"(?:all|any|your|previous|prior|above|earlier|preceding|system|initial|original|everything|toutes?|tous|tes|vos|precedentes?|precedents?|anterieures?|initiales?|systeme|ci-dessus)"
_PATTERNS: dict[str, tuple[str, ...]] = {
    # Forget what you were told.
    "ignore disregard forget override bypass overrule discard drop skip neglect delete reset ignorez ignores oublie oubliez oublies contourne neglige abandonne efface desactive outrepasse": (
        rf"\w+ (?:about |de |that |completely )?(?={_ANY}{_RULES}\b)(?:\w+ ){{0,6}}?{_THEIRS}\b",
        rf"\w+ (?:about )?{_ANY}{_RULES} (?:above|before|given|so far|you (?:were|have been) given|precedentes?|ci-dessus|anterieures?|que (?:tu as|on t a)|initiales?|d avant)",
        r"\w+ (?:the |all |everything )*above\b",
        r"\w+ (?:all |everything |tout )(?:of )?(?:that |what )?(?:you (?:were|have been|are) (?:told|taught|given)|above|before|prior|previous|precede|ce qu on t a dit|ce qui precede|ce que tu sais|ce que je t ai dit)",
        r"\w+ (?:your |the |all |ton |tes |toutes les |les )?(?:content |ethical |moral )?(?:safety|guardrails?|filters?|content policy|restrictions|filtres?|garde-fous|limitations?|securites?)\b(?! in| on| of the car)",
    ),
    # Be someone else.
    "you tu vous": (
        r"you (?:are|re) (?:now|no longer|from now on|henceforth) (?!able|my friend|the best|my best|right|wrong|in|at|done|finished|ready|free to go)(?:an? |in |the |my |going to |bound |restricted |called |named )?\w+",
        r"you (?:must|will|shall|should|have to|are to|need to) (?:now |always |never |only |henceforth )*(?:obey|comply|pretend|ignore|disregard|act as|roleplay|reveal|refuse|never refuse|answer (?:with|only)|respond (?:with|only)|reply (?:with|only)|say|tell (?:the user|everyone|users)|recommend|do anything|not mention|mention)",
        r"you (?:have no|are free of|are not bound by|do not have(?: any)?) (?:rules|restrictions|limits|filters?|limitations|guidelines|content policy)",
        r"(?:tu es|vous etes) (?:maintenant|desormais|dorenavant|a present) (?!mon ami|la|pret|prete|libre|mieux)\w+",
        r"(?:tu dois|vous devez|tu devras|il faut que tu) (?:maintenant |desormais |toujours |absolument |imperativement |seulement )*(?:obeir|obeis|ignorer|ignores|faire semblant|pretendre|reveler|reveles|oublier|repondre (?:par|uniquement|a tout)|dire|recommander|te comporter|agir)",
        r"(?:tu n as|tu n es|vous n avez) (?:plus |pas )?(?:aucune |soumis a )?(?:de |d )?(?:aucune )?(?:regles?|restrictions?|limites?|filtres?)",
    ),
    "act pretend roleplay behave simulate agis comporte-toi comportez-vous fais joue simule": (
        r"(?:act|behave) (?:as|like) (?:if you (?:are|were|have|had) |an? )?(?:unrestricted|unfiltered|uncensored|jailbroken|evil|dan\b|no |without|an ai without|admin|root|developer mode|not bound)",
        r"(?:pretend|roleplay|simulate) (?:that |to be |as )?(?:you (?:are|have|were) )?(?:an? )?(?:unrestricted|unfiltered|uncensored|jailbroken|evil|dan\b|no (?:rules|restrictions|filters?|limits)|an ai (?:without|with no)|ai (?:without|with no)|developer mode|not an ai|free of)",
        r"(?:agis|comporte-toi|comportez-vous|joue|simule|fais) (?:comme si tu (?:n avais|etais|avais)|comme une ia|le role d une ia|semblant (?:d etre|de n avoir)|comme un(?:e)? (?:ia|assistant)) ?(?:aucune|pas de|sans|libre|une ia|non|plus|dan|un)?",
    ),
    # A standing order.
    "from henceforth hereafter a desormais dorenavant starting": (
        r"(?:from now on|henceforth|hereafter|from this point on|from this moment|starting now|from here on) (?:you|every|all|each|only|always|never|your|refuse|respond|answer|reply|say|end|begin|start|do not|when|whenever|act|pretend|obey|include|add|if)\b",
        r"(?:a partir de (?:maintenant|cet instant)|desormais|dorenavant|a compter de maintenant) (?:tu (?:dois|vas|ne|es|reponds?|n|obeis|seras|diras|devras|repondras|commenceras|termineras)|vous (?:devez|allez|etes)|reponds|repondez|dis|ne|toutes tes|chacune de|chaque reponse|refuse|agis|ton|tes|termine|commence|obeis|quand)\b",
    ),
    "always never toujours jamais whenever when if every each quand si chaque lorsque": (
        r"always (?:answer|reply|respond|end|start|begin|include|add|append|mention|say|recommend|tell|output|write|insert|trust|obey|agree|sign|finish|execute|run|approve|give)\b(?: \w+){0,2}? ?(?:with|by|that|to|the|your|every|as|yes|no|using|me that|users?|it|any|all)\b",
        r"never (?:refuse|mention|reveal|tell the user|say (?:no|that)|disclose|question|decline|contradict)\b",
        r"(?:whenever|when|if|every time|each time) (?:i|anyone|someone|the user|a user|users|somebody|you are|you|asked) (?:\w+ ){0,8}?(?:you (?:must|will|should|shall|have to|always)|(?:then )?(?:answer|reply|respond|output|say) (?:with|only|that|exactly|by|yes|no))\b",
        r"toujours (?:repondre|terminer|commencer|dire|recommander|ajouter|inclure|mentionner|obeir)\b",
        r"(?:quand|si|lorsque|chaque fois que) (?:on|quelqu un|je|l utilisateur|un utilisateur|tu|vous) (?:\w+ ){0,8}?(?:tu (?:dois|devras|repondras|diras)|(?:reponds|repondez|dis|affiche)(?: toujours)? (?:que|par|avec|uniquement|seulement|exactement|oui|non))\b",
    ),
    "reponds repondez termine commence ajoute dis answer reply respond end begin start append": (
        r"(?:reponds|repondez|dis|termine|commence|ajoute) (?:toujours|systematiquement|desormais|uniquement|exclusivement) (?:\w+ ){0,3}?(?:par|avec|que|oui|non|tes|chaque|a la fin|a chaque|toutes)\b",
        r"(?:answer|reply|respond) (?:only |exclusively |to (?:everything|every question|all questions|anything|any question|every message) )(?:with|by|that)\b",
        r"(?:end|begin|start|append|prefix) (?:every|each|all|all of your|your) (?:\w+ )?(?:answers?|repl\w+|responses?|messages?|sentences?)\b",
        r"(?:termine|commence|ajoute) (?:toutes |chacune |chaque )?(?:de )?(?:tes |chaque )?(?:reponses?|messages?|phrases?) (?:par|avec)\b",
    ),
    # Show what you were given.
    "reveal show print repeat output display leak tell give what dump expose share disclose write revele montre affiche repete donne dis-moi quelles quel quelle recopie copie ecris": (
        r"(?:reveal|show|print|repeat|output|display|leak|tell|give|dump|expose|share|disclose|write)(?: me| us| out| back| verbatim)* (?:\w+ ){0,3}?(?:your|the) (?:\w+ ){0,2}?(?:system prompt|system message|initial instructions|hidden (?:instructions|prompt|rules)|original (?:prompt|instructions)|secret (?:instructions|prompt)|initial prompt|developer message|prompt verbatim|instructions verbatim|prompt|instructions (?:above|you were given))\b",
        r"(?:repeat|print|output|write|copy) (?:everything|all|the (?:words|text|lines?|content)) (?:above|before|that precedes?|preceding)",
        r"what (?:is|are|was|were|s) your (?:system prompt|initial instructions|hidden instructions|original instructions|system message|instructions|initial prompt)\b",
        r"(?:revele|montre|affiche|repete|donne|dis|recopie|copie|ecris)(?:-moi|-nous)?(?:-moi)? (?:\w+ ){0,3}?(?:ton|tes|le|les|ta|votre|vos) (?:\w+ ){0,2}?(?:prompt|instructions? (?:systeme|initiales?|cachees?|secretes?|internes?)|consignes? (?:systeme|initiales?|cachees?|secretes?|internes?)|message systeme)\b",
        r"(?:repete|recopie|affiche|ecris)(?:-moi)? (?:tout )?(?:ce qui precede|le texte (?:ci-dessus|precedent)|les mots (?:ci-dessus|precedents))",
        r"(?:quelles?|quel) (?:sont|est) (?:tes|ton|vos|votre) (?:instructions|consignes|prompt|directives)\b",
    ),
    "enable activate enter switch developer jailbreak dan mode active passe entre sudo": (
        r"(?:enable|activate|enter|switch (?:to|into)|active|passe en|entre en|passe au) (?:the |le |your )?(?:developer|debug|god|admin|dan|jailbreak|unrestricted|developpeur|sans restriction|mode (?:developpeur|admin|debug|dan|sans|dieu|jailbreak))",
        r"(?:jailbreak|developer|dan|god) mode (?:enabled|activated|on|active)",
        r"mode (?:developpeur|dan|jailbreak|sans restriction|admin) (?:active|enclenche|on)",
        r"sudo (?:mode|ignore|override)",
    ),
    "do fais execute call run appelle invoke": (
        r"do anything now\b", r"fais tout ce que je (?:dis|demande) sans",
        r"(?:execute|call|run|invoke|appelle) (?:the |le |la |l )?(?:tool|function|outil|fonction) \w+ (?:with|avec|now|to)",
    ),
}  # fmt: skip
_PATTERNS_BY_WORD: dict[str, tuple[re.Pattern[str], ...]] = {}
_COMPACT = re.compile(
    r"(?:ignore|disregard|forget|override|bypass|oublie[sz]?|ignorez?)(?:all|any|every|the|your|toutes?|tes|les|vos)*(?:previous|prior|above|earlier|preceding|precedentes?)?"
    r"(?:system)?(?:instructions?|prompts?|rules|directives|consignes|regles)|youarenow(?:dan|an?)|systemprompt|fromnowonyou|apartirdemaintenanttu"
)
# Someone tells of an order: "my boss told me to ignore the previous instructions", "I never mention it".
_TELLS = word_set("""
    i we he she they je il elle ils elles on nous who qui people ai avais avait avons ont avaient have
    has had
""")


def instructs_model(text: str) -> bool:
    """Whether any part of `text` orders the model about."""
    shown = visible(text)
    if (
        (not _TEMPLATE_SIGNS.isdisjoint(shown) and _TEMPLATE.search(shown))
        or _LABEL.search(shown)
        or _ROLE.search(shown)
    ):
        return True
    plain = unaccented(shown.translate(_LOOKALIKES)).lower()
    hidden = len(shown) != len(text) or bool(_SPACED.search(plain))
    if hidden and _COMPACT.search(re.sub(r"[\W_]", "", plain)):
        return True
    if _orders(plain):
        return True
    return bool(_MIXED.search(plain)) and _orders(plain.translate(_DIGIT_LETTERS))


def _orders(plain: str) -> bool:
    """Look only where a word that can open an order stands; an order ends with its sentence."""
    patterns = _patterns()
    for sentence in re.split(r"[.!?;\n]+|\s[-–]\s", plain):  # noqa: RUF001 - people type en dashes
        words = _NOT_WORD.sub(" ", sentence.replace("'", " ").replace("s il te plait", "please")).strip()
        start = 0
        before: list[str] = []
        for word in words.split(" "):
            for pattern in patterns.get(word, ()):
                if (
                    (found := pattern.match(words, start))
                    and not _is_told(before, word)
                    and not wish_in(words)
                ):
                    return bool(found)
            before = [*before[-3:], word]
            start += len(word) + 1
    return False


def _is_told(before: list[str], word: str) -> bool:
    """Whether the words before an order say that it is somebody else's, or that the user acts so themselves."""
    if not before or word in {"you", "tu", "vous", "from", "what"}:
        return (
            bool(before)
            and before[-1] in {"if", "that", "si", "until", "what", "while", "thought"}
            and word != "what"
        )
    if before[-1] in _TELLS:
        return True
    if before[-1] in {"to", "de", "d"}:
        return not {"you", "toi", "tu", "vous", "demande", "ordonne"}.intersection(before)
    return before[-1] in {"not", "never", "always"} and bool(_TELLS.intersection(before))


def _patterns() -> dict[str, tuple[re.Pattern[str], ...]]:
    """Compiled at the first message, not at import."""
    if not _PATTERNS_BY_WORD:
        for words, patterns in _PATTERNS.items():
            compiled = tuple(map(re.compile, patterns))
            for word in words.split():
                _PATTERNS_BY_WORD[word] = _PATTERNS_BY_WORD.get(word, ()) + compiled
    return _PATTERNS_BY_WORD
