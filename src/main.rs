//! The `tow` binary; everything is in the library.

fn main() -> std::process::ExitCode {
    towline::cli::main()
}
