"""Writes the dashboards' JSON: `python -m dashboards.generate`. The tests hold the files to the code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.energy_accounts import energy_accounts
from dashboards.plant_overview import plant_overview
from facility.equipment_classes import ClassLibrary, load_library
from facility.names import LANGUAGES

FOLDER: Final = Path(__file__).parent / "generated"


def generated(library: ClassLibrary) -> dict[str, str]:
    """Return every dashboard's JSON text by file name."""
    boards = {
        f"{name}.{language}.json": board(library, language).build()
        for name, board in (("plant-overview", plant_overview), ("energy-accounts", energy_accounts))
        for language in LANGUAGES
    }
    return {
        name: json.dumps(board, cls=JSONEncoder, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        for name, board in boards.items()
    }


def main() -> None:
    """Write all dashboards into the folder, and take away what no code makes any more."""
    FOLDER.mkdir(exist_ok=True)
    texts = generated(load_library())
    for stale in set(FOLDER.glob("*.json")) - {FOLDER / name for name in texts}:
        stale.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
