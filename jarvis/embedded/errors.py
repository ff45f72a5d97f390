"""What can go wrong with the parts Jarvis starts itself.

EmbeddedError            the text says what happened and what to do next; it is shown to a person as it is
+-- DataDirInUse         another process owns the data folder
+-- DataDirUnusable      the folder cannot be created, written or reached
+-- PartUnavailable      a program is missing or cannot run on this machine
+-- PartFailed           a program was started and did not become ready, or crashed too often
+-- WeightsUnavailable   a model could not be fetched or is damaged
"""


class EmbeddedError(Exception):
    """Base of all of these; `str()` is a sentence or two for the person who started Jarvis."""


class DataDirInUse(EmbeddedError): ...


class DataDirUnusable(EmbeddedError): ...


class PartUnavailable(EmbeddedError): ...


class PartFailed(EmbeddedError): ...


class WeightsUnavailable(EmbeddedError): ...
