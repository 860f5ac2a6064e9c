#!/bin/sh
# Runs a life of a package as root in a copy of a root folder, with processes and mounts of its own that end with it.
#
#   in-root.sh BASE COPY LIFE OLDER.deb NEWER.deb [FURTHER FILE...]
set -eu

base=$1
copy=$2
life=$3
older=$4
newer=$5
shift 5
here=$(cd "$(dirname "$0")" && pwd)

rm -rf --one-file-system "$copy"
# A signal becomes an end like any other: the copy is large.
trap 'exit 143' TERM INT HUP
trap 'rm -rf --one-file-system "$copy"' EXIT
mkdir "$copy"
# Through the dot, so that a link is followed and never written through.
cp --archive --reflink=auto "$base/." "$copy"
mkdir "$copy/packages"
cp "$older" "$copy/packages/older.deb"
cp "$newer" "$copy/packages/newer.deb"
cp "$here"/*.sh "$@" "$copy/packages"
# shellcheck disable=SC2016 # the inner shell fills it in
unshare --mount --pid --fork --kill-child sh -euc '
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root "/packages/$2"
' sh "$copy" "$life"
