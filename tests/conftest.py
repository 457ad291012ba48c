"""What holds for all tests."""

from hypothesis import settings

# How fast an example runs says something about the machine, nothing about the code.
settings.register_profile("wardwatt", deadline=None)
settings.load_profile("wardwatt")
