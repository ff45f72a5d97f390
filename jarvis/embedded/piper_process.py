"""Runs wyoming-piper with what its command line cannot say. Nothing else imports this."""

from wyoming_piper import __main__ as piper

from jarvis.embedded.engine_process import settle


def no_catalogue(*_: object, **__: object) -> dict[str, object]:
    return {}


def main() -> None:
    settle()
    # It offers 150 voices and downloads, in a request, the one that is asked for; no option prevents it.
    # Without its catalogue it offers the voices in its folder and refuses others.
    piper.get_voices = no_catalogue
    piper.run()


if __name__ == "__main__":
    main()
