"""What schemathesis cannot know of this API: what a stream's schema means, and what no schema can say.

Only "a valid request was refused" is excused, and only for one of these reasons; that they are given where
they should be, and nowhere else, is for test_bad_input.py and test_decoding.py.
"""

import re
from typing import Any

import schemathesis
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.openapi.checks import RejectedPositiveData

UNSAYABLE = (
    # The bounds of a whole body or address, in fields that no schema declares too.
    r"(.*: )?holds (a name that holds )?a NUL character",
    r"(.*: )?holds (a name that holds )?half a surrogate pair",
    r"(.*: )?is beyond the range of a 64-bit integer",
    r"The body is nested deeper than 32\.",
    r"The body holds a NUL, half a surrogate pair or an integer beyond 64 bits\.",
    # 7.0 is an integer to JSON Schema.
    r".*: expected `int( \| null)?`, got `float`",
    # JSON Schema's times include those at which UTC has no name any more, or Postgres none.
    r".*: is outside of the calendar",
    # What Jarvis does not keep.
    r"(memories\[[0-9]+\]\.)?content: (holds a secret|gives the model instructions), .*",
    # What there is, only the server knows.
    r"cursor: is not one that this server gave",
    r"messages\[[0-9]+\]\.alternative_of: is the id of no message here",
    r"model: The language model's server does not have this model\.",
    r"voice: There is no such voice; .*",
    # What is base64, what is sound, and what can be said.
    r"audio_data: invalid base64 encoded string",
    r"The audio is empty\. .*",
    r"This is not audio of a kind that is taken\. .*",
    r"There are [0-9]+ ms of sound in the audio: .*",
    r"sample_rate: is required with raw samples",
    r"text: has nothing in it that can be said",
)


@schemathesis.hook  # pyright: ignore[reportUnknownMemberType]  a decorator of any function
def before_load_schema(context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Tell that what our document says of a stream is the `data` of each of its events."""
    del context
    for operations in raw_schema["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                stream = response.get("content", {}).get("text/event-stream")
                if stream is not None:
                    data = {
                        "type": "string",
                        "contentMediaType": "application/json",
                        "contentSchema": stream["schema"],
                    }
                    stream["schema"] = {
                        "type": "object",
                        "properties": {
                            "id": {"pattern": "^[0-9]+$"},
                            "event": {"type": "string"},
                            "data": data,
                        },
                        "required": ["id", "event", "data"],
                    }


@schemathesis.hook  # pyright: ignore[reportUnknownMemberType]  likewise
def filter_failure(
    context: schemathesis.HookContext, failure: Failure, case: Any, response: Response
) -> bool:
    del context, case
    if not isinstance(failure, RejectedPositiveData) or response.status_code != 400:
        return True
    detail = response.json()["detail"]
    return not any(re.fullmatch(reason, detail, re.DOTALL) for reason in UNSAYABLE)
