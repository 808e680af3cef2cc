"""The version of the platform, as the API tells it; a test holds it equal to ``pyproject.toml``."""

VERSION = "0.1.0"
