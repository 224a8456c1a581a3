//! `tequio kernel`: adding, looking at, trying and beginning kernels.

use super::asked::{add_kernel, kernel_path};
use super::client::{Client, Remote};
use super::kernel_new::{self, Language};
use super::print::{self, Table};
use anyhow::{Context, anyhow, bail, ensure};
use clap::{Args, Subcommand};
use hyper::http::Method;
use indicatif::HumanBytes;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tequio_kernel::host::{Fault, Program};
use tequio_kernel::{Form, Normalised, Shape};
use tequio_protocol::api::{KernelParamView, KernelView};
use tequio_protocol::grid::Axis;
use tequio_protocol::limits::KERNEL_BLOCK_MAX;
use tequio_protocol::op::kernel::input_text;

#[derive(Debug, Args)]
pub(super) struct Kernel {
    #[command(subcommand)]
    command: KernelCommand,
}

#[derive(Debug, Subcommand)]
enum KernelCommand {
    /// Add a WebAssembly module to the server's kernels
    Add(Add),
    /// List the server's kernels
    List(List),
    /// Show one: its parameters, and what the server did to it
    Show(One),
    /// Remove one that no job uses
    Remove(One),
    /// Compute one task of a module here, without a server, and say what is wrong with it
    Test(Test),
    /// Write a small project that is a kernel
    New(New),
}

#[derive(Debug, Args)]
struct Add {
    /// The module
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// What it is called; the file's name if nothing is said
    #[arg(long)]
    name: Option<String>,

    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct One {
    /// Its name, its hash, or the first 8 digits of that or more
    #[arg(value_name = "NAME")]
    name: String,

    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct Test {
    /// The module
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// A value for each parameter, such as n=27
    #[arg(value_name = "NAME=VALUE", value_parser = parse_value)]
    values: Vec<(String, f64)>,

    /// The input as JSON instead, for the JSON and the command form
    #[arg(long, value_name = "JSON", conflicts_with = "values")]
    input: Option<String>,

    /// A file that the kernel is given before its tasks
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct New {
    /// The language
    #[arg(value_enum)]
    language: Language,

    /// The folder to write into
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

impl Kernel {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self.command {
            KernelCommand::Add(add) => add.run().await,
            KernelCommand::List(list) => list.run().await,
            KernelCommand::Show(one) => one.show().await,
            KernelCommand::Remove(one) => one.remove().await,
            KernelCommand::Test(test) => test.run(),
            KernelCommand::New(New { language, dir }) => {
                let project = kernel_new::write(language, &dir)?;
                print::lines(&[project.to_string()])
            }
        }
    }
}

impl Add {
    async fn run(self) -> anyhow::Result<()> {
        let client = self.remote.client();
        let kernel = add_kernel(&client, &self.file, self.name.as_deref()).await?;
        if self.remote.json {
            return print::json(&kernel);
        }
        print::lines(&about(&kernel))
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let client = self.remote.client();
        let request = client.request(Method::GET, "api/kernels");
        let kernels: Vec<KernelView> = client.json(request).await?;
        if self.remote.json {
            return print::json(&kernels);
        }
        let mut table = Table::new(["KERNEL", "PARAMETERS", "FORM", "BYTES", "HASH"]);
        for kernel in kernels {
            let KernelView { name, form, params, bytes, sha256, .. } = kernel;
            let params = params.iter().map(|param| &*param.name).collect::<Vec<_>>().join(" ");
            table.add([name, params, form, bytes.to_string(), sha256[..12].to_owned()]);
        }
        table.print()
    }
}

impl One {
    async fn show(self) -> anyhow::Result<()> {
        let client = self.remote.client();
        let kernel: KernelView =
            client.json(client.request(Method::GET, &kernel_path(&self.name))).await?;
        if self.remote.json {
            return print::json(&kernel);
        }
        print::lines(&about(&kernel))
    }

    async fn remove(self) -> anyhow::Result<()> {
        let client: Client = self.remote.client();
        client.send(client.request(Method::DELETE, &kernel_path(&self.name))).await?;
        print::lines(&[format!("kernel {} removed", self.name)])
    }
}

/// What people want to know of a kernel.
fn about(kernel: &KernelView) -> Vec<String> {
    let KernelView { name, form, result, params, takes_data, bytes, sha256, notes, .. } = kernel;
    let gives = result.as_ref().map_or(String::new(), |result| format!(" -> {result}"));
    let mut lines = vec![
        format!("{name}: {form}{gives}, {}", HumanBytes(*bytes)),
        format!("  SHA-256 {sha256}"),
    ];
    for KernelParamView { name, kind, default, help } in params {
        let kind = kind.as_deref().unwrap_or("any number");
        let default = default.as_ref().map_or(String::new(), |axis| format!(", such as {axis}"));
        let help = help.as_ref().map_or(String::new(), |help| format!(": {help}"));
        lines.push(format!("  {name} ({kind}{default}){help}"));
    }
    if *takes_data {
        lines.push("  takes data: --data FILE".to_owned());
    }
    lines.extend(notes.iter().map(|note| format!("  {note}")));
    lines
}

impl Test {
    fn run(self) -> anyhow::Result<()> {
        let file = self.file.display();
        let module = std::fs::read(&self.file).with_context(|| format!("{file} cannot be read"))?;
        let Normalised { bytes, sha256, shape, notes } = tequio_kernel::normalise(&module)
            .map_err(|refused| anyhow!("{file} is no kernel: {refused}"))?;
        let gives = match &shape.form {
            Form::Numbers { result, .. } => format!(" -> {result}"),
            Form::Json | Form::Command => String::new(),
        };
        let names = shape.params.iter().map(|param| match param.kind {
            Some(kind) => format!("{}: {kind}", param.name),
            None => param.name.clone(),
        });
        let names = names.collect::<Vec<_>>().join(", ");
        let size = HumanBytes(bytes.len() as u64);
        print::note(&format!("{}({names}){gives}, {size}, SHA-256 {sha256}", shape.form.name()));
        notes.iter().for_each(|note| print::note(note));
        let (args, input) = self.task(&shape)?;
        let data = self.data.as_deref().map(read).transpose()?;
        ensure!(data.is_none() || shape.takes_data, "{file} takes no data: it exports no init");
        let program = Program::compile(&bytes).map_err(|refused| anyhow!("{file}: {refused}"))?;
        let until = Instant::now() + KERNEL_BLOCK_MAX;
        let began = Instant::now();
        let mut instance = program
            .instance(data.map(Arc::from), move || Instant::now() >= until)
            .map_err(|fault| failed(&file.to_string(), &fault))?;
        let ready = began.elapsed();
        let result = instance.run(&args, &input);
        let first = began.elapsed() - ready;
        let result = result.map_err(|fault| failed(&file.to_string(), &fault))?;
        print::lines(&[result])?;
        let speed = match program.engine().browsers_are_faster() {
            1 => "about as fast as browsers".to_owned(),
            times => format!("browsers are some {times} times faster"),
        };
        print::note(&format!(
            "{} for the task, {} for the instance, computed by {} in this program; {speed}",
            show(first),
            show(ready),
            program.engine(),
        ));
        Ok(())
    }

    /// The values of the task, and the same as JSON.
    fn task(&self, shape: &Shape) -> anyhow::Result<(Vec<f64>, String)> {
        if let Some(input) = &self.input {
            let is_json = serde_json::from_str::<serde::de::IgnoredAny>(input).is_ok();
            ensure!(is_json, "--input is no JSON");
            let of_text = !matches!(shape.form, Form::Numbers { .. });
            ensure!(of_text, "a kernel of the numbers form takes NAME=VALUE");
            return Ok((Vec::new(), input.clone()));
        }
        let input = input_text(self.values.iter().map(|(name, value)| (name.as_str(), *value)));
        if shape.params.is_empty() {
            return Ok((Vec::new(), input));
        }
        let named = |name: &str| self.values.iter().find(|(given, _)| given == name);
        let is_nameless = shape.params.iter().enumerate().all(|(at, param)| {
            param.name == format!("p{}", at + 1) && named(&param.name).is_none()
        });
        let names = || shape.params.iter().map(|param| &*param.name).collect::<Vec<_>>().join(", ");
        if self.values.len() != shape.params.len() {
            bail!("give a value for each parameter, NAME=VALUE: it has {}", names());
        }
        if is_nameless {
            return Ok((self.values.iter().map(|(_, value)| *value).collect(), input));
        }
        let value = |param: &tequio_kernel::KernelParam| match named(&param.name) {
            Some((_, value)) => Ok(*value),
            None => Err(anyhow!("there is no value for {}: it has {}", param.name, names())),
        };
        Ok((shape.params.iter().map(value).collect::<Result<_, _>>()?, input))
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// A task that ends with an error is right in its way, and what is exhausted is not.
fn failed(file: &str, fault: &Fault) -> anyhow::Error {
    match fault {
        Fault::Error(error) => anyhow!("{file}: the task ends with an error: {error}"),
        Fault::Exhausted(exhausted) => anyhow!("{file}: {exhausted}"),
    }
}

/// A time, for people.
fn show(time: Duration) -> String {
    match time.as_secs_f64() {
        seconds if seconds < 0.001 => format!("{:.1} us", seconds * 1e6),
        seconds if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        seconds => format!("{seconds:.1} s"),
    }
}

fn parse_value(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, such as n=27")?;
    let axis: Axis = value.parse().map_err(|error| format!("{name}: {error}"))?;
    if !axis.is_single() {
        return Err(format!("{name}: one value is tried, not {}", axis.len()));
    }
    Ok((name.trim().to_owned(), axis.value(0)))
}
