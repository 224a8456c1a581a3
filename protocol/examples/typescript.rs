//! Prints the TypeScript declarations of every type that the page uses. `cargo xtask types`
//! writes them to `www/js/protocol.d.ts`; `cargo xtask check` fails when that file is stale.

use tequio_protocol::{api, chat, check, ids, live, op, page};
use ts_rs::{Config, TS};

fn main() {
    let config = Config::default();
    println!("// Generated from the `protocol` crate by `cargo xtask types`; not to be edited.\n");
    for declaration in [
        ids::TaskId::decl(&config),
        ids::JobId::decl(&config),
        ids::WorkerId::decl(&config),
        page::FromPage::decl(&config),
        page::Allowance::decl(&config),
        page::ToPage::decl(&config),
        op::OpId::decl(&config),
        api::ServerView::decl(&config),
        api::OpView::decl(&config),
        api::ParamView::decl(&config),
        api::ParamKind::decl(&config),
        api::GridView::decl(&config),
        api::AxisView::decl(&config),
        api::WorkerView::decl(&config),
        api::Pulse::decl(&config),
        api::WorkerKind::decl(&config),
        check::Check::decl(&config),
        api::JobView::decl(&config),
        api::SlowBlock::decl(&config),
        api::JobState::decl(&config),
        api::KernelParamView::decl(&config),
        api::KernelView::decl(&config),
        api::SampleView::decl(&config),
        api::ErrorBody::decl(&config),
        api::ErrorDetail::decl(&config),
        chat::ChatEvent::decl(&config),
        live::LiveEvent::decl(&config),
        live::Snapshot::decl(&config),
        live::Changes::decl(&config),
        live::Throughput::decl(&config),
        live::StreamRows::decl(&config),
        live::Bar::decl(&config),
        live::BarEnd::decl(&config),
        live::HowEnded::decl(&config),
    ] {
        println!("export {declaration}\n");
    }
}
