"""Imports go down only: held by the contracts of import-linter in pyproject.toml, and looked at here too."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("facility", "collector", "analytics", "simulators", "dashboards", "api")


def top_level_imports(package):
    """Return the first word of every absolute import in a package's modules."""
    found = set()
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize(
    ("package", "never"),
    [
        ("facility", {"collector", "analytics", "simulators", "dashboards", "api", "paho", "fastapi"}),
        ("collector", {"analytics", "simulators", "dashboards", "api", "fastapi"}),
        ("analytics", {"collector", "simulators", "dashboards", "api", "paho", "fastapi", "duckdb"}),
        ("simulators", {"collector", "analytics", "dashboards", "api", "fastapi", "duckdb"}),
        ("dashboards", {"collector", "analytics", "simulators", "api"}),
    ],
)
def test_a_floor_never_imports_the_one_above_or_beside_it(package, never):
    assert top_level_imports(package) & never == set()


def test_the_linter_agrees():
    linter = Path(sys.executable).parent / "lint-imports"
    result = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_the_readme_maps_every_floor_of_the_house():
    for readme in ("README.md", "README.zh-CN.md"):
        text = (ROOT / readme).read_text(encoding="utf-8")
        assert [p for p in OURS if f"{p}/" not in text] == []
