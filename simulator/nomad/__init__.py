"""A Nomad cluster as one state machine: what the controller can rely on, and what it cannot.

`cluster.NomadCluster` is the machine. `memory.MemoryNomad` is its face as a port, in one thread and
virtual time; `web.serve_nomad` its face over HTTP, for the real client library. What a task does is
behind `tasks.TaskDriver`: a script in virtual time (`simulator.behaviour`) or a real local process
(`processes.LocalProcesses`).
"""
