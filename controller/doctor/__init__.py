"""`hrsi doctor`: is everything there that a controller needs, and how to mend what is not.

`patients` says who is looked at, `findings` how a look becomes a `Check`; `store`, `nomad` and
`cloud` have the checks of one system each, and `examine` makes them all. Only reads.
"""
