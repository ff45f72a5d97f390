"""`make docs`: write docs/api.md."""

from docs.generator.page import PAGE, page

PAGE.write_text(page(), encoding="utf-8")
