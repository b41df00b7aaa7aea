import json

import pytest

from labkit.manifest import manifest_bytes, parse_manifest


def test_an_entry_names_the_file_beside_the_manifest_and_keeps_every_field():
    fields = {"a": {"sha256": "1", "seconds": 2.0}, "b": {"sha256": "2", "format": "lkc", "shipped": False}}
    entries = parse_manifest(manifest_bytes(fields))
    assert {name: entry.file for name, entry in entries.items()} == {
        "a": "a.safetensors",
        "b": ".local/b.lkc",
    }
    assert {name: entry.fields for name, entry in entries.items()} == fields
    assert [entry.shipped for entry in entries.values()] == [True, False]


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ([], "list"),
        ({"net": 5}, "'net' is int"),
        ({"net": {"format": "lkc"}}, "no sha256"),
        ({"net": {"sha256": "1", "format": "pickle"}}, "'pickle'"),
        ({"net": {"sha256": "1", "shipped": "yes"}}, "shipped = 'yes'"),
    ],
)
def test_a_damaged_entry_is_named(manifest, message):
    with pytest.raises(ValueError, match=message):
        parse_manifest(json.dumps(manifest).encode())


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "char 0"), (b"{", "char 1"), (b"\xff", "utf-8"), (b"[" * 100_000, "deep")],
)
def test_what_is_not_json_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        parse_manifest(content)
