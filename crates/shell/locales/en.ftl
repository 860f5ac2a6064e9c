# The tray, the menus and the notifications. What the app's own pages say is in pages/.

## The first line of the tray's menu, which is its tooltip, too

status-starting = Starting…
status-idle = Idle
status-busy =
    { $running ->
        [one] Busy: 1 job is running
       *[other] Busy: { $running } jobs are running
    }
status-draining =
    { $left ->
        [0] Drained: nothing is running
        [one] Draining: 1 job left
       *[other] Draining: { $left } jobs left
    }
status-stopped = Stopped
status-unreachable = Not answering
status-failed = Could not start
status-with-queue =
    { $queued ->
        [one] { $status }, 1 waiting
       *[other] { $status }, { $queued } waiting
    }
status-hosting-own = Runs in this app
status-hosting-service = Runs as a service (process { $pid })
status-attention =
    { $count ->
        [one] 1 thing needs a look
       *[other] { $count } things need a look
    }

## Menus

menu-open = Open dashboard
menu-start = Start
menu-drain = Drain: take no new jobs
menu-undrain = End the drain
menu-stop = Stop
menu-workers = Workers
menu-workers-now =
    { $now ->
        [one] 1 worker
       *[other] { $now } workers
    }
menu-workers-fewer = One fewer
menu-workers-more = One more
menu-workers-auto = By load, { $min } to { $max }
menu-workers-auto-plain = By load
menu-copy-address = Copy address
menu-logs = Open log folder
menu-settings = Settings…
menu-quit = Quit
menu-edit = Edit
menu-view = View
menu-reload = Reload
menu-close-window = Close window
# An entry that cannot be chosen now, and why.
menu-disabled = { $entry } ({ $reason })

reason-starting = it is starting
reason-running = it is running
reason-not-running = it is not running
reason-not-answering = it is not answering
reason-service = it runs as a service
reason-draining = it is draining
reason-fewest = fewer would be a drain
reason-most = there are no more
reason-workers-elsewhere = this node does not offer it

## Notifications

note-completed = Job finished
note-failed = Job failed
note-attention = Flowork needs a look
note-more =
    { $count ->
        [one] 1 more thing happened
       *[other] { $count } more things happened
    }
note-more-detail = The dashboard shows them all.

## Where there is no tray

tray-missing-message = There is no tray on this desktop, so closing the window minimizes it.
tray-missing-hint = Turn on the tray extension of the desktop. Starting Flowork again brings the window back.
closed-without-tray-title = Flowork goes on
closed-without-tray-body = There is no tray here, so the window is minimized. Quit from its menu.

## What a reset deletes

reset-accounts = Members, sign-ins, engines, queues, limits and schedules
reset-jobs = Jobs and their results
reset-sessions = Sync sessions
reset-audit = Audit log
reset-logs = Logs
reset-modules = Modules
reset-snapshots = Snapshots
reset-config = Settings of the node
reset-preferences = Settings of this app
reset-window = Data and position of the window
reset-vault = Encrypted secrets
reset-vault-key = Key to the secrets
reset-run = Notes of running processes
reset-autostart = Start with the system
reset-links = Opening of links
