//! A missing file (V21).

imperal::extension! {
    app_id: "notes",
    name: "Notebook",
    description: "Keeps the notes of a team where everyone finds them.",
    icon: "icons/none.svg",
    capabilities: ["notes:read"],
}

fn main() {}
