# The tray, the menus and the notifications. What the app's own pages say is in pages/.

## The first line of the tray's menu, which is its tooltip, too

status-starting = Iniciando…
status-idle = Inactivo
status-busy =
    { $running ->
        [one] Ocupado: 1 trabajo en curso
       *[other] Ocupado: { $running } trabajos en curso
    }
status-draining =
    { $left ->
        [0] Terminado: ya no hay nada en curso
        [one] Terminando: queda 1 trabajo
       *[other] Terminando: quedan { $left } trabajos
    }
status-stopped = Detenido
status-unreachable = No responde
status-failed = No se pudo iniciar
status-with-queue =
    { $queued ->
        [one] { $status }, 1 en espera
       *[other] { $status }, { $queued } en espera
    }
status-hosting-own = Funciona en esta aplicación
status-hosting-service = Funciona como servicio (proceso { $pid })
status-attention =
    { $count ->
        [one] 1 asunto requiere su atención
       *[other] { $count } asuntos requieren su atención
    }

## Menus

menu-open = Abrir el panel
menu-start = Iniciar
menu-drain = Terminar: no aceptar trabajos nuevos
menu-undrain = Volver a trabajar
menu-stop = Detener
menu-workers = Workers
menu-workers-now =
    { $now ->
        [one] 1 worker
       *[other] { $now } workers
    }
menu-workers-fewer = Uno menos
menu-workers-more = Uno más
menu-workers-auto = Según la carga, de { $min } a { $max }
menu-workers-auto-plain = Según la carga
menu-copy-address = Copiar la dirección
menu-logs = Abrir la carpeta de registros
menu-settings = Ajustes…
menu-quit = Salir
menu-edit = Editar
menu-view = Ver
menu-reload = Recargar
menu-close-window = Cerrar la ventana
# An entry that cannot be chosen now, and why.
menu-disabled = { $entry } ({ $reason })

reason-starting = se está iniciando
reason-running = ya está en marcha
reason-not-running = no está en marcha
reason-not-answering = no responde
reason-service = funciona como servicio
reason-draining = ya está terminando
reason-fewest = con menos no habría trabajo
reason-most = no hay más
reason-workers-elsewhere = este nodo no lo ofrece

## Notifications

note-completed = Trabajo terminado
note-failed = Trabajo fallido
note-attention = Flowork requiere su atención
note-more =
    { $count ->
        [one] 1 suceso más
       *[other] { $count } sucesos más
    }
note-more-detail = El panel los muestra todos.

## Where there is no tray

tray-missing-message = Este escritorio no tiene área de notificación, así que al cerrar la ventana se minimiza.
tray-missing-hint = Active la extensión del área de notificación del escritorio. Iniciar Flowork de nuevo trae la ventana de vuelta.
closed-without-tray-title = Flowork sigue en marcha
closed-without-tray-body = Aquí no hay área de notificación, así que la ventana está minimizada. Salga desde su menú.

## What a reset deletes

reset-accounts = Miembros, inicios de sesión, motores, colas, límites y programaciones
reset-jobs = Trabajos y sus resultados
reset-sessions = Sesiones de sincronización
reset-audit = Registro de auditoría
reset-logs = Registros
reset-modules = Módulos
reset-snapshots = Instantáneas
reset-config = Ajustes del nodo
reset-preferences = Ajustes de esta aplicación
reset-window = Datos y posición de la ventana
reset-vault = Secretos cifrados
reset-vault-key = Clave de los secretos
reset-run = Notas de los procesos en curso
reset-autostart = Inicio con el sistema
reset-links = Apertura de enlaces
