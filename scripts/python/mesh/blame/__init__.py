"""Whose fault it is: the smallest explanation of what failed in a round."""
