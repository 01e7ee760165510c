"""keywright plugin: the environment variable store."""

KEYWRIGHT_API = 1
