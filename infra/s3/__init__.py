"""Buckets over S3: `models.objects.ObjectStore` with boto3.

`access` says where and as whom, `errors` translates what comes back, `buckets` does the work.
"""

from infra.s3.access import S3Access
from infra.s3.buckets import Buckets, connect

__all__ = ["Buckets", "S3Access", "connect"]
