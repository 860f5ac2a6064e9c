#!/bin/sh
# Copies a root folder and installs in the copy what a package depends on, and further packages that a test needs. As root.
# SOURCES is where packages come from, as apt's sources.list has it. Ends with 75 where that cannot be reached.
#
#   root-with.sh BASE COPY SOURCES DEPENDS PACKAGE...
set -eu

base=$1
copy=$2
sources=$3
shift 3

rm -rf --one-file-system "$copy"
mkdir "$copy"
# Through the dot, so that a link is followed and never written through.
cp --archive --reflink=auto "$base/." "$copy"
printf '%s\n' "$sources" > "$copy/etc/apt/sources.list"
cp /etc/resolv.conf "$copy/etc/resolv.conf"
# Nothing that is installed is started.
printf '#!/bin/sh\nexit 101\n' > "$copy/usr/sbin/policy-rc.d"
chmod 0755 "$copy/usr/sbin/policy-rc.d"
# Documents and translations are left out for the sake of the disk; it is thrown away, so nothing is synced.
# shellcheck disable=SC2016 # the inner shell fills it in
unshare --mount --pid --fork --kill-child sh -euc '
    root=$1
    shift
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    apt() {
        DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" \
            apt-get --quiet --option Acquire::Languages=none --option Acquire::Retries=3 "$@"
    }
    apt --option APT::Update::Error-Mode=any update || exit 75
    apt --yes --no-install-recommends --option DPkg::Options::=--force-unsafe-io \
        --option DPkg::Options::=--path-exclude=/usr/share/doc/* \
        --option DPkg::Options::=--path-exclude=/usr/share/locale/* \
        --option DPkg::Options::=--path-exclude=/usr/share/man/* \
        satisfy "$@"
    apt clean
' sh "$copy" "$@"
rm -rf "$copy/var/lib/apt/lists" "$copy/var/cache/apt"
