"""The only reader of the environment: every setting, checked at once, in one frozen struct."""

from jarvis.settings.fields import Settings
from jarvis.settings.hiding import HIDDEN, PASSWORD_IN_URL
from jarvis.settings.reading import WrongSettings, ignored_names, load, read_environment

__all__ = [
    "HIDDEN",
    "PASSWORD_IN_URL",
    "Settings",
    "WrongSettings",
    "ignored_names",
    "load",
    "read_environment",
]
