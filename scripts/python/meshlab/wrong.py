"""Files that mesh-plan refuses: a line, and what is said of it."""

from typing import Iterator, NamedTuple

FLEET = b"a r1 d1\nb=10.0.0.2 r1 d1\nc r2\nd\n"
POLICY = b"* * udp/6666 ok\n"

NAME, ADDRESS = "this is no name of a host: ", "this is no address: "
PLACE, ODD = "this is no name of a rack or a datacentre: ", "a character that no name has: "
LONG = "a word of more than 240 characters: "
SERVICE, PORT, VERDICT = "this is no service: ", "this is no port: ", "this is no verdict: "
PATTERN, NOBODY, WORDS = "this is no pattern of names: ", "nobody in ", "it is FROM TO SERVICE EXPECT"

LINES_OF_FLEET = (
    ("a b c d", "more than a host, a rack and a datacentre"), ("a", "a is here a second time"),
    ("e=a", "e has the address of a: a"), ("e=10.0.0.2", "e has the address of b: 10.0.0.2"),
    ("e:6666", NAME + "e:6666"), ("cafe:6666", NAME + "cafe:6666"), ("[::1]", NAME + "[::1]"), ("=1.2.3.4", NAME),
    ("-e", NAME + "-e"), (".e", NAME + ".e"), ("..", NAME + ".."), ("../e", NAME + "../e"), ("e/f", NAME + "e/f"),
    ("e*", NAME + "e*"), ("(e", NAME + "(e"), ("e$", NAME + "e$"), ("e\\", NAME + "e\\"), ("e;f", NAME + "e;f"),
    ("`e`", NAME + "`e`"), ("$(e)", NAME + "$(e)"), ("'e'", NAME + "'e'"), ("e|f", NAME + "e|f"),
    ("--all", NAME + "--all"), ("e%eth0", NAME + "e%eth0"), ("policy:*", NAME + "policy:*"), ("e#f", NAME + "e#f"),
    ("e=", ADDRESS), ("e=-1", ADDRESS + "-1"), ("e=f=g", ADDRESS + "f=g"), ("e=1.2.3.4:80", ADDRESS + "1.2.3.4:80"),
    ("e=[::1]", ADDRESS + "[::1]"), ("e=fe80::1%", ADDRESS + "fe80::1%"), ("e=f%eth0", ADDRESS + "f%eth0"),
    ("e=::g", ADDRESS + "::g"), ("e=fe80::1%a/b", ADDRESS + "fe80::1%a/b"), ("e=f,g", ADDRESS + "f,g"),
    ("e r:1", PLACE + "r:1"), ("e -", PLACE + "-"), ("e *", PLACE + "*"), ("e r rack=r", PLACE + "rack=r"),
    ("e r[", PLACE + "r["), ("e r d+", PLACE + "d+"),
    ("e" * 241, LONG + "e" * 57 + "..."), ("e r" + "r" * 100_000, LONG),
    ("\x1b[31me", ODD + "?[31me"), ("e\x00f", ODD + "e?f"), ("\x00", ODD + "?"), ("e\x0bf", ODD + "e?f"),
    ("e\x0cr", ODD + "e?r"), ("e\rr", ODD + "e?r"), ("\x7fe", ODD + "?e"), ("e\x08", ODD + "e?"), ("é", ODD + "??"),
    ("\ufeffe", ODD + "???e"), ("e\u202er", ODD + "e???r"), ("e\x85r", ODD + "e??r"), ("e\r\r", ODD + "e?"),
)
LINES_OF_POLICY = (
    ("*", WORDS), ("* * udp/1", WORDS),
    ("* * udp/1 ok ok", WORDS), ("* * udp/1 ok, refused", WORDS),
    ("* * udp ok", SERVICE + "udp"), ("* * udp/ ok", SERVICE + "udp/"), ("* * udp/0 ok", SERVICE + "udp/0"),
    ("* * udp/080 ok", SERVICE + "udp/080"), ("* * udp/1/2 ok", SERVICE + "udp/1/2"),
    ("* * UDP/1 ok", SERVICE + "UDP/1"), ("* * icmp/1 ok", SERVICE + "icmp/1"), ("* * xudp/1 ok", SERVICE + "xudp/1"),
    ("* * udp/ssh ok", SERVICE + "udp/ssh"), ("* * udp/-1 ok", SERVICE + "udp/-1"),
    ("* * udp/1e3 ok", SERVICE + "udp/1e3"), ("* * 6666 ok", SERVICE + "6666"), ("* * udp/65536 ok", PORT + "65536"),
    ("* * udp/99999 ok", PORT + "99999"), ("* * udp/123456 ok", SERVICE), ("* * udp/1 OK", VERDICT + "OK"),
    ("* * udp/1 ok,", VERDICT), ("* * udp/1 ,ok", VERDICT), ("* * udp/1 -,ok", VERDICT + "-"),
    ("* * udp/1 deny", VERDICT + "deny"), ("* * udp/1 ok,-", VERDICT + "-"), ("* * udp/1 .*", VERDICT + ".*"),
    ("a[bc] * udp/1 ok", PATTERN + "a[bc]"), ("a+ * udp/1 ok", PATTERN + "a+"), ("^a * udp/1 ok", PATTERN + "^a"),
    ("* a$ udp/1 ok", PATTERN + "a$"), ("(a|b) * udp/1 ok", PATTERN + "(a|b)"), ("a\\ * udp/1 ok", PATTERN + "a\\"),
    ("!a * udp/1 ok", PATTERN + "!a"), ("a,b * udp/1 ok", PATTERN + "a,b"), ("* {a} udp/1 ok", PATTERN + "{a}"),
    ("rack: * udp/1 ok", "a pattern is missing: rack:"), ("* dc: udp/1 ok", "a pattern is missing: dc:"),
    ("e * udp/1 ok", NOBODY), ("* e udp/1 ok", NOBODY), ("rack:r3 * udp/1 ok", NOBODY), ("dc:- * udp/1 ok", NOBODY),
    ("rack:- * udp/1 ok", NOBODY), ("host:a * udp/1 ok", NOBODY), ("? a? udp/1 ok", NOBODY),
    ("rack:? * udp/1 ok", NOBODY), ("*a*a* * udp/1 ok", NOBODY), ("*x" * 100 + " * udp/1 ok", NOBODY),
    ("." * 200 + " * udp/1 ok", NOBODY),
    ("* * tcp/22 ok\n* * connect/22 ok", "connect/22 and tcp/22 are the same port"),
    ("a * connect/6666 ok\nb * tcp/6666 -", "tcp/6666 and connect/6666 are the same port"),
    ("*" * 241 + " * udp/1 ok", LONG),
    ("* * udp/1 ok" + ",ok" * 100, LONG), ("*\x1b]0;x\x07 * udp/1 ok", ODD + "*?]0;x? * udp/1 ok"),
    ("a\x00 * udp/1 ok", ODD), ("*\x0c* udp/1 ok", ODD), ("\u202a* * udp/1 ok", ODD), ("* * udp/1\xa0ok", ODD),
    ("* * udp/1 ok\x00", ODD), ("* * udp/1 ok\r\r", ODD),
)


class Wrong(NamedTuple):
    """Files that mesh-plan refuses, and what it says."""

    says: str
    fleet: bytes = FLEET
    policy: bytes = POLICY


def fleets() -> Iterator[Wrong]:
    for line, says in LINES_OF_FLEET:
        for before in (FLEET, b"# all\r\n\n" + FLEET):
            yield Wrong(f"fleet: line {before.count(10) + 1}: {says}", before + line.encode())
    yield Wrong(f"fleet: line 1: {ODD}????(?", b"\xff\xfe\x80\xc3\x28\xf0\n" + FLEET)
    for text in (b"", b"\n", b"# a\n", b"\r\n \t\n#"):
        yield Wrong("fleet: it has no host", text)


def policies() -> Iterator[Wrong]:
    for line, says in LINES_OF_POLICY:
        number = 2 + line.count("\n")
        yield Wrong(f"policy: line {number}: {says}", policy=POLICY + line.encode())
        crlf = line.replace("\n", "\r\n").encode()
        yield Wrong(f"policy: line {number}: {says}", policy=POLICY + crlf + b"\r\n" + POLICY)
    for text in (b"", b"\n\n", b"# * * udp/1 ok", b" \t\r\n"):
        yield Wrong("policy: it has no line", policy=text)
