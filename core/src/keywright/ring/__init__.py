"""The key ring: one file for each thing that it does, put together in `keyring`."""
