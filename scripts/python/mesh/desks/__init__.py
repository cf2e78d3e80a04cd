"""A fleet of namespaces on this machine, and what is wrong there."""
