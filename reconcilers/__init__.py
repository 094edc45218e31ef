"""Pure decisions: what should be different, given a world, settings and the time."""
