"""What runs a stage: its command line, checks of its inputs, its work folder, its training, publishing."""
