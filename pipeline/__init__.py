"""DetSearch: search object-detector architectures.

Importing the package makes mmdet usable. A plain `pip install onedl-mmcv` is pure Python and lacks the
compiled module `mmcv._ext`, without which `import mmdet.models` fails; the finder installed here offers
torchvision's kernels under that name, unless a compiled `mmcv._ext` is present.
Only the finder is set up: neither torch nor mmcv is imported until somebody asks for `mmcv._ext`.
"""

from pipeline.detection import op_finder

op_finder.install()
