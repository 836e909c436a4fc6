//! The app_id as the name (V15).

imperal::extension! {
    app_id: "notes",
    name: "notes",
    description: "Keeps the notes of a team where everyone finds them.",
    icon: "icons/good.svg",
    capabilities: ["notes:read"],
}

fn main() {}
