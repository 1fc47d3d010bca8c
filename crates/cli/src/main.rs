//! The program `geartrain`.

fn main() -> std::process::ExitCode {
    geartrain_cli::main()
}
