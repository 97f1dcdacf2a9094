"""Made-up records in the shape of real ones: the same ones for the same seed.

Characters follow the frequencies of the project's own samples; the lengths of answers are log-normal with a median of
300 characters and a tail that ends at 25,000. A text is put together of short stretches of one pool, so that two texts
have next to nothing in common, except that a few in a hundred repeat an earlier answer with another ending.
"""

import json
import math
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

SAMPLES = Path(__file__).parents[1] / "ingest" / "samples"
MEDIAN, SPREAD, LONGEST = 300, 0.9, 25_000
POOL = 2_000_000
STRETCH = 40
ALIKE, REMEMBERED = 0.02, 500


def characters() -> dict[str, int]:
    """Return how often each character occurs in the answers of the samples."""
    counts: Counter[str] = Counter()
    for path in sorted(SAMPLES.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").split("\n"):
            if line:
                counts.update(json.loads(line)["output"])
    return {character: count for character, count in counts.items() if character.isprintable()}


def lines(number: int, seed: int = 1, *, median: int = MEDIAN) -> Iterator[bytes]:
    """Yield `number` nine-field records, each with its line end, as an import file holds them.

    `median` is that of the characters of an answer.
    """
    draw = random.Random(seed)
    frequencies = characters()
    pool = "".join(draw.choices(list(frequencies), list(frequencies.values()), k=POOL))

    def text(length: int) -> str:
        starts = [int(draw.random() * (POOL - STRETCH)) for _stretch in range(-(-length // STRETCH))]
        return "".join([pool[start : start + STRETCH] for start in starts])[:length]

    earlier: list[tuple[str, str]] = []
    for position in range(number):
        length = min(LONGEST, max(20, round(math.exp(draw.gauss(math.log(median), SPREAD)))))
        instruction, output = f"{text(draw.randint(8, 60))}？", f"{text(length)}。"
        if earlier and draw.random() < ALIKE:
            instruction, alike = draw.choice(earlier)
            output = f"{alike[:-2]}{position}。"
        earlier[position % REMEMBERED : position % REMEMBERED + 1] = [(instruction, output)]
        record = {
            "instruction": instruction,
            "input": "",
            "output": output,
            "task_type": {"major": ["问答"], "minor": ["百科问答"]},
            "domain": ["百科", "通用"],
            "metadata": f"qid:{seed}-{position}",
            "answer_from": "human",
            "human_verified": False,
            "copyright": "暂无版权及作者信息",
        }
        yield json.dumps(record, ensure_ascii=False).encode() + b"\n"
