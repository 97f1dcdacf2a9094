"""Pure functions about a record's text, used by every application; nothing here imports Django."""
