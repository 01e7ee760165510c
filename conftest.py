"""The examples of Hypothesis are the same on each run; `--hypothesis-profile=campaign` looks for new ones."""

from hypothesis import settings

settings.register_profile("sample", derandomize=True, database=None)
settings.register_profile("campaign", print_blob=True)
settings.load_profile("sample")
