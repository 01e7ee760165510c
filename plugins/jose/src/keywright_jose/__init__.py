"""keywright plugin: the JWK format, and the jose commands."""

KEYWRIGHT_API = 1
