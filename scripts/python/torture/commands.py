"""Bad command lines, and bad standard inputs."""

import random
import re

from lab.case import PROGRAMS, Case
from lab.harness import Ended
from lab.protocol import ACK, LARGEST, REPLY

LAST_WORDS = {"-h", "--help", "-V", "--version"}

# Values, by what --help calls them. TEXT and FILE may be anything, and so are never bad.
GOOD = {"ADDR": ("127.0.0.1:0", ":0", "[::1]:0"), "DUR": ("500ms", "2s", "1h", "7"), "N": ("1", "50"),
        "PORT": ("0", "6666"), "TEXT": ("", "x" * 5000, "中文", b"\xff\xfe", "-", "\x1b[2J", "\n"),
        "VERDICT": ("ok", "refused", "no-reply"), "PERCENT": ("0", "1.5", "100%"),
        "FILE": ("figures.prom",), "NAME": ("lo",)}
BAD = {"ADDR": ("", "127.0.0.1:65536", "[::1", "1.2.3.4:x", "::1]:7", b"\xff\xfe:7", "127.0.0.1:-1", " "),
       "DUR": ("", "-1", "1 fortnight", "1e400s", "NaN", "9" * 40 + "h", "1ss", b"\xff", "."),
       "N": ("", "-1", "x", "1.5", "9" * 30, b"\xff", "0x10", " 1"),
       "PORT": ("", "-1", "65536", "http", "9" * 30, b"\xff", "1.0"),
       "VERDICT": ("", "OK", "no_reply", "ok,closed", "ok,", "9" * 30, b"\xff", " ok"),
       "PERCENT": ("", "-1", "101", "x", "1e1", b"\xff", "%"), "NAME": ("x" * 16, b"\xff" * 99)}


def commands(case: Case) -> None:
    """Bad command lines, and bad standard inputs.

    A bad command line ends without panic or hang, with exit status 2 and a line
    that says why. A bad input is answered line by line.
    """
    for n in range(case.figure(300, 60)):
        program = PROGRAMS[n % len(PROGRAMS)]
        words = bad_words(case.random, options(case.help(program)), program)
        ended = case.client(program, *words, seconds=5)
        expected = (0, 2) if LAST_WORDS & set(words) else (2,)
        case.check(ended.status in expected and ended.is_quiet, f"{program} {words!r:.200}: {ended}")
    with case.server("tcp-server") as tcp, case.server("udp-server") as udp:
        for n in range(case.figure(100, 20)):
            text = bad_input(case.random)
            ways = ((feed_prompt, udp), (feed_datagram, udp), (feed_connection, tcp))
            feed, server = ways[n % len(ways)]
            with case.part("standard input"):
                feed(case, "%s:%d" % server.address, text)


def options(text: str) -> list[tuple[str, str | None]]:
    """The options that a --help text names, each with the name of its value if it takes one."""
    lines = re.findall(r"^ +(?:-\w, |-\w$)?(--?[\w-]+)(?:\.\.\.)?(?: <(\w+)>)?", text, re.MULTILINE)
    return [(option, value or None) for option, value in lines]


def bad_words(numbers: random.Random, known: list[tuple[str, str | None]], program: str) -> list[str | bytes]:
    """Random options with good values, and one mistake before or behind them."""
    words: list[str | bytes] = []
    harmless = [option for option in known if option[0] not in LAST_WORDS or numbers.random() < 0.1]
    for option, value in numbers.choices(harmless, k=numbers.randint(0, 4)):
        words += [option] + ([numbers.choice(GOOD[value])] if value else [])
    at = 0 if numbers.random() < 0.5 else len(words)
    words[at:at] = mistake(numbers, known, program)
    return words


def mistake(numbers: random.Random, known: list[tuple[str, str | None]], program: str) -> list[str | bytes]:
    """Words that no program takes, wherever they stand."""
    valued = [(option, value) for option, value in known if value in BAD]
    option, value = numbers.choice(valued)
    flag = numbers.choice([option for option, value in known if not value and option.startswith("--")])
    spare: list[str | bytes] = ["h", "1", "2"] if program.endswith("client") else ["spare"]
    joined = numbers.choice([bad for bad in BAD[value] if isinstance(bad, str)])
    return numbers.choice([
        [option, numbers.choice(BAD[value])], [option, numbers.choice(BAD[value])], [f"{option}={joined}"],
        [f"--{numbers.randbytes(4).hex()}"], ["-Z"], [f"{flag}=yes"], spare, [b"--\xff\xfe"], ["--" + "x" * 100_000],
    ])


def bad_input(numbers: random.Random) -> bytes:
    """Binary lines, long lines, no newline at the end, NULs, empty lines."""
    lines = [
        numbers.choice((
            numbers.randbytes(numbers.randint(1, 2000)).replace(b"\n", b"?"), b"x" * LARGEST, b"x" * (LARGEST + 1),
            b"x" * (LARGEST + 1) + b"\r", bytes(numbers.randint(1, 100)), "中文 \u202e".encode(), b"\xff\xfe\x80", b"",
        ))
        for _ in range(numbers.randint(0, 8))
    ]
    return b"\n".join(lines) + numbers.choice((b"", b"\n", b"\n\n"))


def feed(case: Case, text: bytes, program: str, *arguments: str) -> Ended:
    path = case.scratch / "input"
    path.write_bytes(text)
    with open(path, "rb") as stdin:
        return case.client(program, *arguments, "--timeout", "2s", stdin=stdin)


def feed_prompt(case: Case, target: str, text: bytes) -> None:
    """Each line up to an empty one is a datagram, unless it is too long for one. There has to be one."""
    lines = [line.removesuffix(b"\r") for line in text.split(b"\n")[:-1]] + [text.split(b"\n")[-1]]
    lines = lines[: lines.index(b"")] if b"" in lines else lines
    too_long = sum(len(line) > LARGEST for line in lines)
    ended = feed(case, text, "udp-client", target)
    failed, status = (too_long, bool(too_long)) if lines else (1, 2)
    ok = ended.output == (REPLY + b"\n") * (len(lines) - too_long) and ended.errors.count(b"\n") == failed
    case.check(ok and ended.status == status, f"{len(lines)} lines, {too_long} too long: {ended!r:.300}")


def feed_datagram(case: Case, target: str, text: bytes) -> None:
    ended = feed(case, text, "udp-client", target, "--message", "-")
    fits = len(text) <= LARGEST
    ok = (ended.status, ended.output) == ((0, REPLY + b"\n") if fits else (2, b""))
    case.check(ok and ended.is_quiet, f"{len(text)} bytes in a datagram: {ended}")


def feed_connection(case: Case, target: str, text: bytes) -> None:
    ended = feed(case, text, "tcp-client", target, "--message", "-")
    ok = (ended.status, ended.output) == (0, ACK + b"\n") or (not text and ended.status in (0, 1, 2))
    case.check(ok and ended.is_quiet, f"{len(text)} bytes through a connection: {ended}")
