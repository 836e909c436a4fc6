//! An invalid app_id (V1).

imperal::extension! {
    app_id: "My_Notes",
    name: "Notebook",
    description: "Keeps the notes of a team where everyone finds them.",
    icon: "icons/good.svg",
    capabilities: ["notes:read"],
}

fn main() {}
