"""The course's data, one data set a file; every loader asks the catalogue for a verified path."""
