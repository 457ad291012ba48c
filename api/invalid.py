"""Requests with values that are not of the kind that a path takes: which, and what they should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from api.errors import ApiError, shown
from facility.wording import quoted_zh

_MOST_TOLD: Final = 5
# What pydantic calls a mistake, in Chinese; `{}` takes the figures that it gives. English it says itself.
_CHINESE: Final[Mapping[str, str]] = {
    "missing": "没有填写",
    "extra_forbidden": "不是可用的名称",
    "string_type": "应为文字",
    "string_too_long": "最多 {max_length} 个字符",
    "string_too_short": "至少 {min_length} 个字符",
    "int_parsing": "应为整数",
    "int_type": "应为整数",
    "float_parsing": "应为数字",
    "float_type": "应为数字",
    "finite_number": "应为有限的数字",
    "bool_parsing": "应为 true 或 false",
    "greater_than_equal": "不得小于 {ge}",
    "less_than_equal": "不得大于 {le}",
    "literal_error": "应为 {expected} 之一",
    "json_invalid": "不是 JSON",
    "too_long": "最多 {max_length} 项",
}


def invalid_request(problems: Sequence[Mapping[str, Any]]) -> ApiError:
    """Return the error for values that are not of their kind; `problems` as FastAPI's validation tells them."""
    told = [
        f"{' '.join(str(part) for part in p['loc'])}: {p['msg']}, not {shown(p.get('input'))}"
        for p in problems[:_MOST_TOLD]
    ]
    chinese = "；".join(map(_in_chinese, problems[:_MOST_TOLD]))
    return ApiError(
        422, "invalid-request", f"{'; '.join(told)}.", "Mend the values named and send the request again.",
        zh=f"{chinese}；请更正后重新提交",
    )  # fmt: skip


def _in_chinese(problem: Mapping[str, Any]) -> str:
    mend = _CHINESE.get(str(problem["type"]), "不符合要求").format_map(problem.get("ctx") or {})
    sent = str(problem.get("input"))
    value = f"（{quoted_zh(sent[:40])}）" if isinstance(problem.get("input"), str | int | float) and sent else ""
    return f"{problem['loc'][-1]}{value}{mend}"
