//! The binary: everything is in the library.

/// Frees and allocations are a tenth of what a request costs; docs/performance.md has the comparison.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    frontroom::cli::main()
}
