#!/bin/sh
# The life of the package `flowork` on a fresh Debian: installed, used, upgraded under a running node, removed.
#
# Runs as root inside a root folder of its own, with the packages in /packages: older.deb and newer.deb are the same
# program under two versions. Says what is wrong and ends with 1 at the first thing that is. Whoever runs it sees to the
# time it may take.
set -eu

package=flowork
# shellcheck source=tests/packages/parts.sh
. /packages/parts.sh

# Starts a node and waits for the line in which it says where it is.
serve() {
    rm -f /tmp/events
    mkfifo /tmp/events
    ada flowork serve --listen 127.0.0.1:0 --json > /tmp/events 2> /tmp/said.node &
    node=$!
    exec 3< /tmp/events
    read -r event <&3 || fail "the node ended before it was ready"
    case $event in
        *'"event":"ready"'*) ;;
        *) fail "not ready: $event" ;;
    esac
}

# Drains the node and waits for its end.
stop() {
    kill -TERM "$node"
    wait "$node" || fail "the node ended with $?"
    exec 3<&-
}

begin
echo "== install"
install_older
echo "== serve"
serve
leave_data flowork
echo "== upgrade, while the node runs"
upgrade "$node" flowork
stop
echo "== serve again, with the data of before"
serve
find_data flowork
stop
echo "== remove"
remove .local/share/flowork .config/flowork-vault-keys
echo "== done"
