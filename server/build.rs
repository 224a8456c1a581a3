//! The page is embedded from a folder that cargo does not watch by itself.

fn main() {
    println!("cargo::rerun-if-changed=../target/page");
}
