"""keywright plugin: the file store."""

KEYWRIGHT_API = 1
