"""keywright plugin: the SQLite store."""

KEYWRIGHT_API = 1
