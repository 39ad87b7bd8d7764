"""Let `import mmcv._ext` find torchvision's kernels where mmcv was installed without compiled ones.

mmcv and mmengine look for the module in three ways, `importlib.import_module`, `pkgutil.find_loader` and
`importlib.util.find_spec`; all three go through `sys.meta_path`, so one finder there makes them agree.
It is imported whenever an interpreter of the environment starts (see `site_hook`), hence the few imports.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False  # typing's own constant would cost the import of typing
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from types import ModuleType
else:
    Loader = object

EXTENSION = "mmcv._ext"


class TorchvisionOpsLoader(Loader):
    """Fills `mmcv._ext` from `pipeline.detection.compiled_ops`."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave the creation to Python."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Import torch, and give `module` the attributes mmcv asks for."""
        from pipeline.detection import compiled_ops

        vars(module).update(compiled_ops.extension_attributes())


class TorchvisionOpsFinder:
    """A finder for `mmcv._ext` and nothing else."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of the adapter if `fullname` is `mmcv._ext`, else None."""
        if fullname != EXTENSION:
            return None
        return ModuleSpec(fullname, TorchvisionOpsLoader(), origin="torchvision's kernels")


def install() -> None:
    """Put the finder at the end of `sys.meta_path`, once.

    The end matters: a compiled `mmcv._ext` is found by Python's own finders before this one is asked.
    """
    # by name: one that `site_hook` installed is of a module that was imported before this one
    names = [getattr(finder, "__qualname__", "") for finder in sys.meta_path]
    if TorchvisionOpsFinder.__qualname__ not in names:
        sys.meta_path.append(TorchvisionOpsFinder)
