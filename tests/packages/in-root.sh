#!/bin/sh
# Runs lifecycle.sh as root in a copy of a root folder, with processes and mounts of its own that end with it.
#
#   in-root.sh BASE COPY OLDER.deb NEWER.deb
set -eu

base=$1
copy=$2
older=$3
newer=$4
here=$(cd "$(dirname "$0")" && pwd)

rm -rf "$copy"
trap 'rm -rf "$copy"' EXIT
mkdir "$copy"
# Through the dot, so that a link is followed and never written through.
cp --archive --reflink=auto "$base/." "$copy"
mkdir "$copy/packages"
cp "$older" "$copy/packages/older.deb"
cp "$newer" "$copy/packages/newer.deb"
cp "$here/lifecycle.sh" "$copy/packages/lifecycle.sh"
# shellcheck disable=SC2016 # the inner shell fills it in
unshare --mount --pid --fork --kill-child sh -euc '
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root /packages/lifecycle.sh
' sh "$copy"
