"""Decisions of a spoken conversation: what is said, what of it was heard, who is speaking. Pure."""
