"""What a run will take before it is started: computation, memory, disk and time of every stage."""
