"""The contracts of stores."""
