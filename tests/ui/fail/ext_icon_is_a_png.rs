//! Another kind of file (V21).

imperal::extension! {
    app_id: "notes",
    name: "Notebook",
    description: "Keeps the notes of a team where everyone finds them.",
    icon: "icons/icon.png",
    capabilities: ["notes:read"],
}

fn main() {}
