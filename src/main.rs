//! The binary: everything is in the library.

/// Cheaper than the C library's: docs/performance.md says by how much.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    frontroom::cli::main()
}
