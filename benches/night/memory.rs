//! What the kernel knows of processes: the peak memory of this one since a stage began, and processor time.

use std::fs;

/// Linux counts processor time in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;

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

/// One process as `/proc/N/stat` tells: its parent, its own processor time, and that of children it has waited for.
struct Process {
    parent: u32,
    own_s: f64,
    gone_s: f64,
}

fn process(id: &str) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let field = |place: usize| fields.split_whitespace().nth(place)?.parse::<u32>().ok();
    let seconds = |first: usize| Some(f64::from(field(first)? + field(first + 1)?) / TICKS_PER_SECOND);
    Some(Process { parent: field(1)?, own_s: seconds(11)?, gone_s: seconds(13)? })
}

/// Processor time of all threads so far, in seconds: what a busy neighbour on the machine does not change.
pub(crate) fn processor_s() -> Option<f64> {
    Some(process("self")?.own_s)
}

/// The same of children that have ended, and of theirs.
pub(crate) fn children_processor_s() -> Option<f64> {
    Some(process("self")?.gone_s)
}

/// The same of a server and every process below it, ended ones included.
pub(crate) fn family_processor_s(server: u32) -> Option<f64> {
    let ids = fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let all: Vec<(u32, Process)> = ids.filter_map(|id: u32| Some((id, process(&id.to_string())?))).collect();
    let mut family = vec![server];
    // A child may have a smaller number than its parent: look until nobody is added.
    loop {
        let more = all.iter().filter(|(id, process)| family.contains(&process.parent) && !family.contains(id));
        let more: Vec<u32> = more.map(|(id, _)| *id).collect();
        if more.is_empty() {
            let of_family = all.iter().filter(|(id, _)| family.contains(id));
            return Some(of_family.map(|(_, process)| process.own_s + process.gone_s).sum());
        }
        family.extend(more);
    }
}
