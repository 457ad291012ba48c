"""YAML as people write it: nothing surprising, every mistake with its line, no attack gets through."""

import pytest

from facility.documents import parse_document, read_document

# Each line names the one before it ten times.
BILLIONS = "a0: &a0 [1, 1]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))


def test_only_plain_numbers_and_true_false_null_are_special():
    data = parse_document(
        "a: no\nb: on\nc: 1:30\nd: 2026-03-02\ne: 010\nf: 12\ng: 1.5\nh: true\ni: null\nj: 1e3", "f"
    ).data
    assert data == {
        "a": "no", "b": "on", "c": "1:30", "d": "2026-03-02", "e": "010", "f": 12, "g": 1.5, "h": True, "i": None,
        "j": 1000.0,
    }  # fmt: skip


def test_a_key_written_twice_is_told_with_both_lines():
    document = parse_document("a: 1\nb: 2\na: 3\n", "site.yaml")
    assert [str(p) for p in document.problems] == [
        "site.yaml:3: a: 'a' stands here a second time; the first is on line 1: keep one"
    ]
    assert document.data == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [1, 2", "this is not YAML"),
        ("a: 'open", "this is not YAML"),
        ("", "the file is empty"),
        ("a: !!python/object/apply:os.system ['true']", "is not allowed; write plain text"),
        ("a: !custom 3", "tag '!custom' is not allowed"),
        ("[" * 300_000, "unfolds too"),
        (BILLIONS, "unfolds too"),
        ("[" * 60 + "]" * 60, "unfolds too"),
        ("a: \x07", "this is not YAML"),
    ],
)
def test_what_is_not_plain_yaml_is_told_and_never_raises(text, told):
    problems = parse_document(text, "site.yaml").problems
    assert problems
    assert told in str(problems[0])


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    assert "No such file" in str(read_document(tmp_path / "absent.yaml").problems[0])
    (tmp_path / "gbk.yaml").write_bytes("name: 滨江".encode("gbk"))
    assert "is not UTF-8; save the file as UTF-8" in str(read_document(tmp_path / "gbk.yaml").problems[0])
