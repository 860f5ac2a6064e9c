//! How this process and its machine are, for the people who look at the gateway.

use std::sync::{Arc, Mutex, PoisonError};

use flowork_api_types::engine::Vitals;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

/// The machine this runs on. Keeps what was seen last, because a share of busy time is one since then.
#[derive(Default)]
pub(super) struct Machine {
    seen: Mutex<Option<System>>,
}

impl Machine {
    /// How it is now; `None` where the system does not say.
    pub(super) async fn vitals(machine: &Arc<Self>) -> Option<Vitals> {
        let machine = Arc::clone(machine);
        // Reading the process table can block, on some systems for milliseconds.
        tokio::task::spawn_blocking(move || machine.look()).await.ok().flatten()
    }

    fn look(&self) -> Option<Vitals> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = seen.is_none();
        let system = match &mut *seen {
            Some(system) => system,
            seen => seen.insert(System::new().ok()?),
        };
        system.refresh_cpu_usage();
        system.refresh_memory();
        let own = sysinfo::get_current_pid().ok();
        if let Some(pid) = own {
            let what = ProcessRefreshKind::nothing().with_memory();
            system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, what);
        }
        let known = |bytes: u64| Some(bytes).filter(|bytes| *bytes > 0);
        Some(Vitals {
            memory_bytes: own.and_then(|pid| system.process(pid)).and_then(|process| known(process.memory())),
            machine_memory_bytes: known(system.total_memory()),
            machine_memory_free_bytes: known(system.available_memory()),
            machine_cpu: (!is_first).then(|| f64::from(system.global_cpu_usage()) / 100.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_knows_its_memory_at_once_and_how_busy_it_is_from_the_second_look_on() {
        let machine = Arc::default();
        let first = Machine::vitals(&machine).await.unwrap();
        let (own, all) = (first.memory_bytes.unwrap(), first.machine_memory_bytes.unwrap());
        assert!(own < all && first.machine_memory_free_bytes.unwrap() <= all, "{first:?}");
        assert_eq!(first.machine_cpu, None, "it is a share of the time since the look before");
        let second = Machine::vitals(&machine).await.unwrap();
        let share = second.machine_cpu.unwrap();
        assert!((0.0..=1.0).contains(&share), "{share}");
        assert_eq!(second.bounded(), second);
    }
}
