"""keywright plugin: the Nix Ed25519 key format, and the nix commands."""

KEYWRIGHT_API = 1
