//! Writes libtorch's folder into the binaries' run path, so that `train` and its tests start
//! without `LD_LIBRARY_PATH`.

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    if let Some(library) = std::env::var_os("DEP_TCH_LIBTORCH_LIB") {
        let library = std::path::PathBuf::from(library);
        let library = library.canonicalize().unwrap_or(library);
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", library.display());
        println!("cargo:rustc-env=LIBTORCH_LIB_DIR={}", library.display());
    }
}
