"""A round as a matrix: text, objects, a picture."""
