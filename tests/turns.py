"""A turn for tests that need any turn at all."""

from jarvis.core.types import ChatCommand, Turn, User, new_id, utc_now


def a_turn() -> Turn:
    return Turn(
        id=new_id(),
        user=User(id=new_id(), name="default"),
        conversation_id=new_id(),
        user_message_id=new_id(),
        user_position=0,
        command=ChatCommand(text="Hello"),
        conversation_model=None,
        conversation_system_prompt=None,
        title_is_settled=True,
        created_at=utc_now(),
        owner="box/1",
    )
