"""The systems of the course, one a file, each written to be read."""
