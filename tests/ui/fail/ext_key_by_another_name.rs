//! A required key by another name: said once.

imperal::extension! {
    app_id: "notes",
    display_name: "Notebook",
    description: "Keeps the notes of a team where everyone finds them.",
    icon: "icons/good.svg",
    capabilities: ["notes:read"],
}

fn main() {}
