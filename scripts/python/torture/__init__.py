"""The cases of scripts/torture: a module for each topic, a function for each case."""
