# What the app's own pages say: settings, leaving, and the one before a node runs.

settings-title = Réglages

settings-node = Nœud
settings-host = Exécuté par
settings-hosting-own = Cette application (processus { $pid })
settings-hosting-service = Un service Flowork auquel cette application est rattachée (processus { $pid }). Il continue quand l’application est quittée.
settings-hosting-none = Aucun nœud ne fonctionne en ce moment.
settings-address = Adresse
settings-tray = Zone de notification
settings-tray-shown = L’icône est dans la zone de notification.
settings-tray-missing = Aucune zone de notification ne peut afficher l’icône.
settings-tray-missing-hint = Fermée, la fenêtre reste dans la liste des fenêtres ; la fermer depuis là quitte l’application. Rouvrir l’application la fait toujours revenir.
settings-recovery = Démarrage
settings-recovery-off = Normal
settings-recovery-on = Mode de récupération : les workers et les modules sont désactivés, rien ne s’exécute. Les tâches et les journaux restent consultables.
settings-leave-recovery = Démarrer normalement

settings-app = Application
settings-start-with-system = Démarrer avec le système
settings-start-with-system-detail = L’application démarre alors en arrière-plan à l’ouverture de votre session.
settings-open-links = Ouvrir les liens flowork: avec cette application
settings-open-links-detail = Un lien vers une tâche s’ouvre alors ici. Pour cela, l’application s’ajoute à votre liste d’applications.
settings-keep-in-tray = Rester dans la zone de notification
settings-keep-in-tray-detail = Fermer la fenêtre laisse l’application dans la zone de notification. Sans cela, fermer la fenêtre quitte l’application.
settings-notifications = Notifications
settings-notifications-off = Aucune
settings-notifications-failed = Les échecs et ce qui demande votre attention
settings-notifications-all = Aussi les tâches terminées
settings-deadline = Attendre les tâches en quittant
settings-deadline-detail = Les tâches inachevées à ce moment s’exécutent de nouveau après le prochain démarrage.
settings-deadline-none = Ne pas attendre
settings-language = Langue
settings-language-system = Comme le système
settings-failed = Cela n’a pas fonctionné

settings-files = Fichiers
settings-data = Données
settings-open-data = Ouvrir le dossier des données
settings-logs = Journaux
settings-open-logs = Ouvrir le dossier des journaux

settings-reset = Réinitialisation
settings-reset-detail = Supprime ce que Flowork conserve sur cet ordinateur : tâches, réglages, clés. La liste complète s’affiche d’abord.
settings-reset-begin = Montrer ce qui serait supprimé
settings-reset-looking = Recherche…
settings-reset-list = Ceci sera supprimé
settings-reset-what = Quoi
settings-reset-where = Où
settings-reset-size = Taille
settings-reset-vault = dans le coffre
settings-reset-total = Total
settings-reset-kept = Ceci reste, car cela n’appartient pas à Flowork
settings-reset-warning = Personne ne pourra le récupérer. Les tâches en cours sont arrêtées.
settings-reset-type = Pour confirmer, tapez
settings-reset-confirm = Supprimer tout cela
settings-reset-cancel = Ne rien supprimer
settings-reset-working = Suppression…
settings-reset-done = Tout ce qui figure dans la liste est supprimé.
settings-reset-left = Ceci n’a pas pu être supprimé
settings-reset-finish = Quitter Flowork
settings-reset-attached = Cette application est rattachée à un service. Arrêtez d’abord le service.
settings-reset-changed = Quelque chose a changé depuis que la liste a été établie. Regardez d’abord la nouvelle liste.
settings-reset-mistyped = Ce n’est pas ce que la page demande de taper.

leaving-title = Fermeture de Flowork
leaving-draining =
    { $left ->
        [0] Vidage en cours, aucune tâche restante
        [one] Vidage en cours, { $left } tâche restante
       *[other] Vidage en cours, { $left } tâches restantes
    }
leaving-stopping = Arrêt du nœud
leaving-detail = Les tâches en cours peuvent se terminer, aucune autre ne commence. Ce qui n’est pas fini à temps s’exécute de nouveau après le prochain démarrage.
leaving-deadline = Temps restant
leaving-quit-now = Quitter maintenant
leaving-keep-running = Laisser fonctionner

start-starting = Démarrage…
start-failed = Flowork n’a pas pu démarrer
start-retry = Réessayer
start-logs = Ouvrir le dossier des journaux
start-settings = Réglages
start-quit = Quitter
start-log = Journal :
start-stopped = Flowork est arrêté
start-start = Démarrer
start-free-port = Utiliser un port libre
start-free-port-hint = « Utiliser un port libre » démarre Flowork à une autre adresse et la garde ensuite. Ce qui connaît l’ancienne adresse doit recevoir la nouvelle.
start-own-port-hint = Chaque compte de cette machine a besoin de son propre port. « Utiliser un port libre » en prend un pour le vôtre et le garde ensuite.
port-not-kept-message = Flowork répond à { $url } jusqu’à ce qu’il se termine. Ce port n’a pas pu être gardé pour les prochains démarrages : { $reason }.
port-not-kept-hint = Faites de la place sur le disque, ou donnez à ce compte le droit d’y écrire. Au prochain démarrage, l’ancien port sera essayé de nouveau.
