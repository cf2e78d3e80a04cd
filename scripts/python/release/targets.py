"""What a release has programs for: the kinds."""

from typing import NamedTuple

# The oldest glibc that the dynamic programs run with: that of RHEL 8 and Debian 10.
FLOOR = (2, 28)


class Kind(NamedTuple):
    """A machine and a C library: `x86_64-musl`. The directory in dist/bin has this name."""

    machine: str
    libc: str

    @property
    def name(self) -> str:
        return f"{self.machine}-{self.libc}"

    @property
    def is_static(self) -> bool:
        """Programs with musl have all that they need in their file."""
        return self.libc == "musl"

    @property
    def triple(self) -> str:
        """Rust's name of the target."""
        return f"{self.machine}-unknown-linux-{self.libc}"

    @property
    def linked_for(self) -> str:
        """The target for cargo-zigbuild, which takes the oldest glibc with it."""
        return self.triple if self.is_static else f"{self.triple}.{FLOOR[0]}.{FLOOR[1]}"


KINDS = {kind.name: kind for kind in (
    Kind("x86_64", "musl"), Kind("aarch64", "musl"), Kind("x86_64", "gnu"), Kind("aarch64", "gnu"),
)}
