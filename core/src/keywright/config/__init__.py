"""Configuration: `find` the file, `load` it, `layers` over each other, the checked `model`, and its JSON `schema`.

Each value knows where it came from.
"""
