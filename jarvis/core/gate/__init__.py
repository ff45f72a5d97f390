"""What may enter memory: no secret, no instruction to the model, no small talk, no echo. Pure."""

from typing import Literal

from jarvis.core.gate.credentials import holds_secret
from jarvis.core.gate.echoes import is_echo
from jarvis.core.gate.instructions import instructs_model
from jarvis.core.gate.worth import is_worth_keeping

__all__ = ["Refusal", "is_echo", "is_worth_keeping", "refusal"]

Refusal = Literal["secret", "instruction"]


def refusal(text: str) -> Refusal | None:
    """Return why `text` may not be kept, neither from a conversation nor when added by hand."""
    if holds_secret(text):
        return "secret"
    return "instruction" if instructs_model(text) else None
