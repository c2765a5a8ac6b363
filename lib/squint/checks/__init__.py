"""The checks: `engine` judges, and one file a lab says what is right and which mistakes have names."""
