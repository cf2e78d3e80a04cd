"""What torture, netlab, oracle, compare and bench share: processes, honest peers, the protocol, a command's options."""
