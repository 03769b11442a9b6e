#!/bin/sh
# FTXUI for the TUI: the distribution's package where there is one, else (Debian 12, Ubuntu 24.04) the source package of a
# later release of the same distribution, built once into .dev/ftxui with CMake. The package mirror is the one this
# machine already uses.
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

# Ubuntu's mirror for processors other than x86 carries no sources: the main one does.
. /etc/os-release
case "$ID ${ID_LIKE:-}" in
*ubuntu*) release=resolute component=universe path='/ubuntu\(-ports\)\{0,1\}' keyring=ubuntu-archive-keyring ;;
*) release=trixie component=main path=/debian keyring=debian-archive-keyring ;;
esac
mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null |
  sed -n 's/^URIs: *//p; s/^deb \(\[[^]]*\] \)\{0,1\}\(http[^ ]*\) .*/\2/p' | tr ' ' '\n' | grep -m1 "$path/\{0,1\}\$" |
  sed 's,//ports\.\(.*\)/ubuntu-ports,//archive.\1/ubuntu,')
if [ -z "$mirror" ]; then
  echo "dev: no package mirror of $ID found in /etc/apt to take FTXUI's source from; install libftxui-dev and try again" >&2
  exit 1
fi
echo "dev: building FTXUI from the source package of $release (about a minute, once)" >&2
work="$PWD/.dev/ftxui-build"
rm -rf "$work" "$prefix"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$prefix"
echo "deb-src [signed-by=/usr/share/keyrings/$keyring.gpg] $mirror $release $component" >"$work/src.list"
apt="apt-get -q -o Dir::Etc::sourcelist=$work/src.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$work/lists
  -o Dir::Cache=$work/cache -o APT::Sandbox::User=root"
(cd "$work" && $apt update >&2 && $apt source --tar-only ftxui >&2 && tar xf ftxui_*.orig.tar.*)
source=$(find "$work" -mindepth 1 -maxdepth 1 -type d -iname 'ftxui-[0-9]*')
launcher=""
if command -v ccache >/dev/null; then launcher="-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"; fi
cmake -S "$source" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DFTXUI_BUILD_EXAMPLES=OFF \
  -DFTXUI_BUILD_DOCS=OFF -DFTXUI_BUILD_TESTS=OFF -DBUILD_SHARED_LIBS=OFF -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
  -DCMAKE_INSTALL_PREFIX="$prefix" $launcher >&2
cmake --build "$work/build" --target install >&2
rm -rf "$work"
touch "$prefix/done"
