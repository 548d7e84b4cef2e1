//! Names the shared library: programs that were linked against it ask the loader for this name. The number is
//! `TRANSIRE_ABI_MAJOR` of `src/version.rs`, which a test holds against it.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libtransire.so.0");
    }
}
