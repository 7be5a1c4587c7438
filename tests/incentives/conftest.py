"""Property tests here may run beside other work on two cores: they have no deadline of their own."""

from hypothesis import settings

settings.register_profile("patient", settings.default, deadline=None)
settings.load_profile("patient")
