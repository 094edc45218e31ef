"""A simulated OpenStack cloud: one state machine with two faces.

`state` holds what there is and how servers live, `memory` is the port in memory on virtual time,
`http` serves the same state to real clients.
"""
