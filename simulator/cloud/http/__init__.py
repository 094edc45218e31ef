"""The HTTP face of the simulated cloud: Keystone, Nova, Glance and Neutron on one port.

Only what the real clients need to run a pool of workers, but that with the real shapes, statuses
and texts.
"""
