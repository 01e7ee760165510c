"""The stores that come with the core."""
