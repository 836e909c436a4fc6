//! A misspelt required key: one error.

imperal::extension! {
    app_id: "notes",
    name: "Notebook",
    descripton: "Keeps the notes of a team where everyone finds them.",
    icon: "icons/good.svg",
    capabilities: ["notes:read"],
}

fn main() {}
