//! What machine this is, without anything that names its owner.

use std::fs;
use std::thread::available_parallelism;

use super::process::kib_line;
use crate::report::{Build, Machine};
use crate::workload::digest::sha256;

/// Reads what the system tells about the machine.
#[must_use]
pub fn read() -> Machine {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpu = cpu(&cpuinfo);
    let cores = available_parallelism().map_or(1, usize::from);
    let memory_bytes = kib_line(&meminfo, "MemTotal:").unwrap_or(0);
    let kernel = match release.trim() {
        "" => std::env::consts::OS.to_owned(),
        release => format!("{} {release}", std::env::consts::OS),
    };
    let virtualization = virtualization(&cpuinfo);
    let id = id(&cpu, cores, memory_bytes, &kernel);
    Machine { id, cpu, cores, memory_bytes, kernel, virtualization }
}

/// How this program was built.
#[must_use]
pub fn build() -> Build {
    Build {
        harness: env!("CARGO_PKG_VERSION").to_owned(),
        rustc: env!("HARNESS_RUSTC").to_owned(),
        profile: env!("HARNESS_PROFILE").to_owned(),
        allocator: "system".to_owned(),
        features: Vec::new(),
    }
}

/// Eight hex digits. Memory is rounded to a gibibyte: kernels reserve a little more or less.
fn id(cpu: &str, cores: usize, memory_bytes: u64, kernel: &str) -> String {
    let gibibytes = (memory_bytes + (1 << 29)) >> 30;
    let mut digest = sha256(format!("{cpu}\n{cores}\n{gibibytes}\n{kernel}"));
    digest.truncate(8);
    digest
}

/// The processor's name, and its family and model where they are told: what hosts call it (`AMD EPYC`) may stand
/// for generations of which one is twice as fast as the other.
fn cpu(cpuinfo: &str) -> String {
    let name = field(cpuinfo, "model name").unwrap_or(std::env::consts::ARCH);
    match (field(cpuinfo, "cpu family"), field(cpuinfo, "model")) {
        (Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
        _ => name.to_owned(),
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

fn virtualization(cpuinfo: &str) -> String {
    let flags = field(cpuinfo, "flags").unwrap_or_default();
    if cpuinfo.is_empty() {
        return "unknown".to_owned();
    }
    if !flags.split_whitespace().any(|flag| flag == "hypervisor") {
        return "none".to_owned();
    }
    let product = fs::read_to_string("/sys/class/dmi/id/sys_vendor").unwrap_or_default();
    match product.trim() {
        "" => "hypervisor".to_owned(),
        product => product.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_of_one_name_are_told_apart() {
        let cpuinfo = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\n";
        assert_eq!(cpu(cpuinfo), "AMD EPYC (family 25, model 1)");
        assert_ne!(cpu(cpuinfo), cpu(&cpuinfo.replace("family\t: 25", "family\t: 26")));
        assert_eq!(cpu("model name\t: Some CPU\n"), "Some CPU");
        assert_eq!(cpu(""), std::env::consts::ARCH);
    }

    #[test]
    fn the_id_depends_on_each_part_and_not_on_a_few_reserved_pages() {
        let base = id("cpu", 2, 24 << 30, "linux 6.1");
        assert_eq!(base.len(), 8);
        assert_eq!(base, id("cpu", 2, (24 << 30) - 300_000_000, "linux 6.1"));
        for other in [
            id("cpu 2", 2, 24 << 30, "linux 6.1"),
            id("cpu", 4, 24 << 30, "linux 6.1"),
            id("cpu", 2, 48 << 30, "linux 6.1"),
            id("cpu", 2, 24 << 30, "linux 6.2"),
        ] {
            assert_ne!(base, other);
        }
    }
}
