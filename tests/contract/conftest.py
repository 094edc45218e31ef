"""What contract tests need: a cloud that may be a real one."""

from tests.plugins.any_cloud import any_cloud, live_cloud

__all__ = ["any_cloud", "live_cloud"]
