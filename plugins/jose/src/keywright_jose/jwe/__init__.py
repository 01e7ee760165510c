"""Encrypted tokens (RFC 7516): algorithms, keys, how the content key is carried, and the content itself."""
