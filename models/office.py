"""What people read and order, wherever they are let in: at the store, or over the HTTP API.

The verbs of the command line are written against this alone. Who has the database's password works
at the store; who has a token is heard by the API, which writes their name into the audit trail in
place of `Asked.actor` and grants what the token's role may. What both say is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from models.access import Mint
from models.composing import Group
from models.log_reading import JobLogs
from models.ports import Operations, Reader
from models.previews import Previewer
from models.publication import Publication


@dataclass(frozen=True, kw_only=True, slots=True)
class Office:
    """Everything that people ask for. `publications` are those of a job, by its id, `groups` the
    groups of products of a type of job that `GroupPlace.named` means; `deployment` names the
    installation (empty: nobody said). `logs` opens what they are read with, once it is wanted.
    """

    reader: Reader
    operations: Operations
    mint: Mint
    publications: Callable[[int], tuple[Publication, ...]]
    groups: Callable[[str, str], tuple[Group, ...]]
    deployment: Callable[[], str]
    logs: Callable[[], JobLogs]
    preview: Previewer
