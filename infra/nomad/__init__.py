"""The adapter of Nomad: `connect` gives the port `Orchestrator` over the python-nomad library.

Inside this package `import nomad` is the library, because imports are absolute.
"""

from infra.nomad.access import NomadAccess, OnRequest
from infra.nomad.files import NomadFiles, connect_files
from infra.nomad.orchestrator import NomadOrchestrator, connect
from infra.nomad.probe import NomadHttpProbe

__all__ = [
    "NomadAccess",
    "NomadFiles",
    "NomadHttpProbe",
    "NomadOrchestrator",
    "OnRequest",
    "connect",
    "connect_files",
]
