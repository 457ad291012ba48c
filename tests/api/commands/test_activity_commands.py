"""`wardwatt energy activity ...`, as a person at the terminal meets it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.commands.energy_activity import app
from api.security import audit
from facility.database import Database

SITE = str(Path(__file__).parents[3] / "examples" / "small" / "site.yaml")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    database = Database(f"sqlite:///{tmp_path / 'wardwatt.db'}")
    database.upgrade()
    database.close()
    return tmp_path


def run(data: Path, *words: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, [*words, "--site", SITE, "--data", str(data)])
    return found.exit_code, found.output


def table(data: Path, *rows: str) -> str:
    file = data / "activity.csv"
    file.write_text("\n".join(["kind,department,day,value", *rows]), encoding="utf-8")
    return str(file)


def test_a_table_is_taken_once_shown_by_month_and_written_to_the_audit_trail(data: Path) -> None:
    file = table(data, "bed_days,,2026-03-01,712", "bed_days,,2026-03-02,718")
    assert run(data, "import", file) == (0, "2 figures were new or different and have been taken.\n")
    assert run(data, "import", file) == (0, "Nothing new stood there.\n")
    code, told = run(data, "show", "--month", "2026-03", "--json")
    assert code == 0
    assert json.loads(told)["bed_days"] == {"value": 1430.0, "unit": "bed·d", "days": 31, "known": 2}
    assert json.loads(told)["visits"]["value"] is None
    database = Database(f"sqlite:///{data / 'wardwatt.db'}")
    assert [e.action for e in audit.entries(database)].count("activity-imported") == 1
    database.close()


def test_the_running_month_is_shown_without_being_asked_for(data: Path) -> None:
    file = table(data, f"visits,,{time.strftime('%Y-%m')},90000")
    run(data, "import", file)
    code, told = run(data, "show")
    assert code == 0
    assert "90,000" in told


def test_a_table_with_mistakes_tells_all_of_them(data: Path) -> None:
    code, told = run(data, "import", table(data, "beds,,2026-03-01,712", "visits,,2026-03-02,many"))
    assert code == 2
    assert "row 2, kind: 'beds': write one of bed_days" in told
    assert "row 3, value: 'many': write a number" in told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("show", "--month", "March"), "'March' is no month; write it such as 2026-03"),
        (("show", "--department", "nobody"), "no department is called 'nobody'"),
        (("import", "absent.csv"), "the file is not there"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(data: Path, words: tuple[str, ...], message: str) -> None:
    code, told = run(data, *words)
    assert code != 0
    assert message in told


def test_a_folder_without_a_service_is_no_new_record(tmp_path: Path) -> None:
    code, told = run(tmp_path, "show")
    assert code == 2
    assert "name the service's data folder" in told
