"""What a worker's own Nomad client says of itself: the image writes it, the pool goes by it."""

from __future__ import annotations

SERVER_ID_META = "openstack_server_id"
"""Key in the meta of a node: the id of the server that it is."""

INELIGIBLE_JOIN = (2, 0, 3)
"""The Nomad from which on a client can be told to join ineligible (`default_ineligible`). An older
one does not start with a setting that it does not know."""
