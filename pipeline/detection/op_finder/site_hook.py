"""Make mmdet usable in every interpreter of an environment, also in code that never imports `pipeline`.

A `.pth` file in site-packages puts the repository on `sys.path` and imports `pipeline` when the
interpreter starts, so that `python -c "from mmdet.apis import init_detector"` works from any directory. Only
the finder stays of that import: the working directory is not yet searched then, and a program that is started
in another checkout, of the same environment, must get the `pipeline` of that one.
"""

from pathlib import Path

NAME = "detsearch.pth"
FORGET = "[sys.modules.pop(name) for name in list(sys.modules) if name.split('.')[0] == 'pipeline']"
REPOSITORY = Path(__file__).resolve().parents[3]


def write_pth(site_packages: Path, repository: Path = REPOSITORY) -> Path:
    """Write `detsearch.pth`, replacing an earlier one.

    Args:
        site_packages: A directory that `site` reads `.pth` files from.
        repository: The directory that holds the `pipeline` package.

    Returns:
        The file written.

    Raises:
        FileNotFoundError: If `repository` holds no `pipeline/__init__.py`.
        OSError: If `site_packages` is missing or cannot be written.
    """
    if not (repository / "pipeline/__init__.py").is_file():
        raise FileNotFoundError(f"{repository}: holds no pipeline/__init__.py to import")
    pth = site_packages / NAME
    # `site` skips a directory that is gone; the condition keeps a moved repository equally silent.
    # (os is always loaded by then, importlib.util would add 4 ms to the start of every interpreter.)
    guard = f"os.path.isdir({str(repository / 'pipeline')!r})"
    pth.write_text(
        f"{repository}\nimport os, sys; {guard} and __import__('pipeline') and {FORGET}\n"
    )
    return pth
