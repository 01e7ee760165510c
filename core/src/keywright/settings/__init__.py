"""Settings: declared once by a plugin; parsing, messages, help and the reference follow from that.

`model` declares, `values` parses and checks, `pointers` follows `{ env = … }` and `{ file = … }`.
"""
