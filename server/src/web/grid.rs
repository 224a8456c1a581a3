//! Axes as a person types them, checked before there is a job: for the page's form.

use super::api::Params;
use axum::Json;
use serde::Deserialize;
use tequio_protocol::api::{AxisView, ErrorDetail, GridAxes, GridErrors, GridView};
use tequio_protocol::grid::{Axis, Grid, GridError};
use tequio_protocol::limits::AXIS_BYTES_MAX;
use tequio_protocol::number::Number;

/// What was typed so far.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Typed {
    #[serde(default)]
    initial: String,
    #[serde(default)]
    factor: String,
    #[serde(default)]
    times: String,
}

/// `GET /api/grid`
pub(super) async fn check(Params(typed): Params<Typed>) -> Json<GridView> {
    Json(view(&typed))
}

fn view(typed: &Typed) -> GridView {
    let times = axis(&typed.times)
        .and_then(|times| times.check_times().map(|()| times).map_err(|error| detail(&error)));
    let (initial, factor) = (axis(&typed.initial), axis(&typed.factor));
    let axes =
        GridAxes { initial: counted(&initial), factor: counted(&factor), times: counted(&times) };
    match (initial, factor, times) {
        (Ok(initial), Ok(factor), Ok(times)) => match Grid::new(initial, factor, times) {
            Ok(grid) => GridView { total: Some(grid.total()), errors: GridErrors::default(), axes },
            Err(error) => {
                let grid = Some(detail(&error));
                GridView { total: None, errors: GridErrors { grid, ..GridErrors::default() }, axes }
            }
        },
        (initial, factor, times) => {
            let (initial, factor, times) = (initial.err(), factor.err(), times.err());
            let errors = GridErrors { initial, factor, times, grid: None };
            GridView { total: None, errors, axes }
        }
    }
}

/// What an axis has, if it is one.
fn counted(axis: &Result<Axis, ErrorDetail>) -> Option<AxisView> {
    let axis = axis.as_ref().ok()?;
    Some(AxisView { count: axis.len(), last: Number(axis.value(axis.len() - 1)) })
}

fn axis(text: &str) -> Result<Axis, ErrorDetail> {
    let wrong = |code: &str, message: String| Err(ErrorDetail { code: code.to_owned(), message });
    if text.trim().is_empty() {
        let said = "nothing is given; an axis is 3, or 1,2,5, or 0..100, or 0..=1:0.25";
        return wrong("missing", said.to_owned());
    }
    if text.len() > AXIS_BYTES_MAX {
        let said = format!("the text is over the limit of {AXIS_BYTES_MAX} bytes");
        return wrong("too_long", said);
    }
    text.parse().map_err(|error| detail(&error))
}

fn detail(error: &GridError) -> ErrorDetail {
    ErrorDetail { code: error.code().to_owned(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `view` says of each field, by its code, and of the total.
    fn said(
        initial: &str,
        factor: &str,
        times: &str,
    ) -> (Option<u64>, Vec<(&'static str, String)>) {
        let [initial, factor, times] = [initial, factor, times].map(str::to_owned);
        let GridView { total, errors, .. } = view(&Typed { initial, factor, times });
        let GridErrors { initial, factor, times, grid } = errors;
        let fields = [("initial", initial), ("factor", factor), ("times", times), ("grid", grid)];
        let wrong = fields.into_iter().filter_map(|(name, error)| Some((name, error?.code)));
        (total, wrong.collect())
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
    fn a_message_needs_no_name_of_its_field() {
        let wrong = axis("1,x").expect_err("x is no number").message;
        assert!(wrong.starts_with("`x` is no number"), "{wrong}");
        let typed = Typed { times: "0.5".to_owned(), ..Typed::default() };
        let wrong = view(&typed).errors.times.expect("a half is no integer").message;
        assert_eq!(wrong, "0.5 is no integer from 0 to 9007199254740991");
    }
}
