"""`hrsi simulate`: days of production in memory, by the real loops, on virtual time.

`scenario` says what happens (arrivals, durations, boots, mishaps), `run` lets it happen, `report`
counts what it came to, `plot` draws it.
"""
