"""The commands `nix …`, listed in `keywright_nix.commands`. Each module is imported when one of its commands runs."""
