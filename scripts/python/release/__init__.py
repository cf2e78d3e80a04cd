"""Makes what is published: the packages and their parts."""
