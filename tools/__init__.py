"""What `make` runs on the repository itself; no part of the program."""
