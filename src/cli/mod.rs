//! The command line: reads arguments, asks the daemon's JSON API, writes what a person or a program can read.
//!
//! Data goes to stdout, all else to stderr; an error is one line that says what to do. Invariants: nothing that a server
//! sent reaches a terminal with its control characters; no secret is an argument.
//!
//! No DNS and no rules here: what a zone may do is asked, never worked out.

pub mod access;
pub mod args;
mod certificate;
pub mod client;
pub mod exit;
pub mod input;
pub mod render;
pub mod serve;
pub mod wait;

use crate::api::wire::{
    ApiAdd, At, Capabilities, Certificate, Change, CheckRequest, Control, History, KeyRotated, NameServer, OperatorAdd,
    OperatorChange, OperatorCheck, OperatorList, OperatorRotate, OperatorRotated, OperatorShow, OperatorTest, Outcome,
    ParentList, ParentMode, Plan, PlanRequest, PolicyChange, SecretText, SetAnswer, SetGroup, Statistics, TsigAdd,
    Verb, ZoneAdd, ZoneCheck, ZoneList, ZonePolicy, ZoneShow,
};
use args::{
    Cli, Command, Global, KeyCommand, OperatorAddArgs, OperatorCommand, OperatorRotateArgs, OperatorSetArgs, Output,
    ZoneCommand, ZoneListArgs,
};
use client::Client;
use exit::{Exit, Failure};
use render::Look;
use reqwest::Method;
use serde_json::Value;
use std::io::{self, Write};

/// The most zones that one answer has.
const PAGE_MAX: u32 = 1000;

/// Does what the arguments say.
pub async fn run(cli: Cli) -> Result<Exit, Failure> {
    let global = cli.global;
    match cli.command {
        Command::Serve(args) => serve::serve(args).await.map(|()| Exit::Ok),
        Command::ParentAgent { config } => serve::parent_agent(&config).await.map(|()| Exit::Ok),
        Command::Operator { command } => operator(&Asker::new(global)?, command).await,
        Command::Zone { command } => zone(&Asker::new(global)?, command).await,
        Command::Parents => parents(&Asker::new(global)?).await,
        Command::Statistics { days } => statistics(&Asker::new(global)?, days).await,
        Command::Key { command } => key(&Asker::new(global)?, command).await,
        Command::Account { command } => access::account(&Asker::new(global)?, command).await,
        Command::Token { command } => access::token(&Asker::new(global)?, command).await,
        Command::Audit { command } => access::audit(&Asker::new(global)?, command).await,
        Command::Certificate { command } => certificate::run(&global, command),
    }
}

/// What every command that asks the daemon needs.
struct Asker {
    client: Client,
    global: Global,
    look: Look,
}

impl Asker {
    fn new(global: Global) -> Result<Asker, Failure> {
        let client = Client::new(&global.url, &global.token_file, global.ca_file.as_deref())?;
        let look = Look::of_stdout(global.no_color);
        Ok(Asker { client, global, look })
    }

    /// Writes an answer: as it came, or as `render` shows it.
    fn show<T: serde::de::DeserializeOwned>(
        &self,
        answer: Value,
        render: impl FnOnce(&T, &Look) -> String,
    ) -> Result<T, Failure> {
        let value: T = client::understand(answer.clone())?;
        match self.global.output {
            Output::Json => say(&render::json(&answer))?,
            Output::Table => say(&render(&value, &self.look))?,
        }
        Ok(value)
    }

    /// For a person at the terminal; never data.
    fn chat(&self, text: &str) {
        if !self.global.quiet {
            // Nothing can be done when stderr is gone.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

/// To stdout. A reader that has had enough (`| head`) is no error.
fn say(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let text = text.trim_end_matches('\n');
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::Error, format!("stdout cannot be written: {error}"), "Check where it goes"))
        }
        _ => Ok(()),
    }
}

async fn operator(asker: &Asker, command: OperatorCommand) -> Result<Exit, Failure> {
    let client = &asker.client;
    match command {
        OperatorCommand::Add(args) => {
            let add = operator_add(args)?;
            let body = add.body().map_err(|error| Failure::internal(&error))?;
            let answer = client.send(Method::POST, &["operators"], &[], Some(body)).await?;
            asker.show::<OperatorShow>(answer, |value, _| render::operator(value))?;
        }
        OperatorCommand::List => {
            let answer = client.get(&["operators"], &[]).await?;
            asker.show::<OperatorList>(answer, render::operators)?;
        }
        OperatorCommand::Show { name } => {
            let answer = client.get(&["operators", &name], &[]).await?;
            asker.show::<OperatorShow>(answer, |value, _| render::operator(value))?;
        }
        OperatorCommand::Set(args) => {
            let name_servers = Some(same_hosts_together(args.name_server)).filter(|servers| !servers.is_empty());
            let OperatorSetArgs { name, update, api_url: url, server_id, account, requests_per_day, .. } = args;
            let change = OperatorChange { update, url, server_id, account, requests_per_day, name_servers };
            if change == OperatorChange::default() {
                let fix = format!("Say it: see `chorus operator set --help` and `chorus operator show {name}`");
                return Err(Failure::new(Exit::Usage, "nothing is named that is to change", fix));
            }
            let body = client::body(&change)?;
            let answer = client.send(Method::PATCH, &["operators", &name], &[], Some(body)).await?;
            asker.show::<OperatorShow>(answer, |value, _| render::operator(value))?;
        }
        OperatorCommand::Rotate(args) => {
            let OperatorRotateArgs { name, secret_file, tsig_name, tsig_algorithm, zone } = args;
            let secret = SecretText::new(input::any_secret(&secret_file)?);
            let body = OperatorRotate { secret, tsig_name, tsig_algorithm, zone }.body();
            let body = body.map_err(|error| Failure::internal(&error))?;
            let answer = client.send(Method::POST, &["operators", &name, "rotate"], &[], Some(body)).await?;
            asker.show::<OperatorRotated>(answer, |value, _| render::operator_rotated(value))?;
        }
        OperatorCommand::Check { name, zone, write, test_zone, markdown } => {
            let body = client::body(&OperatorCheck { zone, write, test_zone })?;
            let answer = client.send(Method::POST, &["operators", &name, "check"], &[], Some(body)).await?;
            let shown = asker.show::<Capabilities>(answer, |value, look| match markdown {
                true => render::capabilities_markdown(std::slice::from_ref(value)),
                false => render::capabilities(value, look),
            })?;
            let cannot = shown.abilities.iter().any(|ability| ability.is_there == Some(false));
            if cannot || shown.interface.outcome == Outcome::Fail {
                return Ok(Exit::Blocked);
            }
            if shown.interface.outcome == Outcome::Untried {
                return Ok(Exit::Untried);
            }
        }
        OperatorCommand::Test { name, zone } => {
            let path = ["operators", name.as_str(), "test"];
            let answer = client.send(Method::POST, &path, &[("zone", &zone)], None).await?;
            let test = asker.show::<OperatorTest>(answer, render::operator_test)?;
            if test.checks.iter().any(|check| check.outcome == Outcome::Fail) {
                return Ok(Exit::Blocked);
            }
            if test.checks.iter().any(|check| check.outcome == Outcome::Untried) {
                return Ok(Exit::Untried);
            }
        }
    }
    Ok(Exit::Ok)
}

async fn key(asker: &Asker, command: KeyCommand) -> Result<Exit, Failure> {
    let KeyCommand::Rotate = command;
    let answer = asker.client.send(Method::POST, &["key", "rotate"], &[], None).await?;
    asker.show::<KeyRotated>(answer, |value, _| render::key_rotated(value))?;
    Ok(Exit::Ok)
}

async fn parents(asker: &Asker) -> Result<Exit, Failure> {
    let answer = asker.client.get(&["parents"], &[]).await?;
    asker.show::<ParentList>(answer, render::parents)?;
    Ok(Exit::Ok)
}

async fn statistics(asker: &Asker, days: u32) -> Result<Exit, Failure> {
    let answer = asker.client.get(&["statistics"], &[("days", &days.to_string())]).await?;
    asker.show::<Statistics>(answer, render::statistics)?;
    Ok(Exit::Ok)
}

fn operator_add(args: OperatorAddArgs) -> Result<OperatorAdd, Failure> {
    let tsig = match (args.tsig_name, args.tsig_algorithm, &args.tsig_secret_file) {
        (Some(name), Some(algorithm), Some(file)) => {
            Some(TsigAdd { name, algorithm, secret: SecretText::new(input::tsig_secret(file)?) })
        }
        _ => None,
    };
    let api = match &args.secret_file {
        Some(file) => {
            let url = args.api_url;
            let server_id = args.server_id.unwrap_or_else(|| "localhost".to_owned());
            let (account, requests_per_day) = (args.account, args.requests_per_day);
            Some(ApiAdd { url, server_id, account, requests_per_day, key: SecretText::new(input::api_key(file)?) })
        }
        _ => None,
    };
    Ok(OperatorAdd {
        name: args.name,
        provider: args.provider,
        update: args.update,
        tsig,
        own_keys_apart: args.own_keys_apart,
        api,
        name_servers: same_hosts_together(args.name_server),
    })
}

/// `ns1=192.0.2.1` and `ns1=[2001:db8::1]` are one name server with two addresses.
fn same_hosts_together(given: Vec<NameServer>) -> Vec<NameServer> {
    let mut together: Vec<NameServer> = Vec::new();
    for server in given {
        match together.iter_mut().find(|known| known.host == server.host) {
            Some(known) => known.addresses.extend(server.addresses),
            None => together.push(server),
        }
    }
    together
}

async fn zone(asker: &Asker, command: ZoneCommand) -> Result<Exit, Failure> {
    let client = &asker.client;
    match command {
        ZoneCommand::Add(args) => {
            let add = ZoneAdd {
                zone: args.zone.clone(),
                operator: args.operator,
                operators: args.operators,
                parent_servers: args.parent_server,
                parent: args.parent.unwrap_or(ParentMode::Scan),
                policy: args.policy.into(),
            };
            let answer = client.send(Method::POST, &["zones"], &[], Some(client::body(&add)?)).await?;
            asker.chat(&format!("{} is adopted. Nothing was written anywhere; this is what was found:", args.zone));
            asker.show::<ZoneShow>(answer, render::zone)?;
        }
        ZoneCommand::Policy { zone, policy, parent } => {
            let change = PolicyChange { parent, ..PolicyChange::from(policy) };
            let path = ["zones", zone.as_str(), "policy"];
            let answer = if change.is_empty() {
                client.get(&path, &[]).await?
            } else {
                client.send(Method::PATCH, &path, &[], Some(client::body(&change)?)).await?
            };
            asker.show::<ZonePolicy>(answer, |value, _| render::policy(value))?;
        }
        ZoneCommand::List(args) => {
            let is_filtered = args.is_filtered();
            let answer = zones(client, args).await?;
            asker.show::<ZoneList>(answer, |list, look| match list.zones.is_empty() && is_filtered {
                true => "no such zones\n".to_owned(),
                false => render::zones(list, look),
            })?;
        }
        ZoneCommand::Show { zone } => {
            let answer = client.get(&["zones", &zone], &[]).await?;
            asker.show::<ZoneShow>(answer, render::zone)?;
        }
        ZoneCommand::Check { zone, operators } => {
            let path = ["zones", zone.as_str(), "check"];
            let answer = if operators.is_empty() {
                client.get(&path, &[]).await?
            } else {
                let request = CheckRequest { change: Change::Set(operators) };
                client.send(Method::POST, &path, &[], Some(client::body(&request)?)).await?
            };
            if asker.show::<ZoneCheck>(answer, render::check)?.refused {
                return Ok(Exit::Blocked);
            }
        }
        ZoneCommand::Plan { zone, operators, detailed_exitcode } => {
            let plan = plan(asker, &zone, Change::Set(operators)).await?;
            if plan.refusals.iter().any(|check| check.outcome == Outcome::Fail) {
                return Ok(Exit::Blocked);
            }
            if detailed_exitcode && !plan.steps.is_empty() {
                return Ok(Exit::Changes);
            }
        }
        ZoneCommand::Set { zone, operators, how } => return set(asker, &zone, Change::Set(operators), how).await,
        ZoneCommand::Join { zone, operator, how } => return set(asker, &zone, Change::Join(operator), how).await,
        ZoneCommand::Leave { zone, operator, unreachable, uncooperative, how } => {
            let change = match (unreachable, uncooperative) {
                (true, _) => Change::LeaveUnreachable(operator),
                (_, true) => Change::LeaveUncooperative(operator),
                _ => Change::Leave(operator),
            };
            return set(asker, &zone, change, how).await;
        }
        ZoneCommand::Algorithm { zone, to, plan: true, .. } => {
            let plan = plan(asker, &zone, Change::Algorithm(to)).await?;
            let refused = plan.refusals.iter().any(|check| check.outcome == Outcome::Fail);
            return Ok(if refused { Exit::Blocked } else { Exit::Ok });
        }
        ZoneCommand::Algorithm { zone, to, how, .. } => return set(asker, &zone, Change::Algorithm(to), how).await,
        ZoneCommand::Stop { zone, plan: true, .. } => return plan(asker, &zone, Change::Stop).await.map(|_| Exit::Ok),
        ZoneCommand::Undo { zone, plan: true, .. } => return plan(asker, &zone, Change::Undo).await.map(|_| Exit::Ok),
        ZoneCommand::Pause { zone, how } => return control(asker, &zone, Verb::Pause, how).await,
        ZoneCommand::Resume { zone, how } => return control(asker, &zone, Verb::Resume, how).await,
        ZoneCommand::Stop { zone, how, .. } => return control(asker, &zone, Verb::Stop, how).await,
        ZoneCommand::Undo { zone, how, .. } => return control(asker, &zone, Verb::Undo, how).await,
        ZoneCommand::Repair { zone, how } => return control(asker, &zone, Verb::Repair, how).await,
        ZoneCommand::RegistrarCancelled { zone, how } => {
            return control(asker, &zone, Verb::RegistrarCancelled, how).await;
        }
        ZoneCommand::TryNow { zone, how } => return control(asker, &zone, Verb::TryNow, how).await,
        ZoneCommand::Replace { zone, old, new, how } => {
            return set(asker, &zone, Change::Replace { old, new }, how).await;
        }
        ZoneCommand::History { zone, limit } => {
            let limit = limit.map(|limit| limit.to_string());
            let query: Vec<(&str, &str)> = limit.iter().map(|limit| ("limit", limit.as_str())).collect();
            let answer = client.get(&["zones", &zone, "history"], &query).await?;
            asker.show::<History>(answer, |value, _| render::history(value))?;
        }
        ZoneCommand::Certificate { zone, transition, with_evidence } => {
            let mut query: Vec<(&str, &str)> = transition.iter().map(|id| ("transition", id.as_str())).collect();
            query.extend(with_evidence.then_some(("evidence", "true")));
            let answer = client.get(&["zones", &zone, "certificate"], &query).await?;
            if with_evidence {
                // A file, which is not for people to read.
                say(&render::json(&answer))?;
            } else {
                asker.show::<Certificate>(answer, render::certificate)?;
            }
        }
    }
    Ok(Exit::Ok)
}

/// The pages of the list, one after the other, as one answer: until there are as many zones as are wanted, or all.
async fn zones(client: &Client, args: ZoneListArgs) -> Result<Value, Failure> {
    let ZoneListArgs { state, operator, parent, reason, text, limit } = args;
    let filters = [("state", state), ("operator", operator), ("parent", parent), ("reason", reason), ("text", text)];
    let (mut all, mut cursor): (Option<Value>, Option<String>) = (None, None);
    let mut left = limit.unwrap_or(u32::MAX);
    loop {
        let page = left.min(PAGE_MAX).to_string();
        let mut query: Vec<(&str, &str)> =
            filters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
        query.push(("limit", &page));
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let mut answer = client.get(&["zones"], &query).await?;
        let next = answer.get("next").and_then(Value::as_str).map(str::to_owned);
        let came = answer.get_mut("zones").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
        left = left.saturating_sub(u32::try_from(came.len()).unwrap_or(u32::MAX));
        let whole = all.get_or_insert(answer);
        match whole.get_mut("zones").and_then(Value::as_array_mut) {
            Some(zones) => zones.extend(came),
            // Not an answer of this kind: whoever reads it says so.
            None => break,
        }
        let is_done = next.is_none() || next == cursor || left == 0;
        if is_done {
            if let Some(whole) = whole.as_object_mut() {
                whole.remove("next");
                whole.extend(next.filter(|_| left == 0).map(|next| ("next".to_owned(), Value::String(next))));
            }
            break;
        }
        cursor = next;
    }
    Ok(all.unwrap_or_default())
}

async fn set(asker: &Asker, zone: &str, change: Change, how: args::How) -> Result<Exit, Failure> {
    let request = SetGroup { change, reason: how.reason };
    let path = ["zones", zone, "operators"];
    let answer = asker.client.send(Method::PUT, &path, &[], Some(client::body(&request)?)).await?;
    follow(asker, zone, answer, how.wait, how.timeout, None).await
}

async fn plan(asker: &Asker, zone: &str, change: Change) -> Result<Plan, Failure> {
    let path = ["zones", zone, "plan"];
    let body = client::body(&PlanRequest { change })?;
    let answer = asker.client.send(Method::POST, &path, &[], Some(body)).await?;
    asker.show::<Plan>(answer, render::plan)
}

/// Says which transition was seen, and which version of it: of two people who act at once one wins, and the other is told.
async fn control(asker: &Asker, zone: &str, verb: Verb, how: args::How) -> Result<Exit, Failure> {
    let seen: ZoneShow = client::understand(asker.client.get(&["zones", zone], &[]).await?)?;
    let is_over = seen.transition.as_ref().is_some_and(|transition| transition.state.is_over());
    let (transition, version) = seen.transition.map(|saw| (saw.id, saw.version)).unzip();
    let request = Control { reason: how.reason, transition: transition.clone(), version: version.filter(|_| !is_over) };
    let path = ["zones", zone, verb.name()];
    let answer = asker.client.send(Method::POST, &path, &[], Some(client::body(&request)?)).await?;
    let set: SetAnswer = client::understand(answer.clone())?;
    let changed = set.transition.map(|now| (now.id, now.version)).unzip() != (transition, version);
    // A transition that is held has nothing to be waited for but the person who resumes it.
    let wait = how.wait && verb != Verb::Pause;
    let before = if wait && changed {
        // A daemon that is being restarted has made the change all the same: waiting goes on.
        let shown = asker.client.get(&["zones", zone], &[]).await.ok();
        shown.map(client::understand::<ZoneShow>).transpose()?.and_then(|show| show.updated_at)
    } else {
        None
    };
    follow(asker, zone, answer, wait, how.timeout, before).await
}

/// Shows the answer to a change, or waits until the transition has ended. `before`: the last observation before the change took
/// effect, see [`wait::wait`].
async fn follow(
    asker: &Asker,
    zone: &str,
    answer: Value,
    wait: bool,
    timeout: Option<std::time::Duration>,
    before: Option<At>,
) -> Result<Exit, Failure> {
    let set: SetAnswer = client::understand(answer.clone())?;
    let under_way = set.transition.as_ref().filter(|transition| !transition.state.is_over());
    let Some(transition) = under_way.filter(|_| wait) else {
        asker.show::<SetAnswer>(answer, |value, _| render::set(value))?;
        return Ok(Exit::Ok);
    };
    asker.chat(render::set(&set).lines().next().unwrap_or_default());
    let mut progress = wait::Progress::new(asker.global.quiet);
    let end = wait::wait(&asker.client, zone, (transition, before), timeout, &mut progress).await?;
    asker.show::<ZoneShow>(end, render::zone)?;
    Ok(Exit::Ok)
}
