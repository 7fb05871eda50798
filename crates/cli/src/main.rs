//! The standalone binary.

fn main() {
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    std::process::exit(otlp_arrow_cli::run(arguments));
}
