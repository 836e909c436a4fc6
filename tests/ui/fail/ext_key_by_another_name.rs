//! A required key with another name: one error.

imperal::extension! {
    app_id: "notes",
    display_name: "Notebook",
    description: "Keeps the notes of a team where everyone finds them.",
    icon: "icons/good.svg",
    capabilities: ["notes:read"],
}

fn main() {}
