#!/usr/bin/env bash
# Installs frontroom from a release tarball, or from the folder it was unpacked to.
#
#   ./install.sh [TARBALL]        # the checksum TARBALL.sha256 is looked for beside it, and must be right
#
# DESTDIR puts everything below another root; PREFIX (default /usr/local) is where the binary goes. A config that
# is there already stays as it is.
set -euo pipefail
prefix=${PREFIX:-/usr/local}
destination=${DESTDIR:-}
fail() { echo "install.sh: $*" >&2; exit 1; }

if [ $# -gt 0 ]; then
  [ -f "$1" ] || fail "$1 is no file; name a tarball, such as frontroom-0.1.0-x86_64-linux.tar.gz"
  [ -f "$1.sha256" ] || fail "$1.sha256 is missing; download it too, so that the tarball can be checked"
  (cd "$(dirname "$1")" && sha256sum --check --status "$(basename "$1").sha256") || fail "$1 is not what its checksum says; download it again"
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  tar -C "$folder" --strip-components=1 -xzf "$1"
else
  folder=$(cd "$(dirname "$0")" && pwd)
fi
[ -x "$folder/frontroom" ] || fail "there is no frontroom beside this script; give it the tarball"

install -D -m 755 "$folder/frontroom" "$destination$prefix/bin/frontroom"
sed "s|/usr/local|$prefix|" "$folder/frontroom.service" | install -D -m 644 /dev/stdin "$destination/etc/systemd/system/frontroom.service"
if [ ! -e "$destination/etc/frontroom/config.yaml" ]; then
  install -d -m 755 "$destination/etc/frontroom"
  install -m 644 "$folder/config.example.yaml" "$destination/etc/frontroom/config.yaml"
fi
echo "installed $("$destination$prefix/bin/frontroom" --version) to $destination$prefix/bin"
echo "next: edit $destination/etc/frontroom/config.yaml, then systemctl enable --now frontroom"
