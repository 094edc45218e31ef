"""Measurements: what a pass costs, beside what the bare reads of the same answers would cost.

A composition root of a program beside the real one: `frozen` runs in another process and serves a
simulated cloud and Nomad in which time stands still, `fill` copies the matching rows into a real
PostgreSQL, `bare` reads as cheaply as one can, `passes` compares.
"""
