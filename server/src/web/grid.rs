//! Ops, and axes as a person types them, checked before there is a job: for the page's form.

use super::api::Params;
use super::error::ApiError;
use super::jobs::unknown_op;
use axum::Json;
use tequio_protocol::api::{AxisView, ErrorDetail, GridView, OpView, ParamView};
use tequio_protocol::grid::{Axis, Grid, GridError};
use tequio_protocol::limits::AXIS_BYTES_MAX;
use tequio_protocol::number::Number;
use tequio_protocol::op::{self, Kind, Op};
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

/// `GET /api/grid`
pub(super) async fn check(Params(typed): Params<Typed>) -> Result<Json<GridView>, ApiError> {
    let name = typed.iter().find(|(key, _)| key == "op").map_or(FIRST_OP, |(_, name)| name);
    let op = op::named(name).ok_or_else(|| unknown_op(name))?;
    check_names(op, &typed)?;
    Ok(Json(view(op, &typed)))
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

fn view(op: &dyn Op, typed: &Typed) -> GridView {
    let mut view = GridView { total: None, errors: Default::default(), axes: Default::default() };
    let mut axes = Vec::new();
    for param in op.params() {
        let given = typed.iter().find(|(name, _)| name == param.name);
        let name = param.name.to_owned();
        match axis(given.map_or("", |(_, text)| text), param.kind) {
            Ok(axis) => {
                view.axes.insert(name.clone(), counted(&axis));
                axes.push((name, axis));
            }
            Err(wrong) => {
                view.errors.insert(name, wrong);
            }
        }
    }
    if view.errors.is_empty() {
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
    AxisView { count: axis.len(), last: Number(axis.value(axis.len() - 1)) }
}

/// An axis for a parameter of this kind.
fn axis(text: &str, kind: Kind) -> Result<Axis, ErrorDetail> {
    let wrong = |code: &str, message: String| Err(ErrorDetail { code: code.to_owned(), message });
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
    ErrorDetail { code: error.code().to_owned(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(op: &str, typed: &[(&str, &str)]) -> GridView {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        view(op::named(op).unwrap(), &typed.iter().map(owned).collect())
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

    #[test]
    fn a_message_needs_no_name_of_its_field() {
        let wrong = axis("1,x", Kind::Float).expect_err("x is no number").message;
        assert!(wrong.starts_with("`x` is no number"), "{wrong}");
        let wrong = axis("0.5", Kind::COUNT).expect_err("a half is no integer").message;
        assert_eq!(wrong, "0.5 is no integer from 0 to 9007199254740991");
    }
}
