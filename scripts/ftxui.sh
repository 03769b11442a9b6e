#!/bin/sh
# FTXUI for the TUI: the distribution's package where there is one, else (Debian 12) Debian 13's source package, built
# once into .dev/ftxui with CMake. The package mirror is the one this machine already uses.
set -eu
cd "$(dirname "$0")/.."
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

if dpkg-query -W -f '${db:Status-Status}' libftxui-dev 2>/dev/null | grep -q '^installed'; then exit 0; fi
if [ -n "$(apt-cache policy libftxui-dev 2>/dev/null | sed -n 's/^ *Candidate: *\([^(].*\)$/\1/p')" ]; then
  as_root apt-get install -y -q --no-install-recommends libftxui-dev >&2
  exit 0
fi
prefix="$PWD/.dev/ftxui"
if [ -f "$prefix/done" ]; then exit 0; fi

echo "dev: building FTXUI from Debian 13's source package (about a minute, once)" >&2
mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null |
  sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\{0,1\}\(http[^ ]*\) .*/\2/p' | grep -m1 '/debian/\{0,1\}$')
work="$PWD/.dev/ftxui-build"
rm -rf "$work" "$prefix"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$prefix"
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$work/src.list"
apt="apt-get -q -o Dir::Etc::sourcelist=$work/src.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$work/lists
  -o Dir::Cache=$work/cache -o APT::Sandbox::User=root"
(cd "$work" && $apt update >&2 && $apt source ftxui >&2)
source=$(find "$work" -mindepth 1 -maxdepth 1 -type d -name 'ftxui-[0-9]*')
launcher=""
if command -v ccache >/dev/null; then launcher="-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"; fi
cmake -S "$source" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DFTXUI_BUILD_EXAMPLES=OFF \
  -DFTXUI_BUILD_DOCS=OFF -DFTXUI_BUILD_TESTS=OFF -DBUILD_SHARED_LIBS=OFF -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
  -DCMAKE_INSTALL_PREFIX="$prefix" $launcher >&2
cmake --build "$work/build" --target install >&2
rm -rf "$work"
touch "$prefix/done"
