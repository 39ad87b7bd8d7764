"""What the code does on a GPU: the same numbers as on a CPU, a whole run, and how fast it is."""
