"""Jarvis: a self-hosted conversational assistant."""

__version__ = "0.1.0"
