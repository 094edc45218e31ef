"""Are the tests worth anything? Breakages of one line, planted one at a time, that they must find.

`planted` lists them; `python -m tools.mutants` (`make mutants`) plants each in a copy of the tree
and runs the tests that are to kill it.
"""
