//! `docs/metrics.md` is what `/metrics` says: the same names, kinds, labels and words.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails")]

/// The rows of the table that the code's own lines give: a doc comment, `fn name[labels](..)`, `kind("name")`.
fn rows_of_the_code() -> Vec<String> {
    let code = include_str!("../src/telemetry/metrics.rs");
    let table = code.split("\nmetrics! {").nth(1).expect("the table of metrics");
    let table = table.split("\n}\n").next().expect("its end");
    let mut rows = Vec::new();
    for metric in table.split(";\n") {
        let lines = metric.lines().map(str::trim);
        let help: Vec<_> = lines.filter_map(|line| line.strip_prefix("///")).map(str::trim).collect();
        let Some((_, after)) = metric.split_once('[') else { continue };
        let (labels, after) = after.split_once(']').expect("the labels' end");
        let (_, after) = after.split_once("= ").expect("the kind");
        let (kind, after) = after.split_once("(\"").expect("the name");
        let (name, _) = after.split_once('"').expect("the name's end");
        let labels: Vec<_> = labels
            .split(',')
            .map(str::trim)
            .filter(|label| !label.is_empty())
            .map(|label| format!("`{label}`"))
            .collect();
        rows.push(format!("| `{name}` | {kind} | {} | {} |", labels.join(", "), help.join(" ")));
    }
    rows
}

#[test]
fn the_reference_is_what_the_code_says() {
    let written: Vec<&str> =
        include_str!("../docs/metrics.md").lines().filter(|line| line.starts_with("| `frontroom_")).collect();
    let expected = rows_of_the_code();
    assert!(expected.len() > 10, "only {} metrics were found", expected.len());
    for row in &expected {
        assert!(written.contains(&row.as_str()), "docs/metrics.md lacks this row:\n{row}");
    }
    for row in written {
        assert!(
            expected.iter().any(|known| known == row),
            "docs/metrics.md has a row that is not true:\n{row}"
        );
    }
}
