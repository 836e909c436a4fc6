//! No comma between two keys.

imperal::extension! {
    app_id: "notes",
    name: "Notebook",
    description: "Keeps the notes of a team where everyone finds them.",
    icon: "icons/good.svg",
    version: "1.0.0"
    capabilities: ["notes:read"],
}

fn main() {}
