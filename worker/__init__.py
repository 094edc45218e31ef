"""The program that runs a job on a worker."""
