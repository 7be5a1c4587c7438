"""Other people's implementations, each in a virtual environment of its own, measured doing our work."""
