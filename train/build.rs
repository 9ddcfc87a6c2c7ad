//! Writes libtorch's folder into the binaries' run path, so that `train` and its tests start
//! without `LD_LIBRARY_PATH`, and the version control commit into the program, so that every model
//! card can name the code that made it.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    if let Some(library) = std::env::var_os("DEP_TCH_LIBTORCH_LIB") {
        let library = std::path::PathBuf::from(library);
        let library = library.canonicalize().unwrap_or(library);
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", library.display());
        println!("cargo:rustc-env=LIBTORCH_LIB_DIR={}", library.display());
    }
    for changed in ["src", "build.rs", "../runtime/src", "../.git/logs/HEAD"] {
        println!("cargo:rerun-if-changed={changed}");
    }
    println!("cargo:rustc-env=PARSEYE_COMMIT={}", commit());
}

/// The commit, with `-dirty` where source files differ from it; `unknown` outside a checkout.
fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".into();
    };
    let changed = git(&[
        "status",
        "--porcelain",
        "--untracked-files=no",
        "--",
        "src",
        "../runtime/src",
        "../Cargo.lock",
    ]);
    if changed.is_some_and(|files| files.is_empty()) {
        commit
    } else {
        format!("{commit}-dirty")
    }
}
