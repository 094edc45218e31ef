"""What every part may know: records, the status machine, plans, settings, ports and errors.

This package imports nothing of ours. Read it in this order: `records` (what there is),
`lifecycle` (how a job may change), `world` (what one pass saw), `plan` (what it decided),
`changes` (what the store is asked to commit), `ports` (whom the shell talks to).
Everything but `tables` is free of clocks, chance, files and networks.
"""
