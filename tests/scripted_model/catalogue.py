"""The models this server claims to have. Data and look-up by name; names without a tag mean `:latest`."""

import hashlib
from collections.abc import Iterable

import msgspec


class Model(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    context_length: int = 8192
    family: str = "llama"
    parameter_size: str = "1.2B"
    size_bytes: int = 1_321_098_329
    capabilities: tuple[str, ...] = ("completion", "tools")
    revision: str = ""
    """What a model replaced under its name has another of."""

    @property
    def digest(self) -> str:
        return hashlib.sha256((self.name + self.revision).encode()).hexdigest()


CHAT_MODEL = Model(name="llama3.2:1b")
EMBEDDING_MODEL = Model(
    name="nomic-embed-text:latest",
    context_length=2048,
    family="nomic-bert",
    parameter_size="137M",
    size_bytes=274_302_450,
    capabilities=("embedding",),
)


class Catalogue:
    def __init__(self, models: Iterable[Model]) -> None:
        self._models = {_full(model.name): model for model in models}
        self._loaded: dict[str, Model] = {}

    @property
    def models(self) -> tuple[Model, ...]:
        return tuple(self._models.values())

    @property
    def loaded(self) -> tuple[Model, ...]:
        """Return the models asked to generate or embed so far."""
        return tuple(self._loaded.values())

    def find(self, name: str) -> Model | None:
        return self._models.get(_full(name))

    def load(self, model: Model) -> None:
        self._loaded[_full(model.name)] = model

    def add(self, name: str) -> None:
        """Have the model `name` from now on, as after a pull."""
        self._models.setdefault(_full(name), Model(name=_full(name)))


def _full(name: str) -> str:
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"
