"""The contract of key types."""
