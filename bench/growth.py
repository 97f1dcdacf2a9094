"""What a record costs at the beginning, and what it costs when there are a million."""

import os
import resource
import statistics
from pathlib import Path

import psycopg

from bench import floor, program, reading
from bench.records import lines
from bench.table import Wait, rate

LITTLE, CLAIMS = 10_000, 500
HEAVY, HEAVY_MEDIAN = 200_000, 500
"""Records of a file of 500 MB, and the characters of half their answers."""


def grow(records: int, folder: Path) -> None:
    """Import `records`, and print the same work before and after."""
    _imported(folder, LITTLE, 1)  # what is read and compiled once
    first, first_claim = statistics.median(_imported(folder, LITTLE, seed) for seed in (2, 3, 4)), _claims()
    whole = _imported(folder, records, 5)
    _settle()
    last, last_claim = statistics.median(_imported(folder, LITTLE, seed) for seed in (6, 7, 8)), _claims()
    print(f"{records:,} in one file: {whole:,.0f} a second; {_peak()}")
    heavy = _imported(folder, HEAVY, 10, median=HEAVY_MEDIAN)
    print(f"{HEAVY:,} in a file of 500 MB: {heavy:,.0f} a second; {_peak()}")
    print(_compared("import", first, last))
    print(_compared("claim", first_claim, last_claim))
    print(
        f"search pass {reading.search_pass():,.0f}, near-duplicate pass {reading.near_duplicate_pass():,.0f} a second"
    )
    program.approve_everything(program.reviewer("mei"))
    _settle()
    _print_exports(folder)
    for wait in (
        Wait("list page of 100", reading.list_pages(), 100),
        Wait("two characters", reading.searches(), 1000),
        Wait("list of a takedown", reading.takedowns(), 5000),
        Wait("dashboard", reading.dashboards(), 300),
    ):
        print(wait)
    print(_peak())


def _settle() -> None:
    """Have PostgreSQL tidy up what came in: else what it does behind is measured along with what follows."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _imported(folder: Path, number: int, seed: int, **shape: int) -> float:
    path = folder / "growing.jsonl"
    with path.open("wb") as file:
        file.writelines(lines(number, seed, **shape))
    return number / program.ingest(path)


def _claims() -> float:
    """Return how many claims are made a second by one who decides on each record before the next."""
    lin = program.reviewer("lin")
    return rate(lambda: program.claim(lin), CLAIMS, then=program.approve)


def _print_exports(folder: Path) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        path = folder / "some.jsonl"
        with path.open("wb") as file:
            file.writelines(lines(10 * LITTLE, 9))
        with path.open("rb") as file:
            floor.copy_in(connection, floor.prepare(file))
        bare = 10 * LITTLE / floor.copy_out(connection, folder / "floor.jsonl")
    seconds, records = program.build("v0.9")
    first, streamed, sent = program.stream()
    print(f"{records:,} records: release files {records / seconds / bare:.2f} of bare COPY,", end=" ")
    print(f"live stream {sent / streamed / bare:.2f}, its first byte after {1000 * first:,.0f} ms")


def _compared(work: str, first: float, last: float) -> str:
    return f"{work} a second: {first:,.0f} at first, {last:,.0f} at last: {last / first:.2f} of it"


def _peak() -> str:
    own, beside = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return f"largest memory of this process: {own:,.0f} MiB, of one beside it: {beside:,.0f} MiB"
