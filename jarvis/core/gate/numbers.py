"""Whether a text holds a number with a check digit that opens an account: payment card, IBAN, French social security;
or one whose shape alone tells it: British national insurance, American social security.
"""
# ruff: noqa: E501 - a pattern is read whole, on one line

import re

# Digits in groups, as people write card numbers; the quantifiers cannot overlap.
_DIGITS = re.compile(r"(?<!\d)[0-9]+(?:[ .\u2009-][0-9]+)*", re.ASCII)
_SINGLES = re.compile(r"(?<![0-9])[0-9](?:[ .-][0-9](?![0-9])){11,}")
_IBAN = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,32})")
_NIR = re.compile(
    r"(?<!\d)([1-478])[ .-]?(\d{2})[ .-]?(0[1-9]|[1-9]\d)[ .-]?(\d{2}|2[ABab])[ .-]?(\d{3})[ .-]?(\d{3})[ .-]?(\d{2})(?!\d)"
)
# Prefixes and suffix as HMRC allots them (NIM39110); without a check digit, only the spaced form speaks for itself.
_NATIONAL_INSURANCE = re.compile(r"(?<![A-Za-z0-9])(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] \d\d \d\d \d\d [A-D](?![A-Za-z0-9])", re.ASCII)  # fmt: skip
# Areas, groups and serials that the Social Security Administration allots.
_SOCIAL_SECURITY = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])", re.ASCII)
_OF_GOODS = re.compile(r"\b(?:order|tracking|part|item|model|ref|reference|serial|case|ticket|commande|suivi|article|dossier)\b", re.IGNORECASE)  # fmt: skip
# Issuers' prefixes and lengths (ISO/IEC 7812); a number of another shape is no card, whatever its check digit.
_CARDS = re.compile(r"(?:4\d{12}|4\d{15}|4\d{18}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|6(?:011|5\d\d|4[4-9]\d)\d{12}|62\d{14}|35\d{14}|3[068]\d{12}|(?:50|5[6-9]|6[0-9])\d{14})")  # fmt: skip
_CARD_LENGTHS = (13, 14, 15, 16, 19)
# Length by country, from the SWIFT registry of IBAN formats.
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24,
    "FI": 18, "FR": 27, "GB": 22, "GI": 23, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IS": 26, "IT": 27, "LI": 21,
    "LT": 20, "LU": 20, "LV": 21, "MA": 28, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "RS": 22,
    "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TN": 24, "TR": 26, "UA": 29,
}  # fmt: skip


def holds_number(text: str) -> bool:
    return (
        _holds_card(text)
        or _holds_iban(text)
        or _holds_social_security(text)
        or bool(_NATIONAL_INSURANCE.search(text))
        or any(
            not _OF_GOODS.search(text, max(0, found.start() - 30), found.start())
            for found in _SOCIAL_SECURITY.finditer(text)
        )
    )


def _holds_card(text: str) -> bool:
    for run in (*_DIGITS.finditer(text), *_SINGLES.finditer(text)):
        if run.end() - run.start() < 13:
            continue
        groups = re.split(r"[^0-9]", run[0])
        digits = "".join(groups)
        ends, total = set[int](), 0
        for group in groups:
            total += len(group)
            ends.add(total)
        start = 0
        for group in groups:
            if (len(group) >= 4 or (len(groups[0]) == 1 and start == 0)) and group[0] in "23456":
                for length in _CARD_LENGTHS:
                    number = digits[start : start + length]
                    if start + length in ends and _CARDS.fullmatch(number) and passes_luhn(number):
                        return True
            start += len(group)
    return False


def passes_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = [2 * int(digit) for digit in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(n - 9 if n > 9 else n for n in doubled)) % 10 == 0


def _holds_iban(text: str) -> bool:
    for found in _IBAN.finditer(text):
        compact = re.sub(r"[ -]", "", found[0]).upper()
        length = _IBAN_LENGTHS.get(compact[:2])
        if length and len(compact) >= length and _is_iban(compact[:length]):
            return True
    return False


def _is_iban(iban: str) -> bool:
    """ISO 13616: the rearranged number is 1 modulo 97."""
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1


def _holds_social_security(text: str) -> bool:
    """The French number of 13 digits (Corsica: 2A, 2B) with its key of two: 97 minus the number modulo 97."""
    for found in _NIR.finditer(text):
        body = "".join(found.groups()[:-1]).upper().replace("2A", "19").replace("2B", "18")
        if 97 - int(body) % 97 == int(found[7]):
            return True
    return False
