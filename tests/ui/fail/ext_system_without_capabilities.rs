//! A system extension without capabilities (V34).

imperal::extension! {
    app_id: "notes",
    name: "Notebook",
    description: "Keeps the notes of a team where everyone finds them.",
    icon: "icons/good.svg",
    system: true,
}

fn main() {}
