# What the app's own pages say: settings, leaving, and the one before a node runs.

settings-title = Einstellungen

settings-node = Knoten
settings-host = Läuft in
settings-hosting-own = dieser App (Prozess { $pid })
settings-hosting-service = einem Flowork-Dienst, mit dem die App verbunden ist (Prozess { $pid }). Er läuft weiter, wenn die App beendet wird.
settings-hosting-none = Gerade läuft kein Knoten.
settings-address = Adresse
settings-tray = Infobereich
settings-tray-shown = Das Symbol ist im Infobereich.
settings-tray-missing = Es gibt keinen Infobereich für das Symbol.
settings-tray-missing-hint = Beim Schließen bleibt das Fenster in der Fensterliste; von dort geschlossen, beendet es die App. Ein erneuter Start der App holt es immer zurück.
settings-recovery = Start
settings-recovery-off = Normal
settings-recovery-on = Wiederherstellungsmodus: Worker und Module sind aus, es läuft also nichts. Aufträge und Protokolle lassen sich ansehen.
settings-leave-recovery = Normal starten

settings-app = App
settings-start-with-system = Mit dem System starten
settings-start-with-system-detail = Die App startet dann im Hintergrund, wenn Sie sich anmelden.
settings-open-links = flowork:-Links mit dieser App öffnen
settings-open-links-detail = Ein Link zu einem Auftrag öffnet sich dann hier. Dafür trägt sich die App in Ihre Liste der Anwendungen ein.
settings-keep-in-tray = Im Infobereich weiterlaufen
settings-keep-in-tray-detail = Beim Schließen des Fensters bleibt die App im Infobereich. Ohne diese Einstellung beendet das Schließen die App.
settings-notifications = Benachrichtigungen
settings-notifications-off = Keine
settings-notifications-failed = Fehlgeschlagenes und was Aufmerksamkeit braucht
settings-notifications-all = Auch abgeschlossene Aufträge
settings-deadline = Beim Beenden auf Aufträge warten
settings-deadline-detail = Aufträge, die bis dahin nicht fertig sind, laufen nach dem nächsten Start noch einmal.
settings-deadline-none = Nicht warten
settings-language = Sprache
settings-language-system = Wie das System
settings-failed = Das hat nicht geklappt

settings-files = Dateien
settings-data = Daten
settings-open-data = Datenordner öffnen
settings-logs = Protokolle
settings-open-logs = Protokollordner öffnen

settings-reset = Zurücksetzen
settings-reset-detail = Löscht, was Flowork auf diesem Computer aufbewahrt: Aufträge, Einstellungen, Schlüssel. Zuerst sehen Sie eine Liste von allem.
settings-reset-begin = Zeigen, was gelöscht würde
settings-reset-looking = Wird ermittelt …
settings-reset-list = Das wird gelöscht
settings-reset-what = Was
settings-reset-where = Wo
settings-reset-size = Größe
settings-reset-vault = im Tresor
settings-reset-total = Zusammen
settings-reset-kept = Das bleibt, weil es nicht zu Flowork gehört
settings-reset-warning = Niemand kann es zurückholen. Laufende Aufträge werden angehalten.
settings-reset-type = Zur Bestätigung eingeben:
settings-reset-confirm = Alles davon löschen
settings-reset-cancel = Nichts löschen
settings-reset-working = Wird gelöscht …
settings-reset-done = Alles auf der Liste ist gelöscht.
settings-reset-left = Das konnte nicht gelöscht werden
settings-reset-finish = Flowork beenden
settings-reset-attached = Diese App ist mit einem Dienst verbunden. Halten Sie zuerst den Dienst an.
settings-reset-changed = Seit die Liste erstellt wurde, hat sich etwas geändert. Sehen Sie sich zuerst die neue Liste an.
settings-reset-mistyped = Das ist nicht, was die Seite einzugeben verlangt.

leaving-title = Flowork wird beendet
leaving-draining =
    { $left ->
        [0] Läuft aus, keine Aufträge übrig
        [one] Läuft aus, noch 1 Auftrag
       *[other] Läuft aus, noch { $left } Aufträge
    }
leaving-stopping = Der Knoten wird angehalten
leaving-detail = Laufende Aufträge dürfen fertig werden, neue beginnen nicht. Was nicht rechtzeitig fertig wird, läuft nach dem nächsten Start noch einmal.
leaving-deadline = Verbleibende Zeit
leaving-quit-now = Jetzt beenden
leaving-keep-running = Weiterlaufen lassen

start-starting = Wird gestartet …
start-failed = Flowork konnte nicht starten
start-retry = Noch einmal versuchen
start-logs = Protokollordner öffnen
start-settings = Einstellungen
start-quit = Beenden
start-log = Protokoll:
start-stopped = Flowork ist angehalten
start-start = Starten
start-free-port = Einen freien Port nehmen
start-free-port-hint = „Einen freien Port nehmen“ startet Flowork unter einer anderen Adresse und behält sie von da an. Wem die alte Adresse bekannt ist, der braucht die neue.
start-own-port-hint = Jedes Benutzerkonto dieses Rechners braucht einen eigenen Port. „Einen freien Port nehmen“ holt einen für Ihres und behält ihn von da an.
port-not-kept-message = Flowork ist unter { $url } erreichbar, bis es endet. Dieser Port konnte für spätere Starts nicht gemerkt werden: { $reason }.
port-not-kept-hint = Schaffen Sie Platz auf dem Datenträger, oder geben Sie diesem Konto dort Schreibrecht. Beim nächsten Start wird wieder der alte Port versucht.
