//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use otlp_arrow::Signal;

pub(crate) mod ask;
pub(crate) mod words;

/// The text after `--help`'s list of commands.
const EXAMPLES: &str = "\
Start:
  otlp-arrow demo              record made-up telemetry and show what is there
  otlp-arrow serve             record what any OpenTelemetry SDK sends to its default address
  otlp-arrow tail --follow     see it come in, in another terminal

Files are in ./output_dir/otlp/{traces,metrics,logs}, and any Arrow tool opens them:
  python -c \"import polars as pl; print(pl.scan_ipc('output_dir/otlp/traces/*.arrow').collect())\"

`otlp-arrow COMMAND --help` has examples for each command.
Exit codes: 0 done, 1 failed or nothing found, 2 wrong usage, 3 done, but parts of the input could not be used.";

/// Keeps OpenTelemetry traces, metrics and logs as Apache Arrow files, crash-safe.
#[derive(Debug, Parser)]
#[command(name = "otlp-arrow", bin_name = "otlp-arrow", version, after_help = EXAMPLES, disable_help_subcommand = true)]
#[command(subcommand_required = true, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Listen for OTLP and record it until Ctrl-C
    #[command(after_help = "\
Examples:
  otlp-arrow serve
  otlp-arrow serve --output-dir ./telemetry --durability synced
  otlp-arrow serve --grpc 127.0.0.1:0 --http off
  otlp-arrow serve --set retention.max_bytes=20GiB --set 'forward={endpoint: http://collector:4317}'

Ctrl-C or SIGTERM stops taking data in, writes what was accepted, seals the files and says what was
kept, within shutdown_timeout. A second one exits at once; what was acknowledged stays kept.")]
    Serve(ServeArgs),

    /// Look at a directory in a browser: services, traces, logs, metrics, errors
    #[command(after_help = "\
Examples:
  otlp-arrow ui                                the directory that the configuration names, ./output_dir by default
  otlp-arrow ui ./telemetry
  otlp-arrow ui ./telemetry --no-open --port 8080

It needs no service, and one that records into the directory is not disturbed. `serve` shows the same
pages by itself. Only this machine is answered. Ctrl-C ends it.")]
    Ui(UiArgs),

    /// Record made-up telemetry of a small shop, and show what was kept
    #[command(after_help = "\
Examples:
  otlp-arrow demo
  otlp-arrow demo --output-dir ./somewhere

It needs no network. `npm run demo` in the repository does the same with real instrumented programs.")]
    Demo(DemoArgs),

    /// Show the newest records of a directory, and those that come
    #[command(after_help = "\
Examples:
  otlp-arrow tail                              the newest 20 records of each signal
  otlp-arrow tail logs --follow                log records as they are committed
  otlp-arrow tail traces --service checkout -n 100
  otlp-arrow tail --follow --json | jq .body   one JSON object a line

On a terminal lines are aligned, services have colours that stay the same (none with NO_COLOR), and what repeats is one line with ×N;
elsewhere each record is a line. It reads the files: no service needs to run, and one that runs is not disturbed.")]
    Tail(TailArgs),

    /// Show one trace as a tree, with durations and errors
    #[command(after_help = "\
Examples:
  otlp-arrow trace 5b8efff798038103d269b633813fc60c
  otlp-arrow trace 5b8efff7                    the beginning of the id is enough if no other trace begins so
  otlp-arrow trace 5b8efff7 --otlp | …         its spans as OTLP/JSON")]
    Trace(ask::TraceArgs),

    /// Show services with rate, errors and durations
    #[command(after_help = "\
Examples:
  otlp-arrow services
  otlp-arrow services --from -1h --json

Requests are spans of the kinds server and consumer; of a service that has none, spans without a parent.")]
    Services(ask::ServicesArgs),

    /// Search traces: one line each, the newest first
    #[command(after_help = "\
Examples:
  otlp-arrow traces --service checkout --min-duration 250ms
  otlp-arrow traces --status error --from -1h --limit 50
  otlp-arrow traces --attr http.route=/cart --attr 'http.response.status_code>=500'")]
    Traces(ask::TracesArgs),

    /// Search spans: one line each, the newest first
    Spans(ask::SpansArgs),

    /// Search log records, the newest first
    #[command(after_help = "\
Examples:
  otlp-arrow logs 'card declined'
  otlp-arrow logs --severity '>=warn' --service payment --from -15m
  otlp-arrow logs --regex 'timeout after [0-9]+' --json")]
    Logs(ask::LogsArgs),

    /// Count records over time
    #[command(after_help = "\
Examples:
  otlp-arrow counts --from -1h --step 1m
  otlp-arrow counts --signal logs --severity '>=error' --by service")]
    Counts(ask::CountsArgs),

    /// Show which attributes there are, or the values of one
    #[command(after_help = "\
Examples:
  otlp-arrow attributes
  otlp-arrow attributes http.route --service checkout
  otlp-arrow attributes resource:host.name --signal logs")]
    Attributes(ask::AttributesArgs),

    /// Show which metrics there are, or one of them over time
    #[command(after_help = "\
Examples:
  otlp-arrow metrics
  otlp-arrow metrics http.server.request.duration --by service --from -1h
  otlp-arrow metrics http.server.requests --show increase --by attr:http.route --step 1m")]
    Metrics(ask::MetricsArgs),

    /// Show which services call which
    #[command(after_help = "\
Examples:
  otlp-arrow map --from -1h
  otlp-arrow map --service checkout --status error

An edge is a span of another service than its parent; the words are about that span, --service about either side. ⇢ is a link.")]
    Map(ask::MapArgs),

    /// Compare two traces, runs or ranges: what is new, gone, slower, faster, failing
    #[command(after_help = "\
Examples:
  otlp-arrow compare 5b8efff7 4bf92f35
  otlp-arrow compare -2h..-1h -1h.. --service checkout
  otlp-arrow compare resource=ci.run.id=17 resource=ci.run.id=18")]
    Compare(ask::CompareArgs),

    /// Show which values are more frequent among the records that match: what slow or failing ones have in common
    #[command(after_help = "\
Examples:
  otlp-arrow overrepresented --status error --from -1h
  otlp-arrow overrepresented --min-duration 1s --service checkout
  otlp-arrow overrepresented --severity '>=error' --signal logs --against -2h..-1h")]
    Overrepresented(ask::OverrepresentedArgs),

    /// Show exceptions in groups: type, message without numbers and ids, and where they come from
    #[command(after_help = "\
Examples:
  otlp-arrow errors --from -1h
  otlp-arrow errors --service checkout --each
  otlp-arrow errors --group 2f1b9c0d8e7a6543")]
    Errors(ask::ErrorsArgs),

    /// Answer a coding agent on standard input and output (MCP): tools about what is recorded
    #[command(after_help = "\
Examples, in the configuration of an agent (docs/agents.md has one line for each of the common ones):
  otlp-arrow mcp                     the output_dir of the configuration
  otlp-arrow mcp ./telemetry
  npx otlp-arrow mcp ./telemetry
  uvx otlp-arrow mcp ./telemetry

It reads the files only: no service needs to run, and the directory need not be there yet. `serve` answers the same at /mcp.")]
    Mcp(McpArgs),

    /// Count what files and directories hold: records, times, services, sizes
    #[command(after_help = "\
Examples:
  otlp-arrow inspect output_dir
  otlp-arrow inspect output_dir/otlp/traces/*.arrow
  otlp-arrow inspect output_dir --json

Live files are counted up to their last whole commit. What was set aside as unreadable is listed, too.")]
    Inspect(InspectArgs),

    /// Convert between OTLP and Arrow, both ways
    #[command(after_help = "\
Input, whatever its name is:
  OTLP/JSON      a request a line, pretty-printed, joined, or an array of them
  OTLP protobuf  a request, several joined, or each behind its length, as the Collector's file exporter writes them
  Arrow          .arrow (sealed) and .arrows (live)
  OTAP           .otap, which this command writes
  gzip and zstd of all but Arrow; a directory of these; - for standard input

Output, by extension: .pb, .jsonl, .arrow, .arrows or .otap

Examples:
  otlp-arrow convert output_dir --signal traces --output traces.jsonl
  otlp-arrow convert /var/lib/otelcol/traces.json --output traces.arrow
  kubectl logs collector | otlp-arrow convert - --signal logs --output logs.arrow

What is torn or foreign is left out and told, with file and line: then the exit code is 3. A record that OTLP calls
invalid is left out and reported. The output appears under its name when it is whole.")]
    Convert(ConvertArgs),

    /// Show, explain and begin a configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

impl Command {
    /// Whether standard output carries data that is not text.
    pub(crate) fn writes_binary(&self) -> bool {
        match self {
            Command::Trace(args) => args.output.arrow,
            Command::Services(ask::ServicesArgs { asked })
            | Command::Traces(ask::TracesArgs { asked })
            | Command::Spans(ask::SpansArgs { asked })
            | Command::Logs(ask::LogsArgs { asked, .. })
            | Command::Counts(ask::CountsArgs { asked, .. })
            | Command::Attributes(ask::AttributesArgs { asked, .. })
            | Command::Metrics(ask::MetricsArgs { asked, .. })
            | Command::Map(ask::MapArgs { asked })
            | Command::Compare(ask::CompareArgs { asked, .. })
            | Command::Overrepresented(ask::OverrepresentedArgs { asked, .. })
            | Command::Errors(ask::ErrorsArgs { asked, .. }) => asked.output.arrow,
            _ => false,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show each value in force for `serve`, and where it came from
    Print(Settings),
    /// Write a commented configuration file
    Init(InitArgs),
    /// Print the JSON Schema of the configuration
    Schema,
}

/// Options that set keys.
#[derive(Debug, Default, Args)]
pub(crate) struct Settings {
    /// Configuration file [default: $OTLP_ARROW_CONFIG, else ./otlp-arrow.yaml if there]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where the files go [default: ./output_dir]
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: Option<String>,
    /// First address to listen on, or off [default: 127.0.0.1:4317]
    #[arg(long, value_name = "ADDR")]
    pub(crate) grpc: Option<String>,
    /// Second address to listen on, or off [default: 127.0.0.1:4318]
    #[arg(long, value_name = "ADDR")]
    pub(crate) http: Option<String>,
    /// What an acknowledgement means: buffered, written or synced [default: written]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) durability: Option<String>,
    /// Listen on addresses that other machines reach, without credentials
    #[arg(long)]
    pub(crate) insecure: bool,
    /// Set any key, such as rotation.max_age=5m; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) settings: Settings,
}

#[derive(Debug, Args)]
pub(crate) struct UiArgs {
    /// Directory to look at [default: output_dir of the configuration]
    #[arg(value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// Configuration file that names the directory
    #[arg(long, value_name = "FILE", conflicts_with = "directory")]
    pub(crate) config: Option<PathBuf>,
    /// Port on 127.0.0.1 [default: any that is free]
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
    pub(crate) port: u16,
    /// Print the link and open no browser
    #[arg(long)]
    pub(crate) no_open: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where the files go
    #[arg(long, value_name = "DIR", default_value = "./otlp-arrow-demo")]
    pub(crate) output_dir: PathBuf,
}

/// Which directory is read.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// Directory to read [default: output_dir of the configuration]
    #[arg(long, value_name = "DIR", visible_alias = "dir")]
    pub(crate) output_dir: Option<PathBuf>,
    /// Configuration file that names the directory
    #[arg(long, value_name = "FILE", conflicts_with = "output_dir")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct TailArgs {
    /// Only this signal
    #[arg(value_enum)]
    pub(crate) signal: Option<SignalName>,
    /// Go on with what is committed from now on, until Ctrl-C
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only records of this service
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// How many of the newest records of each signal
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub(crate) lines: usize,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) source: Source,
}

#[derive(Debug, Args)]
pub(crate) struct McpArgs {
    /// Directory to read, which need not be there yet [default: output_dir of the configuration]
    #[arg(value_name = "DIR", conflicts_with_all = ["output_dir", "config"])]
    pub(crate) directory: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) source: Source,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Output directories, directories of Arrow files, or Arrow files
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// One JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConvertArgs {
    /// Files and directories to read; - for standard input
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    /// File to write; its extension says in which form
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// The signal, where the input does not say or has several
    #[arg(long, value_enum, value_name = "SIGNAL")]
    pub(crate) signal: Option<SignalName>,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Where to write it; - for standard output
    #[arg(value_name = "FILE", default_value = "otlp-arrow.yaml")]
    pub(crate) file: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// A signal on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SignalName {
    Traces,
    Metrics,
    Logs,
}

impl From<SignalName> for Signal {
    fn from(name: SignalName) -> Signal {
        match name {
            SignalName::Traces => Signal::Traces,
            SignalName::Metrics => Signal::Metrics,
            SignalName::Logs => Signal::Logs,
        }
    }
}
