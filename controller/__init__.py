"""The shell: observes, has the reconcilers decide, acts and records."""
