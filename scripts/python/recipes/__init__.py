"""The parts of scripts/recipes: the page as it is written, the networks of its recipes, the comparison."""
