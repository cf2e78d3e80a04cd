"""What the scripts that are in Python share: processes, honest peers, the protocol, a command's options."""
