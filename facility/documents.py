"""YAML that people write: read with the line of every key, so that each mistake can be told with its place.

Only `true`, `false`, `null` and plain numbers are special. `no`, `on`, `1:30` and dates stay text: an engineer who
names a department `NO` or writes 10:20 gets what stands there, not what YAML 1.1 made of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from facility.errors import Problem
from facility.names import CannotStand
from facility.wording import nearest, nearest_zh, quoted_zh

T = TypeVar("T")

KeyPath = tuple[str | int, ...]

# A site file of a large hospital is well under a megabyte; more is a mistake, or somebody's attack.
MAX_FILE_BYTES = 16 * 1024 * 1024
_MAX_DEPTH = 40
# Aliases may repeat a node; a few lines of them could otherwise unfold into billions.
_MAX_NODES = 1_000_000


# The parser in C where PyYAML has it: the class library is read at every start, and it is ten times as fast.
_Parser: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class _Loader(_Parser):  # type: ignore[misc]
    """SafeLoader with the few implicit types that our files have."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own way


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:null|~|)$"), ["n", "~", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{t}" for t in ("map", "seq", "str", "int", "float", "bool", "null"))


@dataclass(slots=True)
class Document:
    """A parsed YAML file: plain data, and the line on which each key path stands."""

    file: str
    data: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    nodes: int = 0  # how many values were read, counting each use of an alias

    def line(self, path: KeyPath) -> int:
        """Return the line of `path`, or of its nearest parent that has one."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return 0

    def problem(self, path: KeyPath, message: str, zh: str = "") -> Problem:
        """Make a problem that stands at `path`; `zh` is the message in Chinese, where a page may show it."""
        return Problem(self.file, self.line(path), place_of(path, self.data), message, zh)


_NAMING_KEYS = ("id", "task", "topic", "fault", "from")


def place_of(path: KeyPath, data: Any = None) -> str:
    """
    Write a key path as a person reads it: `equipment[2] 'tx1'.rating.power`.

    A list item that has an `id`, `task`, `topic` or `fault` is called by it as well as by its number (counted from 1).
    """
    words, here = "", data
    for step in path:
        if isinstance(step, int):
            words += f"[{step + 1}]"
            here = here[step] if isinstance(here, list) and 0 <= step < len(here) else None
            if isinstance(here, dict):
                name = next((here[k] for k in _NAMING_KEYS if isinstance(here.get(k), str)), None)
                words += f" '{name}'" if name else ""
        else:
            words += f".{step}" if words else str(step)
            here = here.get(step) if isinstance(here, dict) else None
    return words


def read_document(path: Path) -> Document:
    """
    Read one YAML file. Never raises for what stands in the file: problems are in the result.

    A file that is missing, unreadable, too large, not UTF-8 or not YAML gives a document with data None.
    """
    name = str(path)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            return _failed(
                name, 0, f"the file is larger than {MAX_FILE_BYTES >> 20} MiB; split it, or check what it is"
            )
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        return _failed(
            name,
            0,
            f"byte {error.start} is not UTF-8; save the file as UTF-8 (Windows Notepad: Save as, encoding UTF-8)",
        )
    except OSError as error:
        return _failed(name, 0, f"the file cannot be read ({error.strerror}); check its name and rights")
    return parse_document(text, name)


def _failed(file: str, line: int, message: str) -> Document:
    return Document(file, None, {}, [Problem(file, line, "", message)])


def parse_document(text: str, file: str) -> Document:
    """Parse YAML text; `file` is the name that problems carry."""
    loader = None
    try:
        _refuse_depth(text)
        loader = _Loader(text)
        node = loader.get_single_node()
        document = Document(file, None)
        if node is None:
            document.problems.append(
                Problem(file, 0, "", "the file is empty; see examples/small/site.yaml for a start")
            )
            return document
        document.data = _build(node, (), document, loader, 0)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        why = " ".join(part for part in (error.context, error.problem) if part)
        return _failed(file, line, f"this is not YAML: {why}; check the indentation, colons and quotes near this line")
    except yaml.reader.ReaderError as error:
        position = error.position or 0
        line = text.encode()[:position].count(b"\n") + 1
        return _failed(file, line, "this is not YAML: a control character stands here; delete it")
    except (yaml.YAMLError, ValueError) as error:
        return _failed(file, 0, f"this is not YAML: {error}; check for stray control characters")
    except RecursionError:
        return _failed(
            file, 0, "the file unfolds too deep or too far to be read; check its brackets and its aliases (&, *)"
        )
    finally:
        if loader is not None:
            loader.dispose()
    return document


def _refuse_depth(text: str) -> None:
    """Raise RecursionError for text that is nested beyond reason, before anything recurses into it."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise RecursionError
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _build(node: yaml.Node, path: KeyPath, document: Document, loader: _Loader, depth: int) -> Any:
    document.nodes += 1
    if depth > _MAX_DEPTH or document.nodes > _MAX_NODES:
        raise RecursionError
    document.lines.setdefault(path, node.start_mark.line + 1)
    if node.tag not in _PLAIN_TAGS:
        told = f"tag {node.tag!r} is not allowed; write plain text, a number, a list or a mapping"
        document.problems.append(document.problem(path, told))
        return None
    if isinstance(node, yaml.MappingNode):
        result: dict[str | int, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                document.problems.append(
                    Problem(document.file, line, place_of(path), "a key must be plain text, not a list or a mapping")
                )
                continue
            key: str | int = key_node.value
            if key_node.tag == "tag:yaml.org,2002:int":
                key = int(key_node.value)
            here = (*path, key)
            if key in result:
                document.problems.append(
                    Problem(
                        document.file, line, place_of(here),
                        f"{key!r} stands here a second time; the first is on line {document.lines[here]}: keep one",
                    )
                )  # fmt: skip
                continue
            document.lines[here] = line
            result[key] = _build(value_node, here, document, loader, depth + 1)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, i), document, loader, depth + 1) for i, item in enumerate(node.value)]
    return loader.construct_object(node)


def validate(adapter: TypeAdapter[Any], data: Any, document: Document, path: KeyPath) -> tuple[Any, list[Problem]]:
    """
    Check `data`, which stands at `path` of `document`, against a pydantic type; return the value or all problems.
    """
    try:
        return adapter.validate_python(data), []
    except ValidationError as error:
        told = [_told(e, adapter, data, document, path) for e in error.errors()]
        # A value that may be one of several things is refused once for each of them; a person made one mistake.
        first_at: dict[str, Problem] = {}
        for problem in told:
            first_at.setdefault(problem.place, problem)
        return None, list(first_at.values())


class Checked(NamedTuple, Generic[T]):
    """A file that was read and checked: its value, None if it cannot be read as one, and every problem of it."""

    document: Document
    value: T | None
    problems: list[Problem]


def read_checked(path: Path, adapter: TypeAdapter[T]) -> Checked[T]:
    """Read one file and check it against a pydantic type; never raises for what stands in it."""
    document = read_document(path)
    problems = list(document.problems)
    value: T | None = None
    if document.data is not None:
        value, found = validate(adapter, document.data, document, ())
        problems += found
    return Checked(document, value, problems)


def read_folder(folder: Path, adapter: TypeAdapter[T]) -> Iterator[Checked[T]]:
    """Read and check each `*.yaml` of a folder as `read_checked` does, in the order of their names."""
    for file in sorted(folder.glob("*.yaml")):
        yield read_checked(file, adapter)


def _told(error: Any, adapter: TypeAdapter[Any], data: Any, document: Document, path: KeyPath) -> Problem:
    steps = tuple(s for s in error["loc"] if not _is_union_tag(s))
    here = (*path, *steps)
    kind, value = error["type"], error.get("input")
    shown = repr(value) if isinstance(value, str | int | float | bool) else f"a {_yaml_word(value)}"
    if len(shown) > 80:
        shown = shown[:77] + "..."
    zh_shown = quoted_zh(shown.strip("'\"")) if isinstance(value, str | int | float | bool) else _zh_word(value)
    if kind == "extra_forbidden":
        keys = _keys_at(adapter, steps[:-1])
        message = f"key {str(steps[-1])!r} is not known here{nearest(str(steps[-1]), keys)}"
        zh = f"此处没有名为{quoted_zh(steps[-1])}的项{nearest_zh(str(steps[-1]), keys)}"
    elif kind == "missing":
        message = f"{str(steps[-1])!r} is missing; add it"
        zh = f"缺少{quoted_zh(steps[-1])}；请补上"
    elif kind in ("literal_error", "enum"):
        expected = re.findall(r"'([^']*)'", str(error["ctx"].get("expected", "")))
        message = f"{shown} is not one of the words known here{nearest(str(value), expected)}"
        zh = f"{zh_shown}不是此处可用的词{nearest_zh(str(value), expected)}"
    elif kind == "value_error":
        own = error["ctx"]["error"]
        message, zh = str(own), own.words.zh if isinstance(own, CannotStand) else ""
    elif kind in ("model_type", "dict_type", "model_attributes_type"):
        message = f"{shown} stands where a mapping `key: value` belongs"
        zh = f"此处应为“键：值”的映射，而不是{zh_shown}"
    elif kind in ("list_type", "tuple_type"):
        message = f"{shown} stands where a list `[...]` belongs"
        zh = f"此处应为列表，而不是{zh_shown}"
    elif kind == "string_type":
        message = f"{shown} stands where text belongs; put it in quotes if it is meant as text"
        zh = f"此处应为文字，而不是{zh_shown}；若确为文字，请加引号"
    elif kind in ("float_parsing", "float_type", "int_parsing", "int_type"):
        message, zh = f"{shown} stands where a number belongs", f"此处应为数字，而不是{zh_shown}"
    elif kind in ("bool_type", "bool_parsing"):
        message, zh = f"{shown} stands where true or false belongs", f"此处应为 true 或 false，而不是{zh_shown}"
    elif kind.startswith(("date_", "datetime_")):
        message = f"{shown} is not a date; write it as 2026-03-02"
        zh = f"{zh_shown}不是日期；请写成 2026-03-02"
    else:
        message = f"{shown}: {error['msg'][:1].lower()}{error['msg'][1:]}"
        least = error.get("ctx", {}).get("min_length")
        zh = f"{zh_shown}太短；至少填写 {least} 个字" if least else f"{zh_shown}不合要求；请更正"
    return document.problem(here, message, zh)


def _is_union_tag(step: str | int) -> bool:
    # pydantic names the member of a union in the path; a person did not write it.
    if step in ("float", "int", "str", "bool"):
        return True
    return isinstance(step, str) and (
        step.startswith(("function-", "tagged-union", "list[", "dict[", "tuple[")) or "(" in step
    )


def _yaml_word(value: Any) -> str:
    return "list" if isinstance(value, list) else "mapping" if isinstance(value, dict) else "missing value"


def _zh_word(value: Any) -> str:
    return "列表" if isinstance(value, list) else "映射" if isinstance(value, dict) else "空值"


def _keys_at(adapter: TypeAdapter[Any], steps: Sequence[str | int]) -> list[str]:
    """Return the keys that the schema allows at a path, by walking its JSON schema."""
    schema = adapter.json_schema(mode="validation")
    definitions = schema.get("$defs", {})

    def resolve(node: dict[str, Any]) -> list[dict[str, Any]]:
        if "$ref" in node:
            return resolve(definitions[node["$ref"].rsplit("/", 1)[-1]])
        found = [node]
        for option in (*node.get("anyOf", ()), *node.get("allOf", ()), *node.get("oneOf", ())):
            found += resolve(option)
        return found

    nodes = resolve(schema)
    for step in steps:
        below: list[dict[str, Any]] = []
        for node in nodes:
            if isinstance(step, int) and isinstance(node.get("items"), dict):
                below += resolve(node["items"])
            elif isinstance(step, str) and step in node.get("properties", {}):
                below += resolve(node["properties"][step])
            elif isinstance(node.get("additionalProperties"), dict):
                below += resolve(node["additionalProperties"])
        nodes = below
    return [key for node in nodes for key in node.get("properties", {})]
