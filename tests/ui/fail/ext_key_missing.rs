//! The icon is missing.

imperal::extension! {
    app_id: "notes",
    name: "Notebook",
    description: "Keeps the notes of a team where everyone finds them.",
    capabilities: ["notes:read"],
}

fn main() {}
