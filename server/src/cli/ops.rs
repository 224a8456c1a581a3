//! `tequio ops`.

use super::client::Remote;
use super::print::{self, Table};
use clap::Args;
use hyper::http::Method;
use tequio_protocol::api::{OpView, ParamView};

#[derive(Debug, Args)]
pub(super) struct Ops {
    #[command(flatten)]
    remote: Remote,
}

impl Ops {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let client = self.remote.client();
        let ops: Vec<OpView> = client.json(client.request(Method::GET, "api/ops")).await?;
        if self.remote.json {
            return print::json(&ops);
        }
        let mut table = Table::new(["OP", "PARAMETER", "EXAMPLE", "VALUES"]);
        for op in ops {
            for param in op.params {
                let values = values(&param);
                table.add([op.name.clone(), param.name, param.example.to_string(), values]);
            }
        }
        table.print()
    }
}

/// Which values a parameter may have.
fn values(param: &ParamView) -> String {
    match (param.min, param.max) {
        (Some(min), Some(max)) => format!("whole numbers from {min} to {max}"),
        _ => "numbers".to_owned(),
    }
}
