import lzma
from pydoc_data import topics

import pytest
import torch

from labkit.data import text


def test_the_splits_share_no_paragraph_and_keep_the_whole_text():
    parts = text.load_topics()
    paragraphs = {
        name: {
            " ".join(paragraph.split())
            for passage in getattr(parts, name)
            for paragraph in text.decode_characters(passage).strip("\n").split("\n\n")
        }
        for name in ("train", "validation", "test")
    }
    assert not paragraphs["train"] & (paragraphs["validation"] | paragraphs["test"])
    assert not paragraphs["validation"] & paragraphs["test"]
    sizes = {name: sum(map(len, getattr(parts, name))) for name in paragraphs}
    assert sizes["train"] > 300_000
    assert min(sizes["validation"], sizes["test"]) > 30_000


def test_it_is_the_text_that_cpython_ships():
    shipped = text.load_topics().validation
    ours = {line for passage in shipped for line in text.decode_characters(passage).splitlines()}
    theirs = {line for topic in topics.topics.values() for line in topic.splitlines()}
    # Other versions of Python have edited some topics.
    assert len(ours & theirs) > 0.5 * len(ours)


def test_characters_survive_and_foreign_ones_are_refused():
    assert text.decode_characters(text.encode_characters(text.ALPHABET)) == text.ALPHABET
    assert text.encode_characters(text.ALPHABET).tolist() == list(range(96))
    with pytest.raises(ValueError, match="ASCII"):
        text.encode_characters("naïve")


def test_a_damaged_or_missing_file_is_refused(tmp_path, monkeypatch):
    for content in (None, b"no archive", lzma.compress(b"another text")):
        path = tmp_path / "topics.txt.xz"
        if content is not None:
            path.write_bytes(content)
        monkeypatch.setattr(text, "FILE", path)
        with pytest.raises(RuntimeError, match="install labkit again"):
            text.load_topics()


def test_tokens_are_those_that_embeddings_take():
    assert text.load_topics().test[0].dtype == torch.int64
