//! A short name (V15).

imperal::extension! {
    app_id: "notes",
    name: "No",
    description: "Keeps the notes of a team where everyone finds them.",
    icon: "icons/good.svg",
    capabilities: ["notes:read"],
}

fn main() {}
