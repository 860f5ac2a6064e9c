# What the app's own pages say: settings, leaving, and the one before a node runs.

settings-title = Ajustes

settings-node = Nodo
settings-host = Lo ejecuta
settings-hosting-own = Esta aplicación (proceso { $pid })
settings-hosting-service = Un servicio de Flowork al que esta aplicación está conectada (proceso { $pid }). Sigue en marcha cuando se cierra la aplicación.
settings-hosting-none = Ahora no hay ningún nodo en marcha.
settings-address = Dirección
settings-tray = Área de notificación
settings-tray-shown = El icono está en el área de notificación.
settings-tray-missing = No hay un área de notificación que pueda mostrar el icono.
settings-tray-missing-hint = Al cerrarla, la ventana se queda en la lista de ventanas; cerrarla desde allí sale de la aplicación. Abrir otra vez la aplicación siempre la trae de vuelta.
settings-recovery = Inicio
settings-recovery-off = Normal
settings-recovery-on = Modo de recuperación: los workers y los módulos están desactivados y no se ejecuta nada. Se pueden consultar los trabajos y los registros.
settings-leave-recovery = Iniciar normalmente

settings-app = Aplicación
settings-start-with-system = Iniciar con el sistema
settings-start-with-system-detail = La aplicación se inicia entonces en segundo plano al abrir la sesión.
settings-open-links = Abrir los enlaces flowork: con esta aplicación
settings-open-links-detail = Un enlace a un trabajo se abre entonces aquí. Para ello, la aplicación se añade a su lista de aplicaciones.
settings-keep-in-tray = Seguir en el área de notificación
settings-keep-in-tray-detail = Al cerrar la ventana, la aplicación se queda en el área de notificación. Sin esto, cerrar la ventana sale de la aplicación.
settings-notifications = Notificaciones
settings-notifications-off = Ninguna
settings-notifications-failed = Lo que falla o necesita atención
settings-notifications-all = También los trabajos completados
settings-deadline = Esperar a los trabajos al salir
settings-deadline-detail = Los trabajos que no hayan terminado para entonces se ejecutan de nuevo tras el próximo inicio.
settings-deadline-none = No esperar
settings-language = Idioma
settings-language-system = Como el sistema
settings-failed = No ha funcionado

settings-files = Archivos
settings-data = Datos
settings-open-data = Abrir la carpeta de datos
settings-logs = Registros
settings-open-logs = Abrir la carpeta de registros

settings-reset = Restablecer
settings-reset-detail = Borra lo que Flowork guarda en este equipo: trabajos, ajustes, claves. Primero se ve una lista de todo.
settings-reset-begin = Mostrar lo que se borraría
settings-reset-looking = Buscando…
settings-reset-list = Esto se borrará
settings-reset-what = Qué
settings-reset-where = Dónde
settings-reset-size = Tamaño
settings-reset-vault = en el almacén de claves
settings-reset-total = Total
settings-reset-kept = Esto se queda, porque no es de Flowork
settings-reset-warning = Nadie podrá recuperarlo. Los trabajos en marcha se detienen.
settings-reset-type = Para confirmar, escriba
settings-reset-confirm = Borrar todo esto
settings-reset-cancel = No borrar nada
settings-reset-working = Borrando…
settings-reset-done = Todo lo de la lista está borrado.
settings-reset-left = Esto no se ha podido borrar
settings-reset-finish = Salir de Flowork
settings-reset-attached = Esta aplicación está conectada a un servicio. Detenga primero el servicio.
settings-reset-changed = Algo ha cambiado desde que se hizo la lista. Mire primero la nueva lista.
settings-reset-mistyped = Eso no es lo que la página pide escribir.

leaving-title = Saliendo de Flowork
leaving-draining =
    { $left ->
        [0] Terminando, no quedan trabajos
        [one] Terminando, queda 1 trabajo
       *[other] Terminando, quedan { $left } trabajos
    }
leaving-stopping = Deteniendo el nodo
leaving-detail = Los trabajos en marcha pueden terminar; no empieza ninguno nuevo. Lo que no termine a tiempo se ejecuta de nuevo tras el próximo inicio.
leaving-deadline = Tiempo restante
leaving-quit-now = Salir ahora
leaving-keep-running = Seguir en marcha

start-starting = Iniciando…
start-failed = Flowork no ha podido iniciarse
start-retry = Reintentar
start-logs = Abrir la carpeta de registros
start-settings = Ajustes
start-quit = Salir
start-log = Registro:
start-stopped = Flowork está detenido
start-start = Iniciar
start-free-port = Usar un puerto libre
start-free-port-hint = «Usar un puerto libre» inicia Flowork en otra dirección y la conserva desde entonces. Lo que conozca la dirección antigua necesita la nueva.
start-own-port-hint = Cada cuenta de esta máquina necesita un puerto propio. «Usar un puerto libre» toma uno para la suya y lo conserva desde entonces.
port-not-kept-message = Flowork responde en { $url } hasta que termine. Ese puerto no se ha podido conservar para los próximos inicios: { $reason }.
port-not-kept-hint = Libere espacio en el disco o dé a esta cuenta permiso para escribir allí. En el próximo inicio se probará de nuevo el puerto antiguo.
