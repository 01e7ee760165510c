"""keywright plugin: key types ed25519, x25519, ec-p256, ec-p384, ec-p521, rsa and oct."""

KEYWRIGHT_API = 1
