//! Checks that the option tables in `imperal/docs` match the tables in `options`.
//!
//! `UPDATE_GOLDEN=1 cargo test -p imperal-macros` writes the tables into those files.

use std::path::Path;

use crate::golden_tests::updating_golden;
use crate::options::{CHAT_FUNCTION, DURABLE_TASK, EXTENSION, SCHEDULE, TEST, Table};

fn rows(table: &Table) -> String {
    let mut text = format!("<!-- options of {} -->\n| option | value | meaning |\n|---|---|---|\n", table.owner);
    for row in table.rows {
        let form = row.kind.form();
        let required = if row.required { " **Required.**" } else { "" };
        text.extend([format!("| `{}` | `{form}` | {}{required} |\n", row.key, row.help)]);
    }
    text.push_str("<!-- end of options -->");
    text
}

#[test]
fn the_documentation_has_the_current_tables() {
    let page = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../imperal/docs").join(name);
    for (table, page) in [
        (&CHAT_FUNCTION, page("macros.md")),
        (&EXTENSION, page("macros.md")),
        (&TEST, page("macros.md")),
        (&DURABLE_TASK, page("durable_task.md")),
        (&SCHEDULE, page("schedule.md")),
    ] {
        let mut text = std::fs::read_to_string(&page).unwrap();
        let begin = text.find(&format!("<!-- options of {} -->", table.owner)).unwrap();
        let end = begin + text[begin..].find("<!-- end of options -->").unwrap() + "<!-- end of options -->".len();
        if updating_golden() {
            text.replace_range(begin..end, &rows(table));
            std::fs::write(&page, &text).unwrap();
        } else {
            assert_eq!(&text[begin..end], rows(table), "{} is not current", page.display());
        }
    }
}

#[test]
fn no_key_is_in_two_places() {
    for table in [&CHAT_FUNCTION, &DURABLE_TASK, &SCHEDULE, &EXTENSION, &TEST] {
        let mut keys: Vec<&str> = table.rows.iter().map(|row| row.key).collect();
        keys.extend(table.elsewhere.iter().chain(table.renamed).map(|(key, _)| *key));
        keys.sort_unstable();
        let count = keys.len();
        keys.dedup();
        assert_eq!(keys.len(), count, "{}", table.owner);
        for (_, replacement) in table.renamed {
            assert!(
                table.rows.iter().any(|row| row.key == *replacement),
                "{replacement} is no option of {}",
                table.owner
            );
        }
    }
}
