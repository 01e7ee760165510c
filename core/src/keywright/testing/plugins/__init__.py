"""The contract of plugin modules."""
