"""Signed tokens (RFC 7515): algorithms, the bound signer and the bound verifier."""
