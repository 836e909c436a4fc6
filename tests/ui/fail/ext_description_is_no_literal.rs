//! A constant instead of a text.

imperal::extension! {
    app_id: "notes",
    name: "Notebook",
    description: DESCRIPTION,
    icon: "icons/good.svg",
    capabilities: ["notes:read"],
}

fn main() {}
