//! The standalone binary.

fn main() {
    std::process::exit(otlp_arrow_cli::run(std::env::args_os().skip(1)));
}
