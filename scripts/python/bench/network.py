"""The network namespace that is measured in, and its firewall."""

import os
import subprocess
from pathlib import Path

from lab import namespace

# As on a server that lets in what it answers to: both ways, each packet is looked up.
RULES = """
table inet firewall {
    chain input { type filter hook input priority 0; policy accept; ct state established,related accept; }
    chain output { type filter hook output priority 0; policy accept; ct state established,related accept; }
}
"""
# Connections that have ended are remembered for 1 s and not for 120 s, as a server has fewer of them.
REMEMBERED = Path("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_time_wait")


def isolate(has_firewall: bool) -> None:
    """Goes into a network namespace with a loopback interface alone, and with a firewall that follows connections."""
    if os.geteuid() != 0:
        print("bench: not root: this machine's own network, with whatever firewall there is")
        return
    namespace.enter_new()
    _run("ip link set lo up")
    if has_firewall:
        _run("nft -f -", RULES)
        REMEMBERED.write_text("1")


def _run(command: str, text: str = "") -> None:
    done = subprocess.run(command.split(), input=text, text=True, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise RuntimeError(f"{command}: {done.stderr.strip()}")
