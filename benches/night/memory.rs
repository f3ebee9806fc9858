//! Peak memory of a stage: the kernel's high-water mark of this process, set back where a stage begins.

use std::fs;

/// Sets the high-water mark back to what is resident now; without effect where the kernel has no such thing.
pub(crate) fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The most that was resident since [`forget_peak`], in KiB.
pub(crate) fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
