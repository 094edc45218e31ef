"""Simulated product catalogues: what the satellites saw, and how it comes to be listed."""
