#!/usr/bin/env bash
# Builds the image's whole filesystem: one static binary, the CA bundle, a config to start with.
#
#   deploy/rootfs.sh DIRECTORY [PROFILE]     # PROFILE: release (default) or dev
#
# glibc is linked in (2.34 or newer, whose name lookup needs no files of its own), so the image holds nothing else.
# Randomness comes from the system call: the crate's own way to find it is dynamic, and would fall back to /dev/urandom.
set -euo pipefail
root=$(realpath -m "$1")
profile=${2:-release}
cd "$(dirname "$0")/.."
target=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS='-C target-feature=+crt-static --cfg getrandom_backend="linux_getrandom"' cargo build --locked --bin frontroom --profile "$profile" --target "$target"
folder=$profile
[ "$profile" != dev ] || folder=debug
mkdir -p "$root/etc/frontroom" "$root/etc/ssl/certs" "$root/tmp"
install -m 755 "${CARGO_TARGET_DIR:-target}/$target/$folder/frontroom" "$root/frontroom"
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
cp deploy/compose/config.yaml "$root/etc/frontroom/config.yaml"
echo 'frontroom:x:65532:65532::/:/' >"$root/etc/passwd"
