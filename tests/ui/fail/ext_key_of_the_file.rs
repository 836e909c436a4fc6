//! A key of `imperal.json`.

imperal::extension! {
    app_id: "notes",
    name: "Notebook",
    description: "Keeps the notes of a team where everyone finds them.",
    icon: "icons/good.svg",
    capabilities: ["notes:read"],
    homepage: "https://example.com",
}

fn main() {}
