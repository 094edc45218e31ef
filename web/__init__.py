"""What speaks HTTP: the API of programs on workers, of people and of their scripts.

`app` puts it together; one module per group of routes; `access` says who may do what. It is handed
ports (`desk.Desk`) and names no adapter. Decisions are none of its: what is asked for here is
written into the store, and the controller sees to it.
"""
