"""A group of products as people are told of it: what it waits for, until when, what is made."""

from __future__ import annotations

from models.composing import Group
from models.wording import in_utc

MOST_KEYS = 3
"""So many of its jobs are named, the newest ones."""


def group_told(group: Group) -> str:
    """A group in sentences."""
    return f"Group {group.job_type}/{group.key}: {_stands(group)}. {_made(group)}"


def _stands(group: Group) -> str:
    at = f"it is looked at again at {in_utc(group.due_at)}" if group.due_at else ""
    if group.waits_since is None:
        return at or "waits for nothing: it is looked at again when something new is listed"
    until = f"at the latest {at}" if at else "nothing is waited for but a new product"
    return f"waits since {in_utc(group.waits_since)}: {group.waits}; {until}"


def _made(group: Group) -> str:
    if not group.made:
        return "No job was made of it yet"
    keys = ", ".join(f"{group.job_type}/{made.key}" for made in group.made[-MOST_KEYS:])
    more = len(group.made) - MOST_KEYS
    return f"Made of it: {keys}" + (f", and {more} before" if more > 0 else "")
