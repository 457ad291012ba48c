"""Commands as a new user meets them: help that says something, errors with a mend, JSON for programs."""

import json
import socket

import pytest
import typer
from typer.testing import CliRunner

from api.command import app
from api.options import ROOT
from facility.database import Database

runner = CliRunner(env={"COLUMNS": "200"})
DEMO = str(ROOT / "examples" / "small")
COMMANDS = typer.main.get_command(app)


def run(*arguments, code=0):
    result = runner.invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
    return result


def leaves(command=COMMANDS, path=()):
    """Return every command with the words that lead to it."""
    if hasattr(command, "commands"):
        return [leaf for name, sub in command.commands.items() for leaf in leaves(sub, (*path, name))]
    return [(path, command)]


@pytest.mark.parametrize(("path", "command"), leaves(), ids=lambda x: " ".join(x) if isinstance(x, tuple) else "")
def test_every_command_has_help_for_itself_and_for_each_option(path, command):
    assert command.help
    unhelped = [p.name for p in command.params if not getattr(p, "help", None) and p.name not in ("help", "port")]
    assert unhelped == []
    assert "Usage" in run(*path, "--help").output


def test_every_command_has_its_heading_in_the_documents():
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    groups = {" ".join(path[:1]) if path[0] in ("user", "token", "store") else " ".join(path) for path, _ in leaves()}
    assert [g for g in groups if f"## `wardwatt {g}`" not in text] == []


def test_the_demo_hospital_has_no_mistakes():
    assert "No mistakes." in run("check", DEMO).output
    assert json.loads(run("check", DEMO, "--json").output)["problems"] == []


def test_a_missing_site_file_is_told_without_a_traceback(tmp_path):
    result = run("check", tmp_path / "absent.yaml", code=2)
    assert "the file cannot be read (No such file or directory)" in result.output
    assert "Traceback" not in result.output


def test_a_class_of_ones_own_is_used(tmp_path):
    (tmp_path / "classes").mkdir()
    (tmp_path / "classes" / "fish_tank.yaml").write_text(
        "class: fish_tank\nname: {zh: 鱼缸, en: Fish tank}\nsystem: other\n"
        "points:\n  temperature: {kind: gauge, unit: °C, name: {zh: 水温, en: Temperature}}\n",
        encoding="utf-8",
    )
    (tmp_path / "site.yaml").write_text(
        "site: {id: x, name: {zh: 甲, en: A}}\nequipment:\n  - {id: f1, class: fish_tank}\n", encoding="utf-8"
    )
    assert "'fish_tank' is not in the library" in run("check", tmp_path / "site.yaml", code=2).output
    assert "No mistakes." in run("check", tmp_path / "site.yaml", "--classes", tmp_path / "classes").output


def test_users_and_tokens_are_made_listed_and_taken_away(tmp_path):
    data = ("--data", tmp_path)
    assert "name the service's data folder" in run("user", "list", *data, code=2).output
    Database(f"sqlite:///{tmp_path}/wardwatt.db").upgrade()
    assert "Password: " in run("user", "add", "zhang", "--role", "operator", "--display-name", "电工甲", *data).output
    assert "There is a user 'zhang' already" in run("user", "add", "zhang", *data, code=2).output
    assert "Use one of viewer, operator" in run("user", "add", "li", "--role", "king", *data, code=2).output
    people = json.loads(run("user", "list", "--json", *data).output)
    assert people == [{"name": "zhang", "display_name": "电工甲", "role": "operator", "disabled": False}]
    token = json.loads(run("token", "add", "grafana", "--user", "zhang", "--json", *data).output)
    assert token["token"].startswith("ww_")
    assert token["token"] not in run("token", "list", *data).output
    run("token", "revoke", token["id"], *data)
    assert "revoked" in run("token", "list", *data).output


def test_the_doctor_finds_a_taken_port_and_a_broker_that_is_away(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as closing:
        port, away = taken.getsockname()[1], closing.getsockname()[1]
        closing.close()
        result = runner.invoke(
            app,
            ["doctor", "--site", DEMO, "--data", str(tmp_path / "data"), "--port", str(port), "--broker",
             f"mqtt://127.0.0.1:{away}", "--listen", "0", "--json"],
        )  # fmt: skip
    checks = {c["check"]: c for c in json.loads(result.output)["checks"]}
    assert result.exit_code == 1
    assert checks["site file"]["verdict"] == "well"
    assert checks["web port"]["verdict"] == "cannot tell"
    assert checks["broker"]["verdict"] == "wrong"
    assert checks["broker"]["mend"]
    # Looking changes nothing.
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["simulate", "--site", DEMO, "--on", "EL-F004@tx1"], "EL-F04"),
        (["simulate", "--site", DEMO, "--on", "EL-F04@tx1=lots"], "'lots' is no severity"),
        (["simulate", "--site", DEMO, "--on", "EL-F04@nothing"], "nothing"),
        (["simulate", "--site", DEMO, "--history", "30x"], "--history '30x' is no duration; write such as 30d"),
        (["simulate", "--site", DEMO, "--history", "400000d"], "too long; write from 15min to 4000d"),
        (["simulate", "--site", DEMO, "--history", "1d", "--step", "2h"], "write from 1s to 1h"),
        (["replay", "absent.csv", "--site", DEMO, "--equipment", "cp2"], "absent.csv"),
        (["replay", "absent.csv", "--site", DEMO, "--equipment", "cp22"], "did you mean"),
        (["replay", "absent.csv", "--site", DEMO, "--equipment", "cp2", "--speed", "warp"], "'warp' is none"),
        (["collect", "--site", DEMO, "--broker", "http://x"], "is no way to a broker"),
        (["evaluate", "absent-folder"], "absent-folder"),
    ],
)
def test_a_mistake_on_the_command_line_is_told_with_its_mend(arguments, told, tmp_path):
    result = runner.invoke(app, [*arguments, *(["--data", str(tmp_path)] if arguments[0] != "evaluate" else [])])
    assert result.exit_code in (2, 3)
    assert told in result.output
    assert "Traceback" not in result.output
