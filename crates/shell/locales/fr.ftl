# The tray, the menus and the notifications. What the app's own pages say is in pages/.

## The first line of the tray's menu, which is its tooltip, too

status-starting = Démarrage…
status-idle = Inactif
status-busy =
    { $running ->
        [one] Occupé : { $running } tâche en cours
       *[other] Occupé : { $running } tâches en cours
    }
status-draining =
    { $left ->
        [0] Vidé : plus rien n’est en cours
        [one] Vidage : encore { $left } tâche
       *[other] Vidage : encore { $left } tâches
    }
status-stopped = Arrêté
status-unreachable = Ne répond pas
status-failed = Échec du démarrage
status-with-queue =
    { $queued ->
        [one] { $status }, { $queued } en attente
       *[other] { $status }, { $queued } en attente
    }
status-hosting-own = Fonctionne dans cette application
status-hosting-service = Fonctionne comme service (processus { $pid })
status-attention =
    { $count ->
        [one] { $count } point demande votre attention
       *[other] { $count } points demandent votre attention
    }

## Menus

menu-open = Ouvrir le tableau de bord
menu-start = Démarrer
menu-drain = Vider : plus de nouvelles tâches
menu-undrain = Reprendre le travail
menu-stop = Arrêter
menu-workers = Workers
menu-workers-now =
    { $now ->
        [one] { $now } worker
       *[other] { $now } workers
    }
menu-workers-fewer = Un de moins
menu-workers-more = Un de plus
menu-workers-auto = Selon la charge, de { $min } à { $max }
menu-workers-auto-plain = Selon la charge
menu-copy-address = Copier l’adresse
menu-logs = Ouvrir le dossier des journaux
menu-settings = Réglages…
menu-quit = Quitter
menu-edit = Édition
menu-view = Affichage
menu-reload = Recharger
menu-close-window = Fermer la fenêtre
# An entry that cannot be chosen now, and why.
menu-disabled = { $entry } ({ $reason })

reason-starting = démarrage en cours
reason-running = déjà en marche
reason-not-running = pas en marche
reason-not-answering = pas de réponse
reason-service = fonctionne comme service
reason-draining = vidage déjà en cours
reason-fewest = pour moins, il faut vider
reason-most = il n’y en a pas plus
reason-workers-elsewhere = ce nœud ne le propose pas

## Notifications

note-completed = Tâche terminée
note-failed = Échec de la tâche
note-attention = Flowork demande votre attention
note-more =
    { $count ->
        [one] { $count } autre événement
       *[other] { $count } autres événements
    }
note-more-detail = Le tableau de bord les montre tous.

## Where there is no tray

tray-missing-message = Ce bureau n’a pas de zone de notification ; fermer la fenêtre la réduit donc.
tray-missing-hint = Activez l’extension de zone de notification du bureau. Relancer Flowork fait revenir la fenêtre.
closed-without-tray-title = Flowork continue
closed-without-tray-body = Il n’y a pas de zone de notification ici ; la fenêtre est donc réduite. Quittez depuis son menu.

## What a reset deletes

reset-accounts = Membres, connexions, moteurs, files d’attente, limites et planifications
reset-jobs = Tâches et leurs résultats
reset-sessions = Sessions de synchronisation
reset-audit = Journal d’audit
reset-logs = Journaux
reset-modules = Modules
reset-snapshots = Instantanés
reset-config = Réglages du nœud
reset-preferences = Réglages de cette application
reset-window = Données et position de la fenêtre
reset-vault = Secrets chiffrés
reset-vault-key = Clé des secrets
reset-run = Notes sur les processus en cours
reset-autostart = Démarrage avec le système
reset-links = Ouverture des liens
