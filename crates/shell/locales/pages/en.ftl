# What the app's own pages say: settings, leaving, and the one before a node runs.

settings-title = Settings

settings-node = Node
settings-host = Run by
settings-hosting-own = This app (process { $pid })
settings-hosting-service = A Flowork service that this app is attached to (process { $pid }). It goes on when the app quits.
settings-hosting-none = Nothing: no node runs at the moment.
settings-address = Address
settings-tray = Tray
settings-tray-shown = The icon is in the tray.
settings-tray-missing = There is no tray that could show the icon.
settings-tray-missing-hint = Closing the window leaves it in the list of windows; closing it from there quits. Opening the app again always brings it back.
settings-recovery = Start
settings-recovery-off = Normal
settings-recovery-on = Recovery mode: workers and modules are off, so nothing runs. You can look at jobs and logs.
settings-leave-recovery = Start normally

settings-app = App
settings-start-with-system = Start with the system
settings-start-with-system-detail = The app then starts in the background when you log in.
settings-open-links = Open flowork: links with this app
settings-open-links-detail = A link to a job then opens here. For this the app adds itself to your list of applications.
settings-keep-in-tray = Keep running in the tray
settings-keep-in-tray-detail = Closing the window leaves the app in the tray. Without it, closing the window quits.
settings-notifications = Notifications
settings-notifications-off = None
settings-notifications-failed = What failed or needs attention
settings-notifications-all = Completed jobs, too
settings-deadline = Wait for jobs when quitting
settings-deadline-detail = Jobs that have not finished by then run again after the next start.
settings-deadline-none = Do not wait
settings-language = Language
settings-language-system = As the system
settings-failed = That did not work

settings-files = Files
settings-data = Data
settings-open-data = Open the data folder
settings-logs = Logs
settings-open-logs = Open the log folder

settings-reset = Reset
settings-reset-detail = Deletes what Flowork keeps on this computer: jobs, settings, keys. First you see a list of all of it.
settings-reset-begin = Show what would be deleted
settings-reset-looking = Looking…
settings-reset-list = This will be deleted
settings-reset-what = What
settings-reset-where = Where
settings-reset-size = Size
settings-reset-vault = in the vault
settings-reset-total = Total
settings-reset-kept = This stays, because it is not Flowork's
settings-reset-warning = Nobody can bring it back. Running jobs are stopped.
settings-reset-type = To confirm, type
settings-reset-confirm = Delete all of this
settings-reset-cancel = Delete nothing
settings-reset-working = Deleting…
settings-reset-done = Everything on the list is deleted.
settings-reset-left = This could not be deleted
settings-reset-finish = Quit Flowork
settings-reset-attached = This app is attached to a service. Stop the service first.
settings-reset-changed = Something has changed since the list was made. Look at the new list first.
settings-reset-mistyped = That is not what the page asks you to type.

leaving-title = Quitting Flowork
leaving-draining =
    { $left ->
        [0] Draining, no jobs left
        [one] Draining, 1 job left
       *[other] Draining, { $left } jobs left
    }
leaving-stopping = Stopping the node
leaving-detail = Running jobs may finish; no new ones start. What has not finished in time runs again after the next start.
leaving-deadline = Time left
leaving-quit-now = Quit now
leaving-keep-running = Keep running

start-starting = Starting…
start-failed = Flowork could not start
start-retry = Try again
start-logs = Open the log folder
start-settings = Settings
start-quit = Quit
start-log = Log:
start-stopped = Flowork is stopped
start-start = Start
start-free-port = Use a free port
start-free-port-hint = “Use a free port” starts Flowork at another address and keeps that one from then on. Whatever was told the old address has to be told the new one.
start-own-port-hint = Each account of this machine needs a port of its own. “Use a free port” gets one for yours and keeps it from then on.
port-not-kept-message = Flowork serves at { $url } until it ends. That port could not be kept for later starts: { $reason }.
port-not-kept-hint = Make room on the disk, or give this account the right to write there. At the next start the old port is tried again.
