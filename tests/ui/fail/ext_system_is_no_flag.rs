//! A flag with another value.

imperal::extension! {
    app_id: "notes",
    name: "Notebook",
    description: "Keeps the notes of a team where everyone finds them.",
    icon: "icons/good.svg",
    capabilities: ["notes:read"],
    system: 1,
}

fn main() {}
