//! Tells the linker where a Cortex-M has its memory.

fn main() {
    println!("cargo:rerun-if-changed=memory.x");
    if std::env::var("TARGET").is_ok_and(|target| target.starts_with("thumb")) {
        let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo names the package's folder");
        println!("cargo:rustc-link-search={folder}");
        println!("cargo:rustc-link-arg-bin=power-cuts=-Tlink.x");
    }
}
