//! Ops, and axes as a person types them, checked before there is a job: for the page's form.

use super::App;
use super::api::Params;
use super::error::ApiError;
use super::jobs::{blocking, unknown_op};
use crate::kernels::params_of;
use axum::Json;
use axum::extract::State;
use std::collections::BTreeMap;
use tequio_protocol::api::{AxisView, ErrorDetail, GridView, KernelView, OpView, ParamView};
use tequio_protocol::grid::{Axis, Grid, GridError};
use tequio_protocol::limits::AXIS_BYTES_MAX;
use tequio_protocol::number::Number;
use tequio_protocol::op::kernel::{KernelId, is_param_name};
use tequio_protocol::op::{self, Kind, Op, PARAMS_MAX};
use tequio_protocol::text::quote;

/// The op that is meant where none is named, as in the days when there was one.
const FIRST_OP: &str = "repeat_multiply";

/// `GET /api/ops`
pub(super) async fn ops() -> Json<Vec<OpView>> {
    let view = |op: &&dyn Op| OpView {
        name: op.name().to_owned(),
        params: op.params().iter().map(ParamView::from).collect(),
    };
    Json(op::ALL.iter().map(view).collect())
}

/// `GET /api/grid`: `op=NAME` and its axes; or `kernel=ID`, behind which everything is an axis, since a kernel's may
/// have any names.
pub(super) async fn check(
    State(app): State<App>,
    Params(typed): Params<Typed>,
) -> Result<Json<GridView>, ApiError> {
    if let Some((key, id)) = typed.first()
        && key == "kernel"
    {
        let (id, kernels) = (id.clone(), app.kernels);
        let kernel = blocking(move || kernels.find(&id)).await??;
        return Ok(Json(kernel_view(&kernel, &typed[1..])));
    }
    let name = typed.iter().find(|(key, _)| key == "op").map_or(FIRST_OP, |(_, name)| name);
    let op = op::named(name).ok_or_else(|| unknown_op(name))?;
    check_names(op, &typed)?;
    Ok(Json(op_view(op, &typed)))
}

/// What was typed so far: each axis by its name, and `op`.
type Typed = Vec<(String, String)>;

/// Returns an error where something is there twice, or is neither `op` nor a parameter.
fn check_names(op: &dyn Op, typed: &Typed) -> Result<(), ApiError> {
    let names: Vec<&str> = op.params().iter().map(|param| param.name).collect();
    for (place, (name, _)) in typed.iter().enumerate() {
        let said = if typed[..place].iter().any(|(before, _)| before == name) {
            format!("`{}` is there twice", quote(name))
        } else if name != "op" && !names.contains(&name.as_str()) {
            format!("there is no `{}` here; there is op, {}", quote(name), names.join(", "))
        } else {
            continue;
        };
        return Err(ApiError::bad("bad_query", format!("Query: {said}.")));
    }
    Ok(())
}

fn op_view(op: &dyn Op, typed: &Typed) -> GridView {
    let params = op.params().iter().map(|param| {
        let given = typed.iter().find(|(name, _)| name == param.name);
        (param.name, given.map_or("", |(_, text)| text), param.kind)
    });
    view(params)
}

/// What a job of a kernel would be. What is wrong with an axis's name is said of the axis, as what is wrong with
/// its values is.
fn kernel_view(kernel: &KernelView, typed: &[(String, String)]) -> GridView {
    let names: Vec<String> = typed.iter().map(|(name, _)| name.clone()).collect();
    let mut wrong = wrong_names(&names);
    // It refuses names that are wrong.
    let params = params_of(kernel, &names).unwrap_or_default();
    if wrong.is_empty() {
        let is_known = |name: &&String| params.iter().any(|(param, _)| param == *name);
        wrong.extend(names.iter().filter(|name| !is_known(name)).map(|name| {
            let said = format!("{} has no axis {}", kernel.name, quote(name));
            (name.clone(), detail_of("unknown_axis", said))
        }));
    }
    let axes = params.iter().map(|(name, of)| {
        let given = typed.iter().find(|(typed, _)| typed == name);
        (name.as_str(), given.map_or("", |(_, text)| text), of.kind())
    });
    let mut view = view(axes);
    if !wrong.is_empty() {
        return GridView { total: None, errors: wrong, ..view };
    }
    // With blocks of one task, since one is what it is tried with.
    let id = crate::kernels::op_of(kernel, &names, 1, None);
    view.op = id.ok().map(|id: KernelId| id.to_string());
    view
}

/// What is wrong with the names of a kernel's axes.
fn wrong_names(names: &[String]) -> BTreeMap<String, ErrorDetail> {
    let mut wrong = BTreeMap::new();
    for (place, name) in names.iter().enumerate() {
        let (code, said) = if names[..place].contains(name) {
            ("name_twice", format!("there are several axes {}", quote(name)))
        } else if !is_param_name(name) {
            let said = format!(
                "{} is no name for a kernel's axis: letters, digits and _, and no digit in front",
                quote(name)
            );
            ("bad_axis_name", said)
        } else {
            continue;
        };
        wrong.insert(name.clone(), detail_of(code, said));
    }
    if names.is_empty() || names.len() > PARAMS_MAX {
        let said = format!("a kernel has 1 to {PARAMS_MAX} axes, not {}", names.len());
        wrong.insert("grid".to_owned(), detail_of("other_axes", said));
    }
    wrong
}

/// What axes would be: of each its name, what was typed, and what its parameter takes.
fn view<'a>(params: impl Iterator<Item = (&'a str, &'a str, Kind)>) -> GridView {
    let mut view =
        GridView { total: None, errors: BTreeMap::new(), axes: BTreeMap::new(), op: None };
    let mut axes = Vec::new();
    for (name, typed, kind) in params {
        let name = name.to_owned();
        match axis(typed, kind) {
            Ok(axis) => {
                view.axes.insert(name.clone(), counted(&axis));
                axes.push((name, axis));
            }
            Err(wrong) => {
                view.errors.insert(name, wrong);
            }
        }
    }
    if view.errors.is_empty() && !axes.is_empty() {
        match Grid::new(axes) {
            Ok(grid) => view.total = Some(grid.total()),
            Err(error) => {
                view.errors.insert("grid".to_owned(), detail(&error));
            }
        }
    }
    view
}

fn counted(axis: &Axis) -> AxisView {
    let value = |index| Number(axis.value(index));
    AxisView { count: axis.len(), first: value(0), last: value(axis.len() - 1) }
}

/// An axis for a parameter of this kind.
fn axis(text: &str, kind: Kind) -> Result<Axis, ErrorDetail> {
    let wrong = |code: &str, message: String| Err(detail_of(code, message));
    if text.trim().is_empty() {
        let said = "nothing is given; an axis is 3, or 1,2,5, or 0..100, or 0..=1:0.25";
        return wrong("missing", said.to_owned());
    }
    if text.len() > AXIS_BYTES_MAX {
        let said = format!("the text is over the limit of {AXIS_BYTES_MAX} bytes");
        return wrong("too_long", said);
    }
    let axis: Axis = text.parse().map_err(|error| detail(&error))?;
    axis.check(kind).map_err(|error| detail(&error))?;
    Ok(axis)
}

fn detail(error: &GridError) -> ErrorDetail {
    detail_of(error.code(), error.to_string())
}

fn detail_of(code: &str, message: String) -> ErrorDetail {
    ErrorDetail { code: code.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tequio_protocol::api::KernelParamView;

    fn look(op: &str, typed: &[(&str, &str)]) -> GridView {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        op_view(op::named(op).unwrap(), &typed.iter().map(owned).collect())
    }

    /// What is said of each field, by its code, and of the total.
    fn said(
        initial: &str,
        factor: &str,
        times: &str,
    ) -> (Option<u64>, Vec<(&'static str, String)>) {
        let typed = [("initial", initial), ("factor", factor), ("times", times)];
        let GridView { total, mut errors, .. } = look("repeat_multiply", &typed);
        let fields = ["initial", "factor", "times", "grid"];
        let wrong = fields.into_iter().filter_map(|name| Some((name, errors.remove(name)?.code)));
        let wrong = wrong.collect();
        assert!(errors.is_empty(), "{errors:?}");
        (total, wrong)
    }

    #[test]
    fn axes_that_make_a_grid_have_a_total() {
        let list = vec!["1"; 1024].join(",");
        for (initial, factor, times, total) in [
            ("3", "1", "7", 1),
            (" 1, 2,5 ", "0..=1:0.25", "0 .. 100", 1500),
            ("-0", "1e-300", "9007199254740991", 1),
            (&list, &list, "1", 1024 * 1024),
            ("0..9007199254740991", "1", "1", 9_007_199_254_740_991),
        ] {
            assert_eq!(said(initial, factor, times), (Some(total), vec![]), "{initial} {factor}");
        }
    }

    #[test]
    fn each_field_says_what_is_wrong_with_it() {
        let long = "1,".repeat(AXIS_BYTES_MAX / 2) + "1";
        let many = vec!["1"; 1025].join(",");
        for (initial, factor, times, wrong) in [
            (
                "",
                " ",
                "\t",
                &[("initial", "missing"), ("factor", "missing"), ("times", "missing")][..],
            ),
            ("x", "1,", "1", &[("initial", "not_a_number"), ("factor", "not_a_number")]),
            ("inf", "NaN", "1", &[("initial", "not_a_number"), ("factor", "not_a_number")]),
            (
                "2..1",
                "0..=1:0",
                "3..3",
                &[("initial", "backwards"), ("factor", "bad_step"), ("times", "empty_range")],
            ),
            ("", "1", "0.5", &[("initial", "missing"), ("times", "not_an_integer")]),
            ("1", "1", "-1", &[("times", "not_an_integer")]),
            ("1", "1", "0..=1:0.5", &[("times", "not_an_integer")]),
            ("1", "1", "9007199254740992", &[("times", "not_an_integer")]),
            (
                "0..1e300",
                &many,
                "1",
                &[("initial", "too_many_values"), ("factor", "too_many_values")],
            ),
            (&long, "1", "1", &[("initial", "too_long")]),
            ("0..9007199254740991", "1,2", "1", &[("grid", "too_many_tasks")]),
        ] {
            let wrong: Vec<_> =
                wrong.iter().map(|(name, code)| (*name, (*code).to_owned())).collect();
            assert_eq!(said(initial, factor, times), (None, wrong), "{factor} {times}");
        }
    }

    #[test]
    fn every_op_has_its_own_axes() {
        let right = look("collatz", &[("op", "collatz"), ("n", "1..=100")]);
        assert_eq!((right.total, right.errors.len()), (Some(100), 0));
        assert_eq!((right.axes["n"].count, right.axes["n"].last), (100, Number(100.0)));
        let wrong = look("collatz", &[("n", "0..5")]);
        assert_eq!((wrong.total, wrong.axes.len()), (None, 0));
        assert_eq!(wrong.errors["n"].code, "not_an_integer");
    }

    fn kernel(form: &str, params: &[(&str, &str)]) -> KernelView {
        let param = |(name, kind): &(&str, &str)| KernelParamView {
            name: (*name).to_owned(),
            kind: (!kind.is_empty()).then(|| (*kind).to_owned()),
            default: None,
            help: None,
        };
        KernelView {
            id: "a".repeat(64),
            name: "one".to_owned(),
            form: form.to_owned(),
            result: (form == "numbers").then(|| "f64".to_owned()),
            params: params.iter().map(param).collect(),
            takes_data: false,
            bytes: 1,
            sha256: "a".repeat(64),
            notes: Vec::new(),
            example: false,
        }
    }

    /// The total, and the codes of what is wrong.
    fn said_of(kernel: &KernelView, typed: &[(&str, &str)]) -> (Option<u64>, Vec<String>) {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        let view = kernel_view(kernel, &typed.iter().map(owned).collect::<Vec<_>>());
        let wrong = view.errors.into_iter().map(|(name, error)| format!("{name} {}", error.code));
        (view.total, wrong.collect())
    }

    #[test]
    fn a_kernels_axes_are_checked_by_its_types_whatever_they_are_called() {
        let nameless = kernel("numbers", &[("p1", "i32"), ("p2", "f64")]);
        let right = [("op", "1..=3"), ("kernel", "0.5")];
        assert_eq!(said_of(&nameless, &right), (Some(3), vec![]));
        for (typed, wrong) in [
            (&[("a", "0.5"), ("b", "")][..], &["a not_an_integer", "b missing"][..]),
            (&[("a", "3e9"), ("b", "1")], &["a not_an_integer"]),
            (&[("a", "1"), ("a", "2")], &["a name_twice"]),
            (&[("1a", "1"), ("", "2")], &[" bad_axis_name", "1a bad_axis_name"]),
            (&[("a", "1")], &["a unknown_axis"]),
            (&[], &["grid other_axes"]),
        ] {
            assert_eq!(said_of(&nameless, typed).1, wrong, "{typed:?}");
        }
        let named = kernel("numbers", &[("n", "i64")]);
        assert_eq!(said_of(&named, &[("n", "1..=9")]).0, Some(9));
        let any = kernel("json", &[]);
        assert_eq!(said_of(&any, &[("x", "1..=9"), ("y", "0,0.5")]).0, Some(18));
        let nine: Vec<_> = ["a", "b", "c", "d", "e", "f", "g", "h", "i"].map(|n| (n, "1")).into();
        assert_eq!(said_of(&any, &nine).1, ["grid other_axes"]);
    }

    #[test]
    fn what_a_kernel_is_tried_as_is_said_with_its_axes() {
        let any = kernel("json", &[]);
        let typed = [("x".to_owned(), "2..5".to_owned())];
        let view = kernel_view(&any, &typed);
        assert_eq!(view.op, Some(format!("kernel:{}:1:json:x=f64", "a".repeat(64))));
        assert_eq!(view.axes["x"].first, Number(2.0));
    }

    #[test]
    fn a_message_needs_no_name_of_its_field() {
        let wrong = axis("1,x", Kind::Float).expect_err("x is no number").message;
        assert!(wrong.starts_with("`x` is no number"), "{wrong}");
        let wrong = axis("0.5", Kind::COUNT).expect_err("a half is no integer").message;
        assert_eq!(wrong, "0.5 is no integer from 0 to 9007199254740991");
    }
}
