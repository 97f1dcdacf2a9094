"""From files to records: reading, checking, counting."""
