//! What can be typed. Each command's `--help` has an example; `tests/doors` holds the whole tree against a stored text.

use super::access::{AccountCommand, AuditCommand, TokenCommand};
use super::input;
use crate::api::wire::{NameServer, ParentMode, PolicyChange, TsigAlgorithm};
use chorus_providers::http::IpNet;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Keeps DNSSEC zones that several operators sign at once consistent, and moves them between operators without any
/// resolver failing.
#[derive(Debug, Parser)]
#[command(
    name = "chorus",
    version,
    disable_help_subcommand = true,
    after_help = "\
Example:
  chorus zone join example.org b --reason 'second operator' --wait

Exit codes:
  0 ok   1 error   2 wrong usage   3 the plan has changes (zone plan --detailed-exitcode)
  4 blocked, or preflight failed   5 --wait timed out   6 conflict   7 not authorised
  8 a check could not be tried now (operator test, operator check)
  130 Ctrl-C in a --wait: the transition goes on"
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
pub struct Global {
    /// Where the daemon listens; plain HTTP on a loopback address, or https
    #[arg(
        long,
        global = true,
        help_heading = "Common options",
        env = "CHORUS_URL",
        default_value = "http://127.0.0.1:8420"
    )]
    pub url: String,
    /// The authority that the daemon's certificate is from, in PEM; else those that this host trusts
    #[arg(long, global = true, help_heading = "Common options", env = "CHORUS_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// The token that 'chorus serve' wrote into its data directory, or an API token
    #[arg(
        long,
        global = true,
        help_heading = "Common options",
        env = "CHORUS_TOKEN_FILE",
        value_name = "FILE",
        default_value = "./chorus-data/token"
    )]
    pub token_file: PathBuf,
    /// As a table for people, or the API's JSON as it is
    #[arg(
        short = 'o',
        long = "output",
        global = true,
        help_heading = "Common options",
        value_enum,
        default_value = "table"
    )]
    pub output: Output,
    /// No colours, as with NO_COLOR in the environment
    #[arg(long, global = true, help_heading = "Common options")]
    pub no_color: bool,
    /// Data and errors only
    #[arg(short, long, global = true, help_heading = "Common options")]
    pub quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Table,
    Json,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon
    #[command(after_help = "Example:\n  chorus serve --data /var/lib/chorus --listen 127.0.0.1:8420")]
    Serve(ServeArgs),
    /// Operators: who signs and serves zones, and how they are driven
    #[command(after_help = "Example:\n  chorus operator list", disable_help_subcommand = true)]
    Operator {
        #[command(subcommand)]
        command: OperatorCommand,
    },
    /// Zones: adopt them, look at them, change their operators
    #[command(after_help = "Example:\n  chorus zone show example.org", disable_help_subcommand = true)]
    Zone {
        #[command(subcommand)]
        command: ZoneCommand,
    },
    /// Parents: how long each took from a request until all its servers showed it, and how many zones wait for it
    #[command(after_help = "Example:\n  chorus parents")]
    Parents,
    /// The transitions of the past: how many a day, how long each step took, and how good the forecasts were
    #[command(after_help = "Example:\n  chorus statistics --days 90")]
    Statistics {
        /// Of so many days, today included, in UTC
        #[arg(long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u32).range(1..=366))]
        days: u32,
    },
    /// The master key, which seals the operators' credentials
    #[command(after_help = "Example:\n  chorus key rotate", disable_help_subcommand = true)]
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Accounts: who signs in, with which role
    #[command(after_help = "Example:\n  chorus account list", disable_help_subcommand = true)]
    Account {
        #[command(subcommand)]
        command: AccountCommand,
    },
    /// API tokens, for programs
    #[command(after_help = "Example:\n  chorus token list", disable_help_subcommand = true)]
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// The log: who did what, and whether it is whole
    #[command(after_help = "Example:\n  chorus audit verify", disable_help_subcommand = true)]
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Certificates in files: whether the evidence in the file shows what the certificate says
    #[command(after_help = "Example:\n  chorus certificate verify example.org.json", disable_help_subcommand = true)]
    Certificate {
        #[command(subcommand)]
        command: CertificateCommand,
    },
    /// Run the parent's side: follow the CDS, CDNSKEY and CSYNC of a zone's delegations
    #[command(after_help = "Example:\n  chorus parent-agent --config /etc/chorus/parent-agent.toml")]
    ParentAgent {
        /// The parent zone, its update address and key, and the interval
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

#[derive(Clone, Debug, Args)]
pub struct ServeArgs {
    /// Where everything is kept: database, key, token. Made if it is not there
    #[arg(long, value_name = "DIR", default_value = "./chorus-data")]
    pub data: PathBuf,
    /// Where to listen: a loopback address, or any with TLS or a named proxy
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8420")]
    pub listen: SocketAddr,
    /// The certificate with its chain, in PEM; read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's key, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// A proxy that has the TLS, and is believed for whom it asks (X-Forwarded-For, X-Forwarded-Proto); give each
    #[arg(long, value_name = "ADDR", conflicts_with = "tls_cert")]
    pub trusted_proxy: Vec<IpAddr>,
    /// A resolver to look up name servers' addresses with; else those of this host
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = input::dns_address)]
    pub resolver: Option<SocketAddr>,
    /// A network that operators' HTTP interfaces may be in, without TLS too; give each. Else: public addresses, with TLS
    #[arg(long, value_name = "CIDR")]
    pub allow_provider_net: Vec<IpNet>,
    /// Do not observe IPv6 addresses of name servers, for a host that has no IPv6; every certificate says so
    #[arg(long)]
    pub without_ipv6: bool,
}

#[derive(Debug, Subcommand)]
pub enum OperatorCommand {
    /// Add an operator: how it is driven, and what its name servers are
    #[command(after_help = "\
Example:
  chorus operator add a --provider rfc2136 --update 192.0.2.1 --tsig-name chorus --tsig-algorithm hmac-sha256 \\
    --tsig-secret-file a.secret --name-server ns1.a.example=192.0.2.1 --name-server ns2.a.example
  chorus operator add b --provider powerdns --api-url https://pdns.b.example --secret-file b.key \\
    --name-server ns1.b.example --name-server ns2.b.example
  chorus operator add c --provider desec --secret-file desec.token")]
    Add(OperatorAddArgs),
    /// All operators
    #[command(after_help = "Example:\n  chorus operator list -o json")]
    List,
    /// One operator
    #[command(after_help = "Example:\n  chorus operator show a")]
    Show {
        #[arg(value_parser = input::operator_name)]
        name: String,
    },
    /// Change where an operator is driven, and where it serves; what is not named stays
    #[command(after_help = "\
Example:
  chorus operator set a --update 192.0.2.7
  chorus operator set a --name-server ns1.a.example=192.0.2.1 --name-server ns2.a.example")]
    Set(OperatorSetArgs),
    /// Give an operator a new credential: it is tried in the operator's zones, and used if it is good
    #[command(after_help = "\
Example:
  chorus operator rotate a --tsig-name chorus-2027. --secret-file /run/secrets/chorus-2027
  chorus operator rotate pdns --secret-file -")]
    Rotate(OperatorRotateArgs),
    /// What an operator can do: add and remove keys, CDS, CSYNC, NS. Without --write, as it was seen; with it, each is tried
    #[command(after_help = "\
Example:
  chorus operator check b --zone example.org
  chorus operator check b --zone test.example.org --write
  chorus operator check b --zone test.example.org --write --test-zone
  chorus operator check b --zone test.example.org --write --markdown

Exits with 4 when there is something that it cannot do: that is held against it when it is to come into a zone")]
    Check {
        #[arg(value_parser = input::operator_name)]
        name: String,
        /// A zone that the operator serves; with --write, one of no importance
        #[arg(long, value_parser = input::zone_name)]
        zone: String,
        /// Place records in that zone, look for them at every address, and take them away again. Refused where the parent has a
        /// DS of the zone
        #[arg(long)]
        write: bool,
        /// Declare that no user depends on that zone: it may have a DS, and resolvers may fail in it while the trial lasts
        #[arg(long, requires = "write")]
        test_zone: bool,
        /// As a table in Markdown
        #[arg(long)]
        markdown: bool,
    },
    /// Check that an operator can take part in a zone, without changing anything
    #[command(after_help = "Example:\n  chorus operator test b --zone example.org")]
    Test {
        #[arg(value_parser = input::operator_name)]
        name: String,
        #[arg(long, value_parser = input::zone_name)]
        zone: String,
    },
}

/// What only dynamic updates need.
const RFC2136_ARGS: [&str; 4] = ["update", "tsig_name", "tsig_algorithm", "tsig_secret_file"];

#[derive(Debug, Args)]
pub struct OperatorAddArgs {
    /// A short name of your choice
    #[arg(value_parser = input::operator_name)]
    pub name: String,
    /// The kind of interface
    #[arg(long, value_parser = ["rfc2136", "powerdns", "desec"])]
    pub provider: String,
    /// rfc2136: where DNS updates are sent
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = input::dns_address, required_if_eq("provider", "rfc2136"))]
    pub update: Option<SocketAddr>,
    /// rfc2136: the TSIG key's name
    #[arg(long, value_name = "NAME", required_if_eq("provider", "rfc2136"))]
    pub tsig_name: Option<String>,
    /// rfc2136: the TSIG key's algorithm
    #[arg(long, value_enum, required_if_eq("provider", "rfc2136"))]
    pub tsig_algorithm: Option<TsigAlgorithm>,
    /// rfc2136: a file with the TSIG key's secret in base64 and nothing else; '-' reads it from stdin
    #[arg(long, value_name = "FILE", required_if_eq("provider", "rfc2136"))]
    pub tsig_secret_file: Option<PathBuf>,
    /// Not needed any more: Chorus finds out by itself. Accepted for scripts that have it
    #[arg(long, requires = "update", hide = true)]
    pub own_keys_apart: bool,
    /// powerdns: where the server's API is, without /api/v1; desec: of a deSEC of your own [default: https://desec.io/api/v1]
    #[arg(long, value_name = "URL", required_if_eq("provider", "powerdns"), conflicts_with_all = RFC2136_ARGS)]
    pub api_url: Option<String>,
    /// powerdns: the server's id in its API [default: localhost]
    #[arg(long, value_name = "ID", requires = "api_url")]
    pub server_id: Option<String>,
    /// powerdns, desec: a file with the API key or token and nothing else; '-' reads it from stdin
    #[arg(long, value_name = "FILE", required_if_eq_any([("provider", "powerdns"), ("provider", "desec")]), conflicts_with_all = RFC2136_ARGS)]
    pub secret_file: Option<PathBuf>,
    /// desec: which of several accounts the token belongs to, in your own words; operators without it share one
    #[arg(long, value_name = "NAME", requires = "secret_file")]
    pub account: Option<String>,
    /// desec: how many requests a day the account may make, if deSEC has set another limit [default: 2000]
    #[arg(long, value_name = "N", requires = "secret_file")]
    pub requests_per_day: Option<u32>,
    /// A name server of this operator; without addresses they are looked up. Give each, and each address [desec: its two]
    #[arg(long, value_name = "HOST[=ADDR[:PORT]]", required_if_eq_any([("provider", "rfc2136"), ("provider", "powerdns")]), value_parser = input::name_server)]
    pub name_server: Vec<NameServer>,
}

#[derive(Debug, Args)]
pub struct OperatorSetArgs {
    #[arg(value_parser = input::operator_name)]
    pub name: String,
    /// rfc2136: where DNS updates are sent
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = input::dns_address)]
    pub update: Option<SocketAddr>,
    /// powerdns: where the server's API is, without /api/v1
    #[arg(long, value_name = "URL")]
    pub api_url: Option<String>,
    /// powerdns: the server's id in its API
    #[arg(long, value_name = "ID")]
    pub server_id: Option<String>,
    /// desec: which of several accounts the token belongs to, in your own words; '' for none
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// desec: how many requests a day the account may make, with all its operators together
    #[arg(long, value_name = "N")]
    pub requests_per_day: Option<u32>,
    /// A name server of this operator. Give all that it has from now on, and each address
    #[arg(long, value_name = "HOST[=ADDR[:PORT]]", value_parser = input::name_server)]
    pub name_server: Vec<NameServer>,
}

#[derive(Debug, Args)]
pub struct OperatorRotateArgs {
    #[arg(value_parser = input::operator_name)]
    pub name: String,
    /// A file with the new secret or API key and nothing else; '-' reads it from stdin
    #[arg(long, value_name = "FILE")]
    pub secret_file: PathBuf,
    /// rfc2136: the new TSIG key's name, if it is another
    #[arg(long, value_name = "NAME")]
    pub tsig_name: Option<String>,
    /// rfc2136: the new TSIG key's algorithm, if it is another
    #[arg(long, value_enum)]
    pub tsig_algorithm: Option<TsigAlgorithm>,
    /// Try it in this zone, too: one that the operator serves
    #[arg(long, value_parser = input::zone_name)]
    pub zone: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Seal all secrets with a new master key, while everything goes on
    #[command(after_help = "Example:\n  chorus key rotate")]
    Rotate,
}

#[derive(Debug, Subcommand)]
pub enum ZoneCommand {
    /// Adopt a zone: look at what is there, and write nothing
    #[command(after_help = "\
Example:
  chorus zone add example.org --operator a
  chorus zone add example.net --operators a,b
  chorus zone add example.ch --operator a --parent manual --data-ttl-max 12h")]
    Add(ZoneAddArgs),
    /// Show or change what is assumed because it cannot be seen
    #[command(after_help = "Example:\n  chorus zone policy example.org --slack 60s --stale 3d")]
    Policy {
        #[arg(value_parser = input::zone_name)]
        zone: String,
        #[command(flatten)]
        policy: PolicyArgs,
        /// How the parent learns of changes from now on: it scans for CDS and CSYNC, or you tell a registrar
        #[arg(long, value_enum)]
        parent: Option<ParentMode>,
    },
    /// All zones, or those that the options choose
    #[command(after_help = "Example:\n  chorus zone list\n  chorus zone list --state attention --operator b")]
    List(ZoneListArgs),
    /// One zone: verdict, keys, servers, and what is awaited
    #[command(after_help = "Example:\n  chorus zone show example.org -o json")]
    Show {
        #[arg(value_parser = input::zone_name)]
        zone: String,
    },
    /// What speaks against a change, or is worth knowing before it: each finding with evidence and fix. Changes nothing
    #[command(after_help = "\
Example:
  chorus zone check example.org
  chorus zone check example.org --operators a,b -o json

Exits with 4 when there is an error: the change would be refused")]
    Check {
        #[arg(value_parser = input::zone_name)]
        zone: String,
        /// The wanted group [default: the present one]
        #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = input::operator_name)]
        operators: Vec<String>,
    },
    /// What a change would do, step by step, and how long it takes. Changes nothing
    #[command(after_help = "Example:\n  chorus zone plan example.org --operators a,b --detailed-exitcode")]
    Plan {
        #[arg(value_parser = input::zone_name)]
        zone: String,
        /// The wanted group
        #[arg(long, value_name = "NAME,...", required = true, value_delimiter = ',', value_parser = input::operator_name)]
        operators: Vec<String>,
        /// Exit with 3 when there is something to change
        #[arg(long)]
        detailed_exitcode: bool,
    },
    /// Say which operators shall sign and serve the zone; begins the transition there
    #[command(
        after_help = "Example:\n  chorus zone set example.org --operators a,b --reason 'CHG-812' --wait --timeout 6h"
    )]
    Set {
        #[arg(value_parser = input::zone_name)]
        zone: String,
        /// The wanted group
        #[arg(long, value_name = "NAME,...", required = true, value_delimiter = ',', value_parser = input::operator_name)]
        operators: Vec<String>,
        #[command(flatten)]
        how: How,
    },
    /// Set, with one operator more
    #[command(after_help = "Example:\n  chorus zone join example.org b --wait")]
    Join {
        #[arg(value_parser = input::zone_name)]
        zone: String,
        #[arg(value_parser = input::operator_name)]
        operator: String,
        #[command(flatten)]
        how: How,
    },
    /// Set, with one operator less
    #[command(after_help = "\
Example:
  chorus zone leave example.org a --reason 'contract ends'
  chorus zone leave example.org a --unreachable --reason 'all its servers are gone'
  chorus zone leave example.org a --uncooperative --reason 'the credential is lost'")]
    Leave {
        #[arg(value_parser = input::zone_name)]
        zone: String,
        #[arg(value_parser = input::operator_name)]
        operator: String,
        /// It does not answer any more: go on without writing there. Refused while it answers
        #[arg(long)]
        unreachable: bool,
        /// It answers and takes no updates: go on without writing there. Its keys and DS stay until you declare it --unreachable
        #[arg(long, conflicts_with = "unreachable")]
        uncooperative: bool,
        #[command(flatten)]
        how: How,
    },
    /// Set, with one operator in place of another: the new one joins before the old one leaves
    #[command(after_help = "Example:\n  chorus zone replace example.org a b --wait")]
    Replace {
        #[arg(value_parser = input::zone_name)]
        zone: String,
        #[arg(value_parser = input::operator_name)]
        old: String,
        #[arg(value_parser = input::operator_name)]
        new: String,
        #[command(flatten)]
        how: How,
    },
    /// Bring all operators to another algorithm: says what each has to do when, waits, and goes on
    #[command(after_help = "\
Example:
  chorus zone algorithm example.org --to ecdsap256sha256 --plan
  chorus zone algorithm example.org --to ecdsap256sha256 --wait")]
    Algorithm {
        #[arg(value_parser = input::zone_name)]
        zone: String,
        /// The algorithm by its name: ecdsap256sha256, ed25519, rsasha256, ...
        #[arg(long, value_name = "ALGORITHM")]
        to: String,
        /// Only show the way there: who does what, after what, and when it ends
        #[arg(long)]
        plan: bool,
        #[command(flatten)]
        how: How,
    },
    /// Hold the transition: keys are still shared, nothing else is written
    #[command(after_help = "Example:\n  chorus zone pause example.org --reason 'freeze until Monday'")]
    Pause {
        #[arg(value_parser = input::zone_name)]
        zone: String,
        #[command(flatten)]
        how: How,
    },
    /// Go on after a pause; or forward again, after a stop or an undo that is under way
    #[command(after_help = "Example:\n  chorus zone resume example.org --wait")]
    Resume {
        #[arg(value_parser = input::zone_name)]
        zone: String,
        #[command(flatten)]
        how: How,
    },
    /// Go on to the nearest rest state, and end the transition there
    #[command(after_help = "\
Example:
  chorus zone stop example.org --plan
  chorus zone stop example.org --reason 'not this week' --wait")]
    Stop {
        #[arg(value_parser = input::zone_name)]
        zone: String,
        /// Only show where it would stop, by which steps, and when
        #[arg(long)]
        plan: bool,
        #[command(flatten)]
        how: How,
    },
    /// Go back to the operators from before, under the same guards; after a transition has ended, by a new one
    #[command(after_help = "\
Example:
  chorus zone undo example.org --plan
  chorus zone undo example.org --reason 'b is not ready' --wait")]
    Undo {
        #[arg(value_parser = input::zone_name)]
        zone: String,
        /// Only show the way back: its steps, and when it ends
        #[arg(long)]
        plan: bool,
        #[command(flatten)]
        how: How,
    },
    /// Look now, and try again at once what failed. Guards stay guards
    #[command(after_help = "Example:\n  chorus zone try-now example.org")]
    TryNow {
        #[arg(value_parser = input::zone_name)]
        zone: String,
        #[command(flatten)]
        how: How,
    },
    /// Put right what the present group lacks (see `zone show`). At rest nothing of it is written
    #[command(after_help = "Example:\n  chorus zone repair example.org --wait")]
    Repair {
        #[arg(value_parser = input::zone_name)]
        zone: String,
        #[command(flatten)]
        how: How,
    },
    /// Declare that a DS or NS set that Chorus showed earlier will not be handed in to the registrar
    #[command(after_help = "\
Chorus does not contact the registrar: cancel the request there first. If the set is published after all, resolvers may
fail. Without this command, Chorus waits until the parent shows the set, or until --registrar-max plus --parent-pipeline
has passed.

Example:
  chorus zone show example.org
  chorus zone registrar-cancelled example.org --reason 'the registrar has closed the request'")]
    RegistrarCancelled {
        #[arg(value_parser = input::zone_name)]
        zone: String,
        #[command(flatten)]
        how: How,
    },
    /// What happened, one line per event
    #[command(after_help = "Example:\n  chorus zone history example.org --limit 20")]
    History {
        #[arg(value_parser = input::zone_name)]
        zone: String,
        /// The newest so many
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: Option<u32>,
    },
    /// Whether any resolver could have failed in a transition that is over
    #[command(after_help = "Example:\n  chorus zone certificate example.org")]
    Certificate {
        #[arg(value_parser = input::zone_name)]
        zone: String,
        /// Another than the last one
        #[arg(long, value_name = "ID")]
        transition: Option<String>,
        /// With the evidence that it rests on, for 'chorus certificate verify': as JSON, whatever '--output' says
        #[arg(long)]
        with_evidence: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum CertificateCommand {
    /// Work a certificate out again from its evidence. No daemon is asked. Exit status 1: the evidence contradicts it
    #[command(
        after_help = "Example:\n  chorus zone certificate example.org --with-evidence > example.org.json\n  chorus certificate verify example.org.json"
    )]
    Verify {
        /// The file; '-' for stdin
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct ZoneListArgs {
    /// In this state: a transition's, as `zone show` has it, or rest, unsettled, exposed, attention
    #[arg(long)]
    pub state: Option<String>,
    /// Of this operator, or on its way to or from it
    #[arg(long, value_parser = input::operator_name)]
    pub operator: Option<String>,
    /// Delegated from this zone
    #[arg(long)]
    pub parent: Option<String>,
    /// Waiting for this reason, by its code
    #[arg(long)]
    pub reason: Option<String>,
    /// With names that begin so
    #[arg(long)]
    pub text: Option<String>,
    /// So many, by name; else all
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: Option<u32>,
}

impl ZoneListArgs {
    /// Whether there may be zones that are not shown.
    pub fn is_filtered(&self) -> bool {
        [&self.state, &self.operator, &self.parent, &self.reason, &self.text].into_iter().any(Option::is_some)
    }
}

#[derive(Debug, Args)]
pub struct ZoneAddArgs {
    #[arg(value_parser = input::zone_name)]
    pub zone: String,
    /// The operator that signs and serves it now
    #[arg(long, value_name = "NAME", value_parser = input::operator_name, required_unless_present = "operators")]
    pub operator: Option<String>,
    /// The operators that sign and serve it now: the group is taken over as it is
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', value_parser = input::operator_name, conflicts_with = "operator")]
    pub operators: Vec<String>,
    /// A server of the parent zone; give each. Else they are looked up
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = input::dns_address)]
    pub parent_server: Vec<SocketAddr>,
    /// How the parent learns of changes: it scans for CDS and CSYNC, or you tell a registrar [default: scan]
    #[arg(long, value_enum)]
    pub parent: Option<ParentMode>,
    #[command(flatten)]
    pub policy: PolicyArgs,
}

/// The assumptions that a user may know better, and how often data are sampled.
#[derive(Clone, Debug, Args)]
pub struct PolicyArgs {
    /// Added to every wait, for clocks and queries in flight [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = input::seconds)]
    pub slack: Option<u64>,
    /// How long resolvers may use what has expired [default: 3d]
    #[arg(long, value_name = "DURATION", value_parser = input::seconds)]
    pub stale: Option<u64>,
    /// The largest TTL in the zone, unless a zone transfer shows a longer one; 0s takes it back [default: what a zone transfer shows, else 1d]
    #[arg(long, value_name = "DURATION", value_parser = input::seconds)]
    pub data_ttl_max: Option<u64>,
    /// From the parent's scan until its servers show the outcome [default: 48h]
    #[arg(long, value_name = "DURATION", value_parser = input::seconds)]
    pub parent_pipeline: Option<u64>,
    /// Longest time until a DS or NS set that Chorus no longer shows is handed in to the registrar [default: 7d]
    #[arg(long, value_name = "DURATION", value_parser = input::seconds)]
    pub registrar_max: Option<u64>,
    /// What the parent takes: any, ch, se, fred, ee, centralnic, uz, za, ripe, namingo, single-key [default: auto, by its name]
    #[arg(long, value_name = "NAME")]
    pub parent_profile: Option<String>,
    /// How often a few answers of one address are verified while nothing changes; 0s: never [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = input::seconds)]
    pub sample_every: Option<u64>,
    /// The longest time between two looks with which a certificate still says that no resolver could have failed [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = input::seconds)]
    pub gap_max: Option<u64>,
    /// The delegation at the parent, confirmed by you, where every server of the parent serves the zone itself; "" to forget it
    #[arg(long, value_name = "HOST,...")]
    pub delegation: Option<String>,
}

impl From<PolicyArgs> for PolicyChange {
    fn from(args: PolicyArgs) -> PolicyChange {
        PolicyChange {
            slack_s: args.slack,
            stale_s: args.stale,
            data_ttl_max_s: args.data_ttl_max,
            parent_pipeline_s: args.parent_pipeline,
            registrar_max_s: args.registrar_max,
            parent_profile: args.parent_profile,
            parent: None,
            sample_every_s: args.sample_every,
            gap_max_s: args.gap_max,
            delegation: args.delegation,
        }
    }
}

/// How a change is begun and followed.
#[derive(Debug, Args)]
pub struct How {
    /// Why; kept in the history
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Stay, and show each step until the end. Ctrl-C detaches: the transition goes on
    #[arg(long)]
    pub wait: bool,
    /// Give up waiting after this long; the transition goes on
    #[arg(long, value_name = "DURATION", requires = "wait", value_parser = humantime::parse_duration)]
    pub timeout: Option<Duration>,
}
