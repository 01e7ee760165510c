"""The core's commands, by what they are for: keys, read, state, use, migrate, config."""
