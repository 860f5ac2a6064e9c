#!/bin/sh
# The life of the package `flowork-desktop` on a Debian that has what it depends on: installed, opened on a screen,
# upgraded under the running app, opened again, removed.
#
# Runs as root inside a root folder of its own, with these in /packages: older.deb and newer.deb, the same program under
# two versions, and flowork, which asks the app's node over HTTP. Says what is wrong and ends with 1 at the first thing
# that is. Whoever runs it sees to the time it may take.
set -eu

package=flowork-desktop
# shellcheck source=tests/packages/parts.sh
. /packages/parts.sh
tool=/packages/flowork

# Starts a program and reads the first line it writes to descriptor 3, into `line`.
first_line_of() {
    rm -f /tmp/line
    mkfifo /tmp/line
    "$@" 3> /tmp/line &
    # Whatever ends keeps its end of the pipe no longer, so this waits for nothing in vain.
    read -r line < /tmp/line || fail "$1 ended at once"
}

# A screen and a session, as a person who signed in has them.
sign_in() {
    screen() { exec Xvfb -displayfd 3 -screen 0 1280x800x24 -nolisten tcp 2> /tmp/said.screen; }
    first_line_of screen
    display=:$line
    bus() { ada dbus-daemon --session --nofork --print-address=3 2> /tmp/said.bus; }
    first_line_of bus
    address=$line
    mkdir -m 0700 /tmp/run
    chown ada: /tmp/run
}

# As the person, on that screen and in that session.
on_desk() {
    ada env DISPLAY="$display" DBUS_SESSION_BUS_ADDRESS="$address" XDG_RUNTIME_DIR=/tmp/run XDG_SESSION_TYPE=x11 \
        GDK_BACKEND=x11 NO_AT_BRIDGE=1 LIBGL_ALWAYS_SOFTWARE=1 WEBKIT_DISABLE_DMABUF_RENDERER=1 "$@"
}

# Opens the app, and waits until its node answers over HTTP and a window of it is on the screen.
open_app() {
    on_desk flowork-desktop --listen 127.0.0.1:0 > /tmp/said.app 2>&1 &
    app=$!
    until (ada "$tool" status) > /tmp/said.status 2>&1; do
        kill -0 "$app" || fail "the app ended before its node answered"
        sleep 0.2
    done
    is_shown
}

is_shown() {
    (on_desk xdotool search --sync --onlyvisible --class flowork-desktop) > /tmp/windows
    [ -s /tmp/windows ] || fail "no window of the app is on the screen"
}

# Quits the app as the end of a session does, and waits for its end.
quit_app() {
    kill -TERM "$app"
    wait "$app" || fail "the app ended with $?"
}

begin
sign_in
echo "== install"
install_older
echo "== open"
open_app
leave_data "$tool"
echo "== upgrade, while the app runs"
upgrade "$app" "$tool"
is_shown
# The new version finds the one that runs, hands over and ends.
(on_desk flowork-desktop) || fail "a second start ended with $?"
kill -0 "$app" || fail "the second start ended the first"
quit_app
echo "== open again, with the data of before"
open_app
find_data "$tool"
quit_app
echo "== remove"
remove .local/share/flowork .config/flowork-vault-keys
echo "== done"
