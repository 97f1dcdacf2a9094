"""Measure the program against what PostgreSQL itself can do, in the same run: only the ratios mean anything.

`python -m bench [--quick] [--records N] [--repeat N]`, on a database of its own.
"""

import argparse
import os
import resource
import sys
import tempfile
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import django
import psycopg

from bench.table import Figure, Wait, median, rate

if TYPE_CHECKING:
    from bench import reviewing

QUICK_RECORDS, FULL_RECORDS = 5_000, 100_000
GROWN = 1_000_000
SHARED = 1000
"""Above the seeds of the rounds: the records that two workers import are others."""
SEALED = 2000
"""Those that are imported beside the sealer."""
SEALS = 20_000
"""Rows of the history to be sealed a second."""
QUICK_CYCLES, FULL_CYCLES = 20, 100
"""Records that each person decides."""
CLAIMS_A_CYCLE = 5
DATABASE = "cqia_bench"


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RECORDS:,} records, once")
    parser.add_argument("--records", type=int, help="how many records instead")
    parser.add_argument("--repeat", type=int, help="how often; the median counts")
    parser.add_argument("--growth", action="store_true", help=f"what work costs when there are {GROWN:,} records")
    options = parser.parse_args()
    records = options.records or (QUICK_RECORDS if options.quick else FULL_RECORDS)
    repeat = options.repeat or (1 if options.quick else 3)
    _own_database()
    with tempfile.TemporaryDirectory(prefix="cqia-bench-") as folder:
        os.environ["CQIA_DATA_DIR"] = folder
        if options.growth:
            _migrate()
            from bench import growth  # noqa: PLC0415  imports models

            growth.grow(options.records or GROWN, Path(folder))
            return 0
        _migrate()
        cycles = QUICK_CYCLES if options.quick else FULL_CYCLES
        rounds = []
        for seed in range(1, repeat + 1):
            rounds.append(_measure(records, cycles, seed, Path(folder)))
            if repeat > 1:
                print("", f"round {seed}", *chain.from_iterable(rounds[-1]), sep="\n", flush=True)
    print(f"{records:,} records, median of {repeat}\n")
    print(f"{'work':<34}{'floor /s':>12}{'program /s':>12}{'ratio':>9}{'reach':>9}")
    for figures in zip(*(figures for figures, _waits in rounds), strict=True):
        print(median(figures))
    print(f"\n{'page':<34}{'p95 ms':>12}{'within':>12}")
    for waits in zip(*(waits for _figures, waits in rounds), strict=True):
        print(sorted(waits, key=lambda wait: wait.milliseconds)[len(waits) // 2])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nlargest memory of this process: {peak:,.0f} MiB")
    return 0


def _own_database() -> None:
    """Point DATABASE_URL at a fresh database on the same server, so that nobody's records are touched."""
    url = os.environ.get("DATABASE_URL")
    if not url:
        sys.exit("DATABASE_URL is not set: run `make bench`, or `python -m cqia_site.embedded python -m bench`.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cqia_site.settings")
    base, _slash, rest = url.rpartition("/")
    _old, question, query = rest.partition("?")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE template0")
    os.environ["DATABASE_URL"] = f"{base}/{DATABASE}{question}{query}"


def _migrate() -> None:
    django.setup()
    from django.core.management import call_command  # noqa: PLC0415  needs the settings of this run

    call_command("migrate", verbosity=0)


def _measure(records: int, cycles: int, seed: int, folder: Path) -> tuple[list[Figure], list[Wait]]:
    from bench import floor, program, reading, reviewing  # noqa: PLC0415  imports models
    from bench.records import lines  # noqa: PLC0415

    path = folder / f"{seed}.jsonl"
    path.write_bytes(b"".join(lines(records, seed)))
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        with path.open("rb") as file:
            rows = floor.prepare(file)
        before = floor.copy_in(connection, rows)
        program_import = records / program.ingest(path)
        floor_import = 2 * records / (before + floor.copy_in(connection, rows))
        floor_signatures = reading.floor_signatures()
        program_signatures, program_index = reading.near_duplicate_pass(), reading.search_pass()
        path.write_bytes(b"".join(lines(2 * records, SHARED + seed)))
        two_workers = 2 * records / program.ingest(path, workers=2)
        floor_claim = rate(floor.claim(connection), CLAIMS_A_CYCLE * cycles)
        lin = program.reviewer("lin")
        program_claim = rate(lambda: program.claim(lin), CLAIMS_A_CYCLE * cycles, then=program.approve)
        connection.execute("VACUUM ANALYZE")  # else what PostgreSQL does behind the imports is measured along with it
        with reviewing.server() as port:
            bare = reviewing.bare(port, cycles)
            one, eight = _review(port, cycles)
            fifty = reviewing.measure(port, 50, cycles // 5, thought=1)
            print(f"with a second of thought: {fifty}")
        path.write_bytes(b"".join(lines(records, SEALED + seed)))
        with program.sealer():
            sealed_import = records / program.ingest(path)
            with reviewing.server() as port:
                sealed_one, sealed_eight = _review(port, cycles)
        program.approve_everything(program.reviewer("mei"))
        sealed = reading.seals()
        before = floor.copy_out(connection, folder / f"floor.{seed}.jsonl")
        written, frozen = program.build(f"v0.1.{seed}")
        first, streamed, sent = program.stream()
        seconds, released = program.export(f"v0.0.{seed}", folder)
        floor_export = 2 * records / (before + floor.copy_out(connection, folder / f"floor.{seed}.after.jsonl"))
        reading.near_duplicate_pass()
        reading.search_pass()  # for what the other imports brought: no page is measured beside a backlog
        connection.execute("VACUUM ANALYZE")
        waits = [Wait("list page of 100", reading.list_pages(), 100), Wait("its number", reading.numbers(), 1000)]
        waits += [Wait("two characters", reading.searches(), 1000)]
        waits += [Wait("list of a takedown", reading.takedowns(), 5000)]
        waits += [Wait("dashboard", reading.dashboards(), 300), Wait("diff of 25,000 characters", reading.diffs(), 300)]
        waits += [Wait("decide and next, 1 user", one.p95, 40), Wait("decide and next, 8 users", eight.p95, 120)]
        waits += [Wait("50 users with 1 s of thought", fifty.p95, 100)]
    figures = [
        Figure("import", floor_import, program_import, 0.25),
        Figure("near-duplicates, behind the import", floor_signatures, program_signatures, 0.7),
        Figure("search index, behind the import", floor_import, program_index, 0.12),
        Figure("import by two workers, of by one", program_import, two_workers, 1.6),
        Figure("import beside the sealer, of alone", program_import, sealed_import, 0.95),
        Figure("decide, 1 user, beside the sealer", one.rate, sealed_one.rate, 0.95),
        Figure("decide, 8 users, beside the sealer", eight.rate, sealed_eight.rate, 0.95),
        Figure("rows of the history sealed", SEALS, sealed, 1.0),
        Figure("claim the next record", floor_claim, program_claim, 0.25),
        Figure("decide and next, 1 user", bare, one.rate, 0.05),
        Figure("decide and next, 8 users", bare, eight.rate, 0.1),
        Figure("release files, hashed and synced", floor_export, frozen / written, 0.6),
        Figure("live stream of records", floor_export, sent / streamed, 0.6),
        Figure("its first byte (1/s, of 300 ms)", 1 / 0.3, 1 / first, 1.0),
        Figure("export_release, whole command", floor_export, released / seconds, 0.3),
    ]
    return figures, waits


def _review(port: int, cycles: int) -> "tuple[reviewing.Cycles, reviewing.Cycles]":
    """Measure deciding and getting the next record, and print the milliseconds that a person waits."""
    from bench import reviewing  # noqa: PLC0415  imports models

    one, eight = reviewing.measure(port, 1, cycles), reviewing.measure(port, 8, cycles)
    print(f"decide and get the next: {one}; {eight}")
    return one, eight


if __name__ == "__main__":
    sys.exit(main())
