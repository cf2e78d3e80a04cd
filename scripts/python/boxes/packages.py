"""The packages deb, rpm and apk: checked, compared, installed and removed again."""

import re
from pathlib import Path
from typing import Iterator

from boxes import contents, exchange, installed
from boxes.apk import Apk
from boxes.contents import DOCUMENTS, UNITS, output, query
from boxes.dist import Dist
from lab.trial import Trial
from lab import harness
from lab.case import PROGRAMS, Case

DPKG = {"dpkg-deb": "dpkg"}
RPM = {"rpm": "rpm"}
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
PATTERNS = ("getthrough_*_{debian}.deb", "getthrough-*.{machine}.rpm", "getthrough-*.{machine}.apk")
SUMMARY = "tell whether TCP and UDP get through between two machines"
HOMEPAGE = "https://getthrough.invalid"
LICENSE = "MIT OR Apache-2.0"
MAINTAINER = "The getthrough authors <authors@getthrough.invalid>"
# A crate in the path of a source file, which a program has for messages of a panic.
CRATE = re.compile(rb"/([a-z][a-z0-9_-]*)-\d+\.\d+\.\d+[^/]*/src/")
STANDARD_LIBRARY = re.compile(r"In it: (.*)")


def trials() -> Iterator[Trial]:
    yield Trial("deb-lintian", deb_lintian, {"lintian": "lintian"})
    yield Trial("packages-described", packages_described, DPKG | RPM)
    yield Trial("packages-same", packages_same, DPKG | RPM)
    yield Trial("packages-notices", packages_notices, DPKG)
    yield Trial("apk-listed", apk_listed)
    yield Trial("deb-arm64", deb_arm64, DPKG | {"qemu-aarch64": "qemu-user"})
    yield from installed.trials()


def deb_lintian(case: Case, dist: Dist) -> None:
    """lintian has nothing to say about Debian's packages but what is overridden with a reason."""
    for debian in ARCHITECTURES.values():
        package = dist.one(f"*_{debian}.deb")
        command = ["lintian", "--allow-root", "--fail-on", "error,warning,info,pedantic", "--display-info",
                   "--pedantic", "--tag-display-limit", "0", str(package)]
        ended = harness.run(command, case.scratch, 120)
        case.check(ended.status == 0, f"{debian}: {'; '.join(ended.output.decode().splitlines()[:5])}")


def packages_described(case: Case, dist: Dist) -> None:
    """What dpkg and rpm show of the packages: names, descriptions, architectures, no dependencies."""
    for machine, debian in ARCHITECTURES.items():
        deb, rpm, _ = packages(dist, machine)
        said = output(["dpkg-deb", "--field", deb]).decode()
        fields = dict(re.findall(r"^(\S+): (.*)$", said, re.MULTILINE))
        version = fields["Version"]
        size = fields.pop("Installed-Size")
        expect(case, deb, fields, {
            "Package": "getthrough", "Version": version, "Architecture": debian, "Section": "net",
            "Priority": "optional", "Maintainer": MAINTAINER, "Homepage": HOMEPAGE, "Description": SUMMARY})
        case.check("\n Four small programs" in said and "\n .\n" in said, f"{deb.name}: no long description: {said}")
        names = ("NAME", "VERSION", "RELEASE", "ARCH", "LICENSE", "URL", "PACKAGER", "BUILDHOST", "SUMMARY")
        expect(case, rpm, {name: query(rpm, f"%{{{name}}}") for name in names}, {
            "NAME": "getthrough", "VERSION": version, "RELEASE": "1", "ARCH": machine, "LICENSE": LICENSE,
            "URL": HOMEPAGE, "PACKAGER": MAINTAINER, "BUILDHOST": "localhost",
            "SUMMARY": SUMMARY[0].upper() + SUMMARY[1:]})
        case.check(query(rpm, "%{DESCRIPTION}").startswith("Four small"), f"{rpm.name}: no long description")
        asked = [line for line in query(rpm, "[%{REQUIRENAME}\\n]").split() if not line.startswith("rpmlib(")]
        case.check(not asked, f"{rpm.name}: requires {asked}")
        checked = harness.run(["rpm", "--checksig", "--nosignature", rpm], case.scratch)
        case.check(checked.status == 0, f"{rpm.name}: {checked.output!r}")
        case.note(f"{debian}: {int(size)} kB installed, {', '.join(sizes(dist, machine))}")


def expect(case: Case, package: Path, fields: dict[str, str], expected: dict[str, str]) -> None:
    for name in {**expected, **fields}:
        case.check(fields.get(name) == expected.get(name),
                   f"{package.name}: {name}: {fields.get(name)}, not {expected.get(name)}")


def sizes(dist: Dist, machine: str) -> Iterator[str]:
    for package in packages(dist, machine):
        yield f"{package.suffix[1:]} {package.stat().st_size // 1000} kB"


def packages(dist: Dist, machine: str) -> list[Path]:
    return [dist.one(pattern.format(machine=machine, debian=ARCHITECTURES[machine])) for pattern in PATTERNS]


def packages_same(case: Case, dist: Dist) -> None:
    """All formats have the same files (apk without units), of root, and the programs are those of dist/bin."""
    for machine in ARCHITECTURES:
        deb, rpm, apk = packages(dist, machine)
        expected = contents.common(deb)
        compare(case, rpm, contents.common(rpm), expected)
        compare(case, apk, contents.common(apk), {n: e for n, e in expected.items() if not n.startswith(UNITS)})
        for name, entry in contents.of(deb).items():
            mode = 0o755 if name.startswith("/usr/bin/") else 0o644
            case.check(entry.owner == "root:root" and entry.mode == mode, f"{deb.name}: {name}: {entry}")
        for program in PROGRAMS:
            made = contents.digest((dist.programs(f"{machine}-musl") / program).read_bytes())
            found = expected.get(f"/usr/bin/{program}")
            case.check(found and found.digest == made, f"{deb.name}: {program} is not that of dist/bin")
        for name in wanted():
            case.check(name in expected, f"{deb.name}: {name} is missing")


def wanted() -> Iterator[str]:
    for program in PROGRAMS:
        yield f"/usr/share/man/man1/{program}.1.gz"
        yield f"/usr/share/bash-completion/completions/{program}"
        yield f"/usr/share/zsh/site-functions/_{program}"
        yield f"/usr/share/fish/vendor_completions.d/{program}.fish"
    for name in ("README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE", "THIRD-PARTY.txt", "docs/verdicts.md"):
        yield f"{DOCUMENTS}/{name}"


def compare(case: Case, package: Path, found: contents.Contents, expected: contents.Contents) -> None:
    for name in sorted({*found, *expected}):
        case.check(found.get(name) == expected.get(name),
                   f"{package.name}: {name}: {found.get(name)}, not {expected.get(name)}")


def packages_notices(case: Case, dist: Dist) -> None:
    """The notices name each crate whose traces are in the programs, and musl, Rust's library, libunwind."""
    deb = dist.one("*_amd64.deb")
    output(["dpkg-deb", "--extract", deb, case.scratch / "deb"])
    notices = (case.scratch / "deb" / DOCUMENTS[1:] / "THIRD-PARTY.txt").read_text().splitlines()
    named = {line.split(" ")[0] for line in notices}
    for line in notices:
        if inside := STANDARD_LIBRARY.fullmatch(line):
            named.update(inside[1].split(", "))
    traces: set[str] = set()
    for program in PROGRAMS:
        content = (case.scratch / "deb/usr/bin" / program).read_bytes()
        traces.update(name.decode() for name in CRATE.findall(content))
    case.check(len(traces) >= 5, f"traces of {len(traces)} crates only")
    for crate in sorted(traces):
        case.check(crate in named, f"no notice of {crate}")
    for other in ("musl", "Rust's standard library", "LLVM's libunwind", "Zig's compiler-rt"):
        case.check(other in notices, f"no notice of {other}")
    case.note(f"traces of {len(traces)} crates")


def apk_listed(case: Case, dist: Dist) -> None:
    """Alpine's packages are what apk expects: fields, hashes, no scripts, no units."""
    for machine in ARCHITECTURES:
        path = dist.one(f"*.{machine}.apk")
        apk = Apk(path)
        fields = apk.fields
        version, size = fields["pkgver"], sum(len(content) for content in apk.files.values())
        case.check(path.name == f"getthrough-{version}.{machine}.apk", f"{path.name}: version {version}")
        expect(case, path, fields, {
            "pkgname": "getthrough", "pkgver": version, "arch": machine, "pkgdesc": SUMMARY, "url": HOMEPAGE,
            "maintainer": MAINTAINER, "size": str(size), "license": LICENSE, "datahash": apk.data_hash})
        case.check(not apk.scripts, f"{path.name}: has {apk.scripts}")
        case.check(not apk.wrong_sums(), f"{path.name}: checksums of {apk.wrong_sums()}")
        units = [name for name in apk.files if "systemd" in name]
        case.check(not units, f"{path.name}: has {units}")


def deb_arm64(case: Case, dist: Dist) -> None:
    """The programs of the package for arm64 exchange messages on an emulated processor."""
    tree = case.scratch / "arm64"
    output(["dpkg-deb", "--extract", dist.one("*_arm64.deb"), tree])
    exchange.of_both(case, lambda program, *words: ["qemu-aarch64", tree / "usr/bin" / program, *words])
