"""The kinds of columns that the tables are made of."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Integer,
    MetaData,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

NOW = text("now()")


def number(name: str = "id") -> Column[int]:
    """A number that the database hands out."""
    return Column(name, BigInteger, Identity(always=True), primary_key=True)


def uuid(name: str, **options: Any) -> Column[Any]:
    """An identity that we hand out."""
    return Column(name, Uuid, nullable=False, **options)


def texts(*names: str, nullable: bool = False) -> list[Column[str]]:
    """Texts of these names."""
    return [Column(name, Text, nullable=nullable) for name in names]


def keys(*names: str) -> list[Column[str]]:
    """Texts that are the key together."""
    return [Column(name, Text, primary_key=True) for name in names]


def times(*names: str, nullable: bool = False) -> list[Column[Any]]:
    """Moments of these names."""
    return [Column(name, DateTime(timezone=True), nullable=nullable) for name in names]


def time_now(name: str) -> Column[Any]:
    """A moment that is now unless it is said."""
    return Column(name, DateTime(timezone=True), nullable=False, server_default=NOW)


def count(name: str, **options: Any) -> Column[int]:
    """A number of things."""
    return Column(name, Integer, nullable=False, **options)


def big(name: str, *, nullable: bool = False) -> Column[int]:
    """A number of the size of an identity."""
    return Column(name, BigInteger, nullable=nullable)


def json(name: str, *, nullable: bool = False, default: str | None = None) -> Column[Any]:
    """A document."""
    # None is SQL's null: no parameter has the value null.
    return Column(name, JSONB(none_as_null=True), nullable=nullable, server_default=default)


def flag(name: str, default: str | None = None) -> Column[bool]:
    """Yes or no."""
    return Column(name, Boolean, nullable=False, server_default=default)
