//! Compares generated cron lines with croniter: we must accept what it runs and refuse what it refuses.
//!
//! The lines come from a seed; most are almost valid. The reference's platform runs timetables with
//! croniter, and `python/cron.py` prints croniter's result for each line.

use imperal::manifest::{Level, validate_text};
use serde_json::{Value, json};

use crate::{Row, python};

const BASE: &str = include_str!("base.json");

/// Number of lines.
const MANY: usize = 6000;

/// Numbers from a seed (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).unwrap()
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn value(&mut self, field: usize) -> String {
        let names: [&[&str]; 5] = [
            &["m"],
            &["h"],
            &["L", "l", "W", "15W", "w1", "32W", "0w"],
            &["jan", "FEB", "may", "dec", "Sept"],
            &[
                "sun",
                "MON",
                "fri",
                "sat",
                "7",
                "l",
                "L5",
                "l7",
                "L8",
                "1#2",
                "mon#5",
                "fri#6",
                "sun#0",
                "mon-fri#2",
                "7#1",
                "1-5#2",
                "*#1",
            ],
        ];
        let top = [59, 23, 31, 12, 7][field];
        match self.below(12) {
            0 | 1 => names[field][self.below(names[field].len())].to_owned(),
            2 => (top + 1 + self.below(3)).to_string(),
            3 => "0".to_owned(),
            4 => top.to_string(),
            5 => self.pick(&["", "-1", "+1", "01", "1.5", "x", "٣", "*", "?", "99999999999999999999"]).to_owned(),
            _ => self.below(top + 1).to_string(),
        }
    }

    fn part(&mut self, field: usize) -> String {
        let step = match self.below(6) {
            0 => format!("/{}", self.pick(&["1", "2", "5", "7", "100", "0", "x", "", "*", "-1"])),
            1 => format!("/{}", 1 + self.below(20)),
            _ => String::new(),
        };
        let range = match self.below(7) {
            0 => "*".to_owned(),
            1..=3 => format!("{}-{}", self.value(field), self.value(field)),
            _ => self.value(field),
        };
        format!("{range}{step}")
    }

    fn field(&mut self, field: usize) -> String {
        match self.below(12) {
            0..=3 => "*".to_owned(),
            4 => self
                .pick(&["?", "R", "r(1-5)", "R/2", "r(0-70)", "R(5-1)", "H", "h(1-2)/3", "R(1-5)/0", "*/2"])
                .to_owned(),
            5 | 6 => format!("{},{}", self.part(field), self.part(field)),
            7 => format!("{},{},{}", self.part(field), self.part(field), self.part(field)),
            _ => self.part(field),
        }
    }

    fn line(&mut self) -> String {
        // Only days and months can make a line that never matches.
        if self.below(3) == 0 {
            let days = ["29", "30", "31", "30,31", "29-31", "L", "30W", "31/2", "30-29", "1-31"];
            let months = ["2", "feb", "2,4", "4,6,9,11", "*", "feb-feb", "6-4", "2/12"];
            let weekdays = ["*", "?", "1", "0-6", "mon#1", "*/2", "L1"];
            return format!("0 0 {} {} {}", self.pick(&days), self.pick(&months), self.pick(&weekdays));
        }
        let fields: Vec<String> = (0..5).map(|field| self.field(field)).filter(|text| !text.is_empty()).collect();
        fields.join(" ")
    }
}

/// `runs`, `never` or `refused`, by our findings.
fn ours(line: &str) -> &'static str {
    let mut manifest: Value = serde_json::from_str(BASE).unwrap();
    manifest["schedules"] = json!([{"name": "it", "cron": line}]);
    let findings = validate_text(&manifest.to_string(), "imperal.json");
    match findings.iter().find(|found| found.rule == "M23").map(|found| found.level) {
        None => "runs",
        Some(Level::Error) => "refused",
        Some(_) => "never",
    }
}

pub(crate) fn prove() -> Vec<Row> {
    let mut row = Row { what: "timetables, beside croniter", equal: 0, explained: vec![], unexplained: vec![] };
    let mut dice = Dice(0x5eed_cafe_f00d_0001);
    let mut lines: Vec<String> = (0..MANY).map(|_| dice.line()).filter(|line| line.split(' ').count() == 5).collect();
    lines.sort();
    lines.dedup();
    let theirs = python::run("cron.py", &json!(lines).to_string());
    for (line, theirs) in lines.iter().zip(theirs.as_array().unwrap()) {
        let (ours, theirs) = (ours(line), theirs.as_str().unwrap());
        if ours == theirs {
            row.equal += 1;
        } else {
            row.unexplained.push((line.clone(), format!("ours: {ours}, theirs: {theirs}")));
        }
    }
    vec![row]
}
