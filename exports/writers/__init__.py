"""The forms in which a release is written: one module a form, each with one `Writer`. Plain Python."""

from exports.writers import alpaca, cqia, messages, parquet, sharegpt
from exports.writers.form import Form, Writer

__all__ = ["COMPRESSIONS", "WRITERS", "Form", "Writer"]

WRITERS: dict[str, Writer] = {
    module.WRITER.name: module.WRITER for module in (cqia, alpaca, sharegpt, messages, parquet)
}

COMPRESSIONS = {"gzip": ".gz", "zstd": ".zst"}
"""How files of lines may be compressed, and what their names end with then. Parquet compresses inside."""
