import pytest

from jarvis.embedded.downloads import Pinned, Reply, judge, offset_to_resume


@pytest.mark.parametrize(
    ("status", "content_range", "offset", "reply"),
    [
        (206, "bytes 100-999/1000", 100, Reply.APPEND),
        (206, "bytes 0-999/1000", 100, Reply.ASK_AGAIN_FROM_ZERO),
        (206, None, 100, Reply.ASK_AGAIN_FROM_ZERO),
        (200, None, 0, Reply.START_OVER),
        (200, None, 100, Reply.START_OVER),
        (416, "bytes */50", 100, Reply.ASK_AGAIN_FROM_ZERO),
        (429, None, 0, Reply.RETRY),
        (503, None, 0, Reply.RETRY),
        (404, None, 0, Reply.REFUSED),
        (403, None, 0, Reply.REFUSED),
    ],
)
def test_every_answer_to_a_range_request(
    status: int, content_range: str | None, offset: int, reply: Reply
) -> None:
    assert judge(status, content_range, offset=offset) is reply


@pytest.mark.parametrize(("have_bytes", "offset"), [(0, 0), (99, 99), (100, 100), (101, 0)])
def test_a_file_longer_than_pinned_is_not_resumed(have_bytes: int, offset: int) -> None:
    assert offset_to_resume(have_bytes, Pinned(bytes_total=100, sha256="")) == offset
