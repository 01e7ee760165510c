"""The commands `nix …`."""
