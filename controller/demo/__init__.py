"""The demo: the whole controller against a simulated cloud and Nomad, on one machine.

`stage` sets up what it runs on, `run` lets it run and watches, `view` draws, `report` sums up.
"""
