//! An app_id of one character (V1).

imperal::extension! {
    app_id: "n",
    name: "Notebook",
    description: "Keeps the notes of a team where everyone finds them.",
    icon: "icons/good.svg",
    capabilities: ["notes:read"],
}

fn main() {}
