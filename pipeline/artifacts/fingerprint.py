"""The fingerprint of a stage's code: its module and all it imports from its own package.

What decides no result is left out (`no_result.py` lists it), and with it what only that imports.

Source files are parsed, never imported: the Snakefile asks for fingerprints on every start, and
importing a stage would import torch. Comments, docstrings and formatting do not count. What counts
as an import: the statement, wherever it stands, and a string that is exactly the name of a module,
as in mmengine's `custom_imports`. A module that reads a file of another kind, say a template, names
it at its top level relative to its own folder: `FINGERPRINT_FILES = ("page.html.j2",)`.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pipeline.artifacts.digest import bytes_digest, file_digest, value_digest
from pipeline.artifacts.errors import ArtifactError
from pipeline.artifacts.files import read_bytes
from pipeline.artifacts.no_result import DECIDES_NO_RESULT, Omission

ROOT = Path(__file__).parents[2]
FILES_NAME = "FINGERPRINT_FILES"
DOTTED_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
# Fields that follow from the rest, or that no run can see.
SKIPPED_FIELDS = frozenset({"ctx", "kind", "type_comment"})


class Source(NamedTuple):
    """What a fingerprint needs to know of one source file."""

    digest: str
    imports: tuple[tuple[int, str, tuple[str, ...]], ...]
    """Per import: the level (0 is absolute), the module, the names taken from it."""
    files: tuple[str, ...]
    """Files of other kinds that the code reads, relative to its folder."""


def code_fingerprint(module: str, root: Path | None = None) -> str:
    """The digest of the code of `module`, such as `pipeline.stages.search`, and of its imports.

    What decides no result has no part in it.

    Args:
        module: dotted name.
        root: the folder that holds the package; by default the one that holds `pipeline`.

    Raises:
        ArtifactError: the module does not exist, a source file has a syntax error, or a file named
            in `FINGERPRINT_FILES` is missing.
    """
    parts: dict[str, str] = {}
    for name, path in imported_modules(module, root).items():
        source = _read(path)
        parts[name] = source.digest
        parts |= {f"{name}/{file}": file_digest(path.parent / file) for file in source.files}
    return value_digest(parts)


def named_files(path: Path) -> list[Path]:
    """The files of other kinds that a source file names, whose content is part of the fingerprint.

    Raises:
        ArtifactError: the source file has a syntax error.
    """
    return [path.parent / file for file in _read(path).files]


def imported_modules(
    module: str,
    root: Path | None = None,
    left_out: Mapping[str, Omission] = DECIDES_NO_RESULT,
) -> dict[str, Path]:
    """`module`, what it imports from its own package, transitively, and the packages around them.

    Args:
        module: dotted name.
        root: the folder that holds the package; by default the one that holds `pipeline`.
        left_out: imports of these are not followed, but for those of the modules that they name.

    Returns:
        The source file of each module, by dotted name, in sorted order.

    Raises:
        ArtifactError: the module does not exist, or a source file has a syntax error.
    """
    root = ROOT if root is None else root
    path = _locate(module, root)
    if path is None:
        raise ArtifactError(f"there is no module {module} under {root}")
    top = module.partition(".")[0] + "."
    found: dict[str, Path] = {}
    waiting = [module]
    seen = set(waiting)
    while waiting:
        name = waiting.pop()
        path = _locate(name, root)
        candidates = {name.rpartition(".")[0]}
        if path is not None:
            found[name] = path
            candidates |= {
                candidate
                for candidate in _imports(name, path, root)
                if f"{candidate}.".startswith(top) and not _omitted(candidate, name, left_out)
            }
        new = candidates - seen - {""}
        seen |= new
        waiting += new
    return dict(sorted(found.items()))


def _omitted(module: str, importer: str, left_out: Mapping[str, Omission]) -> bool:
    """Whether an import is of what decides no result, or of a name in it, such as a function's."""
    for name in (module, module.rpartition(".")[0]):
        if name in left_out:
            return importer not in left_out[name].but_for
    return False


def _locate(module: str, root: Path) -> Path | None:
    """The file of a module or package; None for a name of another kind, such as a function's."""
    stem = root.joinpath(*module.split("."))
    for path in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")):
        if path.is_file():
            return path
    return None


def _imports(module: str, path: Path, root: Path) -> Iterator[str]:
    """The dotted names that a module's imports may mean."""
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for level, target, names in _read(path).imports:
        base = package[: len(package) - level + 1] if level else []
        origin = ".".join([*base, *filter(None, [target])])
        yield origin
        for name in names:
            if name != "*":
                yield f"{origin}.{name}"
            else:
                # `__all__` may name submodules, and what it says is not known without running it.
                children = {file.stem for file in root.joinpath(*origin.split(".")).glob("*")}
                yield from (f"{origin}.{child}" for child in children - {"__init__"})


def _read(path: Path) -> Source:
    try:
        return _parse(read_bytes(path))
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise ArtifactError(f"{path}{line}: {error.msg}") from error
    except ValueError as error:
        raise ArtifactError(f"{path}: {error}") from error


@cache
def _parse(content: bytes) -> Source:
    """Parse a source file; keyed by its content, so that an edited file is read anew."""
    tree = ast.parse(content)
    words: list[str] = []
    imports: list[tuple[int, str, tuple[str, ...]]] = []
    _collect(tree, words, imports)
    return Source(bytes_digest(" ".join(words).encode()), tuple(imports), _named_files(tree))


def _collect(
    node: ast.AST, words: list[str], imports: list[tuple[int, str, tuple[str, ...]]]
) -> None:
    """Append a node's structure to `words` and its imports to `imports`.

    Like `ast.dump`, in half its time, and equal between Python versions: empty fields, which newer
    versions add to, are left out.
    """
    if isinstance(node, ast.Import):
        imports += [(0, alias.name, ()) for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = tuple(alias.name for alias in node.names)
        imports.append((node.level, node.module or "", names))
    elif (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and DOTTED_NAME.fullmatch(node.value)
    ):
        imports.append((0, node.value, ()))
    words.append(f"({type(node).__name__}")
    for field in node._fields:
        value = getattr(node, field, None)
        if value is None or value == [] or field in SKIPPED_FIELDS:
            continue
        words.append(field)
        if isinstance(value, ast.AST):
            _collect(value, words, imports)
        elif isinstance(value, list):
            words.append("[")
            for item in value:
                if not isinstance(item, ast.AST):
                    words.append(repr(item))
                elif not _is_docstring(item):
                    _collect(item, words, imports)
            words.append("]")
        else:
            words.append(repr(value))
    words.append(")")


def _is_docstring(node: ast.AST) -> bool:
    """Whether a statement is a bare string: documentation, wherever it stands."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _named_files(tree: ast.Module) -> tuple[str, ...]:
    """The literal tuple of names assigned to `FINGERPRINT_FILES` at the top level."""
    for statement in tree.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ) if name == FILES_NAME:
                files = ast.literal_eval(value) if isinstance(value, ast.Tuple) else None
                if not files or not all(isinstance(file, str) for file in files):
                    raise ValueError(f"{FILES_NAME} is not a literal tuple of file names")
                return files
    return ()
