# What lives of packages have in common; they read it in. Each names its package before.
# shellcheck shell=sh
# shellcheck disable=SC2154 # the life that reads this in names its package

fail() {
    echo "$package: $*" >&2
    cat /tmp/said.* >&2 2>/dev/null || true
    exit 1
}

# As the person who uses it; with `exec` before it, signals for what is started reach it.
ada() {
    exec setpriv --reuid ada --regid ada --init-groups --reset-env -- "$@"
}

# The files of the system, apart from people's homes, from what package tools write for themselves and from what a
# kernel shows.
system_files() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /home -o -path /packages \
        -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log -o -path /run \) -prune -o -print | sort
}

version() {
    # shellcheck disable=SC2016 # dpkg-query fills it in
    dpkg-query --show --showformat='${Version}' "$package"
}

# Whom there is to use it, and what there is before it is installed.
begin() {
    useradd --create-home --shell /bin/sh ada
    touch /tmp/start
    system_files > /tmp/before
}

# Installs it, which must start nothing and arrange for nothing to be started.
install_older() {
    dpkg --install /packages/older.deb
    older=$(version)
    started=$(find /proc -maxdepth 2 -name exe -lname "*/$package" 2>/dev/null || true)
    [ -z "$started" ] || fail "the installation started something: $started"
    links=$(find /etc /home /usr/lib/systemd -name 'flowork*' \( -path '*.wants/*' -o -path '*/autostart/*' \))
    [ -z "$links" ] || fail "the installation arranged for a start: $links"
}

# Queues a job that is there for as long as this takes, and keeps what the vault says of itself.
#   leave_data FLOWORK
leave_data() {
    (ada "$1" job enqueue noop --wait) > /dev/null || fail "a job did not finish"
    (ada "$1" job enqueue noop --delay 1h --json) > /tmp/later.json || fail "no job was queued"
    later=$(grep --only-matching --max-count 1 'job_[0-9a-f]*' /tmp/later.json | head -n 1)
    [ -n "$later" ] || fail "no job in $(cat /tmp/later.json)"
    (ada "$1" vault status) > /tmp/vault.before || fail "the vault does not say where it is"
}

# Looks for what was left.
#   find_data FLOWORK
find_data() {
    (ada "$1" job get "$later") > /dev/null || fail "the job that was queued before the upgrade is gone"
    (ada "$1" vault status) > /tmp/vault.after || fail "the vault does not say where it is"
    diff /tmp/vault.before /tmp/vault.after || fail "the vault is another one after the upgrade"
}

# Upgrades it while a process of the older one runs, which must go on and still find its modules.
#   upgrade PID FLOWORK
upgrade() {
    dpkg --install /packages/newer.deb
    dpkg --compare-versions "$(version)" gt "$older" || fail "the version is $(version), not later than $older"
    kill -0 "$1" || fail "the upgrade ended what ran"
    printf 'a,b\n1,2\n' > /home/ada/small.csv
    (ada "$2" job enqueue module.csv-profile --payload '{"path": "/home/ada/small.csv"}' --wait) > /dev/null \
        || fail "the running node cannot start its modules after the upgrade"
}

# Removes it. What stays are the data of people, in the places that its own document names.
#   remove PLACE..., below ada's home
remove() {
    for place in "$@"; do
        # shellcheck disable=SC2088 # it is written so there
        grep --quiet --fixed-strings "~/$place" "/usr/share/doc/$package/PACKAGE.md" || fail "PACKAGE.md does not name $place"
    done
    dpkg --remove "$package"
    ! dpkg-query --show "$package" 2> /dev/null || fail "the removal left something to purge"
    dpkg --purge "$package"
    system_files > /tmp/after
    diff /tmp/before /tmp/after || fail "these files differ from before the installation"
    [ -s /home/ada/.local/share/flowork/control.db ] || fail "removing the package took a user's data away"
    find /home/ada -newer /tmp/start -type f ! -path /home/ada/small.csv > /tmp/left
    for place in "$@"; do
        grep --invert-match --fixed-strings "/home/ada/$place/" /tmp/left > /tmp/others || true
        mv /tmp/others /tmp/left
    done
    [ ! -s /tmp/left ] || fail "it wrote where no document says it does: $(cat /tmp/left)"
}
