//! Which boot of the machine this is.

use std::sync::Arc;

/// Tells apart the times at which the steady clock began anew: by the boot, and by the time namespace of a container,
/// which may have a beginning of its own. Source: proc(5), time_namespaces(7).
#[cfg(target_os = "linux")]
pub(crate) fn this_boot() -> Option<Arc<str>> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let boot = boot.trim();
    // A kernel without these namespaces has one beginning for all.
    let beginning = std::fs::read_link("/proc/self/ns/time").unwrap_or_default();
    (!boot.is_empty()).then(|| format!("{boot} {}", beginning.display()).into())
}

/// Nobody is asked elsewhere: after a restart the wall clock says how much time has passed.
#[cfg(not(target_os = "linux"))]
pub(crate) fn this_boot() -> Option<Arc<str>> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_boot_has_one_name() {
        let boot = this_boot().expect("Linux tells");
        assert_eq!(this_boot(), Some(Arc::clone(&boot)));
        assert!(boot.len() > 36, "{boot}");
    }
}
