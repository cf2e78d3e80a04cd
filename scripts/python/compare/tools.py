"""The tools: how each is asked, and which of its words are the decisive ones.

If a tool has an option for that, it waits for two seconds at most.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.protocol import MESSAGE, PORT, REPLIES

# Patterns that find the decisive words.
REPLY = "|".join(REPLIES.values())
SOCKET = f"succeeded!|{REPLY}|Connection refused|timed out|No route to host|failure in name resolution"
NMAP = r"^\d+/\w+ +(\S+) +\S+ +(.*?)(?: ttl \d+)?$|Failed to resolve"
HPING = r"flags=\w+|ICMP .* from ip=[\d.]+|\d packets received|Unable to resolve"
OURS = r": ([a-z-]+) \((?:.*(says [\d.]+)|(\S+ answered))?|" + REPLY
NCAT = rf"Connected|{REPLY}|Connection \w+|Idle timeout expired|TIMEOUT|No route to host|Could not resolve"
NPING_TCP = r"(Handshake) .* (completed)|(Possible TCP RST) .* (--> .+)|Failed: \d|Failed to resolve"
NPING_UDP = (r"RCVD \S+ (ICMP) \[([\d.]+) > .*?(prohibited|Port \d+ unreachable|unreachable)|"
             r"RCVD \S+ (UDP \S+)|Lost: \d|Failed to resolve")
FPING = r"is (alive|unreachable)|ICMP Host Unreachable (from [\d.]+)|failure in name resolution"
IRTT = r"(?<=\[)Connected|OpenTimeout|\d/\d \(\S+ loss\)|connection refused|no route to host|Error: lookup"


@dataclass(frozen=True)
class Tool:
    """A tool, which is a column of a table.

    `command` is as one would type it, with HOST for the target. `says` is a pattern
    that finds the decisive words: the groups of a match or, if it has none, all of it.
    """

    protocol: str
    title: str
    package: str | None  # Debian's; None for ours
    command: str
    says: str
    # Whether the message goes to standard input, and whether that stays open until the tool ends.
    message: bool = False
    holds_input: bool = False
    # The command of its own server, for a tool that talks to no other.
    server: str | None = None

    @property
    def program(self) -> str:
        return self.command.split()[0]

    def words(self, host: str, programs: Path) -> list[str]:
        first, *others = (self.command.replace("HOST", host)).split()
        return [first if self.package else str(programs / first),
                *(MESSAGE if word == "MESSAGE" else word for word in others)]

    def is_there(self) -> bool:
        if self.program == "nc":  # several programs have that name
            return bool(shutil.which("nc")) and b"OpenBSD" in subprocess.run(["nc", "-h"], capture_output=True).stderr
        return self.package is None or bool(shutil.which(self.program))

    def __str__(self) -> str:
        """The command, as a shell takes it."""
        text = self.command.replace("MESSAGE", f"'{MESSAGE}'")
        if self.holds_input:
            return f"(printf '{MESSAGE}'; sleep 3) | {text}"
        return f"printf '{MESSAGE}' | {text}" if self.message else text


TOOLS = (
    Tool("tcp", "tcp-client", None, "tcp-client HOST -W 2s", OURS),
    Tool("tcp", "nc -z", "netcat-openbsd", f"nc -zv -w 2 HOST {PORT}", SOCKET),
    Tool("tcp", "nc", "netcat-openbsd", f"nc -v -w 2 HOST {PORT}", SOCKET, message=True),
    Tool("tcp", "ncat", "ncat", f"ncat -v -w 2 -i 2 HOST {PORT}", NCAT, message=True),
    Tool("tcp", "nmap", "nmap", f"nmap -n -Pn -sS --reason --max-retries 0 -p {PORT} HOST", NMAP),
    Tool("tcp", "nping", "nmap", f"nping --tcp-connect -c 1 -p {PORT} HOST", NPING_TCP),
    Tool("tcp", "hping3", "hping3", f"hping3 -n -S -c 1 -p {PORT} HOST", HPING),
    Tool("tcp", "fping (ICMP)", "fping", "fping -r 0 -t 2000 HOST", FPING),
    Tool("udp", "udp-client", None, "udp-client HOST -m MESSAGE -W 2s", OURS),
    Tool("udp", "nc -zu", "netcat-openbsd", f"nc -zuv -w 2 HOST {PORT}", SOCKET),
    Tool("udp", "nc -u", "netcat-openbsd", f"nc -u -w 2 -W 1 HOST {PORT}", SOCKET, message=True),
    Tool("udp", "ncat -u", "ncat", f"ncat -uv -w 2 -i 2 HOST {PORT}", NCAT, message=True, holds_input=True),
    Tool("udp", "nmap", "nmap", f"nmap -n -Pn -sU --reason --max-retries 0 -p {PORT} HOST", NMAP),
    # By default nping sends from port 53, and udp-server does not answer ports below 1024.
    Tool("udp", "nping", "nmap", f"nping --udp -g 40000 -c 1 -p {PORT} --data-string MESSAGE HOST", NPING_UDP),
    Tool("udp", "hping3", "hping3", f"hping3 -n -2 -c 1 -p {PORT} -d {len(MESSAGE)} HOST", HPING),
    Tool("udp", "irtt", "irtt", f"irtt client -i 100ms -d 500ms --timeouts=2s --wait=500ms HOST:{PORT}", IRTT,
         server=f"irtt server -b HOST:{PORT}"),
)
