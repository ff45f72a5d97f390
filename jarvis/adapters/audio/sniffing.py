"""What a file is, by its first bytes only: names and content types are hearsay."""

from typing import Literal

Container = Literal["flac", "mp3", "mp4", "ogg", "wav", "webm"]

HEAD_BYTES = 16
TAKEN = "Send WAV, FLAC, Ogg, MP3, WebM or MP4, or name a raw format."
_ID3_HEAD_BYTES = 10
_FRAME_SYNC = 0xFFE0
_RESERVED_VERSION, _LAYER_III, _BAD_BIT_RATE, _BAD_SAMPLE_RATE = 1, 1, (0, 15), 3


def sniff(head: bytes) -> Container | None:
    """Name the container whose first HEAD_BYTES, behind any ID3 tag, are `head`; None: none that is taken."""
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "wav"
    if head[:4] == b"fLaC":
        return "flac"
    if head[:4] == b"OggS":
        return "ogg"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "webm"
    if head[4:8] == b"ftyp":
        return "mp4"
    return "mp3" if _begins_mp3_frame(head) else None


def id3_bytes(head: bytes) -> int:
    """Return the length of the ID3v2 tag that `head` begins with, 0 without one (ID3v2.4, section 3.1)."""
    if len(head) < _ID3_HEAD_BYTES or head[:3] != b"ID3" or any(byte & 0x80 for byte in head[6:10]):
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    footer = _ID3_HEAD_BYTES if head[5] & 0x10 else 0
    return _ID3_HEAD_BYTES + size + footer


def _begins_mp3_frame(head: bytes) -> bool:
    """Check the fields of a frame header of MPEG audio, layer III (ISO 11172-3, section 2.4.1.3)."""
    if len(head) < 4 or int.from_bytes(head[:2]) & _FRAME_SYNC != _FRAME_SYNC:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bit_rate, sample_rate = head[2] >> 4, head[2] >> 2 & 3
    return (
        version != _RESERVED_VERSION
        and layer == _LAYER_III
        and bit_rate not in _BAD_BIT_RATE
        and sample_rate != _BAD_SAMPLE_RATE
    )
