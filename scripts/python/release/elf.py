"""What a program's file says of itself: what the loader needs, and whether it is stripped. See elf(5)."""

import struct
from pathlib import Path
from typing import NamedTuple

MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little endian: all that is built here
MACHINES = {62: "x86_64", 183: "aarch64"}
DYNAMIC_TYPE = 3  # of the file: it may lie at any address
LOAD, DYNAMIC, INTERPRETER = 1, 2, 3  # types of segments
SYMBOLS = 2  # a type of section: what `strip` takes away
END, NEEDED, STRINGS, VERSIONS, VERSION_COUNT = 0, 1, 5, 0x6FFFFFFE, 0x6FFFFFFF  # tags of the dynamic section

HEADER = struct.Struct("<16x2HI3QI6H")
SEGMENT = struct.Struct("<2I6Q")
SECTION = struct.Struct("<2I4Q2I2Q")
ENTRY = struct.Struct("<qQ")
NEED = struct.Struct("<2H3I")
VERSION = struct.Struct("<I2H2I")


class Program(NamedTuple):
    """What is of interest here."""

    machine: str
    moves: bool  # position-independent: it may lie at any address
    interpreter: str | None
    needed: list[str]
    versions: list[str]  # of the symbols that it takes from libraries: GLIBC_2.28
    is_stripped: bool


def read(path: Path) -> Program:
    data = path.read_bytes()
    if not data.startswith(MAGIC):
        raise ValueError(f"{path}: not an ELF file of 64 bits")
    (kind, machine, _, _, segments_at, sections_at, _, _, _, segment_count, _, section_count,
     _) = HEADER.unpack_from(data)
    segments = [SEGMENT.unpack_from(data, segments_at + n * SEGMENT.size) for n in range(segment_count)]
    sections = [SECTION.unpack_from(data, sections_at + n * SECTION.size) for n in range(section_count)]
    interpreter = next((text(data, offset) for of, _, offset, *_ in segments if of == INTERPRETER), None)
    entries = dynamic(data, segments)
    strings = offset_of(segments, first(entries, STRINGS))
    return Program(
        machine=MACHINES.get(machine, str(machine)),
        moves=kind == DYNAMIC_TYPE,
        interpreter=interpreter,
        needed=[text(data, strings + value) for tag, value in entries if tag == NEEDED],
        versions=versions(data, segments, entries, strings),
        is_stripped=not any(section[1] == SYMBOLS for section in sections),
    )


def dynamic(data: bytes, segments: list[tuple[int, ...]]) -> list[tuple[int, int]]:
    for kind, _, offset, _, _, size, *_ in segments:
        if kind == DYNAMIC:
            found = list(ENTRY.iter_unpack(data[offset : offset + size // ENTRY.size * ENTRY.size]))
            return found[: next((n for n, (tag, _) in enumerate(found) if tag == END), len(found))]
    return []


def first(entries: list[tuple[int, int]], wanted: int) -> int:
    return next((value for tag, value in entries if tag == wanted), 0)


def offset_of(segments: list[tuple[int, ...]], address: int) -> int:
    """Where in the file the byte is that is loaded to this address."""
    for kind, _, offset, begin, _, size, *_ in segments:
        if kind == LOAD and begin <= address < begin + size:
            return offset + address - begin
    return 0


def versions(data: bytes, segments: list[tuple[int, ...]], entries: list[tuple[int, int]], strings: int) -> list[str]:
    """From each library's list of versions, which is a chain of offsets."""
    found = []
    at = offset_of(segments, first(entries, VERSIONS))
    for _ in range(first(entries, VERSION_COUNT)):
        _, count, _, inner, following = NEED.unpack_from(data, at)
        of = at + inner
        for _ in range(count):
            _, _, _, name, step = VERSION.unpack_from(data, of)
            found.append(text(data, strings + name))
            of += step
        at += following
    return found


def text(data: bytes, at: int) -> str:
    return data[at : data.index(b"\0", at)].decode()
