use super::*;
use crate::op;
use proptest::prelude::*;

const START: Start = Start { index: 0, line: 1 };

fn json(times: u64) -> String {
    format!("{{\"initial\":1,\"factor\":2,\"times\":{times}}}")
}

fn params(op: &str) -> &'static [Param] {
    op::named(op).unwrap().params()
}

/// What was read: the last parameter's value and the line of each input.
type Seen = Vec<(u64, u64)>;

/// Reads a text in pieces of `size` bytes.
fn read(text: &[u8], size: usize, invalid: Invalid) -> Result<(Seen, Skipped), Refused> {
    read_of("repeat_multiply", text, size, invalid)
}

fn read_of(
    op: &str,
    text: &[u8],
    size: usize,
    invalid: Invalid,
) -> Result<(Seen, Skipped), Refused> {
    let params = params(op);
    let mut reader = Reader::new(params, START, invalid);
    let mut seen = Vec::new();
    let mut numbers = Numbering::default();
    let mut see = |taken: Taken| {
        assert_eq!(serde_json::from_str::<Values>(taken.inputs.json()).unwrap(), taken.inputs);
        let mut inputs = op::Reader::new(params);
        for (line, input) in numbers.number(&taken) {
            seen.push((inputs.read(input).unwrap()[params.len() - 1] as u64, line));
        }
    };
    for piece in text.chunks(size) {
        reader.push(piece)?;
        see(reader.take());
    }
    reader.end()?;
    see(reader.take());
    Ok((seen, reader.skipped().clone()))
}

fn all(text: &[u8]) -> Vec<(u64, u64)> {
    let (seen, _) = read(text, text.len().max(1), Invalid::Refuse).unwrap();
    for size in 1..=text.len() {
        assert_eq!(read(text, size, Invalid::Refuse).unwrap().0, seen, "in pieces of {size}");
    }
    seen
}

fn refused(text: &[u8], invalid: Invalid) -> String {
    let refused = read(text, text.len(), invalid).unwrap_err();
    for size in [1, 2, 3, 7] {
        assert_eq!(read(text, size, invalid).unwrap_err(), refused, "in pieces of {size}");
    }
    refused.message("COMMAND")
}

#[test]
fn every_format_is_read_however_it_is_cut() {
    let (one, two, three) = (json(1), json(2), json(3));
    let bom = "\u{feff}";
    for (text, expected) in [
        (format!("{one}\n\n{two}\r\n  \n{three}"), vec![(1, 1), (2, 3), (3, 5)]),
        (format!("{bom}{one}\n{two}\n"), vec![(1, 1), (2, 2)]),
        (format!("{bom}\r\n\n{one}"), vec![(1, 3)]),
        (format!("[{one},{two},\n{three}]\n"), vec![(1, 1), (2, 2), (3, 3)]),
        (
            format!("{bom}\n[\n{{\"a\":\"]}}\\\"\",\n\"times\":1,\"initial\":1,\"factor\":2}}\n ]"),
            vec![(1, 1)],
        ),
        ("[ ]".to_owned(), vec![]),
        (String::new(), vec![]),
        ("times,initial,factor\n1,1,2\n\n2,1,2".to_owned(), vec![(1, 2), (2, 4)]),
        (
            format!("{bom}sep=;\r\ninitial;factor;times\r\n1,0;2;1\r\n;;\r\n1,0;2;2\r\n"),
            vec![(1, 3), (2, 5)],
        ),
        ("id,initial,factor,times\n\"a\n\n,b\",1,2,1\nc,1,2,2\n".to_owned(), vec![(1, 2), (2, 5)]),
    ] {
        assert_eq!(all(text.as_bytes()), expected, "{text:?}");
    }
}

#[test]
fn a_bad_line_shows_itself_and_a_right_one() {
    for (text, said) in [
        (
            format!("{}\nno json\n", json(1)),
            "Line 2, column 1: it is no JSON object. It reads no json; an input is {\"initial\":1,",
        ),
        (
            "{\"initial\":1,\"factor\":\"1.5\",\"times\":2}".to_owned(),
            "Line 1, column 23: \"factor\" is the text \"1.5\"; it must be a finite number, without \
             quotes. It reads {\"initial\":1,\"factor\":\"1.5\",\"times\":2}; an input is",
        ),
        (
            format!("[{},\n  {{\"initial\":1,\n\"factor\":x}}]", json(1)),
            "Element 2, in line 3, column 10: x is no value in JSON. It reads",
        ),
        (
            format!("[{}, {{\"initial\":1}}]", json(1)),
            "Element 2, in line 1, column 50: \"factor\" is missing",
        ),
        (format!("[{},]", json(1)), "Line 1, column 37: a comma before the array's ]"),
        (format!("[{}\n{}]", json(1), json(2)), "Line 2, column 1: a comma is missing between"),
        (
            format!("[{}]\n{}", json(1), json(2)),
            "Line 2, column 1: something follows the array's ]",
        ),
        (format!("[{},\n", json(1)), "The array is cut off in line 2: its ] is missing"),
        ("initial,factor,times\n\"1,2,3\n1,2,3".to_owned(), "Line 2: a quoted cell does not end"),
        (
            "initial,factor,times\n1,x,2\n".to_owned(),
            "Line 2: factor is x; it must be a finite number. It reads 1,x,2; a right row is 1,1.5,10",
        ),
    ] {
        let refused = refused(text.as_bytes(), Invalid::Refuse);
        assert!(refused.starts_with(said), "{text:?}: {refused}");
    }
    let far = format!("{{\"a\":\"{}\",\"initial\":x}}", "b".repeat(2000));
    let shown = refused(far.as_bytes(), Invalid::Refuse);
    assert!(shown.contains("It reads …bbb") && shown.len() < 300, "{shown}");
}

#[test]
fn lines_are_skipped_and_counted_and_what_is_foreign_is_refused_all_the_same() {
    let long = " ".repeat(LINE_BYTES_MAX) + &json(9);
    let text = format!("{}\nno json\n\n{long}\n{{\"initial\":1}}\n{}\n", json(1), json(2));
    for size in [1, 7, 4096, text.len()] {
        let (seen, skipped) = read(text.as_bytes(), size, Invalid::Skip).unwrap();
        assert_eq!(seen, [(1, 1), (2, 6)]);
        assert_eq!(skipped, Skipped { count: 3, first: vec![2, 4, 5] });
        assert_eq!(skipped.to_string(), "3 lines that are no inputs: 2, 4 and 5");
    }
    let (seen, skipped) = read("x\n".repeat(12).as_bytes(), 5, Invalid::Skip).unwrap();
    assert_eq!((seen.len(), skipped.count, skipped.first.len()), (0, 12, SKIPPED_NAMED_MAX));
    assert!(skipped.to_string().ends_with("9, 10 and 2 more"), "{skipped}");
    let array = format!("[{},{{}},{}]", json(1), json(2));
    let (seen, skipped) = read(array.as_bytes(), 3, Invalid::Skip).unwrap();
    assert_eq!((seen, skipped.first), (vec![(1, 1), (2, 3)], vec![2]));
    for foreign in [&b"\x1f\x8b\x08\0\n\n"[..], b"\xff\xfe{\0\n\0", b"{\n \"initial\":1\n}"] {
        assert!(refused(foreign, Invalid::Skip).contains("FILE | COMMAND"));
    }
}

#[test]
fn a_text_may_begin_anywhere() {
    let mut reader =
        Reader::new(params("repeat_multiply"), Start { index: 7, line: 20 }, Invalid::Refuse);
    reader.push(format!("\n{}\n{}\n", json(1), json(2)).as_bytes()).unwrap();
    reader.push(b"\nrubbish\n").unwrap_err();
    let taken = reader.take();
    assert_eq!((taken.inputs.len(), &taken.lines[..]), (2, &[LineRun { first: 7, line: 21 }][..]));
}

#[test]
fn inputs_of_any_op_are_read() {
    for text in [
        "{\"n\":27}\n\n{\"n\": 1, \"id\": 7}\n",
        "[{\"n\":27},\n{\"m\":1,\"n\":1}]",
        "n\n27\n1",
        "id;n\na;27\nb;1\n",
    ] {
        for size in 1..=text.len() {
            let (seen, _) = read_of("collatz", text.as_bytes(), size, Invalid::Refuse).unwrap();
            assert_eq!(seen.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [27, 1], "{text:?}");
        }
    }
    let mut reader = Reader::new(params("collatz"), START, Invalid::Refuse);
    reader.push(b"{\"n\":27}\r\n{\"n\":28.0}\n{\"n\":29}").unwrap();
    reader.end().unwrap();
    assert_eq!(reader.waiting(), 3);
    assert_eq!(reader.take().inputs.json(), r#"[{"n":27},{"n":28},{"n":29}]"#);
    for (text, said) in [
        (
            "{\"n\":27}\n{\"n\":0}\n",
            "Line 2, column 6: \"n\" is 0; it must be a whole number from 1 to 9007199254740991. \
             It reads {\"n\":0}; an input is {\"n\":27}",
        ),
        ("[{\"n\":27},{\"m\":1}]", "Element 2, in line 1, column 17: \"n\" is missing. It reads"),
        (
            "n\n27\n1.5",
            "Line 3: n is 1.5; it must be a whole number from 1 to 9007199254740991. \
          It reads 1.5; a right row is 27",
        ),
        ("27\n", "This is a table without a header"),
    ] {
        let refused = read_of("collatz", text.as_bytes(), 5, Invalid::Refuse).unwrap_err();
        let refused = refused.message("COMMAND");
        assert!(refused.starts_with(said), "{text:?}: {refused}");
    }
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text in ".{0,60}", size in 1usize..9) {
        for op in ["repeat_multiply", "collatz"] {
            let whole = read_of(op, text.as_bytes(), text.len().max(1), Invalid::Refuse);
            prop_assert_eq!(read_of(op, text.as_bytes(), size, Invalid::Refuse), whole);
            read_of(op, text.as_bytes(), size, Invalid::Skip).ok();
        }
    }

    #[test]
    fn however_an_array_is_laid_out_it_is_the_same(
        layout in proptest::collection::vec("[ \n\t]{0,3}", 9), count in 0usize..6,
    ) {
        let mut text = "[".to_owned();
        for times in 0..count {
            let comma = if times > 0 { "," } else { "" };
            text += &format!("{comma}{}{}{}", layout[times], json(times as u64), layout[times + 1]);
        }
        text += &format!("{}]{}", layout[7], layout[8]);
        let expected: Vec<_> = (0..count as u64).map(|times| (times, times + 1)).collect();
        prop_assert_eq!(all(text.as_bytes()), expected);
    }
}
