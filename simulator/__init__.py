"""Every port in memory, with a virtual clock and faults on order."""
