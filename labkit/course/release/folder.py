"""Write the folder that students get: released labs, the package, checkpoints, environment, a manifest.

The folder is built beside its place and moved there whole, or not at all. Merging a newer release
into a folder in use is :mod:`labkit.course.release.update`.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from nbformat import NotebookNode

from labkit.course.notebook import structure
from labkit.course.notebook.normal_form import to_bytes
from labkit.course.release.leaks import find_leaks
from labkit.course.release.readme import with_labs
from labkit.course.release.spoilers import find_spoilers
from labkit.course.release.strip import strip
from labkit.course.release.used_checkpoints import used_checkpoints
from labkit.files import digest, partial_path, write_atomically, zip_bytes
from labkit.manifest import manifest_bytes, manifest_paths, parse_manifest, scan_file

__all__ = [
    "MANIFEST",
    "PRISTINE",
    "Verification",
    "build_release",
    "read_hashes",
    "read_release",
    "write_release",
]

MANIFEST = ".labkit/release/manifest.json"
PRISTINE = ".labkit/release/labs"
README = "README.md"
FORMAT = 1
Verification = Callable[[Mapping[str, NotebookNode]], list[str]]  # the reasons not to release labs
STUDENT_FILES = Path(__file__).with_name("student_files")
COPIED = ("LICENSE", "constraints.txt", "pyproject.toml", "data/README.md", "docs/format.md")
GLOSSARY = "docs/glossary.md"
LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")


def write_release(
    home: Path,
    out: Path,
    labs: Sequence[Path],
    *,
    verify: Verification | None,
    force: bool = False,
    zipped: bool = False,
) -> list[str]:
    """Write the released workbook to the folder ``out``, after proving that it shows no answer.

    Args:
        home: the workbook's folder.
        out: a new folder, or, with ``force``, a release that nobody has worked in.
        labs: the notebooks, with solutions, to release.
        verify: executes the labs and lists the reasons not to release them; None skips this part.
        force: replace an older release.
        zipped: also write ``out`` with the suffix ``.zip``.

    Returns:
        One sentence for each thing that was written.

    Raises:
        ValueError: if ``out`` may not be written, a lab is not well formed or shows an answer, or a
            checkpoint does not match its manifest; nothing is written.
        RuntimeError: if ``verify`` finds a reason not to release a lab; nothing is written.
        OSError: if the disk is full; nothing is left behind.
    """
    _require_free(out, force)
    files = build_release(home, labs, verify=verify)
    partial = partial_path(out)
    try:
        for name, content in files.items():
            write_atomically(partial / name, content)
        if out.exists():
            shutil.rmtree(out)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    size = sum(map(len, files.values())) / 1e6
    identity = json.loads(files[MANIFEST])["release"]
    done = [f"release {identity}: {len(labs)} labs, {len(files)} files, {size:.1f} MB in {out}"]
    if zipped:
        target = out.with_name(f"{out.name}.zip")
        write_atomically(
            target, zip_bytes({f"{out.name}/{name}": content for name, content in files.items()})
        )
        done.append(f"the same as {target}, {target.stat().st_size / 1e6:.1f} MB")
    return done


def build_release(home: Path, labs: Sequence[Path], *, verify: Verification | None) -> dict[str, bytes]:
    """The files of a release by name, proven; :func:`write_release` lists the errors."""
    if not labs:
        raise ValueError("there are no labs to release; give at least one.")
    sources = {path.stem: structure.read_lab(path) for path in labs}
    released = _stripped_labs(sources)
    reasons = verify(sources) if verify else []
    if reasons:
        raise RuntimeError("\n  ".join(["the labs are not released:", *reasons]))
    files = dict(_shared_files(home))
    files[README] = with_labs(files[README].decode(), released).encode()
    files |= dict(_checkpoints(home, sources.values()))
    for name, notebook in released.items():
        files[f"labs/{name}.ipynb"] = files[f"{PRISTINE}/{name}.ipynb"] = to_bytes(notebook)
    hashes = {name: digest(content) for name, content in sorted(files.items())}
    identity = digest(json.dumps(hashes).encode())[:12]
    manifest = {"format": FORMAT, "release": identity, "files": hashes}
    return {**files, MANIFEST: f"{json.dumps(manifest, indent=1)}\n".encode()}


def read_hashes(folder: Path) -> dict[str, str] | None:
    """SHA-256 of every released file by name; None if ``folder`` is not a release.

    Raises:
        ValueError: if the manifest is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        files = manifest["files"]
        if manifest["format"] != FORMAT or not all(
            isinstance(name, str) and isinstance(value, str) and _is_inside(name)
            for name, value in files.items()
        ):
            raise ValueError("unknown format")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error}); restore it from the release's zip.") from error
    return dict(files)


def read_release(folder: Path) -> dict[str, bytes]:
    """The files of the release in ``folder`` by name, each as it was released.

    Raises:
        ValueError: if ``folder`` is not a release, or a file was changed since.
    """
    hashes = read_hashes(folder)
    if hashes is None:
        raise ValueError(f"{folder} is not a release: it has no {MANIFEST}.")
    files = {MANIFEST: (folder / MANIFEST).read_bytes()}
    for name, expected in hashes.items():
        path = folder / name
        if not path.is_file() or digest(path.read_bytes()) != expected:
            raise ValueError(f"{path} is missing or was changed; unpack the release again.")
        files[name] = path.read_bytes()
    return files


def _is_inside(name: str) -> bool:
    """Whether a manifest's name stays in the folder."""
    return not name.startswith("/") and ".." not in name.split("/") and "\\" not in name


def _require_free(out: Path, force: bool) -> None:
    """Raise ValueError unless ``out`` can be written without losing anything."""
    if not out.exists() and not out.is_symlink():
        return
    if not force:
        raise ValueError(f"{out} exists; remove it, choose another --out, or replace it with --force.")
    hashes = read_hashes(out)
    if out.is_symlink() or hashes is None:
        raise ValueError(f"{out} is not a release and is not replaced; choose another --out.")
    for name, expected in hashes.items():
        if (
            name.startswith("labs/")
            and (out / name).is_file()
            and digest((out / name).read_bytes()) != expected
        ):
            raise ValueError(f"{out} has been worked in ({name}); use --update {out}, which keeps answers.")


def _stripped_labs(sources: Mapping[str, NotebookNode]) -> dict[str, NotebookNode]:
    """The released notebooks; a ValueError lists every answer and result that they would show."""
    released = {name: strip(source) for name, source in sources.items()}
    giveaways = [
        f"{name}: {problem}"
        for name, source in sources.items()
        for find in (find_leaks, find_spoilers)
        for problem in find(source, released[name])
    ]
    if giveaways:
        message = "the labs would give answers or results away; reword these cells:"
        raise ValueError("\n  ".join([message, *giveaways]))
    return released


def _shared_files(home: Path) -> Iterator[tuple[str, bytes]]:
    """The files that a student needs besides the notebooks, by name."""
    for name in COPIED:
        if (home / name).is_file():
            yield name, (home / name).read_bytes()
    if (home / GLOSSARY).is_file():  # without links to pages that are not released
        text = LINK.sub(r"\1", (home / GLOSSARY).read_text(encoding="utf-8"))
        yield GLOSSARY, text.encode()
    for path in sorted(STUDENT_FILES.iterdir()):
        yield path.name, path.read_bytes()
    environment = home / "environment.yml"
    if environment.is_file():  # students need no linters
        yield environment.name, environment.read_bytes().replace(b"-e .[dev]", b"-e .")
    package = Path(__file__).parents[2]
    for path in sorted(package.rglob("*")):
        parts = path.relative_to(package).parts
        is_released = path.suffix in (".py", ".xz") or not {"templates", "student_files"}.isdisjoint(parts)
        if (
            path.is_file()
            and is_released
            and not any(part.startswith((".", "__pycache__")) for part in parts)
        ):
            yield "/".join(("labkit", *parts)), path.read_bytes()


def _checkpoints(home: Path, labs: Collection[NotebookNode]) -> Iterator[tuple[str, bytes]]:
    """The checkpoints that the labs use, scans of them, and for each data set a manifest of them.

    Of those whose weights are not shipped the manifest's entry is all there is.
    """
    for path in manifest_paths(home / "checkpoints"):
        folder = f"checkpoints/{path.parent.name}"
        try:
            entries = parse_manifest(path.read_bytes())
        except ValueError as error:
            raise ValueError(
                f"{path} is damaged ({error}); restore it with `git checkout {path}`."
            ) from error
        used = set[str]().union(*(used_checkpoints(lab, entries) for lab in labs))
        for name in sorted(name for name in used if entries[name].shipped):
            weights = path.with_name(entries[name].file)
            if not weights.is_file() or digest(weights.read_bytes()) != entries[name].sha256:
                raise ValueError(
                    f"{weights} is missing or not what its manifest says; run `labkit train {name}`."
                )
            yield f"{folder}/{weights.name}", weights.read_bytes()
            scan = path.with_name(scan_file(name))
            if scan.is_file():  # measured on these weights; a full scan takes minutes
                yield f"{folder}/{scan.name}", scan.read_bytes()
        kept = {name: entry.fields for name, entry in entries.items() if name in used}
        if kept:
            yield f"{folder}/{path.name}", manifest_bytes(kept)
