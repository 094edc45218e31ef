"""What integration tests of whole commands stand on."""

from tests.plugins.installation import installation

__all__ = ["installation"]
