"""The worker pool: enough workers for the waiting jobs, none without work."""
