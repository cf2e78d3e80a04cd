"""The cases of scripts/boxes: a module for each topic, a function for each case."""
