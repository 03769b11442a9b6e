#!/bin/sh
# libtorch for the sprite model: the distribution's, or, where it has none (Ubuntu) or none that this machine's GPU could
# use, the one inside PyPI's torch, into .dev/torch. src/sprite/CMakeLists.txt takes what is there, that one first.
set -eu
cd "$(dirname "$0")/.."
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

version=2.7.1
if command -v nvidia-smi >/dev/null; then kind=cuda; else kind=cpu; fi
if [ "$(cat .dev/torch/kind 2>/dev/null)" = "$version $kind" ]; then exit 0; fi
if [ $kind = cpu ]; then
  if dpkg-query -W -f '${db:Status-Status}' libtorch-dev 2>/dev/null | grep -q '^installed'; then exit 0; fi
  if [ -n "$(apt-cache policy libtorch-dev 2>/dev/null | sed -n 's/^ *Candidate: *\([^(].*\)$/\1/p')" ]; then
    as_root apt-get install -y -q --no-install-recommends libtorch-dev >&2
    exit 0
  fi
fi

echo "dev: libtorch $version ($kind) from PyPI: 0.8 GB, with a GPU 3 GB, once" >&2
as_root apt-get install -y -q --no-install-recommends python3-venv >&2
rm -rf .dev/torch
python3 -m venv .dev/torch
# Without a GPU: libtorch alone, and the two small libraries that PyPI's build of it for x86-64 does not load without.
wanted="torch==$version"
if [ $kind = cpu ] && [ "$(uname -m)" = x86_64 ]; then
  wanted="$wanted nvidia-cuda-runtime-cu12==12.6.77 nvidia-cuda-cupti-cu12==12.6.80"
fi
if [ $kind = cpu ]; then wanted="--no-deps $wanted"; fi
.dev/torch/bin/pip install -q --no-cache-dir --only-binary :all: $wanted >&2
echo "$version $kind" >.dev/torch/kind
