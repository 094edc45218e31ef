"""Write docs/announcement.schema.json from the types in `models.announcement`.

    python -m tools.announcement_schema docs/announcement.schema.json

A test says when the file is out of date.
"""

import json
import sys
from pathlib import Path

from models.announcement import schema


def text() -> str:
    """The whole file."""
    return json.dumps(schema(), indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
