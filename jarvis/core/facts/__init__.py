"""Facts and preferences of users, read from their words by French and English rules, without a model."""

from jarvis.core.facts.extraction import Fact, contradicts, facts_in

__all__ = ["Fact", "contradicts", "facts_in"]
