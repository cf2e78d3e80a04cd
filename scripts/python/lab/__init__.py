"""What torture, netlab, compare and bench share: processes, honest peers, the protocol, a command's options."""
