//! By which names others ask for this machine.

use crate::web::HostPort;

/// What networks put behind the name of a machine. Nobody can have one of these in the public DNS, so no
/// website can: `.local` is multicast DNS's (RFC 6762), `.home.arpa` and `.internal` are for networks of
/// one's own (RFC 8375, ICANN 2024), and `.lan`, `.home` and `.localdomain` are what routers use.
const SUFFIXES: [&str; 6] = ["local", "home.arpa", "internal", "lan", "home", "localdomain"];

/// The names of this machine, as far as it knows them itself.
pub(super) fn own_names() -> Vec<HostPort> {
    host_name().as_deref().map(names_of).unwrap_or_default()
}

/// What a machine that calls itself `name` is called by others.
fn names_of(name: &str) -> Vec<HostPort> {
    let name = name.trim().trim_end_matches('.');
    let label = name.split('.').next().unwrap_or_default();
    let with_suffix = SUFFIXES.map(|suffix| format!("{label}.{suffix}"));
    let names = [name.to_owned(), label.to_owned()].into_iter().chain(with_suffix);
    // A system may let a machine be called what no address can say.
    let mut names: Vec<HostPort> = names.filter_map(|name| name.parse().ok()).collect();
    names.dedup();
    names
}

#[cfg(unix)]
fn host_name() -> Option<String> {
    nix::unistd::gethostname().ok()?.into_string().ok()
}

#[cfg(not(unix))]
fn host_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_called_by_its_name_and_as_networks_call_it() {
        let names = |name: &str| -> Vec<String> {
            names_of(name).iter().map(ToString::to_string).collect()
        };
        let short = names("Teacher-PC");
        assert_eq!(short[..2], ["teacher-pc", "teacher-pc.local"]);
        assert!(short.contains(&"teacher-pc.lan".to_owned()));
        let long = names("lab1.cs.uni.example.\n");
        assert_eq!(long[..3], ["lab1.cs.uni.example", "lab1", "lab1.local"]);
        for none in ["", "Ana's PC", "*"] {
            assert_eq!(names(none), [""; 0], "{none}");
        }
    }
}
