#!/usr/bin/env bash
# Packs a release: the binary, the unit, the manual, the licences; a checksum beside it.
#
#   deploy/tarball.sh BINARY DIRECTORY      # prints the tarball's path
set -euo pipefail
binary=$(realpath "$1")
out=$(realpath "$2")
cd "$(dirname "$0")/.."
version=$("$binary" --version | awk '{print $2}')
name=frontroom-$version-$(uname -m)-linux
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir "$stage/$name"
install -m 755 "$binary" deploy/install.sh "$stage/$name/"
install -m 644 deploy/systemd/frontroom.service config.example.yaml README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE "$stage/$name/"
tar -C "$stage" --owner=0 --group=0 --numeric-owner -czf "$out/$name.tar.gz" "$name"
(cd "$out" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
echo "$out/$name.tar.gz"
