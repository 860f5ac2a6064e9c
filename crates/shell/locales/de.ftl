# The tray, the menus and the notifications. What the app's own pages say is in pages/.

## The first line of the tray's menu, which is its tooltip, too

status-starting = Startet …
status-idle = Bereit
status-busy =
    { $running ->
        [one] Beschäftigt: 1 Auftrag läuft
       *[other] Beschäftigt: { $running } Aufträge laufen
    }
status-draining =
    { $left ->
        [0] Ausgelaufen: Es läuft nichts mehr
        [one] Läuft aus: noch 1 Auftrag
       *[other] Läuft aus: noch { $left } Aufträge
    }
status-stopped = Angehalten
status-unreachable = Antwortet nicht
status-failed = Start fehlgeschlagen
status-with-queue =
    { $queued ->
        [one] { $status }, 1 wartet
       *[other] { $status }, { $queued } warten
    }
status-hosting-own = Läuft in dieser App
status-hosting-service = Läuft als Dienst (Prozess { $pid })
status-attention =
    { $count ->
        [one] 1 Hinweis braucht Ihre Aufmerksamkeit
       *[other] { $count } Hinweise brauchen Ihre Aufmerksamkeit
    }

## Menus

menu-open = Übersicht öffnen
menu-start = Starten
menu-drain = Auslaufen lassen: keine neuen Aufträge
menu-undrain = Wieder arbeiten
menu-stop = Anhalten
menu-workers = Worker
menu-workers-now =
    { $now ->
        [one] 1 Worker
       *[other] { $now } Worker
    }
menu-workers-fewer = Einer weniger
menu-workers-more = Einer mehr
menu-workers-auto = Nach Last, { $min } bis { $max }
menu-workers-auto-plain = Nach Last
menu-copy-address = Adresse kopieren
menu-logs = Protokollordner öffnen
menu-settings = Einstellungen …
menu-quit = Beenden
menu-edit = Bearbeiten
menu-view = Ansicht
menu-reload = Neu laden
menu-close-window = Fenster schließen
# An entry that cannot be chosen now, and why.
menu-disabled = { $entry } ({ $reason })

reason-starting = startet gerade
reason-running = läuft schon
reason-not-running = läuft nicht
reason-not-answering = antwortet nicht
reason-service = läuft als Dienst
reason-draining = läuft schon aus
reason-fewest = weniger geht nur durch Auslaufen
reason-most = mehr gibt es nicht
reason-workers-elsewhere = dieser Knoten bietet es nicht an

## Notifications

note-completed = Auftrag fertig
note-failed = Auftrag fehlgeschlagen
note-attention = Flowork braucht Ihre Aufmerksamkeit
note-more =
    { $count ->
        [one] 1 weiteres Ereignis
       *[other] { $count } weitere Ereignisse
    }
note-more-detail = Die Übersicht zeigt sie alle.

## Where there is no tray

tray-missing-message = Dieser Desktop hat keinen Infobereich, deshalb wird das Fenster beim Schließen minimiert.
tray-missing-hint = Schalten Sie die Infobereich-Erweiterung des Desktops ein. Ein erneuter Start von Flowork holt das Fenster zurück.
closed-without-tray-title = Flowork läuft weiter
closed-without-tray-body = Hier gibt es keinen Infobereich, deshalb ist das Fenster minimiert. Beenden können Sie über sein Menü.

## What a reset deletes

reset-accounts = Mitglieder, Anmeldungen, Engines, Warteschlangen, Grenzen und Zeitpläne
reset-jobs = Aufträge und ihre Ergebnisse
reset-sessions = Sync-Sitzungen
reset-audit = Audit-Protokoll
reset-logs = Protokolle
reset-modules = Module
reset-snapshots = Sicherungen
reset-config = Einstellungen des Knotens
reset-preferences = Einstellungen dieser App
reset-window = Daten und Position des Fensters
reset-vault = Verschlüsselte Geheimnisse
reset-vault-key = Schlüssel zu den Geheimnissen
reset-run = Notizen über laufende Prozesse
reset-autostart = Start mit dem System
reset-links = Öffnen von Links
