//! Misspelt capabilities of a system extension: one error (V34).

imperal::extension! {
    app_id: "notes",
    name: "Notebook",
    description: "Keeps the notes of a team where everyone finds them.",
    icon: "icons/good.svg",
    capabilites: ["notes:read"],
    system: true,
}

fn main() {}
