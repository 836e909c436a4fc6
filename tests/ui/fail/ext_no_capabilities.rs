//! No capabilities (V34). The warning is an error here.

#![deny(deprecated)]

imperal::extension! {
    app_id: "notes",
    name: "Notebook",
    description: "Keeps the notes of a team where everyone finds them.",
    icon: "icons/good.svg",
}

fn main() {}
