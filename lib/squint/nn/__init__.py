"""The parts of networks, one idea a file."""
