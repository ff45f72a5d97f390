"""Languages as engines write them."""

import re

_WHISPER = """
    en:english zh:chinese de:german es:spanish ru:russian ko:korean fr:french ja:japanese pt:portuguese
    tr:turkish pl:polish ca:catalan nl:dutch ar:arabic sv:swedish it:italian id:indonesian hi:hindi
    fi:finnish vi:vietnamese he:hebrew uk:ukrainian el:greek ms:malay cs:czech ro:romanian da:danish
    hu:hungarian ta:tamil no:norwegian th:thai ur:urdu hr:croatian bg:bulgarian lt:lithuanian la:latin
    mi:maori ml:malayalam cy:welsh sk:slovak te:telugu fa:persian lv:latvian bn:bengali sr:serbian
    az:azerbaijani sl:slovenian kn:kannada et:estonian mk:macedonian br:breton eu:basque is:icelandic
    hy:armenian ne:nepali mn:mongolian bs:bosnian kk:kazakh sq:albanian sw:swahili gl:galician mr:marathi
    pa:punjabi si:sinhala km:khmer sn:shona yo:yoruba so:somali af:afrikaans oc:occitan ka:georgian
    be:belarusian tg:tajik sd:sindhi gu:gujarati am:amharic yi:yiddish lo:lao uz:uzbek fo:faroese
    ps:pashto tk:turkmen nn:nynorsk mt:maltese sa:sanskrit lb:luxembourgish my:myanmar bo:tibetan
    tl:tagalog mg:malagasy as:assamese tt:tatar ln:lingala ha:hausa ba:bashkir jw:javanese su:sundanese
"""

WHISPER = {code: name for code, _, name in (pair.partition(":") for pair in _WHISPER.split())}
"""What Whisper understands, by its codes, the most heard first (openai/whisper, tokenizer.py)."""

_CODES = {name: code for code, name in WHISPER.items()} | {"iw": "he", "nb": "no"}
_LOCALE = re.compile(r"([a-z]{2})[_-][A-Z]{2}\b")
_KOKORO = re.compile(r"([abefhijpz])[fm]_")
_KOKORO_LANGUAGES = dict(
    zip("abefhijpz", ["en", "en", "es", "fr", "hi", "it", "ja", "pt", "zh"], strict=True)
)


def iso_639_1(language: str) -> str:
    """Return the code of `en_US`, `en-gb-x-rp`, `English` or `EN`; one that is not known as it is."""
    plain = language.strip().lower()
    bare = plain.replace("_", "-").partition("-")[0]
    return _CODES.get(plain) or _CODES.get(bare) or bare


def language_of_voice(voice_id: str) -> str:
    """Return what its id tells of a voice's language: `fr_FR-siwis-low`, Kokoro's `ff_siwis`; else `en`."""
    if locale := _LOCALE.match(voice_id):
        return locale[1]
    if kokoro := _KOKORO.match(voice_id):
        return _KOKORO_LANGUAGES[kokoro[1]]
    return "en"
