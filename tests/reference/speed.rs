//! Measures export and check of a thousand functions, here and in the reference SDK.
//!
//! `cargo test --release -p imperal-tests --test reference -- --speed` prints processor times of one run and
//! their ratio (Linux). Asserts nothing. Both sides have the same thousand functions on the same ten pairs
//! of types. The reference builds every schema again; here functions with the same types share one.

use std::time::Duration;

use imperal::__private::{ExtensionDef, FunctionDef, inventory};
use imperal::function::Registry;
use imperal::manifest::{self, validate_text};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::python;

macro_rules! types {
    ($($params:ident $data:ident)*) => {$(
        /// What to find
        #[derive(Deserialize, JsonSchema)]
        struct $params {
            /// What to look for
            #[schemars(length(min = 1, max = 200))]
            query: String,
            /// Maximum rows
            #[serde(default = "crate::seven")]
            #[schemars(range(min = 1, max = 100))]
            limit: i32,
            labels: Option<Vec<String>>,
            sort: Option<Sort>,
            window: Option<Window>,
        }

        #[derive(Serialize, JsonSchema)]
        struct $data {
            rows: Vec<Line>,
            total: u64,
            next: Option<String>,
        }
    )*};
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Sort {
    Newest,
    MostUsed,
}

#[derive(Deserialize, JsonSchema)]
struct Window {
    since: String,
    until: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Line {
    row_id: String,
    amount: i64,
    note: Option<String>,
}

types! { P0 D0 P1 D1 P2 D2 P3 D3 P4 D4 P5 D5 P6 D6 P7 D7 P8 D8 P9 D9 }

macro_rules! hundreds {
    ($($hundred:literal)*) => { $(hundreds!(@tens $hundred 0 1 2 3 4 5 6 7 8 9);)* };
    (@tens $hundred:literal $($ten:literal)*) => { $(hundreds!(@ones $hundred $ten);)* };
    (@ones $hundred:literal $ten:literal) => {
        hundreds!(@each $hundred $ten 0 P0 D0 1 P1 D1 2 P2 D2 3 P3 D3 4 P4 D4 5 P5 D5 6 P6 D6 7 P7 D7 8 P8 D8 9 P9 D9);
    };
    (@each $hundred:literal $ten:literal $($one:literal $params:ident $data:ident)*) => {$(
        inventory::submit! {
            FunctionDef {
                name: concat!("f", $hundred, $ten, $one),
                description: "Find rows of the ledger by their text.",
                params_schema: |generator| generator.root_schema_for::<$params>(),
                return_schema: FunctionDef::data_schema::<$data>,
                module_path: "thousand",
                line: $hundred * 100 + $ten * 10 + $one,
                ..crate::PLAIN
            }
        }
    )*};
}

hundreds! { 0 1 2 3 4 5 6 7 8 9 }

inventory::submit! {
    ExtensionDef {
        app_id: "thousand",
        name: "A thousand",
        description: "Has a thousand functions, so that time can be taken of them.",
        module_path: "thousand",
        ..crate::EXTENSION
    }
}

pub(crate) fn print() {
    let registry = Registry::collect().unwrap();
    let extension = registry.extension("thousand").unwrap();
    assert_eq!(extension.functions().len(), 1000);
    let mut export = Vec::new();
    let mut check = Vec::new();
    // In turns, so that a slow moment of the machine affects both.
    let mut theirs = Vec::new();
    for _ in 0..5 {
        let start = spent();
        let text = manifest::export(extension).to_json();
        export.push(spent().saturating_sub(start));
        let start = spent();
        let findings = validate_text(&text, "imperal.json");
        check.push(spent().saturating_sub(start));
        assert!(findings.iter().all(|found| !found.path.starts_with("tools.")), "the functions are right");
        let seconds = python::run("speed.py", "");
        theirs.push((seconds["build"].as_f64().unwrap(), seconds["check"].as_f64().unwrap()));
    }
    let ours = (median(&mut export), median(&mut check));
    theirs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let theirs = theirs[theirs.len() / 2];
    println!("1,000 functions, median of 5        ours      reference   ratio");
    line("generate and write as JSON", ours.0, theirs.0);
    line("check", ours.1, theirs.1);
    line("both", ours.0 + ours.1, theirs.0 + theirs.1);
}

/// Processor time of this thread so far, independent of other load on the machine.
fn spent() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split_whitespace().next().unwrap().parse().unwrap())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn line(what: &str, ours: Duration, theirs: f64) {
    let ours = ours.as_secs_f64();
    println!("{what:<28} {:>9.1} ms {:>9.1} ms {:>6.1}x", ours * 1e3, theirs * 1e3, theirs / ours);
}
