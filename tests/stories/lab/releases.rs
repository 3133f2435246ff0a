//! Versions of name servers other than the system's, as `tests/servers/get` unpacks them. A version that is not there fails the
//! story that needs it.

use std::path::{Path, PathBuf};

use super::process::binary;

/// Where a version is unpacked, such as `bind` 9.20.
pub fn directory(family: &str, release: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target = target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"));
    let directory = target.join(format!("servers/{family}-{release}"));
    assert!(
        directory.is_dir(),
        "{family} {release} is not there ({}): tests/servers/get fetches the newer servers; if it has fetched them, Debian \
         has this version no more",
        directory.display()
    );
    directory
}

/// A program of this version, or of the system.
pub fn program(release: Option<&str>, family: &str, name: &str, debian_package: &str) -> PathBuf {
    match release {
        None => binary(name, debian_package),
        Some(release) => {
            let program = directory(family, release).join("bin").join(name);
            assert!(program.is_file(), "{} is missing", program.display());
            program
        }
    }
}
