//! Compiles in what `npm run build:dashboard` made: every file of `dist` with its `.br` and `.gz`. Without it Cargo needs no Node.js, and
//! one page says how to build the others.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("Cargo says where the crate is"));
    let dist = root.join("dist");
    println!("cargo::rerun-if-changed=build.rs");
    // Where it is missing, its folder is what changes when it is made.
    println!("cargo::rerun-if-changed={}", if dist.is_dir() { dist.display() } else { root.display() });
    let mut files = Vec::new();
    if dist.join("index.html").is_file() {
        files.push(("/".to_owned(), dist.join("index.html")));
        let assets = fs::read_dir(dist.join("assets")).into_iter().flatten().flatten().map(|entry| entry.path());
        files.extend(assets.filter_map(|path| Some((format!("/assets/{}", path.file_name()?.to_str()?), path))));
    }
    files.retain(|(name, _)| !name.ends_with(".br") && !name.ends_with(".gz"));
    files.sort();
    let mut out = String::from("&[\n");
    let to = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo says where to write"));
    for (at, (name, path)) in files.iter().enumerate() {
        // Copied, so that a build of the pages at the same time changes nothing under the compiler.
        let copy = |extension: &str| {
            let from = path.with_file_name(format!("{}{extension}", file_name(path)));
            let bytes =
                fs::read(&from).unwrap_or_else(|error| panic!("{}: {error}: npm run build:dashboard", from.display()));
            let copied = to.join(format!("{at}{extension}"));
            fs::write(&copied, &bytes).expect("what is built can be written");
            (copied, fnv(&bytes))
        };
        let ((plain, hash), (brotli, _), (gzip, _)) = (copy(""), copy(".br"), copy(".gz"));
        let _ = writeln!(
            out,
            "File {{ path: {name:?}, tag: \"\\\"{hash:016x}\\\"\", plain: include_bytes!({plain:?}), brotli: include_bytes!({brotli:?}), gzip: include_bytes!({gzip:?}) }},"
        );
    }
    out.push(']');
    fs::write(to.join("files.rs"), out).expect("what is built can be written");
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A number that is another one for another content.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
