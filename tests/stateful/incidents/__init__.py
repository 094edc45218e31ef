"""What went wrong elsewhere, played here: each function is one scenario, by its name.

`docs/incidents.md` tells what happened there and what happens here.
"""
