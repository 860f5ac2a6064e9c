#!/bin/sh
# A package's life on a fresh Debian: installed, used, upgraded under a running node, removed.
#
# Runs as root inside a root folder of its own, with the packages in /packages: older.deb and newer.deb are the same
# program under two versions. Says what is wrong and ends with 1 at the first thing that is. Whoever runs it sees to the
# time it may take.
set -eu

fail() {
    echo "lifecycle: $*" >&2
    cat /tmp/node.log >&2 2>/dev/null || true
    exit 1
}

# As the person who uses the node.
ada() {
    setpriv --reuid ada --regid ada --init-groups --reset-env -- "$@"
}

# The files of the system, apart from people's homes, from what package tools write for themselves and from what a
# kernel shows.
system_files() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /home -o -path /packages \
        -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log -o -path /run \) -prune -o -print | sort
}

version() {
    # shellcheck disable=SC2016 # dpkg-query fills it in
    dpkg-query --show --showformat='${Version}' flowork
}

# Starts a node and waits for the line in which it says where it is.
serve() {
    rm -f /tmp/events
    mkfifo /tmp/events
    # Not through the function, whose shell would take the signals that are for the node.
    setpriv --reuid ada --regid ada --init-groups --reset-env -- \
        flowork serve --listen 127.0.0.1:0 --json > /tmp/events 2> /tmp/node.log &
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

useradd --create-home --shell /bin/sh ada
touch /tmp/start
system_files > /tmp/before

echo "== install"
dpkg --install /packages/older.deb
older=$(version)
started=$(find /proc -maxdepth 2 -name exe -lname '*/flowork' 2>/dev/null || true)
[ -z "$started" ] || fail "the installation started a node: $started"
links=$(find /etc /home /usr/lib/systemd -name 'flowork*' -path '*.wants/*')
[ -z "$links" ] || fail "the installation enabled the service: $links"

echo "== serve"
serve
ada flowork job enqueue noop --wait > /dev/null || fail "a job did not finish"
ada flowork job enqueue noop --delay 1h --json > /tmp/later.json
later=$(grep --only-matching --max-count 1 'job_[0-9a-f]*' /tmp/later.json | head -n 1)
[ -n "$later" ] || fail "no job in $(cat /tmp/later.json)"
ada flowork vault status > /tmp/vault.before

echo "== upgrade, while the node runs"
dpkg --install /packages/newer.deb
dpkg --compare-versions "$(version)" gt "$older" || fail "the version is $(version), not later than $older"
kill -0 "$node" || fail "the upgrade ended the node"
printf 'a,b\n1,2\n' > /home/ada/small.csv
ada flowork job enqueue module.csv-profile --payload '{"path": "/home/ada/small.csv"}' --wait > /dev/null \
    || fail "the running node cannot start its modules after the upgrade"
stop

echo "== serve again, with the data of before"
serve
ada flowork job get "$later" > /dev/null || fail "the job that was queued before the upgrade is gone"
ada flowork vault status > /tmp/vault.after
diff /tmp/vault.before /tmp/vault.after || fail "the vault is another one after the upgrade"
stop

echo "== remove"
dpkg --purge flowork
system_files > /tmp/after
diff /tmp/before /tmp/after || fail "these files differ from before the installation"
[ -s /home/ada/.local/share/flowork/control.db ] || fail "removing the package took a user's data away"
others=$(find /home/ada -newer /tmp/start -type f ! -name small.csv \
    ! -path '/home/ada/.local/share/flowork/*' ! -path '/home/ada/.config/flowork-vault-keys/*')
[ -z "$others" ] || fail "the node wrote where no document says it does: $others"
echo "== done"
