"""Makes docs/api.md: prose from api.template.md, tables from the OpenAPI document. Not part of the wheel."""
