"""Buckets with boto3: every method of the port is one request, or as many as its pages and parts.

The SDK repeats nothing: whoever asks knows how often it is worth to ask again. Checksums of newer
S3 that others than Amazon do not know are left out; a short object goes with its MD5, which every
service checks, and of a long one the length that arrived is looked at.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import boto3
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.s3.access import S3Access
from infra.s3.errors import translated
from models.errors import Conflict, Malformed, NotFound, PortError, Refused
from models.objects import BucketNotFound, Place, Stored

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import (
        ErrorTypeDef,
        HeadObjectOutputTypeDef,
        ResponseMetadataTypeDef,
    )

SHA256 = "sha256"
"""The name of our metadata: the SHA-256 of the content, in hex."""

PROOF = ".hrsi-doctor"
"""The key of an upload that never comes to its end."""

_CHUNK = 1 << 20
_NO_SUCH_RANGE = 416
_DELETED_AT_ONCE = 1000
_COPIED_AT_ONCE = 5 << 30


class Buckets:
    """`models.objects.ObjectStore` over S3."""

    def __init__(self, client: S3Client, access: S3Access) -> None:
        self._client = client
        self._part = access.part_bytes
        # One for all: files that are uploaded side by side share its threads and connections.
        self._transfers = create_transfer_manager(
            client,
            TransferConfig(
                multipart_threshold=access.part_bytes,
                multipart_chunksize=access.part_bytes,
                max_concurrency=access.parts,
            ),
        )

    def close(self) -> None:
        """Close the connections that are kept; uploads under way come to their end before."""
        self._transfers.shutdown()
        self._client.close()

    def check(self, bucket: str) -> None:
        """See `models.objects.ObjectStore.check`."""
        try:
            with translated(f"look at bucket {bucket}"):
                self._client.head_bucket(Bucket=bucket)
        except NotFound as error:
            raise BucketNotFound(f"there is no bucket {bucket}: {error}") from error

    def prove_writable(self, bucket: str) -> None:
        """See `models.checkup.BucketProbe.prove_writable`."""
        place = Place(bucket=bucket, key=PROOF)
        with translated(f"begin an upload to {place}"):
            begun = self._client.create_multipart_upload(Bucket=bucket, Key=PROOF)
            self._client.abort_multipart_upload(
                Bucket=bucket, Key=PROOF, UploadId=begun["UploadId"]
            )

    def objects(self, bucket: str, prefix: str) -> Iterator[Stored]:
        """See `models.objects.ObjectStore.objects`."""
        with translated(f"list s3://{bucket}/{prefix}"):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=bucket, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    yield Stored(
                        place=Place(bucket=bucket, key=entry["Key"]),
                        size=entry["Size"],
                        etag=entry["ETag"].strip('"'),
                        modified_at=entry["LastModified"],
                    )

    def folders(self, bucket: str, prefix: str) -> Iterator[str]:
        """See `models.objects.ObjectStore.folders`."""
        with translated(f"list the folders of s3://{bucket}/{prefix}"):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=bucket, Prefix=prefix, Delimiter="/"):
                for entry in page.get("CommonPrefixes", ()):
                    yield entry["Prefix"].removeprefix(prefix)

    def head(self, place: Place) -> Stored:
        """See `models.objects.ObjectStore.head`."""
        try:
            with translated(f"look at {place}"):
                return _stored(place, self._client.head_object(Bucket=place.bucket, Key=place.key))
        except NotFound:
            # The answer to a HEAD has no body that would say which of the two is not there.
            self.check(place.bucket)
            raise

    def read(self, place: Place, *, start: int = 0, length: int | None = None) -> bytes:
        """See `models.objects.ObjectStore.read`."""
        if length is not None and length <= 0:
            return b""
        end = "" if length is None else start + length - 1
        with translated(f"read {place}"):
            try:
                answer = self._client.get_object(
                    Bucket=place.bucket, Key=place.key, Range=f"bytes={start}-{end}"
                )
            except ClientError as error:
                # The empty object, and the end of any, have no range to give.
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == _NO_SUCH_RANGE:
                    return b""
                raise
            with closing(answer["Body"]) as body:
                return body.read()

    def fetch(self, stored: Stored, into: BinaryIO, *, start: int = 0) -> None:
        """See `models.objects.ObjectStore.fetch`."""
        if start >= stored.size:
            return
        place = stored.place
        with translated(f"fetch {place} from byte {start}"):
            answer = self._client.get_object(
                Bucket=place.bucket,
                Key=place.key,
                IfMatch=f'"{stored.etag}"',
                Range=f"bytes={start}-",
            )
            with closing(answer["Body"]) as body:
                into.writelines(body.iter_chunks(_CHUNK))

    def put(self, place: Place, content: bytes) -> Stored:
        """See `models.objects.ObjectStore.put`."""
        return self._put(place, content, hashlib.sha256(content).hexdigest())

    def upload(self, place: Place, source: BinaryIO, *, sha256: str) -> Stored:
        """See `models.objects.ObjectStore.upload`."""
        size = os.fstat(source.fileno()).st_size
        if size <= self._part:
            return self._put(place, source.read(), sha256)
        with translated(f"upload {size} bytes to {place}"):
            extra = {"Metadata": {SHA256: sha256}}
            # Of a file that has a name each part is read when it is sent; of others boto3 holds
            # parts in memory until their turn comes.
            named = source.name if isinstance(source.name, str) else source
            self._transfers.upload(named, place.bucket, place.key, extra).result()
        return _as_long_as(size, self.head(place))

    def copy(self, stored: Stored, target: Place) -> Stored:
        """See `models.objects.ObjectStore.copy`."""
        source = stored.place
        if stored.size > _COPIED_AT_ONCE:
            raise Malformed(f"copy {source}: {stored.size} bytes, S3 copies at most 5 GiB at once")
        # Not every service heeds the condition that goes with the request.
        if self.head(source).etag != stored.etag:
            raise Conflict(f"copy {source}: its content is another than when it was looked at")
        with translated(f"copy {source} to {target}"):
            self._client.copy_object(
                Bucket=target.bucket,
                Key=target.key,
                CopySource={"Bucket": source.bucket, "Key": source.key},
                CopySourceIfMatch=f'"{stored.etag}"',
            )
        return _as_long_as(stored.size, self.head(target))

    def delete(self, bucket: str, keys: Iterable[str]) -> None:
        """See `models.objects.ObjectStore.delete`."""
        left = iter(keys)
        while batch := list(islice(left, _DELETED_AT_ONCE)):
            with translated(f"delete {len(batch)} objects of bucket {bucket}"):
                answer = self._client.delete_objects(
                    Bucket=bucket,
                    Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True},
                )
            if errors := answer.get("Errors"):
                raise _not_deleted(bucket, errors[0], len(errors))

    def _put(self, place: Place, content: bytes, sha256: str) -> Stored:
        md5 = hashlib.md5(content, usedforsecurity=False).digest()
        with translated(f"put {len(content)} bytes to {place}"):
            answer = self._client.put_object(
                Bucket=place.bucket,
                Key=place.key,
                Body=content,
                ContentMD5=base64.b64encode(md5).decode(),
                Metadata={SHA256: sha256},
            )
        return Stored(
            place=place,
            size=len(content),
            etag=answer["ETag"].strip('"'),
            modified_at=_date_of(answer["ResponseMetadata"]),
            sha256=sha256,
        )


def connect(access: S3Access) -> Buckets:
    """The buckets behind this endpoint. Nothing is sent before they are used."""
    seconds = access.silence.total_seconds()
    config = Config(
        connect_timeout=min(seconds, 10.0),
        read_timeout=seconds,
        retries={"total_max_attempts": 1, "mode": "standard"},
        max_pool_connections=access.connections,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # Not every service has a name for each of its buckets.
        s3={"addressing_style": "path"},
    )
    session = boto3.session.Session(
        aws_access_key_id=access.access_key,
        aws_secret_access_key=access.secret_key,
        region_name=access.region,
    )
    client = session.client("s3", endpoint_url=access.endpoint, verify=access.verify, config=config)
    return Buckets(client, access)


def _stored(place: Place, answer: HeadObjectOutputTypeDef) -> Stored:
    return Stored(
        place=place,
        size=answer["ContentLength"],
        etag=answer["ETag"].strip('"'),
        modified_at=answer["LastModified"],
        sha256=answer["Metadata"].get(SHA256),
    )


def _date_of(answer: ResponseMetadataTypeDef) -> datetime:
    """When the service wrote its answer, as it says: the answer to a PUT has no other time."""
    return parsedate_to_datetime(answer["HTTPHeaders"]["date"]).astimezone(UTC)


def _as_long_as(size: int, stored: Stored) -> Stored:
    if stored.size != size:
        raise Malformed(f"{stored.place} has {stored.size} bytes, {size} were written")
    return stored


def _not_deleted(bucket: str, first: ErrorTypeDef, count: int) -> PortError:
    kind = Refused if first.get("Code") == "AccessDenied" else Conflict
    return kind(
        f"{count} objects of bucket {bucket} were not deleted, the first is {first.get('Key')}: "
        f"{first.get('Code')} {first.get('Message')}"
    )
